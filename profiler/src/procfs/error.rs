//! Why something about a process could not be had, and the bounded read that all of it uses.

use std::{
    fs::File,
    io::{self, Read},
};

use crate::model::Tgid;

/// Why something about a process could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ProcfsError {
    /// The process has ended.
    #[error("process {tgid} does not exist (any more)")]
    Gone {
        /// The process.
        tgid: Tgid,
    },
    /// A right is missing.
    #[error(
        "cannot read {what} of process {tgid}: permission denied; CAP_SYS_PTRACE is needed (root has it), and a security module may deny it even so"
    )]
    Denied {
        /// The process.
        tgid: Tgid,
        /// The file under /proc/PID, or what else was read.
        what: &'static str,
    },
    /// Any other failure.
    #[error("cannot read {what} of process {tgid}: {source}")]
    Io {
        /// The process.
        tgid: Tgid,
        /// The file under /proc/PID, or what else was read.
        what: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// The content is not what the kernel writes, or is more than is read of one process.
    #[error("{what} of process {tgid} is refused: {problem}")]
    Refused {
        /// The process.
        tgid: Tgid,
        /// The file under /proc/PID.
        what: &'static str,
        /// What is wrong.
        problem: &'static str,
    },
}

impl ProcfsError {
    /// The error for a failed access to a process.
    pub(super) fn new(tgid: Tgid, what: &'static str, source: io::Error) -> Self {
        match source.raw_os_error() {
            Some(libc::ENOENT | libc::ESRCH) => Self::Gone { tgid },
            Some(libc::EACCES | libc::EPERM) => Self::Denied { tgid, what },
            _ => Self::Io { tgid, what, source },
        }
    }

    /// Whether the reason is that the process has ended.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Gone { .. })
    }
}

/// Opens a file under /proc/PID.
pub(super) fn open(tgid: Tgid, what: &'static str) -> Result<File, ProcfsError> {
    File::open(format!("/proc/{tgid}/{what}"))
        .map_err(|source| ProcfsError::new(tgid, what, source))
}

/// At most `limit` bytes of a file under /proc/PID; what is longer is cut.
pub(super) fn read(tgid: Tgid, what: &'static str, limit: u64) -> Result<Vec<u8>, ProcfsError> {
    let mut bytes = Vec::new();
    let file = open(tgid, what)?;
    file.take(limit)
        .read_to_end(&mut bytes)
        .map_err(|source| ProcfsError::new(tgid, what, source))?;
    Ok(bytes)
}
