//! Every bound of the kernel side, with its reason.

/// A per-CPU array value is at most 32 KiB (`PCPU_MIN_UNIT_SIZE`, measured on 6.18).
pub const RECORD_BYTES: usize = 32 * 1024;

/// Frame words that fit a record behind its header: 4,080 frames and a few escapes.
pub const MAX_FRAME_WORDS: usize = (RECORD_BYTES - size_of::<crate::sample::SampleHeader>()) / 8;

/// Frames walked at most. A frame needs one word, an outlier two.
pub const MAX_FRAMES: u32 = 4_080;
const _: () = assert!(MAX_FRAMES as usize <= MAX_FRAME_WORDS);

/// Steps of a walk at most: frames and the boundaries between them.
pub const MAX_STEPS: u32 = 2 * MAX_FRAMES;

/// Steps in one call-back of bpf_loop, which share its look-ups of the walk and the record:
/// 3.12 at 60 frames takes 1.76 us with 8, 1.84 us with 4, 2.43 us with 1.
pub const STEPS_A_CALL: u32 = 8;

/// Bytes of the data stack read at once: up to 8 KiB a read costs about what 8 bytes cost
/// (326 ns against 107 ns), 16 KiB costs 871 ns.
pub const WINDOW_BYTES: usize = 8 * 1024;

/// Bytes for one frame that lies outside the window; the largest is 3.8's `PyFrameObject`
/// up to `f_lasti`.
pub const FRAME_BYTES: usize = 128;

/// Bytes of `PyThreadState` read at once: 3.15's `current_executor` ends at 312.
pub const TSTATE_BYTES: usize = 384;

/// `DATA_STACK_CHUNK_SIZE` of CPython 3.11 to 3.15 (`Python/pystate.c`).
pub const CHUNK_BYTES: u64 = 16 * 1024;

/// Processes that the host may have at once; both process maps are preallocated, since a
/// perf_event program may use no other hash map.
pub const MAX_PROCESSES: u32 = 32_768;

/// Layouts in the kernel at once: one a CPython build, not one a process.
pub const MAX_LAYOUTS: u32 = 256;

/// Offset-and-dereference steps from the base of a path to the tstate.
pub const MAX_PATH_STEPS: usize = 3;

/// Paths tried one after the other until one leads to a tstate whose thread_id is the TP.
pub const MAX_PATHS: usize = 3;

/// Bytes of the ring of samples, unless the loader sets more: at 10000 Hz and 40 frames a
/// sample, one busy CPU fills 3.8 MB a second, and the reader comes every 50 ms.
pub const SAMPLES_RING_BYTES: u32 = 4 * 1024 * 1024;

/// Bytes of the ring of lifecycle events: 72 bytes an event, so a burst of some 14,000 forks.
pub const EVENTS_RING_BYTES: u32 = 1024 * 1024;
