//! Why an ELF file is no answer.

use std::io;

use super::Version;

/// Why it cannot be told whether a file is a Python, or which one.
#[derive(Debug, thiserror::Error)]
pub enum ElfError {
    /// The file could not be read.
    #[error("cannot read it: {0}")]
    Read(#[from] io::Error),
    /// The file starts as an ELF file, but is not whole.
    #[error("it is a damaged ELF file: {0}")]
    Malformed(&'static str),
    /// The file defines `_PyRuntime`, and nothing in it says of which version.
    #[error("it is a Python whose version is not known: {0}; please report where it comes from")]
    NoVersion(&'static str),
    /// Two places of the file state different versions.
    #[error(
        "it is a Python whose version is not known: it says {one} and {other}; please report where it comes from"
    )]
    VersionsDisagree {
        /// What one place says.
        one: Version,
        /// What the other says.
        other: Version,
    },
}

impl ElfError {
    /// Whether the file is a Python for all that.
    pub fn is_python(&self) -> bool {
        match self {
            Self::Read(_) | Self::Malformed(_) => false,
            Self::NoVersion(_) | Self::VersionsDisagree { .. } => true,
        }
    }
}
