//! A Python process that does as it is told: loops at a stated depth, on a stated CPU.

use std::{
    fs,
    os::fd::AsRawFd,
    ptr::NonNull,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use integration::{inventory::Interpreter, process::Process, python::command};
use profiler::model::Tgid;
use tempfile::TempDir;

use crate::{
    clock::{cpu_time, monotonic_ns},
    cpus,
};

const SCRIPT: &str = include_str!("target.py");
const FILE_BYTES: usize = 4096;
const QUIT: u64 = 1 << 21;

/// What a target does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Waits.
    Rest,
    /// Loops with this many frames on its stack, at least 3.
    Depth(u64),
    /// Calls 450 functions in 30 files in turn, 17 frames deep.
    Wide,
}

impl Work {
    fn word(self) -> u64 {
        match self {
            Self::Rest => 0,
            Self::Depth(depth) => depth.max(3),
            Self::Wide => 1 << 20,
        }
    }
}

/// The process. It ends when dropped.
pub(crate) struct Target {
    process: Process,
    words: NonNull<AtomicU64>,
    _folder: TempDir,
}

/// How far a target was, at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    turns: u64,
    cpu: Duration,
    wall_ns: u64,
}

/// What a target did between two marks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Its CPU time for one turn of its loop, in nanoseconds: interrupts count, being
    /// displaced by another process does not.
    pub(crate) cpu_ns: f64,
    /// Time for one turn, in nanoseconds.
    pub(crate) wall_ns: f64,
}

impl Target {
    /// Starts it at rest on this CPU, before everything else there.
    pub(crate) fn start(python: &Interpreter, cpu: usize) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("profiler-bench-")
            .tempdir_in(python.root().join("tmp"))?;
        let script = folder.path().join("target.py");
        fs::write(&script, SCRIPT)?;
        let control = folder.path().join("control");
        fs::write(&control, [0; FILE_BYTES])?;
        let words = map(&control)?;
        let mut start = command(python);
        start
            .arg(python.inside(&script)?)
            .arg(python.inside(&control)?);
        cpus::own_session(&mut start);
        let process = Process::start(&mut start)?;
        let tgid = process.tgid();
        let target = Self {
            process,
            words,
            _folder: folder,
        };
        cpus::pin(tgid, cpu)?;
        cpus::set_nice(tgid, cpus::FIRST)?;
        Ok(target)
    }

    pub(crate) fn tgid(&self) -> Tgid {
        self.process.tgid()
    }

    /// Tells it what to do and waits until it does.
    pub(crate) fn set(&mut self, work: Work) -> Result<()> {
        self.word(1).store(work.word(), Ordering::SeqCst);
        let begin = Instant::now();
        while self.word(2).load(Ordering::SeqCst) != work.word() {
            if let Some(ended) = self.process.try_wait()? {
                bail!(
                    "the target ended, {}: {}",
                    ended.status,
                    self.process.errors()
                );
            }
            if begin.elapsed() > Duration::from_secs(30) {
                bail!("the target does not start to do {work:?}");
            }
            thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    pub(crate) fn mark(&self) -> Result<Mark> {
        Ok(Mark {
            turns: self.word(0).load(Ordering::SeqCst),
            cpu: cpu_time(self.tgid())?,
            wall_ns: monotonic_ns(),
        })
    }

    /// Its pace since `mark`.
    pub(crate) fn pace(&self, mark: Mark) -> Result<Pace> {
        let now = self.mark()?;
        let turns = now.turns.saturating_sub(mark.turns);
        if turns == 0 {
            bail!("the target did not get on");
        }
        let turns = turns as f64;
        Ok(Pace {
            cpu_ns: (now.cpu.saturating_sub(mark.cpu)).as_nanos() as f64 / turns,
            wall_ns: (now.wall_ns - mark.wall_ns) as f64 / turns,
        })
    }

    fn word(&self, index: usize) -> &AtomicU64 {
        assert!(index < FILE_BYTES / 8);
        // SAFETY: the mapping has FILE_BYTES bytes, is aligned to a page, and lives as long as
        // `self`; the target writes it in whole words.
        let word = unsafe { self.words.add(index) };
        // SAFETY: as above.
        unsafe { word.as_ref() }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.word(1).store(QUIT, Ordering::SeqCst);
        // It is killed after this if it does not hear.
        drop(self.process.wait());
        // SAFETY: the mapping was made with this length, and nothing refers to it any more.
        unsafe { libc::munmap(self.words.as_ptr().cast(), FILE_BYTES) };
    }
}

fn map(path: &std::path::Path) -> Result<NonNull<AtomicU64>> {
    let file = fs::OpenOptions::new().read(true).write(true).open(path)?;
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let at = std::ptr::null_mut();
    // SAFETY: a new shared mapping of an open file, wherever the kernel likes.
    let address = unsafe {
        libc::mmap(
            at,
            FILE_BYTES,
            protection,
            libc::MAP_SHARED,
            file.as_raw_fd(),
            0,
        )
    };
    if address == libc::MAP_FAILED {
        return Err(std::io::Error::last_os_error()).context("cannot map the control file");
    }
    NonNull::new(address.cast()).context("mmap gave address 0")
}
