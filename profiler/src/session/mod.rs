//! Builds the pipeline and runs it.
//!
//! Two threads: `reader` empties the kernel's rings and holds the programs, `worker` does the
//! rest. The session only starts them, asks how far they are, and stops them.

mod config;
mod error;
mod memory;
mod queue;
mod reader;
mod worker;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Sender, channel, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime},
};

use nix::time::{ClockId, clock_gettime};

use self::{
    queue::{Message, Shared},
    worker::Worker,
};
use crate::{
    bpf::{Kernel, preflight},
    model::{Meta, Profile, Tgid},
    process::{Registry, select::Selector},
    procfs,
};

pub use config::{Config, Progress};
pub use error::{Class, StartError};

/// A running recording.
pub struct Session {
    shared: Arc<Shared>,
    queue: Sender<Message>,
    reader: JoinHandle<()>,
    worker: JoinHandle<Worker>,
    meta: Meta,
    started: Instant,
}

impl Session {
    /// Loads the programs, looks at every process, and starts sampling.
    ///
    /// # Errors
    /// When a target is not there, a right is missing, or the kernel does not do.
    pub fn start(config: Config) -> Result<Self, StartError> {
        preflight::check(config.rate_hz)?;
        for &pid in &config.pids {
            if !procfs::is_alive(pid) {
                return Err(StartError::NoSuchPid(pid));
            }
        }
        let selector = Selector::new(config.all, &config.pids, &config.comms)?;
        let (mut kernel, maps, rings) = Kernel::load(ring_bytes(config.rate_hz))?;
        kernel.watch_processes()?;
        let mut registry = Registry::new(maps, selector);
        registry.scan(now_ns())?;
        let meta = Meta {
            host: nix::unistd::gethostname().map_or_else(
                |_| "unknown host".to_owned(),
                |name| procfs::printable(name.as_encoded_bytes(), 64),
            ),
            target: config.target,
            started: SystemTime::now(),
            rate_hz: config.rate_hz,
            ..Meta::default()
        };
        let started = Instant::now();
        kernel.start_sampling(config.rate_hz)?;
        registry.start_accounts();
        let shared = Arc::new(Shared::default());
        let (queue, messages) = channel();
        let mut worker = Worker::new(registry, config.keep_samples, shared.clone());
        let worker = spawn("worker", move || {
            worker.run(&messages);
            worker
        })?;
        let reader = {
            let (queue, shared) = (queue.clone(), shared.clone());
            spawn("reader", move || {
                reader::run(kernel, rings, &queue, &shared)
            })?
        };
        Ok(Self {
            shared,
            queue,
            reader,
            worker,
            meta,
            started,
        })
    }

    /// How far it is. Cheap.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let Shared {
            samples,
            lost,
            processes,
            matched,
            ..
        } = &*self.shared;
        Progress {
            samples: samples.load(Ordering::Relaxed),
            lost: lost.load(Ordering::Relaxed),
            processes: processes.load(Ordering::Relaxed),
            matched: matched.load(Ordering::Relaxed),
        }
    }

    /// Chooses one more process and its children; when it returns the choice is in force.
    ///
    /// # Errors
    /// When there is no such process, or the session has ended.
    pub fn add_pid(&self, tgid: Tgid) -> Result<(), StartError> {
        if !procfs::is_alive(tgid) {
            return Err(StartError::NoSuchPid(tgid));
        }
        let (answer, answered) = sync_channel(1);
        let sent = self.queue.send(Message::Choose(tgid, answer));
        sent.map_err(|_| StartError::Ended)?;
        Ok(answered.recv().map_err(|_| StartError::Ended)??)
    }

    /// Ends sampling and resolves what is still to be resolved. When `skip` becomes true nothing
    /// more is looked up: what is not known by then is `<unreadable>`.
    #[must_use]
    pub fn stop(self, skip: &AtomicBool) -> Profile {
        let Self {
            shared,
            queue,
            reader,
            worker,
            mut meta,
            started,
        } = self;
        shared.stop.store(true, Ordering::Release);
        meta.duration = started.elapsed();
        drop(queue);
        while !(reader.is_finished() && worker.is_finished()) {
            shared
                .skip
                .store(skip.load(Ordering::Relaxed), Ordering::Relaxed);
            thread::sleep(Duration::from_millis(1));
        }
        match worker.join() {
            Ok(worker) => worker.finish(meta),
            // The worker's panic was printed; there is nothing of it to show.
            Err(_) => Profile {
                meta,
                ..Profile::default()
            },
        }
    }
}

fn spawn<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, StartError> {
    let thread = thread::Builder::new().name(name.to_owned());
    thread.spawn(body).map_err(StartError::Thread)
}

/// Room for about half a second of 40-frame stacks on two busy CPUs, a power of two.
fn ring_bytes(rate_hz: u32) -> u32 {
    const LEAST: u32 = profiler_common::limits::SAMPLES_RING_BYTES;
    if rate_hz > 1_000 { 4 * LEAST } else { LEAST }
}

/// CLOCK_MONOTONIC, the clock of the kernel side, in nanoseconds.
fn now_ns() -> u64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |time| Duration::from(time).as_nanos() as u64)
}
