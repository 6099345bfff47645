//! Map values about processes.
//!
//! Two maps, so that a late write from user space can never land on a newer program: the kernel
//! alone writes `PROCESSES` (user space only adds what ran before the start), and user space's
//! verdict in `PYTHONS` is keyed by the epoch it was made for.

use crate::{
    limits::{MAX_PATH_STEPS, MAX_PATHS},
    wire,
};

wire! {
    /// What the `sample` program did for one epoch of a process.
    pub struct ProcessCounts: 16 {
        /// Entries of the program.
        pub captured: u64,
        /// Of these, not written since the ring was full.
        pub ring_full: u64,
    }
}

wire! {
    /// Value of `PROCESSES`, keyed by tgid.
    pub struct ProcessEntry: 24 {
        /// CLOCK_MONOTONIC at the fork or exec that began this program, in nanoseconds, or the
        /// start of the profiler for processes that ran before: unique within a tgid.
        pub epoch: u64,
        /// Counted by the `sample` program.
        pub counts: ProcessCounts,
    }
}

wire! {
    /// Key of `PYTHONS`.
    pub struct ProcessKey: 16 {
        /// See [`ProcessEntry::epoch`].
        pub epoch: u64,
        /// Host thread group id.
        pub tgid: u32,
        /// Keeps the struct free of padding: always 0.
        pub reserved: u32,
    }
}

/// [`PyProcess::verdict`]: not sampled: no Python, or not chosen.
pub const VERDICT_SKIP: u32 = 1;
/// [`PyProcess::verdict`]: walked.
pub const VERDICT_WALK: u32 = 2;
/// [`PyProcess::verdict`]: Python, but of a layout that is not known: counted, not walked.
pub const VERDICT_REFUSED: u32 = 3;

wire! {
    /// Way from the TP, or from address 0, to a tstate: `n_steps` times add and dereference.
    pub struct TstatePath: 32 {
        /// Added before each dereference, in bytes.
        pub steps: [i64; MAX_PATH_STEPS],
        /// Used steps; 0 means that there is no path.
        pub n_steps: u32,
        /// 1: the base is address 0 (`tstate_current`), 0: the base is the TP.
        pub absolute: u32,
    }
}

wire! {
    /// Value of `PYTHONS`: user space's verdict on one epoch of a process. No value: undecided.
    pub struct PyProcess: 104 {
        /// Tried in order.
        pub paths: [TstatePath; MAX_PATHS],
        /// One of the `VERDICT_` values.
        pub verdict: u32,
        /// Index into `LAYOUTS`.
        pub layout: u32,
    }
}
