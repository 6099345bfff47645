//! Samples in the profile against CPU time x rate, from the session's own accounting; the CPU
//! time in it is the kernel's, from the processes' clocks.

use std::{thread, time::Duration};

use anyhow::Result;
use profiler::session::{Config, Session};

use crate::{
    Bench,
    table::{Row, Table},
    target::{Target, Work},
};

const AIM: f64 = 0.999;

pub(crate) fn run(bench: &Bench) -> Result<Vec<Table>> {
    let mut table = Table::new("Samples delivered against CPU time x rate", "expected");
    let mut targets = vec![Target::start(&bench.python, bench.cpus.target)?];
    let seconds = bench.pick(10, 3);
    for (work, name) in [
        (Work::Depth(20), "loop of 20 frames"),
        (Work::Wide, "450 functions"),
    ] {
        for rate_hz in [100, 1_000, 10_000] {
            table.add(row(&mut targets, work, name, rate_hz, seconds)?);
        }
    }
    targets.push(Target::start(&bench.python, bench.cpus.ours)?);
    let name = "2 x 450 functions, on all CPUs";
    table.add(row(&mut targets, Work::Wide, name, 10_000, seconds)?);
    Ok(vec![table])
}

fn row(targets: &mut [Target], work: Work, name: &str, rate_hz: u32, seconds: u64) -> Result<Row> {
    for target in targets.iter_mut() {
        target.set(work)?;
    }
    let pids = targets.iter().map(Target::tgid).collect();
    let session = Session::start(Config {
        pids,
        rate_hz,
        ..Config::default()
    })?;
    thread::sleep(Duration::from_secs(seconds));
    let accounting = session.stop(&false.into()).accounting;
    for target in targets.iter_mut() {
        target.set(Work::Rest)?;
    }
    let share = accounting.delivered as f64 / accounting.expected;
    let lost: Vec<String> = accounting
        .lost
        .iter()
        .map(|(reason, n)| format!(", {n} lost: {}", reason.describe()))
        .collect();
    let has_aim = rate_hz == 10_000;
    Ok(Row {
        name: format!("{name}, {rate_hz} Hz{}", lost.concat()),
        ours: accounting.delivered.to_string(),
        other: format!("{:.0}", accounting.expected),
        ratio: format!("{share:.4}"),
        aim: if has_aim {
            AIM.to_string()
        } else {
            String::new()
        },
        is_met: has_aim.then_some(share >= AIM),
    })
}
