//! Layouts, objects, thread states, calibration and verification on live interpreters, against
//! what the interpreter says of itself (`programs/live_layouts.py`).

use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use integration::{
    inventory::{Interpreter, Inventory},
    process::Process,
    python,
};
use libtest_mimic::Trial;
use profiler::{
    cpython::{
        Layout,
        calibrate::{Slots, calibrate},
        interpreters::{ThreadState, thread_states},
        layout,
        memory::read_u64,
        objects::{Code, CodeReader},
        verify::{RemoteFrame, Verdict, innermost_frames, verify},
    },
    elf::{ModuleCache, find_python},
    procfs::ProcessMemory,
};
use profiler_common::{
    layout::{CAP_GIL_IS_CURRENT, CAP_GIL_MASK},
    process::TstatePath,
};
use serde::Deserialize;

const PROGRAM: &str = include_str!("../programs/live_layouts.py");

pub(crate) fn trials(inventory: &Inventory) -> Vec<Trial> {
    let trial = |python: &Interpreter| {
        let name = format!("live_layouts::{}", python.name());
        let python = python.clone();
        crate::trial(name, move || check(&python))
    };
    inventory.supported().map(trial).collect()
}

/// What the workload says of itself.
#[derive(Deserialize)]
struct Truth {
    /// Of the main thread, leaf first: qualified name (before 3.11 name), file, line.
    frames: Vec<(String, String, u32)>,
    /// `threading.get_ident()` of the other threads, which is their `pthread_self()`.
    threads: HashMap<String, u64>,
    /// Of the main thread.
    main: u64,
}

/// A live interpreter and what is known of it.
struct Target {
    process: Process,
    memory: ProcessMemory,
    layout: Layout,
    runtime: u64,
    truth: Truth,
}

fn check(python: &Interpreter) -> Result<()> {
    let mut target = Target::start(python)?;
    let codes = target.settle()?;
    let states = target.thread_states()?;
    target.check_thread_states(&states)?;
    let verdict = verify(&target.memory, &target.layout, target.runtime);
    ensure!(
        verdict == Verdict::Fits,
        "the layout does not fit: {verdict:?}"
    );
    target.check_paths(&states)?;
    target.check_gil(&states)?;
    target.check_replaced(&codes)
}

impl Target {
    fn start(python: &Interpreter) -> Result<Self> {
        let mut process = Process::start(python::command(python).args(["-c", PROGRAM]))?;
        let truth = serde_json::from_str(&process.line()?)?;
        let found =
            find_python(process.tgid(), &mut ModuleCache::default())?.context("no Python")?;
        let version = found.module.version;
        ensure!(
            version.to_string() == python.version,
            "it is {version}, not {}",
            python.version
        );
        let layout = layout(version, found.module.debug_offsets.as_deref())?;
        let memory = ProcessMemory::new(process.tgid());
        Ok(Self {
            process,
            memory,
            layout,
            runtime: found.runtime_avma,
            truth,
        })
    }

    /// Waits until the main thread, which has just spoken, waits for the answer; then its frames
    /// have the names, files and lines that Python says. Returns their code objects.
    fn settle(&self) -> Result<Vec<(u64, Code)>> {
        let begin = Instant::now();
        loop {
            let states = self.thread_states()?;
            let main = states
                .iter()
                .find(|state| state.thread_id == self.truth.main);
            let main = main.context("no main thread")?;
            let frames = innermost_frames(&self.memory, &self.layout, main)?;
            let addresses: Vec<u64> = frames.iter().map(|frame| frame.code).collect();
            let codes = CodeReader::new().read(&self.memory, &self.layout, &addresses);
            let codes: Vec<Code> = codes.into_iter().collect::<Result<_, _>>()?;
            let found: Vec<_> = frames.iter().zip(&codes).map(named).collect();
            if found == self.truth.frames {
                return Ok(addresses.into_iter().zip(codes).collect());
            }
            let late = begin.elapsed() > Duration::from_secs(5);
            ensure!(!late, "{found:#?}, not {:#?}", self.truth.frames);
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn thread_states(&self) -> Result<Vec<ThreadState>> {
        Ok(thread_states(&self.memory, &self.layout, self.runtime)?)
    }

    /// They are those of the three threads.
    fn check_thread_states(&self, states: &[ThreadState]) -> Result<()> {
        let found: BTreeSet<u64> = states.iter().map(|state| state.thread_id).collect();
        let truth: BTreeSet<u64> = self
            .truth
            .threads
            .values()
            .copied()
            .chain([self.truth.main])
            .collect();
        ensure!(
            states.len() == 3 && found == truth,
            "threads {found:x?}, not {truth:x?}"
        );
        for tid in states.iter().filter_map(|state| state.native_thread_id) {
            let task = format!("/proc/{}/task/{tid}", self.process.tgid());
            ensure!(Path::new(&task).exists(), "no such thread: {task}");
        }
        Ok(())
    }

    /// The calibrated path leads each thread to its own state, whether it holds the GIL or not.
    fn check_paths(&self, states: &[ThreadState]) -> Result<()> {
        let slots: Slots = calibrate(&self.memory, &self.layout, self.runtime)?;
        let paths = slots.paths(&self.layout, self.runtime);
        let is_old = self.layout.runtime.tstate_current.is_some();
        ensure!(
            (paths[0].absolute == 1) == is_old,
            "tstate_current: {paths:x?}"
        );
        for state in states {
            let mut tstates = paths
                .iter()
                .filter_map(|path| self.follow(path, state.thread_id));
            let own = tstates.find(|&tstate| {
                let field = tstate.wrapping_add(self.layout.walk.tstate_thread_id.into());
                read_u64(&self.memory, field).is_ok_and(|thread_id| thread_id == state.thread_id)
            });
            ensure!(
                own == Some(state.address),
                "{own:x?}, not {state:x?}: {paths:x?}"
            );
        }
        Ok(())
    }

    fn follow(&self, path: &TstatePath, tp: u64) -> Option<u64> {
        let steps = &path.steps[..path.n_steps as usize];
        let base = if path.absolute == 1 { 0 } else { tp };
        let end = steps.iter().try_fold(base, |base, &step| {
            read_u64(&self.memory, base.wrapping_add_signed(step)).ok()
        });
        end.filter(|&tstate| path.n_steps > 0 && tstate != 0)
    }

    /// The busy thread is mostly seen with the GIL, those that wait never.
    fn check_gil(&self, states: &[ThreadState]) -> Result<()> {
        let Layout { walk, runtime, .. } = &self.layout;
        let mut counts = HashMap::<u64, u32>::new();
        let begin = Instant::now();
        let mut looks = 0;
        while begin.elapsed() < Duration::from_millis(200) {
            looks += 1;
            for state in states {
                let holds = if walk.caps & CAP_GIL_MASK != 0 {
                    let mut word = [0; 4];
                    self.memory
                        .read(state.address + u64::from(walk.tstate_gil), &mut word)?;
                    u32::from_le_bytes(word) & walk.gil_mask != 0
                } else {
                    ensure!(walk.caps & CAP_GIL_IS_CURRENT != 0, "no way to tell");
                    let offset = runtime.tstate_current.context("no tstate_current")?;
                    read_u64(&self.memory, self.runtime + offset as u64)? == state.address
                };
                *counts.entry(state.thread_id).or_default() += u32::from(holds);
            }
            std::thread::sleep(Duration::from_micros(300));
        }
        let busy = counts
            .remove(&self.truth.threads["busy"])
            .unwrap_or_default();
        ensure!(
            busy * 2 > looks,
            "the busy thread held the GIL in {busy} of {looks} looks"
        );
        ensure!(
            counts.values().all(|&count| count == 0),
            "threads that wait held it: {counts:?}"
        );
        Ok(())
    }

    /// What is still there is unchanged; what died and was replaced is not.
    fn check_replaced(&mut self, codes: &[(u64, Code)]) -> Result<()> {
        let asked: Vec<(u64, &Code)> = codes
            .iter()
            .map(|(address, code)| (*address, code))
            .collect();
        let unchanged = CodeReader::unchanged(&self.memory, &self.layout, &asked);
        ensure!(
            unchanged.iter().all(|&same| same == Some(true)),
            "nothing has changed yet: {unchanged:?}"
        );
        self.process.say("go on")?;
        self.process.line()?;
        let unchanged = CodeReader::unchanged(&self.memory, &self.layout, &asked);
        for ((_, code), same) in codes.iter().zip(unchanged) {
            // What the script itself defines lives; what it made with exec() is gone.
            let lives = &*code.file == "<string>";
            ensure!(
                same == Some(lives),
                "{} of {} is unchanged: {same:?}",
                code.name,
                code.file
            );
        }
        Ok(())
    }
}

fn named((frame, code): (&RemoteFrame, &Code)) -> (String, String, u32) {
    let line = code.line_at(frame.unit).map_or(0, u32::from);
    (code.name.to_string(), code.file.to_string(), line)
}
