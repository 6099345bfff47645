//! The memory of one epoch of a process.

use std::io;

use crate::{
    cpython::ReadMemory,
    procfs::{ProcessMemory, Request},
};

/// Reads that count only if the epoch had not ended when they were done: an exec leaves another
/// program under the same tgid, at the same addresses where they are not randomized, and its
/// event comes later than it happens. The kernel's map tells at once.
pub(super) struct EpochMemory<'a> {
    /// Of whatever has the tgid.
    pub(super) memory: ProcessMemory,
    /// Whether the kernel says that this is still the epoch.
    pub(super) is_current: &'a dyn Fn() -> bool,
}

impl ReadMemory for EpochMemory<'_> {
    fn read(&self, address: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.memory.read(address, buffer)?;
        if (self.is_current)() {
            Ok(())
        } else {
            Err(io::Error::from_raw_os_error(libc::ESRCH))
        }
    }

    fn read_batch(&self, requests: &mut [Request<'_>]) {
        self.memory.read_batch(requests);
        if !(self.is_current)() {
            requests
                .iter_mut()
                .for_each(|request| request.is_read = false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Tgid;

    #[test]
    fn what_is_read_after_the_end_does_not_count() {
        let word = std::hint::black_box(0x1234_5678_u64);
        let address = &raw const word as u64;
        for is_current in [true, false] {
            let memory = EpochMemory {
                memory: ProcessMemory::new(Tgid(std::process::id())),
                is_current: &|| is_current,
            };
            let (mut one, mut two) = ([0; 8], [0; 4]);
            assert_eq!(memory.read(address, &mut one).is_ok(), is_current);
            let mut requests = [
                Request::new(address, &mut one),
                Request::new(address, &mut two),
            ];
            memory.read_batch(&mut requests);
            let is_read = requests.map(|request| request.is_read);
            assert_eq!(is_read, [is_current; 2]);
            assert_eq!(u64::from_le_bytes(one), word);
        }
    }
}
