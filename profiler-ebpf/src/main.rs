//! Entry points only: the perf event and the three raw tracepoints.
#![cfg_attr(target_arch = "bpf", no_std, no_main)]
#![cfg_attr(target_arch = "bpf", feature(asm_experimental_arch))]

#[cfg(not(target_arch = "bpf"))]
fn main() {}

#[cfg(target_arch = "bpf")]
mod bpf;

#[cfg(target_arch = "bpf")]
mod programs {
    use aya_ebpf::{
        macros::{perf_event, raw_tracepoint},
        programs::{PerfEventContext, RawTracePointContext},
    };

    use crate::bpf::{lifecycle, sample};

    /// Fires on every CPU at the sampling rate.
    #[perf_event]
    pub(crate) fn sample(_ctx: PerfEventContext) -> u32 {
        sample::run();
        0
    }

    /// `sched_process_exec(task, old_pid, bprm)`: after the new program is in place, before its
    /// first instruction.
    #[raw_tracepoint(tracepoint = "sched_process_exec")]
    pub(crate) fn process_exec(_ctx: RawTracePointContext) -> i32 {
        lifecycle::exec();
        0
    }

    /// `sched_process_fork(parent, child)`: before the child runs.
    #[raw_tracepoint(tracepoint = "sched_process_fork")]
    pub(crate) fn process_fork(ctx: RawTracePointContext) -> i32 {
        lifecycle::fork(ctx.arg(1));
        0
    }

    /// `sched_process_exit(task)`: once for each thread.
    #[raw_tracepoint(tracepoint = "sched_process_exit")]
    pub(crate) fn process_exit(_ctx: RawTracePointContext) -> i32 {
        lifecycle::exit();
        0
    }

    /// The helpers that are used are for GPL-compatible programs only; these are dual-licensed.
    #[unsafe(link_section = "license")]
    #[unsafe(no_mangle)]
    static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

    #[panic_handler]
    fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
        loop {}
    }
}
