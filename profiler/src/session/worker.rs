//! The worker thread: from batches of records to a profile.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use hashbrown::HashMap;
use profiler_common::{
    sample::{FLAG_EXITING, FLAG_GIL_HELD, FLAG_GIL_KNOWN, SampleHeader},
    status::Status,
};

use super::{
    memory::EpochMemory,
    now_ns,
    queue::{Batch, Message, Shared},
};
use crate::{
    aggregate::ProfileBuilder,
    bpf::{LoadError, decode},
    model::{
        Accounting, LostReason, Meta, ProcessId, ProcessInfo, Profile, SampleRow, StackId, Tid,
    },
    process::{Kind, Process, Registry},
    procfs::ProcessMemory,
    resolve::{Bare, Codes, Outcome, Phases, Target},
};

/// How often the figures of the progress line are counted anew.
const PROGRESS: Duration = Duration::from_millis(500);
/// Waits for messages at most this long.
const IDLE: Duration = Duration::from_secs(1);

/// What is known of one process's samples.
#[derive(Default)]
struct State {
    codes: Codes,
    phases: Phases,
    lost: BTreeMap<LostReason, u64>,
}

pub(super) struct Worker {
    registry: Registry,
    builder: ProfileBuilder,
    states: HashMap<ProcessId, State>,
    shared: Arc<Shared>,
    next_progress: Instant,
    outcomes: Vec<(Bare, Outcome)>,
    has_warned: bool,
}

impl Worker {
    pub(super) fn new(registry: Registry, keep_samples: bool, shared: Arc<Shared>) -> Self {
        Self {
            registry,
            builder: ProfileBuilder::new(keep_samples),
            states: HashMap::new(),
            shared,
            next_progress: Instant::now(),
            outcomes: Vec::new(),
            has_warned: false,
        }
    }

    /// Works until the queue is closed. What the kernel's maps do not take (a full table, say)
    /// costs the process that it is about, not the recording: that one stays undecided.
    pub(super) fn run(&mut self, queue: &Receiver<Message>) {
        loop {
            let now = Instant::now();
            let looked = self.registry.look_again(now);
            self.warn_once(looked);
            self.count_progress(now);
            let due = self.registry.next_due();
            let wait = due.map_or(IDLE, |due| due.saturating_duration_since(now).min(IDLE));
            let message = queue.recv_timeout(wait);
            if self.shared.has_stopped.swap(false, Ordering::Acquire) {
                self.registry.end_accounts(now_ns());
            }
            match message {
                Ok(Message::Batch(batch)) => self.batch(&batch),
                Ok(Message::Choose(tgid, answer)) => {
                    // Who asked may have left.
                    let _ = answer.send(self.registry.choose(tgid));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn warn_once(&mut self, result: Result<(), LoadError>) {
        if let Err(error) = result
            && !std::mem::replace(&mut self.has_warned, true)
        {
            eprintln!("profiler: warning: {error}");
        }
    }

    fn batch(&mut self, batch: &Batch) {
        let n_ended = self.registry.n_ended();
        for event in &batch.events {
            let followed = self.registry.on_event(event);
            self.warn_once(followed);
        }
        for (&process, &n) in &batch.dropped {
            self.lose(process, LostReason::QueueFull, n);
        }
        let mut by_process = HashMap::<ProcessId, Vec<decode::Sample<'_>>>::new();
        for sample in decode::samples(&batch.samples) {
            by_process.entry(sample.process()).or_default().push(sample);
        }
        for (id, samples) in by_process {
            if id.epoch != 0 && self.registry.process(id).is_none() {
                let adopted = self.registry.adopt(id);
                self.warn_once(adopted);
            }
            self.samples(id, &samples);
        }
        if batch.has_all_samples {
            for id in self.registry.forget(n_ended) {
                if self.registry.process(id).is_none() {
                    self.states.remove(&id);
                } else if let Some(state) = self.states.get_mut(&id) {
                    state.codes = Codes::default();
                }
            }
        }
        self.shared
            .queued_bytes
            .fetch_sub(batch.samples.len(), Ordering::Relaxed);
    }

    /// The samples of one process.
    fn samples(&mut self, id: ProcessId, samples: &[decode::Sample<'_>]) {
        match self.registry.process(id) {
            None => return,
            Some(process) if process.is_out() => return self.pass_over(id, samples.len()),
            Some(_) => {}
        }
        let mut state = self.take_state(id);
        if let Some(process) = self.registry.process(id)
            && let Kind::Python(interpreter) = &process.kind
        {
            let target = Target {
                memory: &EpochMemory {
                    memory: ProcessMemory::new(id.tgid),
                    is_current: &|| self.registry.is_current(id),
                },
                layout: &interpreter.layout,
                // What has ended has no memory; after an exec it is another program's.
                skip: process.has_ended || self.shared.skip.load(Ordering::Relaxed),
            };
            let stacks = samples.iter().filter(|sample| has_frames(sample));
            let words = stacks.map(|sample| sample.words);
            if state.codes.prepare(&target, self.builder.symbols(), words) {
                self.shared.hurry.store(true, Ordering::Relaxed);
            }
        }
        for sample in samples {
            self.sample(id, &mut state, sample);
        }
        self.states.insert(id, state);
    }

    /// Samples that were on their way when their process turned out to be no target, or no
    /// Python. It may become one yet, and then they were captured: they are lost.
    fn pass_over(&mut self, id: ProcessId, n: usize) {
        let mut state = self.take_state(id);
        state.codes = Codes::default();
        state.phases.end(false, &mut self.outcomes);
        self.settle(id, &mut state);
        let reason = LostReason::Walk(Status::Undecided);
        *state.lost.entry(reason).or_default() += n as u64;
        self.states.insert(id, state);
    }

    /// The state of a process, to be put back.
    fn take_state(&mut self, id: ProcessId) -> State {
        match (self.states.remove(&id), self.registry.process(id)) {
            (Some(state), _) => state,
            (None, Some(process)) => self.new_state(process),
            (None, None) => State::default(),
        }
    }

    fn new_state(&self, process: &Process) -> State {
        let mut state = State::default();
        if process.was_running {
            state.phases.skip_start_up();
        }
        let parent = process.parent.filter(|_| process.is_fork);
        if let Some(parent) = parent.and_then(|parent| self.states.get(&parent)) {
            state.codes = parent.codes.inherited();
        }
        state
    }

    fn sample(&mut self, id: ProcessId, state: &mut State, sample: &decode::Sample<'_>) {
        let header = &sample.header;
        if has_frames(sample) {
            state.phases.stack(&mut self.outcomes);
            self.settle(id, state);
            let is_truncated = sample.status == Some(Status::Truncated);
            let symbols = self.builder.symbols();
            match state.codes.stack(symbols, sample.words, is_truncated) {
                Ok(stack) => self.builder.add_sample(row(id, header, stack), 1),
                Err(reason) => self.lose_in(state, reason, 1),
            }
            return;
        }
        let bare = Bare {
            time_ns: header.time_ns,
            tid: Tid(header.tid),
            cpu: header.cpu,
            status: sample.status.unwrap_or(Status::LoopFailed),
            is_main: header.tid == header.tgid,
            is_exiting: header.flags & FLAG_EXITING != 0,
        };
        state.phases.bare(bare, &mut self.outcomes);
        self.settle(id, state);
    }

    /// Books what the phases have decided.
    fn settle(&mut self, id: ProcessId, state: &mut State) {
        let mut outcomes = std::mem::take(&mut self.outcomes);
        for (bare, outcome) in outcomes.drain(..) {
            match outcome {
                Outcome::Lost(reason) => self.lose_in(state, reason, 1),
                Outcome::Special(special) => {
                    let symbols = self.builder.symbols();
                    let frame = symbols.special(special);
                    let stack = symbols.stack(&[frame]);
                    let row = SampleRow {
                        time_ns: bare.time_ns,
                        process: id,
                        tid: bare.tid,
                        cpu: bare.cpu,
                        gil: None,
                        stack,
                    };
                    self.builder.add_sample(row, 1);
                }
            }
        }
        self.outcomes = outcomes;
    }

    fn lose(&mut self, id: ProcessId, reason: LostReason, n: u64) {
        let mut state = self.take_state(id);
        self.lose_in(&mut state, reason, n);
        self.states.insert(id, state);
    }

    fn lose_in(&self, state: &mut State, reason: LostReason, n: u64) {
        *state.lost.entry(reason).or_default() += n;
        self.shared.lost.fetch_add(n, Ordering::Relaxed);
    }

    fn count_progress(&mut self, now: Instant) {
        if now < self.next_progress {
            return;
        }
        self.next_progress = now + PROGRESS;
        let pythons = || {
            self.registry
                .processes()
                .filter(|process| process.interpreter_name().is_some())
        };
        let matched = pythons().filter(|process| process.is_chosen_python());
        let Shared {
            processes,
            matched: n_matched,
            ..
        } = &*self.shared;
        n_matched.store(matched.count(), Ordering::Relaxed);
        processes.store(pythons().count(), Ordering::Relaxed);
    }

    /// The profile of what was collected.
    pub(super) fn finish(mut self, mut meta: Meta) -> Profile {
        self.registry.finish();
        for (id, mut state) in std::mem::take(&mut self.states) {
            let has_ended = self
                .registry
                .process(id)
                .is_some_and(|process| process.has_ended);
            state.phases.end(has_ended, &mut self.outcomes);
            self.settle(id, &mut state);
            self.states.insert(id, state);
        }
        let mut chosen: Vec<&Process> = self
            .registry
            .processes()
            .filter(|process| process.is_chosen_python())
            .collect();
        chosen.sort_by_key(|process| (process.id.epoch, process.id.tgid));
        let mut accounting = Accounting::default();
        for process in &chosen {
            accounting.captured += process.counts.captured;
            accounting.expected += process.cpu_time().as_secs_f64() * f64::from(meta.rate_hz);
            let lost = self
                .states
                .get(&process.id)
                .into_iter()
                .flat_map(|state| &state.lost);
            let ring_full = (&LostReason::RingFull, &process.counts.ring_full);
            for (&reason, &n) in lost.chain([ring_full].into_iter().filter(|(_, n)| **n > 0)) {
                *accounting.lost.entry(reason).or_default() += n;
            }
        }
        meta.kernel_counts = self.registry.maps().counters();
        let chosen = chosen.into_iter().map(info).collect();
        self.builder.finish(meta, chosen, accounting)
    }
}

fn info(process: &Process) -> ProcessInfo {
    ProcessInfo {
        id: process.id,
        command: process.command.clone(),
        interpreter: process.interpreter_name().map(str::to_owned),
        refused: match &process.kind {
            Kind::Refused(refused) => Some(refused.reason.clone()),
            _ => None,
        },
    }
}

fn has_frames(sample: &decode::Sample<'_>) -> bool {
    sample.status.is_some_and(Status::has_stack) && !sample.words.0.is_empty()
}

fn row(process: ProcessId, header: &SampleHeader, stack: StackId) -> SampleRow {
    let is_known = header.flags & FLAG_GIL_KNOWN != 0;
    SampleRow {
        time_ns: header.time_ns,
        process,
        tid: Tid(header.tid),
        cpu: header.cpu,
        gil: is_known.then_some(header.flags & FLAG_GIL_HELD != 0),
        stack,
    }
}
