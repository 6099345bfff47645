//! Every map: who writes it and who reads it.

use aya_ebpf::{
    macros::map,
    maps::{Array, HashMap, PerCpuArray, RingBuf},
};
use profiler_common::{
    counter::Counter,
    layout::WalkLayout,
    limits::{EVENTS_RING_BYTES, MAX_LAYOUTS, MAX_PROCESSES, SAMPLES_RING_BYTES},
    process::{ProcessEntry, ProcessKey, PyProcess},
};
use profiler_ebpf::walk::{Record, Walk};

/// tgid to its current epoch. Written by the lifecycle programs, and by user space for what
/// ran before the start. Preallocated, as a perf_event program requires.
#[map]
pub(crate) static PROCESSES: HashMap<u32, ProcessEntry> =
    HashMap::with_max_entries(MAX_PROCESSES, 0);

/// What user space says of one epoch. Copied to a forked child by `process_fork`.
#[map]
pub(crate) static PYTHONS: HashMap<ProcessKey, PyProcess> =
    HashMap::with_max_entries(MAX_PROCESSES, 0);

/// The layouts, by [`PyProcess::layout`]. Written by user space.
#[map]
pub(crate) static LAYOUTS: Array<WalkLayout> = Array::with_max_entries(MAX_LAYOUTS, 0);

/// State of the walk that runs on this CPU. Only `sample` uses it: the timer interrupts the
/// other programs, never itself.
#[map]
pub(crate) static WALK: PerCpuArray<Walk> = PerCpuArray::with_max_entries(1, 0);

/// The record that is made on this CPU. Only `sample` uses it.
#[map]
pub(crate) static RECORD: PerCpuArray<Record> = PerCpuArray::with_max_entries(1, 0);

/// Samples on their way to user space. The size is set at load time.
#[map]
pub(crate) static SAMPLES: RingBuf = RingBuf::with_byte_size(SAMPLES_RING_BYTES, 0);

/// Lifecycle events on their way to user space, apart so that samples cannot crowd them out.
#[map]
pub(crate) static EVENTS: RingBuf = RingBuf::with_byte_size(EVENTS_RING_BYTES, 0);

/// By [`Counter`].
#[map]
pub(crate) static COUNTERS: PerCpuArray<u64> =
    PerCpuArray::with_max_entries(Counter::ALL.len() as u32, 0);

/// Counts one more.
#[inline(always)]
pub(crate) fn count(counter: Counter) {
    if let Some(value) = COUNTERS.get_ptr_mut(counter as u32) {
        // SAFETY: the map gives a valid pointer to this CPU's value. An interrupt between load
        // and store can lose a count of the interrupted program, never more.
        unsafe { *value += 1 };
    }
}
