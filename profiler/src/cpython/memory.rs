//! The one way to a process's bytes, and the one way to pick numbers out of them.
//!
//! A live process is read by process_vm_readv; tests read byte images.

use std::io;

use crate::procfs::{ProcessMemory, Request};

/// The memory of a process, running or not.
pub trait ReadMemory {
    /// Fills the whole buffer from this address.
    ///
    /// # Errors
    /// When a byte of it is not mapped, or the process is gone or not ours to read.
    fn read(&self, address: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// Serves each request that can be served, in as few system calls as it takes; one that fails
    /// does not fail the others.
    fn read_batch(&self, requests: &mut [Request<'_>]) {
        for request in requests {
            request.is_read = self.read(request.address, request.buffer).is_ok();
        }
    }
}

impl ReadMemory for ProcessMemory {
    fn read(&self, address: u64, buffer: &mut [u8]) -> io::Result<()> {
        Self::read(self, address, buffer)
    }

    fn read_batch(&self, requests: &mut [Request<'_>]) {
        Self::read_batch(self, requests);
    }
}

/// Reads one u64.
///
/// # Errors
/// As [`ReadMemory::read`].
pub fn read_u64(memory: &dyn ReadMemory, address: u64) -> io::Result<u64> {
    let mut bytes = [0; 8];
    memory.read(address, &mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

/// Reads pieces of the stated address and length, each into a vector of its own; `None` for a
/// piece that could not be read. The caller bounds the lengths.
pub fn read_pieces(memory: &dyn ReadMemory, pieces: &[(u64, usize)]) -> Vec<Option<Vec<u8>>> {
    if pieces.is_empty() {
        return Vec::new();
    }
    let mut buffers: Vec<Vec<u8>> = pieces.iter().map(|&(_, length)| vec![0; length]).collect();
    let mut requests: Vec<Request<'_>> = pieces
        .iter()
        .zip(&mut buffers)
        .map(|(&(address, _), buffer)| Request::new(address, buffer))
        .collect();
    memory.read_batch(&mut requests);
    let is_read: Vec<bool> = requests.iter().map(|request| request.is_read).collect();
    buffers
        .into_iter()
        .zip(is_read)
        .map(|(buffer, is_read)| is_read.then_some(buffer))
        .collect()
}

/// The u64 at this offset; `None` when it does not lie within the bytes.
pub(super) fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}

/// The u32 at this offset; `None` when it does not lie within the bytes.
pub(super) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}

/// A target that is a list of byte pieces, for tests.
#[cfg(test)]
#[derive(Default)]
pub(super) struct Image {
    pieces: std::collections::BTreeMap<u64, Vec<u8>>,
    calls: std::cell::Cell<usize>,
}

#[cfg(test)]
impl Image {
    pub(super) fn put(&mut self, address: u64, bytes: &[u8]) {
        self.pieces.insert(address, bytes.to_vec());
    }

    pub(super) fn put_u64s(&mut self, address: u64, words: &[u64]) {
        self.put(
            address,
            &words
                .iter()
                .flat_map(|word| word.to_le_bytes())
                .collect::<Vec<_>>(),
        );
    }

    pub(super) fn remove(&mut self, address: u64) {
        self.pieces.remove(&address);
    }

    /// Batches and single reads so far.
    pub(super) fn calls(&self) -> usize {
        self.calls.get()
    }

    fn fill(&self, address: u64, buffer: &mut [u8]) -> io::Result<()> {
        let unmapped = || io::Error::from_raw_os_error(libc::EFAULT);
        let (start, bytes) = self
            .pieces
            .range(..=address)
            .next_back()
            .ok_or_else(unmapped)?;
        let offset = usize::try_from(address - start).map_err(|_| unmapped())?;
        let source = bytes
            .get(offset..)
            .and_then(|rest| rest.get(..buffer.len()))
            .ok_or_else(unmapped)?;
        buffer.copy_from_slice(source);
        Ok(())
    }
}

#[cfg(test)]
impl ReadMemory for Image {
    fn read(&self, address: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.calls.set(self.calls.get() + 1);
        self.fill(address, buffer)
    }

    fn read_batch(&self, requests: &mut [Request<'_>]) {
        self.calls.set(self.calls.get() + 1);
        for request in requests {
            request.is_read = self.fill(request.address, request.buffer).is_ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_outside_the_bytes_are_none() {
        let bytes = [1, 0, 0, 0, 2, 0, 0, 0, 3];
        assert_eq!(
            (u64_at(&bytes, 0), u64_at(&bytes, 1)),
            (Some(0x2_0000_0001), Some(0x0300_0000_0200_0000))
        );
        assert_eq!(
            (u64_at(&bytes, 2), u64_at(&bytes, usize::MAX)),
            (None, None)
        );
        assert_eq!((u32_at(&bytes, 4), u32_at(&bytes, 6)), (Some(2), None));
    }

    #[test]
    fn a_piece_that_fails_does_not_fail_the_others() {
        let mut image = Image::default();
        image.put(0x1000, &[1, 2, 3, 4]);
        let pieces = read_pieces(
            &image,
            &[(0x1000, 2), (0x5000, 1), (0x1002, 2), (0x1002, 3)],
        );
        assert_eq!(pieces, [Some(vec![1, 2]), None, Some(vec![3, 4]), None]);
        assert_eq!(image.calls(), 1);
    }
}
