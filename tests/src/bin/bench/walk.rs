//! Time that the kernel's program takes for a sample, from the kernel's own run-time statistics.
//!
//! Only the event of the target's CPU is on, and the target comes before everything else there,
//! so nearly all runs are walks of its stack. The floor is a run for a process that is not
//! chosen. The figure of a case is the median of the means of its windows.

use std::{thread, time::Duration};

use anyhow::Result;
use integration::inventory::Interpreter;
use profiler::session::{Config, Session};

use crate::{
    Bench,
    events::Events,
    programs::RunTimes,
    table::{Row, Table, median},
    target::{Target, Work},
};

/// Families of interpreters: the minors that the table shows.
const MINORS: &[u32] = &[8, 9, 10, 11, 12, 13, 14, 15];
const DEPTHS: &[u64] = &[5, 20, 60, 120, 1_000];
/// At 10,000 Hz the program's code and maps stay in the caches: warm.
const WARM_HZ: u32 = 10_000;
/// Nanoseconds aimed at, warm, on 3.11 and later.
const AIMS: &[(u64, f64)] = &[(20, 1_300.0), (60, 2_500.0)];
/// By then the reader has taken what was in the ring: it comes every 50 ms.
const DRAINED: Duration = Duration::from_millis(130);

struct Case<'a> {
    bench: &'a Bench,
    times: &'a RunTimes,
    session: &'a Session,
    events: &'a Events,
    rate_hz: u32,
}

/// What one case costs.
struct Cost {
    ns: f64,
    runs: u64,
    /// Share of the runs that made a sample of the target.
    share: f64,
}

pub(crate) fn run(bench: &Bench) -> Result<Vec<Table>> {
    let pythons = pythons(bench);
    let times = RunTimes::enable()?;
    let rates = [1_000, WARM_HZ];
    rates
        .iter()
        .map(|&rate_hz| at_rate(bench, &pythons, &times, rate_hz))
        .collect()
}

/// One interpreter of each family: the last that the inventory has.
fn pythons(bench: &Bench) -> Vec<&Interpreter> {
    let minors = bench.pick(MINORS, &[12]);
    let newest = |minor: &u32| {
        let of_minor = |python: &&Interpreter| python.minor == *minor;
        bench.inventory.supported().filter(of_minor).last()
    };
    minors.iter().filter_map(newest).collect()
}

fn at_rate(
    bench: &Bench,
    pythons: &[&Interpreter],
    times: &RunTimes,
    rate_hz: u32,
) -> Result<Table> {
    let start = |python: &&Interpreter| {
        let mut target = Target::start(python, bench.cpus.target)?;
        target.set(Work::Rest)?;
        Ok(target)
    };
    let mut other = start(&&bench.python)?;
    let mut targets: Vec<Target> = pythons.iter().map(start).collect::<Result<_>>()?;
    let config = Config {
        pids: targets.iter().map(Target::tgid).collect(),
        rate_hz,
        ..Config::default()
    };
    let (session, events) = Events::of_session(config, bench.cpus.n)?;
    let case = Case {
        bench,
        times,
        session: &session,
        events: &events,
        rate_hz,
    };
    let floor = case.cost(&mut other, Work::Depth(20))?;
    drop(other);

    let title = format!("BPF ns a sample at {rate_hz} Hz (floor: a process that is not chosen)");
    let mut table = Table::new(title, "floor");
    for (target, python) in targets.iter_mut().zip(pythons) {
        for &depth in bench.pick(DEPTHS, &[20, 60]) {
            let cost = case.cost(target, Work::Depth(depth))?;
            let aim = AIMS
                .iter()
                .find(|(aimed, _)| *aimed == depth)
                .map(|(_, aim)| *aim);
            let aim = aim.filter(|_| rate_hz == WARM_HZ && python.minor >= 11);
            let (runs, share) = (cost.runs, cost.share * 100.0);
            let name = format!(
                "{} {depth:>4} frames ({runs} runs, {share:.1} % the target's)",
                python.version
            );
            table.add(Row {
                name,
                ours: format!("{:.0}", cost.ns),
                other: format!("{:.0}", floor.ns),
                ratio: format!("{:.1}", cost.ns / floor.ns),
                aim: aim.map_or_else(String::new, |aim| format!("{aim:.0}")),
                is_met: aim.map(|aim| cost.ns <= aim),
            });
        }
    }
    drop(events);
    drop(session.stop(&false.into()));
    Ok(table)
}

impl Case<'_> {
    fn cost(&self, target: &mut Target, work: Work) -> Result<Cost> {
        let n_windows = self.bench.pick(5, 3);
        let window = if self.rate_hz < WARM_HZ { 500 } else { 200 };
        target.set(work)?;
        thread::sleep(Duration::from_millis(50));
        let mut means = Vec::new();
        let (mut runs, mut samples) = (0, 0);
        for _ in 0..n_windows {
            let sent = self.session.progress().samples;
            let before = self.times.read()?;
            self.events.on_cpu(self.bench.cpus.target)?;
            thread::sleep(Duration::from_millis(window));
            self.events.off()?;
            let after = self.times.read()?;
            thread::sleep(DRAINED);
            samples += self.session.progress().samples - sent;
            let n = after.n - before.n;
            runs += n;
            if n > 0 {
                means.push((after.ns - before.ns) as f64 / n as f64);
            }
        }
        target.set(Work::Rest)?;
        Ok(Cost {
            ns: median(means),
            runs,
            share: samples as f64 / runs.max(1) as f64,
        })
    }
}
