//! What a sample without a Python stack means: a pure state machine for each process.
//!
//! Before the process's first stack it is `<start-up>`. After that a thread without a tstate is
//! a native one, but for the main thread, of which only what comes later tells: if another stack
//! follows it ran native code, and if none does until the process ends it was `<shutdown>`.

use profiler_common::status::Status;

use crate::model::{LostReason, Special, Tid};

/// One sample that has no stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bare {
    /// CLOCK_MONOTONIC, in nanoseconds.
    pub time_ns: u64,
    /// The thread.
    pub tid: Tid,
    /// The CPU.
    pub cpu: u32,
    /// Why it has no stack; `Complete`: a tstate without a frame.
    pub status: Status,
    /// It is the process's main thread.
    pub is_main: bool,
    /// The task is past the start of its exit.
    pub is_exiting: bool,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Delivered under this label.
    Special(Special),
    /// Lost.
    Lost(LostReason),
}

/// The state of one process.
#[derive(Debug, Default)]
pub struct Phases {
    seen_stack: bool,
    held: Vec<Bare>,
}

/// Samples that are held for one process at most: what comes first is let go as native.
const MAX_HELD: usize = 1 << 17;

impl Phases {
    /// The process had a tstate before its first sample here: it ran already, or was forked.
    pub fn skip_start_up(&mut self) {
        self.seen_stack = true;
    }

    /// A sample that has no stack. What can be said of it, or of earlier ones, goes to `out`.
    pub fn bare(&mut self, sample: Bare, out: &mut Vec<(Bare, Outcome)>) {
        let Bare {
            status,
            is_main,
            is_exiting,
            ..
        } = sample;
        if status == Status::Refused {
            out.push((sample, Outcome::Lost(LostReason::Walk(status))));
        } else if status == Status::Undecided || is_main && self.seen_stack && may_be_end(status) {
            if self.held.len() >= MAX_HELD {
                self.release(out, false);
            }
            self.held.push(sample);
        } else if !self.seen_stack && may_be_end(status) {
            out.push((sample, Outcome::Special(Special::StartUp)));
        } else if is_exiting && may_be_end(status) {
            out.push((sample, Outcome::Special(Special::NativeThread)));
        } else {
            out.push((sample, settled(status)));
        }
    }

    /// A sample that has a stack.
    pub fn stack(&mut self, out: &mut Vec<(Bare, Outcome)>) {
        if !self.held.is_empty() {
            self.release(out, false);
        }
        self.seen_stack = true;
    }

    /// The recording ends; `has_exited`: so did the process.
    pub fn end(&mut self, has_exited: bool, out: &mut Vec<(Bare, Outcome)>) {
        self.release(out, has_exited);
    }

    fn release(&mut self, out: &mut Vec<(Bare, Outcome)>, has_exited: bool) {
        for sample in self.held.drain(..) {
            let outcome = if sample.status == Status::Undecided || !self.seen_stack {
                Outcome::Special(Special::StartUp)
            } else if has_exited {
                Outcome::Special(Special::Shutdown)
            } else {
                settled(sample.status)
            };
            out.push((sample, outcome));
        }
    }
}

/// What a thread looks like when its tstate is not there yet, or no longer: a tstate that was
/// freed may be unreadable or somebody else's.
const fn may_be_end(status: Status) -> bool {
    matches!(
        status,
        Status::NoTp
            | Status::NoTstate
            | Status::Complete
            | Status::ThreadIdMismatch
            | Status::TstateFault
    )
}

/// What the status alone says.
const fn settled(status: Status) -> Outcome {
    match status {
        Status::NoTp | Status::NoTstate | Status::Complete => {
            Outcome::Special(Special::NativeThread)
        }
        status => Outcome::Lost(LostReason::Walk(status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NATIVE: Outcome = Outcome::Special(Special::NativeThread);
    const START_UP: Outcome = Outcome::Special(Special::StartUp);
    const SHUTDOWN: Outcome = Outcome::Special(Special::Shutdown);
    const MISMATCH: Outcome = Outcome::Lost(LostReason::Walk(Status::ThreadIdMismatch));

    /// `'s'`: a stack; upper case: the main thread's; then the end, `exited` or not.
    fn outcomes(samples: &str, has_exited: bool) -> Vec<Outcome> {
        let mut phases = Phases::default();
        let mut out = Vec::new();
        for (time, sample) in (0..).zip(samples.chars()) {
            let status = match sample.to_ascii_lowercase() {
                's' => {
                    phases.stack(&mut out);
                    continue;
                }
                'n' => Status::NoTstate,
                'm' => Status::ThreadIdMismatch,
                'u' => Status::Undecided,
                'f' => Status::FrameFault,
                'r' => Status::Refused,
                _ => Status::Complete,
            };
            let is_main = sample.is_ascii_uppercase();
            let bare = Bare {
                time_ns: time,
                tid: Tid(1),
                cpu: 0,
                status,
                is_main,
                is_exiting: false,
            };
            phases.bare(bare, &mut out);
        }
        phases.end(has_exited, &mut out);
        out.sort_by_key(|(bare, _)| bare.time_ns);
        out.into_iter().map(|(_, outcome)| outcome).collect()
    }

    #[test]
    fn before_the_first_stack_is_start_up() {
        assert_eq!(outcomes("UUNnCs", false), [START_UP; 5]);
        assert_eq!(outcomes("UU", true), [START_UP; 2]);
        assert_eq!(outcomes("M", true), [START_UP]);
    }

    #[test]
    fn the_main_thread_after_its_last_stack_shuts_down() {
        assert_eq!(outcomes("SNMC", true), [SHUTDOWN; 3]);
        assert_eq!(outcomes("SNN", false), [NATIVE; 2]);
        assert_eq!(outcomes("SNSM", true), [NATIVE, SHUTDOWN]);
        assert_eq!(outcomes("SMS", true), [MISMATCH]);
    }

    #[test]
    fn other_threads_are_native_ones() {
        assert_eq!(outcomes("Snc", true), [NATIVE; 2]);
        assert_eq!(outcomes("Sm", true), [MISMATCH]);
    }

    #[test]
    fn failures_are_lost() {
        let lost = |status| Outcome::Lost(LostReason::Walk(status));
        assert_eq!(outcomes("FSf", true), [lost(Status::FrameFault); 2]);
        assert_eq!(outcomes("R", true), [lost(Status::Refused)]);
    }

    #[test]
    fn what_is_held_is_bounded() {
        let mut phases = Phases::default();
        let mut out = Vec::new();
        phases.stack(&mut out);
        for time_ns in 0..MAX_HELD as u64 + 5 {
            let status = Status::NoTstate;
            let (tid, is_main) = (Tid(1), true);
            let bare = Bare {
                time_ns,
                tid,
                cpu: 0,
                status,
                is_main,
                is_exiting: false,
            };
            phases.bare(bare, &mut out);
        }
        assert_eq!(out.len(), MAX_HELD);
        phases.end(true, &mut out);
        assert_eq!(out.len(), MAX_HELD + 5);
    }
}
