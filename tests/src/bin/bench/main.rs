//! The benchmark: `cargo xtask bench -- [--quick] [--only NAME] [--python MINOR]`, as root.
//!
//! No figure stands alone: what the profiler costs is compared with a bare perf event, with a
//! sample that the kernel side only skips, or with py-spy, in the same run on the same process.
//! docs/benchmarks.md says how each is measured and what came out.

mod clock;
mod cpus;
mod delivered;
mod events;
mod first_sample;
mod programs;
mod recorders;
mod slowdown;
mod table;
mod target;
mod walk;

use std::{
    env, fs,
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::{Command, ExitCode},
    time::Instant,
};

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use integration::inventory::{Interpreter, Inventory};
use profiler::model::Tgid;

use crate::{cpus::Cpus, table::Table};

#[derive(Parser)]
#[command(
    name = "bench",
    about = "Measures the profiler against its floor and py-spy"
)]
struct Arguments {
    /// Fewer cases and shorter windows: about a minute and a half
    #[arg(long)]
    quick: bool,
    /// Only these parts (repeatable)
    #[arg(long, value_enum)]
    only: Vec<Part>,
    /// The minor version of CPython for all parts but `walk`
    #[arg(long, default_value_t = 12)]
    python: u32,
    /// Already in a session of its own
    #[arg(long, hide = true)]
    apart: bool,
    /// Record this process until the first sample, and print its time (what `first-sample` runs)
    #[arg(long, hide = true)]
    until_first_sample: Option<u32>,
}

/// The parts, in the order in which they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Time of the kernel's program for a sample, by interpreter and depth
    Walk,
    /// Slow-down of the target against a bare perf event
    Slowdown,
    /// Samples delivered against expected
    Delivered,
    /// CPU time and memory of the profiler and of py-spy
    Recorders,
    /// Time from the start of the program to its first sample
    FirstSample,
}

/// What the parts share.
struct Bench {
    inventory: Inventory,
    python: Interpreter,
    cpus: Cpus,
    quick: bool,
}

impl Bench {
    fn new(arguments: &Arguments) -> Result<Self> {
        let inventory = Inventory::read()?;
        let python = inventory
            .supported()
            .filter(|python| python.is_plain() && python.minor == arguments.python)
            .last()
            .with_context(|| format!("the inventory has no plain 3.{}", arguments.python))?
            .clone();
        let cpus = Cpus::find()?;
        let own = Tgid(std::process::id());
        cpus::pin(own, cpus.ours)?;
        cpus::set_nice(own, cpus::FIRST)?;
        Ok(Self {
            inventory,
            python,
            cpus,
            quick: arguments.quick,
        })
    }

    /// The longer one, or with `--quick` the shorter one.
    fn pick<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }

    /// py-spy, where there is a virtual environment.
    fn py_spy(&self) -> Option<PathBuf> {
        let path = self.inventory.venv.join("bin/py-spy");
        (!self.inventory.venv.as_os_str().is_empty() && path.exists()).then_some(path)
    }

    fn run(&self, part: Part) -> Result<Vec<Table>> {
        match part {
            Part::Walk => walk::run(self),
            Part::Slowdown => slowdown::run(self),
            Part::Delivered => delivered::run(self),
            Part::Recorders => recorders::run(self),
            Part::FirstSample => first_sample::run(self),
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.until_first_sample {
        Some(pid) => first_sample::record_until_first(Tgid(pid)).map(|()| true),
        None if arguments.apart => run(&arguments).map(|()| true),
        None => run_apart(),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs this program again in a session of its own, so that its priority counts; returns
/// whether that went well.
fn run_apart() -> Result<bool> {
    let mut again = Command::new(env::current_exe()?);
    again.arg("--apart").args(env::args_os().skip(1));
    let status = cpus::own_session(&mut again).status()?;
    if status.signal().is_some() {
        eprintln!("bench: it was ended: {status}");
    }
    Ok(status.success())
}

fn run(arguments: &Arguments) -> Result<()> {
    let begin = Instant::now();
    let bench = Bench::new(arguments)?;
    say(&machine(&bench));
    let parts = Part::value_variants().iter();
    let chosen = |part: &&Part| arguments.only.is_empty() || arguments.only.contains(part);
    let (mut met, mut all) = (0, 0);
    for &part in parts.filter(chosen) {
        for table in bench.run(part).with_context(|| format!("{part:?}"))? {
            table.print();
            let aims = table.aims();
            met += aims.0;
            all += aims.1;
        }
    }
    say(&format!(
        "\n{met} of {all} aims are met; {:.0} s in all",
        begin.elapsed().as_secs_f64()
    ));
    Ok(())
}

/// What the figures were measured on.
fn machine(bench: &Bench) -> String {
    let read = |path: &str| {
        fs::read_to_string(path)
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    let info = read("/proc/cpuinfo");
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown CPU", |line| {
            line.trim_start_matches([':', '\t', ' '])
        });
    format!(
        "{} x {model}, Linux {}, load {}; CPython {} unless stated; target on CPU {}, all else on \
         CPU {}",
        bench.cpus.n,
        read("/proc/sys/kernel/osrelease"),
        read("/proc/loadavg"),
        bench.python.version,
        bench.cpus.target,
        bench.cpus.ours,
    )
}

/// Prints to standard output; nobody listening is no error.
fn say(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{text}");
}
