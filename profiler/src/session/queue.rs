//! What the threads of a session hand to each other.

use std::{
    collections::HashMap,
    sync::{
        atomic::{AtomicBool, AtomicU64, AtomicUsize},
        mpsc::SyncSender,
    },
};

use bytes::Bytes;
use profiler_common::lifecycle::LifecycleEvent;

use crate::{
    bpf::LoadError,
    model::{ProcessId, Tgid},
};

/// What the worker gets.
pub(super) enum Message {
    /// Records.
    Batch(Batch),
    /// One more process to choose; answered when the kernel knows.
    Choose(Tgid, SyncSender<Result<(), LoadError>>),
}

/// What the reader took at once. The events come first: they tell of every process that the
/// samples are of, since the events' ring is emptied after that of the samples.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) events: Vec<LifecycleEvent>,
    /// The samples' ring was emptied, before the events': whatever an earlier batch tells the end
    /// of, no sample of it comes after this one.
    pub(super) has_all_samples: bool,
    /// Records, for [`decode::samples`](crate::bpf::decode::samples).
    pub(super) samples: Bytes,
    /// Samples that found the queue full.
    pub(super) dropped: HashMap<ProcessId, u64>,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty() && self.samples.is_empty() && self.dropped.is_empty()
    }
}

/// What the threads of a session know of each other.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// The reader is to take what is there, and end.
    pub(super) stop: AtomicBool,
    /// The reader has ended the sampling.
    pub(super) has_stopped: AtomicBool,
    /// The worker is to look nothing more up.
    pub(super) skip: AtomicBool,
    /// The worker has met new code.
    pub(super) hurry: AtomicBool,
    /// Bytes on their way to the worker.
    pub(super) queued_bytes: AtomicUsize,
    /// For the progress line.
    pub(super) samples: AtomicU64,
    pub(super) lost: AtomicU64,
    pub(super) processes: AtomicUsize,
    pub(super) matched: AtomicUsize,
}
