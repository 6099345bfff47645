//! What to record, and how far it is.

use crate::model::Tgid;

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

impl Config {
    /// The target in words, for titles.
    #[must_use]
    pub fn target(&self) -> String {
        let pids = self.pids.iter().map(|pid| format!("pid {pid}"));
        let comms = self.comms.iter().map(|comm| format!("--comm {comm}"));
        let words: Vec<String> = pids.chain(comms).collect();
        if self.all || words.is_empty() {
            "all Python processes".to_owned()
        } else {
            words.join(", ")
        }
    }
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
