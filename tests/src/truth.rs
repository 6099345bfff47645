//! What a workload says about itself, one JSON value a line: see `workloads/truth.py`.

use std::{collections::HashSet, fmt};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;

/// A function at a line.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
pub struct TrueFrame(
    /// `co_qualname` (3.11+) or `co_name`.
    pub String,
    /// `co_filename`.
    pub String,
    /// The line, where Python knows one.
    pub Option<u32>,
);

/// Frames, root first.
pub type TrueStack = Vec<TrueFrame>;

impl fmt::Display for TrueFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(name, file, line) = self;
        match line {
            Some(line) => write!(f, "{name} ({file}:{line})"),
            None => write!(f, "{name} ({file})"),
        }
    }
}

/// One line of the workload's stdout.
#[derive(Debug)]
pub enum Message {
    /// It waits for the word to go.
    Ready(Ready),
    /// What it did between two marks.
    Phase(Phase),
    /// All of it.
    Done,
}

/// Who is ready.
#[derive(Clone, Debug, Deserialize)]
pub struct Ready {
    /// `os.getpid()`, in its own pid namespace.
    pub pid: u32,
    /// `threading.get_native_id()` of the main thread, likewise.
    pub tid: u32,
    /// Anything else.
    #[serde(default)]
    pub more: Value,
}

/// What happens to the GIL during a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Gil {
    /// The thread holds it in (nearly) all samples.
    Held,
    /// The thread has released it in (nearly) all samples.
    Released,
    /// Threads fight for it: to wait for it and to take it costs CPU time as well.
    Contended,
}

/// What a thread did between two marks.
#[derive(Clone, Debug, Deserialize)]
pub struct Phase {
    /// The function's name.
    pub phase: String,
    /// `os.getpid()`.
    pub pid: u32,
    /// `threading.get_native_id()`.
    pub tid: u32,
    /// First mark: CLOCK_MONOTONIC, in nanoseconds.
    pub t0: u64,
    /// Second mark.
    pub t1: u64,
    /// The thread's CPU time between them, in nanoseconds.
    pub thread_time_ns: u64,
    /// What is known of the GIL.
    #[serde(default)]
    pub gil: Option<Gil>,
    /// Whether the code objects of this phase die: `<code replaced>` may stand for them.
    #[serde(default)]
    pub code_dies: bool,
    /// Every stack that can be seen between the marks.
    pub stacks: HashSet<TrueStack>,
    /// The stacks of the two lines that take the marks: hardly ever seen.
    pub edges: HashSet<TrueStack>,
    /// Frames that must be in the stack of at least one sample.
    #[serde(default)]
    pub seen: Vec<TrueFrame>,
}

impl Message {
    /// Reads one line.
    ///
    /// # Errors
    ///
    /// When it is none of the three.
    pub fn parse(line: &str) -> Result<Self> {
        let short = || line.chars().take(200).collect::<String>();
        let value: Value =
            serde_json::from_str(line).with_context(|| format!("not JSON: {}", short()))?;
        if let Some(ready) = value.get("ready") {
            let ready = Ready::deserialize(ready);
            Ok(Self::Ready(ready.with_context(|| {
                format!("not a ready message: {}", short())
            })?))
        } else if value.get("phase").is_some() {
            let phase = Phase::deserialize(value);
            Ok(Self::Phase(
                phase.with_context(|| format!("not a phase: {}", short()))?,
            ))
        } else if value.get("done").is_some() {
            Ok(Self::Done)
        } else {
            bail!("neither ready, phase nor done: {}", short())
        }
    }
}
