//! Loading and attaching the programs.

use std::os::fd::AsFd;

use aya::{
    Ebpf, EbpfLoader,
    maps::{MapData, RingBuf},
    programs::{PerfEvent, ProgramError, RawTracePoint},
};

use super::{LoadError, Maps, btf::Btf, maps::take, perf::PerfEvents};

/// The object that `build.rs` made, aligned as an ELF parser needs it.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/profiler-ebpf"));

/// Globals of the object and the kernel struct members whose offset they hold.
const OFFSETS: &[(&str, &str)] = &[
    ("TASK_FSBASE", "task_struct.thread.fsbase"),
    ("TASK_FLAGS", "task_struct.flags"),
    ("TASK_PID", "task_struct.pid"),
    ("TASK_TGID", "task_struct.tgid"),
    ("TASK_SIGNAL", "task_struct.signal"),
    ("TASK_SUM_EXEC_RUNTIME", "task_struct.se.sum_exec_runtime"),
    ("SIGNAL_LIVE", "signal_struct.live"),
    (
        "SIGNAL_SUM_SCHED_RUNTIME",
        "signal_struct.sum_sched_runtime",
    ),
];

/// Lifecycle programs and their tracepoints.
const TRACEPOINTS: &[(&str, &str)] = &[
    ("process_exec", "sched_process_exec"),
    ("process_fork", "sched_process_fork"),
    ("process_exit", "sched_process_exit"),
];

const SAMPLE: &str = "sample";

/// The loaded programs. Dropping it detaches and unloads everything.
pub struct Kernel {
    ebpf: Ebpf,
    perf: Option<PerfEvents>,
}

/// The two rings, for the reader.
pub struct Rings {
    /// Records of [`decode::Sample`](super::decode::Sample).
    pub samples: RingBuf<MapData>,
    /// Records of `profiler_common::lifecycle::LifecycleEvent`.
    pub events: RingBuf<MapData>,
}

impl Kernel {
    /// Loads every program; nothing runs yet. `ring_bytes`: a power of two, at least a page.
    ///
    /// # Errors
    /// When the kernel lacks something or refuses a program; the verifier's words are in it.
    pub fn load(ring_bytes: u32) -> Result<(Self, Maps, Rings), LoadError> {
        let btf = Btf::load()?;
        let mut offsets = Vec::with_capacity(OFFSETS.len());
        for (global, member) in OFFSETS {
            offsets.push((*global, u64::from(btf.offset(member)?)));
        }
        // aya would parse all of the kernel's types, for relocations that a Rust object lacks.
        let mut loader = EbpfLoader::new();
        loader.btf(None);
        loader.map_max_entries("SAMPLES", ring_bytes);
        for (global, offset) in &offsets {
            loader.override_global(global, offset, true);
        }
        let mut ebpf = loader
            .load(OBJECT)
            .map_err(|error| LoadError::Object(Box::new(error)))?;
        for (name, _) in TRACEPOINTS {
            tracepoint(&mut ebpf, name)?
                .load()
                .map_err(|source| refused(name, source))?;
        }
        sample(&mut ebpf)?
            .load()
            .map_err(|source| refused(SAMPLE, source))?;
        let maps = Maps::take(&mut ebpf)?;
        let rings = Rings {
            samples: take(&mut ebpf, "SAMPLES")?,
            events: take(&mut ebpf, "EVENTS")?,
        };
        Ok((Self { ebpf, perf: None }, maps, rings))
    }

    /// Starts the lifecycle programs: from here on no new process is missed.
    ///
    /// # Errors
    /// When a tracepoint cannot be attached to.
    pub fn watch_processes(&mut self) -> Result<(), LoadError> {
        for (name, event) in TRACEPOINTS {
            tracepoint(&mut self.ebpf, name)?
                .attach(event)
                .map_err(|source| refused(name, source))?;
        }
        Ok(())
    }

    /// Starts sampling on every online CPU.
    ///
    /// # Errors
    /// When an event cannot be opened, for instance above the kernel's highest rate.
    pub fn start_sampling(&mut self, rate_hz: u32) -> Result<(), LoadError> {
        self.perf = Some(PerfEvents::new(rate_hz));
        self.follow_cpus()
    }

    /// Follows CPUs that came online or went; to be called about once a second.
    ///
    /// # Errors
    /// As [`Self::start_sampling`].
    pub fn follow_cpus(&mut self) -> Result<(), LoadError> {
        let Self { ebpf, perf } = self;
        let Some(perf) = perf else { return Ok(()) };
        let program = sample(ebpf)?;
        let fd = program.fd().map_err(|source| refused(SAMPLE, source))?;
        perf.sync(fd.as_fd())
    }

    /// Ends the sampling; records in the ring stay there.
    pub fn stop_sampling(&mut self) {
        self.perf = None;
    }
}

fn refused(program: &'static str, source: ProgramError) -> LoadError {
    LoadError::Program {
        program,
        source: Box::new(source),
    }
}

fn sample(ebpf: &mut Ebpf) -> Result<&mut PerfEvent, LoadError> {
    program(ebpf, SAMPLE)
}

fn tracepoint<'a>(
    ebpf: &'a mut Ebpf,
    name: &'static str,
) -> Result<&'a mut RawTracePoint, LoadError> {
    program(ebpf, name)
}

fn program<'a, P>(ebpf: &'a mut Ebpf, name: &'static str) -> Result<&'a mut P, LoadError>
where
    &'a mut P: TryFrom<&'a mut aya::programs::Program, Error = ProgramError>,
{
    ebpf.program_mut(name)
        .ok_or(LoadError::Missing {
            what: "program",
            name,
        })?
        .try_into()
        .map_err(|source| refused(name, source))
}
