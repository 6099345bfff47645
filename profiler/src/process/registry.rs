//! The processes, from their first event to the end of the recording.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    time::{Duration, Instant},
};

use profiler_common::{
    lifecycle::{EXEC, EXIT, FORK, LifecycleEvent},
    limits::MAX_PATHS,
    process::{ProcessCounts, PyProcess, TstatePath, VERDICT_REFUSED, VERDICT_SKIP, VERDICT_WALK},
};

use super::{
    choice::{Choice, GRACE},
    epoch::{Kind, N_QUICK_LOOKS, Process},
    examine::{Files, Look, Ready},
    select::{ProcessNames, Selector},
};
use crate::{
    bpf::{LoadError, Maps},
    model::{ProcessId, Tgid},
    procfs,
};

/// Looks after which a Python is refused whose thread pointers lead to no tstate.
const N_CALIBRATIONS: usize = 5;

/// As many processes that have ended are remembered without need.
const MANY_ENDED: usize = 1_024;

/// All processes.
pub struct Registry {
    maps: Maps,
    files: Files,
    selector: Selector,
    own: Tgid,
    processes: HashMap<ProcessId, Process>,
    current: HashMap<Tgid, ProcessId>,
    due: BinaryHeap<Reverse<(Instant, ProcessId)>>,
    /// What has ended and was not looked through by [`Self::forget`] yet.
    ended: Vec<ProcessId>,
    /// See [`Self::end_accounts`].
    accounts_end_ns: u64,
}

impl Registry {
    /// No process yet.
    #[must_use]
    pub fn new(maps: Maps, selector: Selector) -> Self {
        Self {
            maps,
            files: Files::new(),
            selector,
            own: Tgid(std::process::id()),
            processes: HashMap::new(),
            current: HashMap::new(),
            due: BinaryHeap::new(),
            ended: Vec::new(),
            accounts_end_ns: u64::MAX,
        }
    }

    /// Takes in every process that runs now, at `now_ns` of CLOCK_MONOTONIC.
    ///
    /// # Errors
    /// When the kernel's maps cannot be written.
    pub fn scan(&mut self, now_ns: u64) -> Result<(), LoadError> {
        let tgids = procfs::tgids().unwrap_or_default();
        let stat = |tgid: &Tgid| Some((*tgid, procfs::stat(*tgid).ok()?));
        let mut found: Vec<_> = tgids.iter().filter_map(stat).collect();
        // Parents first, so that children of a target are targets. tgids wrap, start times do not.
        found.sort_by_key(|(tgid, stat)| (stat.start_ticks, tgid.0));
        for (tgid, stat) in found {
            let id = ProcessId {
                tgid,
                epoch: now_ns,
            };
            let Some(epoch) = self.maps.add_process(id) else {
                continue;
            };
            let id = ProcessId { tgid, epoch };
            let parent = self.current.get(&stat.parent).copied();
            self.add(id, parent, true);
            self.look(id)?;
            if !procfs::is_alive(tgid) {
                self.maps.remove_process(tgid);
            }
        }
        Ok(())
    }

    /// Sampling starts now: what CPU time the processes have used before does not count.
    pub fn start_accounts(&mut self) {
        for process in self.processes.values_mut() {
            if process.choice.is_sampled() {
                process.cpu_start = procfs::cpu_time(process.id.tgid).unwrap_or_default();
            }
        }
    }

    /// Chooses one more process, with its children.
    ///
    /// # Errors
    /// When the kernel's maps cannot be written.
    pub fn choose(&mut self, tgid: Tgid) -> Result<(), LoadError> {
        self.selector.add_pid(tgid);
        match self.current.get(&tgid) {
            Some(&id) => self.set_chosen(id),
            None => Ok(()),
        }
    }

    /// A process by its id.
    #[must_use]
    pub fn process(&self, id: ProcessId) -> Option<&Process> {
        self.processes.get(&id)
    }

    /// All processes that are remembered.
    pub fn processes(&self) -> impl Iterator<Item = &Process> {
        self.processes.values()
    }

    /// Whether this epoch of its tgid goes on, as the kernel says. One system call.
    #[must_use]
    pub fn is_current(&self, id: ProcessId) -> bool {
        let entry = self.maps.process(id.tgid);
        entry.is_some_and(|entry| entry.epoch == id.epoch)
    }

    /// The kernel's maps.
    #[must_use]
    pub fn maps(&self) -> &Maps {
        &self.maps
    }

    /// Follows a lifecycle event.
    ///
    /// # Errors
    /// When the kernel's maps cannot be written.
    pub fn on_event(&mut self, event: &LifecycleEvent) -> Result<(), LoadError> {
        let tgid = Tgid(event.tgid);
        let id = ProcessId {
            tgid,
            epoch: event.epoch,
        };
        let parent = ProcessId {
            tgid: Tgid(event.parent_tgid),
            epoch: event.parent_epoch,
        };
        match event.kind {
            EXEC => {
                self.end(parent, event);
                self.add(id, Some(parent), false);
                if let Some(process) = self.processes.get_mut(&id) {
                    process.cpu_start = Duration::from_nanos(event.cpu_ns);
                }
                self.look(id)
            }
            FORK => self.fork(id, parent),
            EXIT => {
                self.end(id, event);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The next time at which [`Self::look_again`] has something to do.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        self.due.peek().map(|Reverse((time, _))| *time)
    }

    /// Looks at the processes whose time has come.
    ///
    /// # Errors
    /// When the kernel's maps cannot be written.
    pub fn look_again(&mut self, now: Instant) -> Result<(), LoadError> {
        while let Some(&Reverse((time, id))) = self.due.peek()
            && time <= now
        {
            self.due.pop();
            let process = self.processes.get_mut(&id);
            let Some(process) = process.filter(|process| process.due == Some(time)) else {
                continue;
            };
            process.due = None;
            self.rename(id, now)?;
            self.look(id)?;
        }
        Ok(())
    }

    /// How many processes have ended since [`Self::forget`] had something to do.
    #[must_use]
    pub fn n_ended(&self) -> usize {
        self.ended.len()
    }

    /// Forgets those of the first `n_ended` that will not be shown, once they are many: a host
    /// may start some hundred a second. No more samples of them may come. Returns all of the first
    /// `n_ended` that are done with, those that will be shown among them.
    pub fn forget(&mut self, n_ended: usize) -> Vec<ProcessId> {
        if n_ended < MANY_ENDED {
            return Vec::new();
        }
        let now = Instant::now();
        let mut done = Vec::new();
        let mut forgotten = HashMap::new();
        let first: Vec<ProcessId> = self.ended.drain(..n_ended.min(self.ended.len())).collect();
        for id in first {
            match self.processes.get(&id) {
                // Its parent may still become a target, and it with it.
                Some(process) if matches!(process.choice, Choice::Open(until) if now < until) => {
                    self.ended.push(id);
                    continue;
                }
                Some(process) if process.is_out() => {
                    forgotten.insert(id, process.parent);
                    self.processes.remove(&id);
                }
                _ => {}
            }
            done.push(id);
        }
        // Whoever descends from it still descends from its parent.
        for process in self.processes.values_mut() {
            while let Some(&parent) = process.parent.and_then(|parent| forgotten.get(&parent)) {
                process.parent = parent;
                process.is_fork = false;
            }
        }
        done
    }

    /// Sampling ends now, at `now_ns` of CLOCK_MONOTONIC: what CPU time is used from here on does
    /// not count.
    pub fn end_accounts(&mut self, now_ns: u64) {
        self.accounts_end_ns = now_ns;
        self.take_cpu_times();
    }

    fn take_cpu_times(&mut self) {
        for process in self.processes.values_mut() {
            if process.choice.is_sampled() && process.cpu_end.is_none() {
                process.cpu_end = procfs::cpu_time(process.id.tgid).ok();
            }
        }
    }

    /// Sampling has ended, and nothing of it is on its way any more: takes the final counts, and
    /// the CPU times that [`Self::end_accounts`] did not.
    pub fn finish(&mut self) {
        for process in self.processes.values_mut() {
            if process.has_ended {
                continue;
            }
            if let Some(entry) = self.maps.process(process.id.tgid)
                && entry.epoch == process.id.epoch
            {
                process.counts = entry.counts;
            }
        }
        self.take_cpu_times();
    }

    fn add(&mut self, id: ProcessId, parent: Option<ProcessId>, was_running: bool) {
        let (names, command) = names_of(id.tgid);
        let parent_choice = parent
            .and_then(|parent| self.processes.get(&parent))
            .map(|parent| parent.choice);
        let choice = match parent_choice {
            _ if id.tgid == self.own => Choice::No,
            Some(Choice::Yes) => Choice::Yes,
            _ if self.selector.matches(id.tgid, &names) => Choice::Yes,
            _ if !self.selector.is_by_name() || was_running => Choice::No,
            _ => Choice::Open(Instant::now() + GRACE),
        };
        let process = Process {
            id,
            parent,
            command,
            is_fork: false,
            kind: Kind::Unknown,
            choice,
            was_running,
            has_ended: false,
            counts: ProcessCounts::ZERO,
            cpu_start: Duration::ZERO,
            cpu_end: None,
            is_skipped: false,
            paths: [TstatePath::ZERO; MAX_PATHS],
            looks: 0,
            due: None,
        };
        self.current.insert(id.tgid, id);
        self.processes.insert(id, process);
    }

    /// Takes in a process whose beginning was not seen, since the ring of events was full.
    ///
    /// # Errors
    /// When the kernel's maps cannot be written.
    pub fn adopt(&mut self, id: ProcessId) -> Result<(), LoadError> {
        // One that has ended and was forgotten is not to be taken for what has its tgid now.
        if !self.is_current(id) {
            return Ok(());
        }
        self.add(id, None, false);
        self.look(id)
    }

    /// A forked process is what its parent is. The kernel has copied the verdict if there was
    /// one by then.
    fn fork(&mut self, id: ProcessId, parent: ProcessId) -> Result<(), LoadError> {
        let Some(parent) = self.processes.get(&parent) else {
            self.add(id, Some(parent), false);
            return self.look(id);
        };
        let is_target = self.selector.has_pid(id.tgid);
        let process = Process {
            id,
            parent: Some(parent.id),
            is_fork: true,
            choice: if is_target {
                Choice::Yes
            } else {
                parent.choice
            },
            was_running: parent.was_running || matches!(parent.kind, Kind::Python(_)),
            has_ended: false,
            counts: ProcessCounts::ZERO,
            cpu_start: Duration::ZERO,
            cpu_end: None,
            due: None,
            ..parent.clone()
        };
        self.current.insert(id.tgid, id);
        self.processes.insert(id, process);
        self.arm(id);
        self.tell(id)
    }

    fn end(&mut self, id: ProcessId, event: &LifecycleEvent) {
        if self.current.get(&id.tgid) == Some(&id) {
            self.current.remove(&id.tgid);
        }
        if let Some(process) = self.processes.get_mut(&id) {
            process.has_ended = true;
            process.counts = event.counts;
            // To the nanosecond, which what /proc says of a zombie is not.
            if process.cpu_end.is_none() || event.time_ns <= self.accounts_end_ns {
                process.cpu_end = Some(Duration::from_nanos(event.cpu_ns));
            }
            self.ended.push(id);
        }
    }

    /// Looks what the process is and tells the kernel.
    fn look(&mut self, id: ProcessId) -> Result<(), LoadError> {
        let Some(process) = self.processes.get(&id) else {
            return Ok(());
        };
        if process.has_ended {
            return Ok(());
        }
        let is_known = matches!(process.kind, Kind::Python(_) | Kind::Refused(_));
        // What will never be a target need not be looked at.
        let is_out = process.choice == Choice::No && !self.selector.is_by_name();
        if is_known || is_out {
            self.arm(id);
            return self.tell(id);
        }
        let mut looks = process.looks;
        let mut paths = process.paths;
        let mut kind = process.kind.clone();
        if matches!(kind, Kind::Unknown | Kind::NotPython) {
            kind = match self.files.look(id.tgid, &mut self.maps)? {
                Look::Nothing => kind,
                Look::Gone => return Ok(()),
                Look::Python(located) => {
                    // A program may load its libpython late: that one is new all the same.
                    looks = 0;
                    Kind::Starting(located)
                }
                Look::Refused(refused) => Kind::Refused(refused),
            };
        }
        if let Kind::Starting(located) = &kind {
            match self.files.slots(id.tgid, located, looks < N_CALIBRATIONS) {
                Ready::NotYet => {}
                Ready::Yes(slots) => {
                    let layout = &located.interpreter.layout;
                    paths = slots.paths(layout, located.runtime);
                    kind = Kind::Python(located.interpreter.clone());
                }
                Ready::Refused(refused) => kind = Kind::Refused(refused),
            }
        }
        let Some(process) = self.processes.get_mut(&id) else {
            return Ok(());
        };
        process.looks = looks + 1;
        if matches!(kind, Kind::Unknown) && (process.looks > N_QUICK_LOOKS || process.was_running) {
            kind = Kind::NotPython;
        }
        (process.kind, process.paths) = (kind, paths);
        self.arm(id);
        self.tell(id)
    }

    /// Tells the kernel what to do with the process.
    fn tell(&mut self, id: ProcessId) -> Result<(), LoadError> {
        let Some(process) = self.processes.get_mut(&id) else {
            return Ok(());
        };
        let mut verdict = PyProcess::ZERO;
        verdict.verdict = match &process.kind {
            _ if process.choice == Choice::No => VERDICT_SKIP,
            Kind::NotPython => VERDICT_SKIP,
            Kind::Refused(_) => VERDICT_REFUSED,
            Kind::Python(interpreter) => {
                verdict.layout = interpreter.number;
                verdict.paths = process.paths;
                VERDICT_WALK
            }
            Kind::Unknown | Kind::Starting(_) => return Ok(()),
        };
        let was_skipped = process.is_skipped;
        process.is_skipped = verdict.verdict == VERDICT_SKIP;
        if was_skipped && !process.is_skipped && !process.has_ended {
            process.cpu_start = procfs::cpu_time(id.tgid).unwrap_or_default();
        }
        self.maps.set_verdict(id, &verdict)
    }

    /// Sets the time of the next look, if there is to be one.
    fn arm(&mut self, id: ProcessId) {
        let is_by_name = self.selector.is_by_name();
        let Some(process) = self.processes.get_mut(&id) else {
            return;
        };
        let Some(delay) = process.next_look(is_by_name) else {
            return;
        };
        let time = Instant::now() + delay;
        if process.due.is_none_or(|due| time < due) {
            process.due = Some(time);
            self.due.push(Reverse((time, id)));
        }
    }

    /// Looks at the name of a process that is not chosen: it may have another one by now.
    fn rename(&mut self, id: ProcessId, now: Instant) -> Result<(), LoadError> {
        let Some(process) = self.processes.get_mut(&id) else {
            return Ok(());
        };
        if process.has_ended || process.choice == Choice::Yes || id.tgid == self.own {
            return Ok(());
        }
        let (names, command) = names_of(id.tgid);
        if self.selector.matches(id.tgid, &names) {
            process.command = command;
            return self.set_chosen(id);
        }
        if matches!(process.choice, Choice::Open(until) if now >= until) {
            process.choice = Choice::No;
        }
        Ok(())
    }

    /// Chooses a process and all that descends from it.
    fn set_chosen(&mut self, id: ProcessId) -> Result<(), LoadError> {
        let mut todo = vec![id];
        while let Some(id) = todo.pop() {
            let Some(process) = self.processes.get_mut(&id) else {
                continue;
            };
            process.choice = Choice::Yes;
            self.look(id)?;
            let children = self
                .processes
                .values()
                .filter(|child| child.parent == Some(id) && child.choice != Choice::Yes);
            todo.extend(children.map(|child| child.id));
        }
        Ok(())
    }
}

/// The names to choose by, and the command line to show. A process that is gone has none.
fn names_of(tgid: Tgid) -> (ProcessNames, String) {
    let comm = procfs::comm(tgid).unwrap_or_default();
    let arguments = procfs::cmdline(tgid).unwrap_or_default();
    let command = procfs::display_command(&comm, &arguments);
    (ProcessNames::new(&comm, &arguments), command)
}
