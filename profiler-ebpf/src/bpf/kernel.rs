//! Kernel structures: their offsets, set at load time from the running kernel's BTF, and reads.

use core::ptr;

use aya_ebpf::helpers::{bpf_get_current_task, generated::bpf_probe_read_kernel};

/// Declares offsets that the loader sets: frozen, so that the verifier sees constants.
macro_rules! kernel_offsets {
    ($($(#[$meta:meta])* $name:ident;)*) => {
        $($(#[$meta])* #[unsafe(no_mangle)] static $name: u64 = 0;)*
    };
}

kernel_offsets! {
    /// `task_struct.thread.fsbase`
    TASK_FSBASE;
    /// `task_struct.flags`
    TASK_FLAGS;
    /// `task_struct.pid`
    TASK_PID;
    /// `task_struct.tgid`
    TASK_TGID;
    /// `task_struct.signal`
    TASK_SIGNAL;
    /// `task_struct.se.sum_exec_runtime`
    TASK_SUM_EXEC_RUNTIME;
    /// `signal_struct.live`
    SIGNAL_LIVE;
    /// `signal_struct.sum_sched_runtime`
    SIGNAL_SUM_SCHED_RUNTIME;
}

/// `PF_EXITING` (`include/linux/sched.h`).
const PF_EXITING: u32 = 4;

macro_rules! offset {
    ($name:ident) => {
        // SAFETY: a static that the program never writes; volatile because the loader does.
        unsafe { ptr::read_volatile(&raw const $name) }
    };
}

/// A `task_struct`.
#[derive(Clone, Copy)]
pub(crate) struct Task(u64);

impl Task {
    /// The task that runs or was interrupted.
    #[inline(always)]
    pub(crate) fn current() -> Self {
        // SAFETY: the helper has no preconditions.
        Self(unsafe { bpf_get_current_task() })
    }

    /// A task that a tracepoint gives.
    #[inline(always)]
    pub(crate) fn from_raw(task: u64) -> Self {
        Self(task)
    }

    /// The thread pointer; 0 when there is none.
    #[inline(always)]
    pub(crate) fn tp(self) -> u64 {
        read_u64(self.0.wrapping_add(offset!(TASK_FSBASE)))
    }

    /// Whether it is past the start of its exit.
    #[inline(always)]
    pub(crate) fn is_exiting(self) -> bool {
        read_u32(self.0.wrapping_add(offset!(TASK_FLAGS))) & PF_EXITING != 0
    }

    /// The thread's id in the host's namespace.
    #[inline(always)]
    pub(crate) fn tid(self) -> u32 {
        read_u32(self.0.wrapping_add(offset!(TASK_PID)))
    }

    /// The process's id in the host's namespace.
    #[inline(always)]
    pub(crate) fn tgid(self) -> u32 {
        read_u32(self.0.wrapping_add(offset!(TASK_TGID)))
    }

    /// Threads of the process that have not begun their exit.
    #[inline(always)]
    pub(crate) fn live_threads(self) -> u32 {
        read_u32(self.signal().wrapping_add(offset!(SIGNAL_LIVE)))
    }

    /// CPU time of this thread and of the process's threads that are gone, in nanoseconds.
    #[inline(always)]
    pub(crate) fn cpu_ns(self) -> u64 {
        let own = read_u64(self.0.wrapping_add(offset!(TASK_SUM_EXEC_RUNTIME)));
        let gone = read_u64(
            self.signal()
                .wrapping_add(offset!(SIGNAL_SUM_SCHED_RUNTIME)),
        );
        own.wrapping_add(gone)
    }

    #[inline(always)]
    fn signal(self) -> u64 {
        read_u64(self.0.wrapping_add(offset!(TASK_SIGNAL)))
    }
}

/// 0 when it cannot be read: the callers treat 0 as "none".
#[inline(always)]
fn read_u64(address: u64) -> u64 {
    let mut value = 0u64;
    // SAFETY: the destination is valid for 8 bytes; the helper checks the source.
    unsafe { bpf_probe_read_kernel((&raw mut value).cast(), 8, address as *const _) };
    value
}

#[inline(always)]
fn read_u32(address: u64) -> u32 {
    let mut value = 0u32;
    // SAFETY: the destination is valid for 4 bytes; the helper checks the source.
    unsafe { bpf_probe_read_kernel((&raw mut value).cast(), 4, address as *const _) };
    value
}
