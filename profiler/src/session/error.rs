//! Why a session did not start.

use crate::{bpf::LoadError, model::Tgid};

/// What kind of failure kept the session from starting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A target is not there.
    NotFound,
    /// A right is missing.
    Permission,
    /// The kernel or the environment does not do.
    Unsupported,
    /// Anything else.
    Internal,
}

/// Why the session did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A `--pid` that is not there.
    #[error("there is no process {0}")]
    NoSuchPid(Tgid),
    /// A `--comm` that is no glob.
    #[error(transparent)]
    Pattern(#[from] crate::process::select::PatternError),
    /// The kernel or the environment does not do.
    #[error(transparent)]
    Preflight(#[from] crate::bpf::preflight::PreflightError),
    /// The programs are not loaded or attached.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A thread could not be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[source] std::io::Error),
    /// A thread ended early.
    #[error("the recording has ended early; its last words stand above")]
    Ended,
}
