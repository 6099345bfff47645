//! The profiler's own binary and py-spy, one after the other on the same target: CPU time and
//! memory of each, the target's time for a turn of its loop, samples against expected.
//!
//! CPU time is taken from the process's clock in the middle of the recording: start-up and the
//! writing of the output stand apart. The target's time is wall time, since py-spy stops it, against
//! the time without a recorder just before and after.

use std::{
    fs,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use integration::{process::Process, record};

use crate::{
    Bench,
    clock::{cpu_time, process_starts, status_kib},
    programs::ring_bytes,
    slowdown::percent,
    table::{Row, Table, median},
    target::{Target, Work},
};

/// A core's share aimed at, at 1000 Hz, in percent.
const CPU_AIM: f64 = 0.1;
/// Anonymous memory aimed at, in MB.
const MEMORY_AIM: f64 = 30.0;
/// The first of a recording is start-up, the last is left to the end.
const SETTLE: Duration = Duration::from_millis(1_500);
const END: Duration = Duration::from_millis(500);

/// What one recording cost.
struct Cost {
    /// Percent of a core, settled.
    core: f64,
    /// CPU time before and after that, in seconds.
    rest_s: f64,
    /// Anonymous memory at its highest, in KiB.
    anon_kib: u64,
    ring_bytes: u64,
    /// Processes and threads that began on the host meanwhile, a second: each is an event for us.
    starts: f64,
    /// The target's time for a turn, against none.
    pace: f64,
    samples: u64,
}

struct Case {
    rate_hz: u32,
    work: Work,
    name: &'static str,
}

impl Case {
    /// The one that `--quick` compares with py-spy.
    fn is_first(&self) -> bool {
        self.rate_hz == 1_000 && self.work == Work::Depth(20)
    }
}

pub(crate) fn run(bench: &Bench) -> Result<Vec<Table>> {
    let mut target = Target::start(&bench.python, bench.cpus.target)?;
    let case = |rate_hz, work, name| Case {
        rate_hz,
        work,
        name,
    };
    let mut cases = vec![case(1_000, Work::Depth(20), "loop of 20 frames")];
    if !bench.quick {
        cases.insert(0, case(100, Work::Depth(20), "loop of 20 frames"));
        cases.push(case(10_000, Work::Depth(20), "loop of 20 frames"));
        cases.push(case(100, Work::Wide, "450 functions"));
    }
    cases.push(case(1_000, Work::Wide, "450 functions"));
    cases.push(case(10_000, Work::Wide, "450 functions"));

    let mut tables = Tables::new();
    for case in &cases {
        let seconds = bench.pick(10, 4);
        let ours = cost(&ours(&target, case, seconds), &mut target, case, seconds)?;
        let theirs = match bench.py_spy() {
            Some(path) if !bench.quick || case.is_first() => {
                let mut them = Vec::new();
                for options in [&[][..], &["--nonblocking"]] {
                    let command = py_spy(&path, &target, case, seconds, options);
                    them.push(cost(&command, &mut target, case, seconds)?);
                }
                them
            }
            _ => Vec::new(),
        };
        tables.add(case, seconds, &ours, &theirs);
    }
    Ok(tables.finish())
}

/// A command line without its output file.
type Words = Vec<String>;

fn ours(target: &Target, case: &Case, seconds: u64) -> Result<Words> {
    let binary = record::profiler()?;
    let mut words = vec![binary.get_program().to_string_lossy().into_owned()];
    let arguments = format!(
        "record --pid {} -r {} -d {seconds} -f folded -o",
        target.tgid(),
        case.rate_hz
    );
    words.extend(arguments.split(' ').map(str::to_owned));
    Ok(words)
}

fn py_spy(
    path: &Path,
    target: &Target,
    case: &Case,
    seconds: u64,
    options: &[&str],
) -> Result<Words> {
    let mut words = vec![path.to_string_lossy().into_owned()];
    let arguments = format!(
        "record --pid {} -r {} -d {seconds} --format raw",
        target.tgid(),
        case.rate_hz
    );
    words.extend(arguments.split(' ').map(str::to_owned));
    words.extend(options.iter().map(|&option| option.to_owned()));
    words.push("-o".to_owned());
    Ok(words)
}

/// Runs a recorder on the target and measures both.
fn cost(words: &Result<Words>, target: &mut Target, case: &Case, seconds: u64) -> Result<Cost> {
    let words = words
        .as_ref()
        .map_err(|error| anyhow::anyhow!("{error:#}"))?;
    let (program, arguments) = words.split_first().context("no command")?;
    let folder = tempfile::tempdir()?;
    let output = folder.path().join("stacks.txt");
    target.set(case.work)?;
    let before = alone(target)?;
    let mut command = Command::new(program);
    // It inherits this process's CPU and priority: as if nobody else were there.
    let mut recorder = Process::start(command.args(arguments).arg(&output))?;
    let tgid = recorder.tgid();
    thread::sleep(SETTLE);
    let (cpu, begin) = (cpu_time(tgid)?, Instant::now());
    let end = Duration::from_secs(seconds).saturating_sub(SETTLE + END);
    let (ring_bytes, starts) = (ring_bytes(tgid)?, process_starts()?);
    let (mut anon_kib, mut paces) = (0, Vec::new());
    while begin.elapsed() < end {
        paces.push(window(target)?);
        anon_kib = anon_kib.max(status_kib(tgid, "RssAnon")?);
    }
    let starts = (process_starts()? - starts) as f64 / begin.elapsed().as_secs_f64();
    let settled = cpu_time(tgid)?.saturating_sub(cpu);
    let core = settled.as_secs_f64() / begin.elapsed().as_secs_f64() * 100.0;
    let ended = recorder.wait()?;
    ensure!(
        ended.status.success(),
        "{}: {}",
        words.join(" "),
        recorder.errors()
    );
    let after = alone(target)?;
    target.set(Work::Rest)?;
    Ok(Cost {
        core,
        rest_s: ended.cpu_ns as f64 * 1e-9 - settled.as_secs_f64(),
        anon_kib,
        ring_bytes,
        starts,
        pace: median(paces) / f64::midpoint(before, after),
        samples: samples(&output)?,
    })
}

/// The target's time for a turn without a recorder.
fn alone(target: &Target) -> Result<f64> {
    let windows = (0..8)
        .map(|_| window(target))
        .collect::<Result<Vec<f64>>>()?;
    Ok(median(windows))
}

/// The target's time for a turn in 150 ms.
fn window(target: &Target) -> Result<f64> {
    let mark = target.mark()?;
    thread::sleep(Duration::from_millis(150));
    Ok(target.pace(mark)?.wall_ns)
}

/// The sum of the counts of folded stacks.
fn samples(output: &Path) -> Result<u64> {
    let text = fs::read(output).with_context(|| format!("no {}", output.display()))?;
    let text = String::from_utf8_lossy(&text);
    let counts = text
        .lines()
        .filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok());
    Ok(counts.sum())
}

/// The figures of all cases, by what they are about.
struct Tables {
    cpu: Table,
    pace: Table,
    samples: Table,
    memory: Table,
}

impl Tables {
    fn new() -> Self {
        Self {
            cpu: Table::new(
                "CPU of the recorder, % of a core while it records one process (ratio: ours / theirs)",
                "py-spy",
            ),
            pace: Table::new(
                "Wall time of the target under the recorder, against none (ratio: ours / theirs)",
                "py-spy",
            ),
            samples: Table::new("Samples written, of rate x duration", "py-spy"),
            memory: Table::new("Anonymous memory of the recorder, in MB", "py-spy"),
        }
    }

    fn add(&mut self, case: &Case, seconds: u64, ours: &Cost, theirs: &[Cost]) {
        let Case { rate_hz, name, .. } = case;
        let aim_of_cpu = (*rate_hz == 1_000).then_some(CPU_AIM);
        let expected = f64::from(*rate_hz) * seconds as f64;
        let share = |cost: &Cost| format!("{:.2} %", cost.samples as f64 / expected * 100.0);
        let kinds = ["", ", against --nonblocking"];
        let nobody = theirs.is_empty().then_some(("", None));
        let them = kinds.into_iter().zip(theirs.iter().map(Some));
        for (kind, other) in them.chain(nobody) {
            let row = |ours: f64, text: fn(f64) -> String, theirs: Option<f64>| Row {
                name: format!("{name}, {rate_hz} Hz{kind}"),
                ours: text(ours),
                other: theirs.map(text).unwrap_or_default(),
                ratio: theirs
                    .map(|theirs| format!("{:.4}", ours / theirs))
                    .unwrap_or_default(),
                ..Row::default()
            };
            let is_first = kind.is_empty();
            let mut cpu = row(
                ours.core,
                |core| format!("{core:.2}"),
                other.map(|o| o.core),
            );
            cpu.name = format!(
                "{} (start and end: {:.2} s; {:.0} starts/s)",
                cpu.name, ours.rest_s, ours.starts
            );
            if let Some(aim) = aim_of_cpu.filter(|_| is_first) {
                cpu.aim = aim.to_string();
                cpu.is_met = Some(ours.core <= aim);
            }
            self.cpu.add(cpu);
            self.pace
                .add(row(ours.pace, percent, other.map(|other| other.pace)));
            self.samples.add(Row {
                name: format!("{name}, {rate_hz} Hz{kind}"),
                ours: share(ours),
                other: other.map(share).unwrap_or_default(),
                ..Row::default()
            });
            if is_first {
                let mb = |kib: u64| kib as f64 * 1.024e-3;
                let anon = mb(ours.anon_kib);
                let theirs = other.map(|other| mb(other.anon_kib));
                let mut memory = row(anon, |mb| format!("{mb:.1}"), theirs);
                memory.name = format!(
                    "{} (rings: {:.1} MB)",
                    memory.name,
                    ours.ring_bytes as f64 * 1e-6
                );
                memory.aim = MEMORY_AIM.to_string();
                memory.is_met = Some(anon < MEMORY_AIM);
                self.memory.add(memory);
            }
        }
    }

    fn finish(self) -> Vec<Table> {
        vec![self.cpu, self.pace, self.samples, self.memory]
    }
}
