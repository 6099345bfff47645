//! The body of the perf event program.

use core::{arch::asm, ffi::c_void, ptr};

use aya_ebpf::helpers::{
    bpf_get_current_pid_tgid, bpf_get_smp_processor_id,
    generated::{bpf_ktime_get_ns, bpf_loop, bpf_ringbuf_output},
};
use profiler_common::{
    counter::Counter,
    limits::{MAX_STEPS, RECORD_BYTES, STEPS_A_CALL},
    process::{ProcessEntry, ProcessKey, PyProcess, VERDICT_SKIP, VERDICT_WALK},
    sample::{FLAG_EXITING, SampleHeader},
    status::Status,
};
use profiler_ebpf::{Walk, frames, tstate, walk::Record};

use super::{
    kernel::Task,
    maps::{LAYOUTS, PROCESSES, PYTHONS, RECORD, SAMPLES, WALK, count},
    user::UserMemory,
};

/// `BPF_RB_NO_WAKEUP`: user space drains on a timer.
const BPF_RB_NO_WAKEUP: u64 = 1;

/// One interrupt.
#[inline(always)]
pub(crate) fn run() {
    let id = bpf_get_current_pid_tgid();
    let (tgid, tid) = ((id >> 32) as u32, id as u32);
    if tgid == 0 {
        return; // the idle task
    }
    let entry = PROCESSES.get_ptr_mut(&tgid);
    let epoch = match entry {
        // SAFETY: the map gives a valid pointer, and the epoch of an entry never changes.
        Some(entry) => unsafe { (*entry).epoch },
        None => 0,
    };
    if entry.is_none() {
        count(Counter::UnknownProcess);
        if Task::current().is_exiting() {
            return; // its exit was seen: what is left is the kernel's cleaning up
        }
    }
    let key = ProcessKey {
        epoch,
        tgid,
        reserved: 0,
    };
    // SAFETY: a value that is replaced while it is read costs this one sample: what it leads
    // to is checked (thread_id).
    let python = unsafe { PYTHONS.get(&key) };
    if let Some(python) = python
        && python.verdict == VERDICT_SKIP
    {
        count(Counter::Skipped);
        return;
    }
    let (Some(walk), Some(record)) = (WALK.get_ptr_mut(0), RECORD.get_ptr_mut(0)) else {
        return;
    };
    // SAFETY: per-CPU values that only this program uses, and it does not interrupt itself.
    let walk = unsafe { &mut *walk };
    // SAFETY: as above.
    let record = unsafe { &mut *record };
    walk.flags = 0;
    walk.n_words = 0;
    let (status, tstate) = match take_stack(walk, python) {
        Ok(tstate) => (walk.status, tstate),
        Err(status) => {
            walk.n_words = 0;
            (status as u32, 0)
        }
    };
    if tstate == 0 && Task::current().is_exiting() {
        walk.flags |= FLAG_EXITING;
    }
    record.header = SampleHeader {
        // SAFETY: the helper has no preconditions.
        time_ns: unsafe { bpf_ktime_get_ns() },
        epoch,
        tgid,
        tid,
        // SAFETY: the helper has no preconditions.
        cpu: unsafe { bpf_get_smp_processor_id() },
        status,
        flags: walk.flags,
        n_words: walk.n_words,
        tstate,
        reserved: 0,
    };
    send(entry, record, walk.n_words);
}

/// Walks the interrupted thread's stack into the record. Returns the tstate; how the walk ended
/// stands in `walk.status`.
#[inline(always)]
fn take_stack(walk: &mut Walk, python: Option<&PyProcess>) -> Result<u64, Status> {
    let Some(python) = python else {
        return Err(Status::Undecided);
    };
    if python.verdict != VERDICT_WALK {
        return Err(Status::Refused);
    }
    let Some(layout) = LAYOUTS.get(python.layout) else {
        return Err(Status::NoLayout);
    };
    walk.layout = *layout;
    let tp = Task::current().tp();
    if tp == 0 {
        return Err(Status::NoTp);
    }
    let address = tstate::find(&UserMemory, walk, python, tp)?;
    if let Err(status) = tstate::start(&UserMemory, walk) {
        walk.stop(status);
        return Ok(address);
    }
    // SAFETY: the callback has the signature that the helper requires and uses no context.
    let steps = unsafe {
        bpf_loop(
            MAX_STEPS / STEPS_A_CALL,
            on_step as *mut c_void,
            ptr::null_mut(),
            0,
        )
    };
    if steps < 0 {
        walk.stop(Status::LoopFailed);
    }
    frames::finish(walk);
    Ok(address)
}

/// Some steps of the walk; 1 ends the loop.
#[inline(never)]
extern "C" fn on_step(_index: u32, _context: *mut c_void) -> i64 {
    let (Some(walk), Some(record)) = (WALK.get_ptr_mut(0), RECORD.get_ptr_mut(0)) else {
        return 1;
    };
    // SAFETY: as in `run`, which does not touch them while the loop runs.
    let walk = unsafe { &mut *walk };
    // SAFETY: as above.
    let record = unsafe { &mut *record };
    let mut n = 0;
    while n < STEPS_A_CALL {
        if !frames::step(&UserMemory, walk, record) {
            return 1;
        }
        n += 1;
    }
    0
}

/// Writes the record into the ring and counts for the process.
#[inline(always)]
fn send(entry: Option<*mut ProcessEntry>, record: &mut Record, n_words: u32) {
    let mut len = size_of::<SampleHeader>() as u64 + u64::from(n_words) * 8;
    // SAFETY: only the register named is changed. (Why assembly: see `UserMemory::read_part`.)
    unsafe {
        asm!(
            "if {len} <= {max} goto +1",
            "{len} = {max}",
            len = inout(reg) len,
            max = const RECORD_BYTES,
        );
    }
    let ring = (&raw const SAMPLES).cast_mut().cast();
    // SAFETY: the record is valid for RECORD_BYTES bytes and `len` is at most that.
    let sent = unsafe {
        bpf_ringbuf_output(ring, ptr::from_mut(record).cast(), len, BPF_RB_NO_WAKEUP) == 0
    };
    let Some(entry) = entry else { return };
    // SAFETY: the map gives a valid pointer.
    add_one(unsafe { &raw mut (*entry).counts.captured });
    if !sent {
        // SAFETY: as above.
        add_one(unsafe { &raw mut (*entry).counts.ring_full });
    }
}

/// Adds one to a map value that other CPUs add to as well; `core`'s atomics of this target have
/// no `fetch_add`.
#[inline(always)]
fn add_one(counter: *mut u64) {
    // SAFETY: every caller passes a pointer to an aligned u64 in a map value.
    unsafe {
        asm!(
            "lock *(u64 *)({counter} + 0) += {one}",
            counter = in(reg) counter,
            one = in(reg) 1u64,
        );
    }
}
