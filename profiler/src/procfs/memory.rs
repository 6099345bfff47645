//! Reads the memory of a live process by process_vm_readv: no stop, no ptrace attach.
//!
//! One call takes up to 1,024 places. The kernel stops at the first that cannot be read, and
//! says only how many bytes it had copied; so each place that fails costs a call of its own,
//! and the rest goes on behind it.

use std::io::{self, IoSliceMut};

use nix::{
    sys::uio::{RemoteIoVec, process_vm_readv},
    unistd::Pid,
};

use crate::model::Tgid;

/// `IOV_MAX`, `UIO_MAXIOV`: places in one call.
const MAX_PLACES: usize = 1024;
/// Bytes in one call: the kernel copies at most `MAX_RW_COUNT`, just below 2 GiB.
const MAX_BYTES: usize = 1 << 30;

/// One place to read.
#[derive(Debug)]
pub struct Request<'a> {
    /// Where, in the process.
    pub address: u64,
    /// Filled whole, or of no meaning.
    pub buffer: &'a mut [u8],
    /// Set when the whole buffer was filled.
    pub is_read: bool,
}

impl<'a> Request<'a> {
    /// A request that was not made yet.
    pub fn new(address: u64, buffer: &'a mut [u8]) -> Self {
        Self {
            address,
            buffer,
            is_read: false,
        }
    }
}

/// The memory of one process. It does not keep the process alive: after its end each read
/// fails, and once its id is used again it reads the other process (callers compare epochs).
#[derive(Clone, Copy, Debug)]
pub struct ProcessMemory {
    tgid: Tgid,
}

impl ProcessMemory {
    /// The memory of a process, whether it exists or not.
    pub const fn new(tgid: Tgid) -> Self {
        Self { tgid }
    }

    /// Fills the buffer from an address.
    ///
    /// # Errors
    /// EFAULT when not all of it can be read, ESRCH when the process is gone, EPERM.
    pub fn read(&self, address: u64, buffer: &mut [u8]) -> io::Result<()> {
        if buffer.is_empty() {
            return Ok(());
        }
        let remote = [remote_place(address, buffer)];
        let len = buffer.len();
        let n_bytes = process_vm_readv(self.pid()?, &mut [IoSliceMut::new(buffer)], &remote)?;
        if n_bytes == len {
            Ok(())
        } else {
            Err(io::Error::from_raw_os_error(libc::EFAULT))
        }
    }

    /// Serves each request that can be served; `is_read` says which.
    pub fn read_batch(&self, requests: &mut [Request<'_>]) {
        requests
            .iter_mut()
            .for_each(|request| request.is_read = false);
        let Ok(pid) = self.pid() else { return };
        let mut rest = requests;
        while !rest.is_empty() {
            match read_some(pid, rest) {
                Some(n_served) => rest = rest.get_mut(n_served.max(1)..).unwrap_or_default(),
                None => return,
            }
        }
    }

    fn pid(&self) -> io::Result<Pid> {
        let pid = i32::try_from(self.tgid.0);
        pid.map(Pid::from_raw)
            .map_err(|_| io::Error::from_raw_os_error(libc::ESRCH))
    }
}

/// Makes one call for the first requests and says how many were served, well or not; `None`
/// when the process is gone or may not be read, so that no more can be.
fn read_some(pid: Pid, requests: &mut [Request<'_>]) -> Option<usize> {
    let n_places = chunk_len(requests);
    let chunk = requests.get_mut(..n_places)?;
    let remote: Vec<RemoteIoVec> = chunk
        .iter()
        .map(|request| remote_place(request.address, request.buffer))
        .collect();
    let mut local: Vec<IoSliceMut<'_>> = chunk
        .iter_mut()
        .map(|request| IoSliceMut::new(request.buffer))
        .collect();
    match process_vm_readv(pid, &mut local, &remote) {
        Ok(n_bytes) => Some(give_results(chunk, n_bytes)),
        Err(nix::Error::EFAULT) => Some(give_results(chunk, 0)),
        Err(_) => None,
    }
}

/// How many of the requests fit into one call: at least one, if there is any.
fn chunk_len(requests: &[Request<'_>]) -> usize {
    let mut n_bytes = 0_usize;
    let fits = |request: &&Request<'_>| {
        n_bytes = n_bytes.saturating_add(request.buffer.len());
        n_bytes <= MAX_BYTES
    };
    let n_fitting = requests.iter().take(MAX_PLACES).take_while(fits).count();
    n_fitting.max(1).min(requests.len())
}

fn remote_place(address: u64, buffer: &[u8]) -> RemoteIoVec {
    // x86-64: an address is a usize.
    RemoteIoVec {
        base: address as usize,
        len: buffer.len(),
    }
}

/// The requests that `n_bytes` cover are read; the one behind them has failed, wherever in it
/// the kernel stopped. Returns how many that makes.
fn give_results(requests: &mut [Request<'_>], n_bytes: usize) -> usize {
    let mut rest = n_bytes;
    for (n_before, request) in requests.iter_mut().enumerate() {
        match rest.checked_sub(request.buffer.len()) {
            Some(left) => {
                request.is_read = true;
                rest = left;
            }
            None => return n_before + 1,
        }
    }
    requests.len()
}

#[cfg(test)]
mod tests;
