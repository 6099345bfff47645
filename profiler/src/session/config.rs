//! What to record, and how far it is.

use crate::model::Tgid;

/// What to record.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The target in words, for titles.
    pub target: String,
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
