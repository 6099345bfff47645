//! Records of the ring `EVENTS`: what happened to a process.

use crate::{process::ProcessCounts, wire};

/// [`LifecycleEvent::kind`]: the process replaced its program; a new epoch began.
pub const EXEC: u32 = 1;
/// [`LifecycleEvent::kind`]: a new process; its layout was copied from its parent.
pub const FORK: u32 = 2;
/// [`LifecycleEvent::kind`]: the last thread of the process is exiting.
pub const EXIT: u32 = 3;

wire! {
    /// One exec, fork or exit.
    pub struct LifecycleEvent: 64 {
        /// CLOCK_MONOTONIC, in nanoseconds.
        pub time_ns: u64,
        /// Host thread group id of the process.
        pub tgid: u32,
        /// [`EXEC`], [`FORK`] or [`EXIT`].
        pub kind: u32,
        /// The epoch that begins (exec, fork) or ends (exit).
        pub epoch: u64,
        /// Fork: the parent's tgid. Exec: the tgid itself.
        pub parent_tgid: u32,
        /// Keeps the struct free of padding.
        pub reserved: u32,
        /// Fork: the parent's epoch. Exec: the epoch that ends. 0 when unknown.
        pub parent_epoch: u64,
        /// Exec and exit: the counts of the epoch that ends.
        pub counts: ProcessCounts,
        /// Exec and exit: CPU time of the thread group so far, in nanoseconds
        /// (`signal->sum_sched_runtime` and the current task's `sum_exec_runtime`).
        pub cpu_ns: u64,
    }
}
