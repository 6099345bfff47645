//! Why a session did not start.

use crate::{
    bpf::{
        LoadError,
        preflight::{LockdownHint, PreflightClass, PreflightError},
    },
    model::Tgid,
    process::select::InvalidPattern,
};

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
    Pattern(#[from] InvalidPattern),
    /// The kernel or the environment does not do.
    #[error(transparent)]
    Preflight(#[from] PreflightError),
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

impl StartError {
    /// For the exit code.
    #[must_use]
    pub fn exit(&self) -> Class {
        match self {
            Self::NoSuchPid(_) => Class::NotFound,
            Self::Preflight(error) => match error.class() {
                PreflightClass::Permission => Class::Permission,
                PreflightClass::Kernel | PreflightClass::Environment => Class::Unsupported,
            },
            Self::Load(_) => Class::Unsupported,
            Self::Pattern(_) | Self::Thread(_) | Self::Ended => Class::Internal,
        }
    }

    /// What to do about it, where the sentence itself does not say so.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Load(_) => {
                let lockdown = LockdownHint::read().to_string();
                let hint = lockdown.trim_start_matches("; moreover ");
                (!hint.is_empty()).then(|| hint.to_owned())
            }
            _ => None,
        }
    }
}
