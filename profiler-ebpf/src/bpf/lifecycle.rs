//! exec, fork and exit: epochs begin and end here, in process context, before the program's
//! first and after its last instruction.

use aya_ebpf::helpers::{bpf_get_current_pid_tgid, generated::bpf_ktime_get_ns};
use profiler_common::{
    counter::Counter,
    lifecycle::{EXEC, EXIT, FORK, LifecycleEvent},
    process::{ProcessCounts, ProcessEntry, ProcessKey},
};

use super::{
    kernel::Task,
    maps::{EVENTS, PROCESSES, PYTHONS, count},
};

/// The current process runs a new program: a new epoch, undecided.
#[inline(always)]
pub(crate) fn exec() {
    let tgid = current_tgid();
    let (ended, counts) = current_epoch(tgid);
    let epoch = begin_epoch(tgid);
    forget_verdict(tgid, ended);
    send(&LifecycleEvent {
        kind: EXEC,
        epoch,
        parent_tgid: tgid,
        parent_epoch: ended,
        counts,
        cpu_ns: Task::current().cpu_ns(),
        ..event(tgid)
    });
}

/// The current process made the task `child`. A new process gets its parent's verdict: it has
/// the same memory.
#[inline(always)]
pub(crate) fn fork(child: u64) {
    let child = Task::from_raw(child);
    let tgid = child.tgid();
    if child.tid() != tgid {
        return; // a thread
    }
    let parent_tgid = current_tgid();
    // SAFETY: the value is copied at once; only the epoch, which never changes, is used.
    let parent_epoch = unsafe { PROCESSES.get(&parent_tgid) }.map_or(0, |entry| entry.epoch);
    // A tgid that is still there is another process's leaving: its exit was not seen.
    let (ended, _) = current_epoch(tgid);
    let epoch = begin_epoch(tgid);
    forget_verdict(tgid, ended);
    let parent = ProcessKey {
        epoch: parent_epoch,
        tgid: parent_tgid,
        reserved: 0,
    };
    // SAFETY: values of PYTHONS are replaced as a whole by user space; a copy that mixes two
    // verdicts of one epoch is corrected when user space handles the event.
    if let Some(python) = unsafe { PYTHONS.get(&parent) } {
        let key = ProcessKey {
            epoch,
            tgid,
            reserved: 0,
        };
        if PYTHONS.insert(&key, python, 0).is_err() {
            count(Counter::TableFull);
        }
    }
    send(&LifecycleEvent {
        kind: FORK,
        epoch,
        parent_tgid,
        parent_epoch,
        ..event(tgid)
    });
}

/// A thread of the current process exits; the last one ends the epoch.
#[inline(always)]
pub(crate) fn exit() {
    let task = Task::current();
    if task.live_threads() != 0 {
        return;
    }
    let tgid = current_tgid();
    let (epoch, counts) = current_epoch(tgid);
    let _ = PROCESSES.remove(&tgid);
    forget_verdict(tgid, epoch);
    send(&LifecycleEvent {
        kind: EXIT,
        epoch,
        counts,
        cpu_ns: task.cpu_ns(),
        ..event(tgid)
    });
}

#[inline(always)]
fn current_tgid() -> u32 {
    (bpf_get_current_pid_tgid() >> 32) as u32
}

/// The tgid's epoch and its counts, zeros when there is none.
#[inline(always)]
fn current_epoch(tgid: u32) -> (u64, ProcessCounts) {
    // SAFETY: the value is copied at once; `sample` may still add to the counts on another CPU
    // while this is read, which only the last thread's exit excludes.
    let entry = unsafe { PROCESSES.get(&tgid) }.copied();
    entry.map_or((0, ProcessCounts::ZERO), |entry| {
        (entry.epoch, entry.counts)
    })
}

/// Forgets the verdict on an epoch that is no longer in `PROCESSES`: user space looks there
/// after each verdict that it writes, so that none stays behind.
#[inline(always)]
fn forget_verdict(tgid: u32, epoch: u64) {
    let _ = PYTHONS.remove(&ProcessKey {
        epoch,
        tgid,
        reserved: 0,
    });
}

#[inline(always)]
fn begin_epoch(tgid: u32) -> u64 {
    // SAFETY: the helper has no preconditions.
    let epoch = unsafe { bpf_ktime_get_ns() };
    let entry = ProcessEntry {
        epoch,
        counts: ProcessCounts::ZERO,
    };
    if PROCESSES.insert(&tgid, &entry, 0).is_err() {
        count(Counter::TableFull);
    }
    epoch
}

#[inline(always)]
fn event(tgid: u32) -> LifecycleEvent {
    // SAFETY: the helper has no preconditions.
    let time_ns = unsafe { bpf_ktime_get_ns() };
    LifecycleEvent {
        time_ns,
        tgid,
        ..LifecycleEvent::ZERO
    }
}

#[inline(always)]
fn send(event: &LifecycleEvent) {
    if EVENTS.output::<LifecycleEvent>(event, 0).is_err() {
        count(Counter::EventsLost);
    }
}
