//! Stub with the API that `cli` is written against; the real one replaces it.

use std::sync::atomic::AtomicBool;

use crate::model::{Profile, Tgid};

/// What to record.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Every Python process, whatever `pids` and `comms` hold.
    pub all: bool,
    /// These processes and their children.
    pub pids: Vec<Tgid>,
    /// Globs of `--comm`.
    pub comms: Vec<String>,
    /// Samples a second of CPU time, 1 to 10,000.
    pub rate_hz: u32,
    /// Whether the profile holds every sample.
    pub keep_samples: bool,
}

/// How far the recording is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// Samples so far.
    pub samples: u64,
    /// Lost samples so far.
    pub lost: u64,
    /// Python processes seen.
    pub processes: usize,
    /// Of these, chosen.
    pub matched: usize,
}

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
#[derive(Clone, Debug, thiserror::Error)]
pub enum StartError {
    /// A `--pid` that is not there.
    #[error("there is no process {0}")]
    NoSuchPid(Tgid),
    /// The stub.
    #[error("the session is not written yet")]
    Stub,
}

impl StartError {
    /// For the exit code.
    pub fn exit(&self) -> Class {
        match self {
            Self::NoSuchPid(_) => Class::NotFound,
            Self::Stub => Class::Internal,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        None
    }
}

/// A running recording.
#[derive(Debug)]
pub struct Session;

impl Session {
    /// Starts sampling.
    pub fn start(_config: Config) -> Result<Self, StartError> {
        Err(StartError::Stub)
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        Progress::default()
    }

    /// Chooses one more process and its children.
    pub fn add_pid(&self, _tgid: Tgid) -> Result<(), StartError> {
        Ok(())
    }

    /// Ends sampling and resolves; `skip` ends the look-ups early.
    pub fn stop(self, _skip: &AtomicBool) -> Profile {
        Profile::default()
    }
}
