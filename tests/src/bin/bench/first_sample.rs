//! Time from the start of the program, its exec and loading included, to its first sample.
//!
//! The program is this one again with the session in it, since the profiler's own says no
//! sample's time; both load the same programs and scan the same processes.

use std::{
    env,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use integration::python::command;
use profiler::{
    model::Tgid,
    session::{Config, Session},
};

use crate::{
    Bench,
    clock::monotonic_ns,
    say,
    table::{Row, Table, median},
    target::{Target, Work},
};

const AIM_S: f64 = 0.15;

pub(crate) fn run(bench: &Bench) -> Result<Vec<Table>> {
    let mut table = Table::new("Start of the program to its first sample, in s", "longest");
    let mut target = Target::start(&bench.python, bench.cpus.target)?;
    target.set(Work::Depth(20))?;
    for n_others in bench.pick(&[0, 100, 500][..], &[0, 100]) {
        let others = (0..*n_others)
            .map(|_| idle(bench))
            .collect::<Result<Vec<_>>>()?;
        // They start up, on this CPU.
        thread::sleep(Duration::from_millis(500 + 40 * others.len() as u64));
        let n_runs = bench.pick(15, 5);
        let times = (0..n_runs)
            .map(|_| once(target.tgid()))
            .collect::<Result<Vec<f64>>>()?;
        let middle = median(times.iter().copied());
        table.add(Row {
            name: format!("{n_others} other Python processes ({n_runs} runs)"),
            ours: format!("{middle:.3}"),
            other: format!("{:.3}", times.iter().copied().fold(0.0, f64::max)),
            ratio: String::new(),
            aim: AIM_S.to_string(),
            is_met: Some(middle <= AIM_S),
        });
    }
    Ok(vec![table])
}

/// Another process; killed when dropped.
struct Idle(Child);

impl Drop for Idle {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn idle(bench: &Bench) -> Result<Idle> {
    let mut start = command(&bench.python);
    start.args(["-S", "-c", "import time; time.sleep(1000)"]);
    start
        .stdin(Stdio::null())
        .spawn()
        .map(Idle)
        .context("cannot start another process")
}

fn once(tgid: Tgid) -> Result<f64> {
    let mut program = Command::new(env::current_exe()?);
    program.args(["--until-first-sample", &tgid.to_string()]);
    // It inherits this process's CPU and priority.
    let start_ns = monotonic_ns();
    let output = program.stderr(Stdio::inherit()).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let first_ns: u64 = text
        .trim()
        .parse()
        .with_context(|| format!("no time: {text}"))?;
    Ok(first_ns.saturating_sub(start_ns) as f64 * 1e-9)
}

/// Records until there is a sample, and prints its time.
pub(crate) fn record_until_first(tgid: Tgid) -> Result<()> {
    let config = Config {
        pids: vec![tgid],
        rate_hz: 1_000,
        keep_samples: true,
        ..Config::default()
    };
    let session = Session::start(config)?;
    while session.progress().samples == 0 {
        thread::sleep(Duration::from_millis(5));
    }
    let rows = session.stop(&false.into()).samples.unwrap_or_default();
    let first = rows.first().context("the profile has no sample")?;
    say(&first.time_ns.to_string());
    Ok(())
}
