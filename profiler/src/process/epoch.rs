//! One epoch of a process: what is known of it, and when to look at it again.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use profiler_common::{
    limits::MAX_PATHS,
    process::{ProcessCounts, TstatePath},
};

use super::{
    choice::{Choice, RECHECK, RECHECK_OPEN},
    examine::{Interpreter, Located, Refused},
};
use crate::model::ProcessId;

/// How long after a look that found no Python, or no tstate, the next one comes. A program is
/// taken for no Python after the first `N_QUICK_LOOKS`; it is still looked at again, since it may
/// load a libpython later.
const LOOKS_MS: &[u64] = &[
    1, 1, 2, 2, 4, 5, 10, 25, 50, 100, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000,
];
/// See [`LOOKS_MS`].
pub(super) const N_QUICK_LOOKS: usize = 10;
/// See [`LOOKS_MS`]: the longest wait, of 5 ms, in the first second of a starting interpreter.
const STARTING_LOOK: usize = 5;
const N_STARTING_LOOKS: usize = 200;

/// What a process is.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Not found out yet.
    Unknown,
    /// No Python is in it.
    NotPython,
    /// A Python whose interpreter has not started.
    Starting(#[expect(private_interfaces, reason = "only the registry looks inside")] Located),
    /// A Python that is walked.
    Python(Arc<Interpreter>),
    /// A Python that cannot be walked.
    Refused(Refused),
}

/// One epoch of a process.
#[derive(Clone, Debug)]
pub struct Process {
    /// Which.
    pub id: ProcessId,
    /// What started it: the process that forked it, or the program that it replaced.
    pub parent: Option<ProcessId>,
    /// Its command line, for display.
    pub command: String,
    /// It was forked and has not replaced its program: it began with its parent's memory.
    pub is_fork: bool,
    /// What it is.
    pub kind: Kind,
    /// Whether it is a target.
    pub choice: Choice,
    /// It ran before its first sample, or was forked from one that did: it is past its start-up.
    pub was_running: bool,
    /// It has ended.
    pub has_ended: bool,
    /// The kernel's counts; complete when it has ended or [`Registry::finish`] was called.
    pub counts: ProcessCounts,
    pub(super) cpu_start: Duration,
    pub(super) cpu_end: Option<Duration>,
    /// The kernel passes over it: CPU time that it uses meanwhile is not to be sampled.
    pub(super) is_skipped: bool,
    pub(super) paths: [TstatePath; MAX_PATHS],
    pub(super) looks: usize,
    pub(super) due: Option<Instant>,
}

impl Process {
    /// It is a target and a Python.
    #[must_use]
    pub fn is_chosen_python(&self) -> bool {
        let is_python = matches!(
            self.kind,
            Kind::Python(_) | Kind::Starting(_) | Kind::Refused(_)
        );
        self.choice == Choice::Yes && is_python
    }

    /// It will never be shown, so nothing needs to be kept of it.
    #[must_use]
    pub fn is_out(&self) -> bool {
        let is_none = matches!(self.kind, Kind::NotPython);
        self.choice == Choice::No || is_none || self.has_ended && !self.is_chosen_python()
    }

    /// CPU time of the process while it was sampled.
    #[must_use]
    pub fn cpu_time(&self) -> Duration {
        self.cpu_end
            .unwrap_or_default()
            .saturating_sub(self.cpu_start)
    }

    /// How long it is until it is to be looked at again; `None`: nothing about it will change.
    pub(super) fn next_look(&self, is_by_name: bool) -> Option<Duration> {
        let name = match self.choice {
            Choice::Yes => None,
            Choice::Open(_) => Some(RECHECK_OPEN),
            Choice::No if !is_by_name => return None,
            // Only a Python is worth the question what it is called now.
            Choice::No if self.interpreter_name().is_some() => Some(RECHECK),
            Choice::No => None,
        };
        let n = match self.kind {
            Kind::Python(_) | Kind::Refused(_) => return name,
            // A Python that is not ready is looked at often: until it is seen to be, its samples
            // are `<start-up>`. One that embeds an interpreter may take for ever.
            Kind::Starting(_) if self.looks < N_STARTING_LOOKS => self.looks.min(STARTING_LOOK),
            Kind::Starting(_) => N_QUICK_LOOKS - 1,
            // What ran already has loaded what it needs.
            _ if self.was_running => N_QUICK_LOOKS - 1 + self.looks,
            _ => self.looks,
        };
        let look = Duration::from_millis(LOOKS_MS[n.min(LOOKS_MS.len() - 1)]);
        Some(name.map_or(look, |name| name.min(look)))
    }

    /// The interpreter's name, where one was found.
    #[must_use]
    pub fn interpreter_name(&self) -> Option<&str> {
        match &self.kind {
            Kind::Python(interpreter) => Some(&interpreter.name),
            Kind::Starting(located) => Some(&located.interpreter.name),
            Kind::Refused(refused) => Some(&refused.name),
            Kind::Unknown | Kind::NotPython => None,
        }
    }
}
