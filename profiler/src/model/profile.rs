//! A profile: what the outputs get.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, SystemTime},
};

use super::{Frame, FrameId, Function, FunctionId, ProcessId, StackId, Tid};
use profiler_common::{counter::Counter, status::Status};

/// Everything that was recorded, resolved.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// Where, when and how.
    pub meta: Meta,
    /// Functions, frames and stacks.
    pub symbols: Symbols,
    /// The chosen processes, in the order they were met.
    pub processes: Vec<ProcessInfo>,
    /// Samples by process and stack.
    pub counts: HashMap<(ProcessId, StackId), u64>,
    /// Every sample in the order of its time, where the session was asked to keep them.
    pub samples: Option<Vec<SampleRow>>,
    /// The law of samples.
    pub accounting: Accounting,
}

/// Where, when and how a profile was made.
#[derive(Clone, Debug)]
pub struct Meta {
    /// The host's name.
    pub host: String,
    /// What was chosen, in words: `all Python processes`, `--comm gunicorn`, `pid 17`.
    pub target: String,
    /// When sampling started.
    pub started: SystemTime,
    /// How long it lasted.
    pub duration: Duration,
    /// Samples a second of CPU time.
    pub rate_hz: u32,
    /// What the kernel side counted, over all processes of the host.
    pub kernel_counts: Vec<(Counter, u64)>,
}

impl Default for Meta {
    fn default() -> Self {
        Self {
            host: String::new(),
            target: String::new(),
            started: SystemTime::UNIX_EPOCH,
            duration: Duration::ZERO,
            rate_hz: 100,
            kernel_counts: Vec::new(),
        }
    }
}

/// Interned functions, frames and stacks; a handle is an index. Built by `aggregate`.
#[derive(Clone, Debug, Default)]
pub struct Symbols {
    /// By [`FunctionId`].
    pub functions: Vec<Function>,
    /// By [`FrameId`].
    pub frames: Vec<Frame>,
    /// By [`StackId`]: frames, root first.
    pub stacks: Vec<Box<[FrameId]>>,
}

impl Symbols {
    /// The function of a handle that was made for these symbols.
    pub fn function(&self, id: FunctionId) -> &Function {
        &self.functions[id.0 as usize]
    }

    /// The frame of a handle that was made for these symbols.
    pub fn frame(&self, id: FrameId) -> Frame {
        self.frames[id.0 as usize]
    }

    /// The stack, root first, of a handle that was made for these symbols.
    pub fn stack(&self, id: StackId) -> &[FrameId] {
        &self.stacks[id.0 as usize]
    }
}

/// A chosen process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessInfo {
    /// Which.
    pub id: ProcessId,
    /// The process title or command line, arguments joined by a space, free of what XML forbids.
    pub command: String,
    /// `CPython 3.12.1`; `None` while no interpreter was found in it.
    pub interpreter: Option<String>,
    /// Why its interpreter cannot be walked, a sentence.
    pub refused: Option<String>,
}

/// One sample, where they are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleRow {
    /// CLOCK_MONOTONIC, in nanoseconds.
    pub time_ns: u64,
    /// The process.
    pub process: ProcessId,
    /// The thread.
    pub tid: Tid,
    /// The CPU.
    pub cpu: u32,
    /// Whether the thread held the GIL, where that could be told.
    pub gil: Option<bool>,
    /// Its stack.
    pub stack: StackId,
}

/// Why a captured sample of a chosen process is not in the profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LostReason {
    /// The kernel's ring was full.
    RingFull,
    /// The reader's queue was full.
    QueueFull,
    /// The walk stopped early.
    Walk(Status),
    /// A code object of the stack does not prove to be one.
    NotCode,
}

impl LostReason {
    /// The reason, as the summary says it.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::RingFull => "ring buffer full",
            Self::QueueFull => "reader's queue full",
            Self::Walk(status) => status.describe(),
            Self::NotCode => "a code object that died before it was read, or a torn stack",
        }
    }
}

/// captured = delivered + lost, and expected less captured is what the kernel did not deliver.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Accounting {
    /// Entries of the kernel program for chosen processes.
    pub captured: u64,
    /// Samples in the profile.
    pub delivered: u64,
    /// Samples that are not in it.
    pub lost: BTreeMap<LostReason, u64>,
    /// CPU time of the chosen processes times the rate.
    pub expected: f64,
}

impl Accounting {
    /// All lost samples.
    pub fn lost_total(&self) -> u64 {
        self.lost.values().sum()
    }

    /// Share of the captured samples that were lost, 0 to 1.
    pub fn lost_share(&self) -> f64 {
        if self.captured == 0 {
            0.0
        } else {
            self.lost_total() as f64 / self.captured as f64
        }
    }
}
