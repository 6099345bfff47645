//! The reader thread: empties the two rings and hands the bytes on. It never looks anything up
//! and never touches a disk, so that the rings do not overflow while others are slow.

use std::{
    os::fd::AsFd,
    sync::{Arc, atomic::Ordering, mpsc::Sender},
    time::{Duration, Instant},
};

use bytes::BytesMut;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::queue::{Batch, Message, Shared};
use crate::{
    bpf::{Kernel, Rings, decode},
    model::{ProcessId, Tgid},
};

/// Samples wait this long in the ring at most, or a tenth of it while they come fast, or while
/// code is met that was not met before: in a program that starts, it may not live for long.
const DRAIN: Duration = Duration::from_millis(50);
const DRAIN_FAST: Duration = Duration::from_millis(5);
/// From this many bytes a drain on, samples come fast.
const FAST_BYTES: usize = 256 * 1024;
/// Bytes that wait for the worker at most; what comes then is dropped and counted.
const MAX_QUEUED_BYTES: usize = 64 * 1024 * 1024;

/// CPUs that came online or went are looked for this often.
const FOLLOW_CPUS: Duration = Duration::from_secs(1);

/// Runs until [`Shared::stop`], then ends the sampling and empties the rings once more. The
/// worker sees the end by the closed queue.
pub(super) fn run(
    mut kernel: Kernel,
    mut rings: Rings,
    queue: &Sender<Message>,
    shared: &Arc<Shared>,
) {
    let mut interval = DRAIN;
    let mut next = Instant::now() + interval;
    let mut next_cpus = Instant::now() + FOLLOW_CPUS;
    loop {
        let stop = shared.stop.load(Ordering::Acquire);
        if stop {
            kernel.stop_sampling();
            shared.has_stopped.store(true, Ordering::Release);
        } else if Instant::now() >= next_cpus {
            next_cpus += FOLLOW_CPUS;
            // A CPU that cannot be sampled now is tried again; the summary shows what lacks.
            let _ = kernel.follow_cpus();
        }
        let mut batch = Batch::default();
        if stop || Instant::now() >= next {
            take_samples(&mut rings, &mut batch, shared);
            batch.has_all_samples = true;
            let is_fast =
                batch.samples.len() >= FAST_BYTES || shared.hurry.swap(false, Ordering::Relaxed);
            interval = if is_fast { DRAIN_FAST } else { DRAIN };
            next = Instant::now() + interval;
        }
        while let Some(record) = rings.events.next() {
            batch.events.extend(decode::event(&record));
        }
        if !batch.is_empty() && queue.send(Message::Batch(batch)).is_err() {
            return; // the worker is gone
        }
        if stop {
            return;
        }
        wait(&rings, next);
    }
}

fn take_samples(rings: &mut Rings, batch: &mut Batch, shared: &Shared) {
    let mut bytes = BytesMut::new();
    let mut n_samples = 0;
    let room = MAX_QUEUED_BYTES.saturating_sub(shared.queued_bytes.load(Ordering::Relaxed));
    // Records that come while this loop runs are taken too; the kernel is slower than it.
    while let Some(record) = rings.samples.next() {
        if !decode::is_whole(&record) {
            continue;
        }
        n_samples += 1;
        if bytes.len() + record.len() <= room {
            bytes.extend_from_slice(&record);
        } else if let Some(header) = decode::header(&record) {
            let tgid = Tgid(header.tgid);
            let process = ProcessId {
                tgid,
                epoch: header.epoch,
            };
            *batch.dropped.entry(process).or_default() += 1;
        }
    }
    shared.samples.fetch_add(n_samples, Ordering::Relaxed);
    shared
        .queued_bytes
        .fetch_add(bytes.len(), Ordering::Relaxed);
    batch.samples = bytes.freeze();
}

/// Waits for lifecycle events, until `next` at most.
fn wait(rings: &Rings, next: Instant) {
    let left = next.saturating_duration_since(Instant::now());
    // Rounded up: a wait of 0 ms would spin through the last millisecond.
    let millis = u16::try_from(left.as_millis() + 1).unwrap_or(u16::MAX);
    let mut fds = [PollFd::new(rings.events.as_fd(), PollFlags::POLLIN)];
    // An interrupted wait is a short one.
    let _ = poll(&mut fds, PollTimeout::from(millis));
}
