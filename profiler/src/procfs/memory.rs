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
    /// Filled whole, or of no meaning when the result is an error.
    pub buffer: &'a mut [u8],
    /// How it went: an error until it was read.
    pub result: io::Result<()>,
}

impl<'a> Request<'a> {
    /// A request that was not made yet.
    pub fn new(address: u64, buffer: &'a mut [u8]) -> Self {
        Self {
            address,
            buffer,
            result: Err(fault()),
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
        let mut request = [Request::new(address, buffer)];
        self.read_batch(&mut request);
        let [request] = request;
        request.result
    }

    /// Makes all requests; each gets a result of its own.
    pub fn read_batch(&self, requests: &mut [Request<'_>]) {
        let mut rest = requests;
        while !rest.is_empty() {
            let n_done = self.read_some(rest);
            rest = rest.get_mut(n_done.max(1)..).unwrap_or_default();
        }
    }

    /// Makes one call for the first requests, and says how many got their result.
    fn read_some(&self, requests: &mut [Request<'_>]) -> usize {
        let n_places = chunk_len(requests);
        let Some(chunk) = requests.get_mut(..n_places) else {
            return 1;
        };
        let pid = match i32::try_from(self.tgid.0) {
            Ok(pid) => Pid::from_raw(pid),
            Err(_) => {
                chunk
                    .iter_mut()
                    .for_each(|request| request.result = Err(no_process()));
                return n_places;
            }
        };
        let remote: Vec<RemoteIoVec> = chunk.iter().map(remote_place).collect();
        let mut local: Vec<IoSliceMut<'_>> = chunk
            .iter_mut()
            .map(|request| IoSliceMut::new(request.buffer))
            .collect();
        let copied = process_vm_readv(pid, &mut local, &remote);
        match copied {
            Ok(n_bytes) => give_results(chunk, n_bytes),
            Err(nix::Error::EFAULT) => give_results(chunk, 0),
            Err(errno) => {
                chunk
                    .iter_mut()
                    .for_each(|request| request.result = Err(errno.into()));
                n_places
            }
        }
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

fn remote_place(request: &Request<'_>) -> RemoteIoVec {
    // x86-64: an address is a usize.
    RemoteIoVec {
        base: request.address as usize,
        len: request.buffer.len(),
    }
}

/// The requests that `n_bytes` cover are done; the one behind them has failed, wherever in it
/// the kernel stopped. Returns how many results that makes.
fn give_results(requests: &mut [Request<'_>], n_bytes: usize) -> usize {
    let mut rest = n_bytes;
    for (n_done, request) in requests.iter_mut().enumerate() {
        match rest.checked_sub(request.buffer.len()) {
            Some(left) => {
                request.result = Ok(());
                rest = left;
            }
            None => {
                request.result = Err(fault());
                return n_done + 1;
            }
        }
    }
    requests.len()
}

fn fault() -> io::Error {
    io::Error::from_raw_os_error(libc::EFAULT)
}

fn no_process() -> io::Error {
    io::Error::from_raw_os_error(libc::ESRCH)
}

#[cfg(test)]
mod tests;
