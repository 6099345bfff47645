//! Samples in the profile against CPU time x rate.
//!
//! The CPU time is read from the targets' clocks when the session's events are switched on and
//! off, so that neither the start nor the end of a session blurs it: 1 ms is 10 samples here.

use std::{thread, time::Duration};

use anyhow::Result;
use profiler::{model::Accounting, session::Config};

use crate::{
    Bench,
    clock::cpu_time,
    events::Events,
    table::{Row, Table},
    target::{Target, Work},
};

const AIM: f64 = 0.999;
/// The rate that the aim is about.
const AIM_HZ: u32 = 10_000;

pub(crate) fn run(bench: &Bench) -> Result<Vec<Table>> {
    let mut table = Table::new("Samples delivered against CPU time x rate", "expected");
    let mut targets = vec![Target::start(&bench.python, bench.cpus.target)?];
    for (work, name) in [
        (Work::Depth(20), "loop of 20 frames"),
        (Work::Wide, "450 functions"),
    ] {
        for rate_hz in [100, 1_000, AIM_HZ] {
            table.add(row(bench, &mut targets, work, name, rate_hz)?);
        }
    }
    // The reader shares a CPU with this one, at the same priority.
    targets.push(Target::start(&bench.python, bench.cpus.ours)?);
    for (work, name) in [
        (Work::Depth(20), "2 loops of 20 frames"),
        (Work::Wide, "2 x 450 functions"),
    ] {
        let name = format!("{name}, on all CPUs");
        table.add(row(bench, &mut targets, work, &name, AIM_HZ)?);
    }
    Ok(vec![table])
}

fn row(bench: &Bench, targets: &mut [Target], work: Work, name: &str, rate_hz: u32) -> Result<Row> {
    for target in targets.iter_mut() {
        target.set(work)?;
    }
    let pids = targets.iter().map(Target::tgid).collect();
    let config = Config {
        pids,
        rate_hz,
        ..Config::default()
    };
    let (session, events) = Events::of_session(config, bench.cpus.n)?;
    // What was sampled before the events were switched off is not in the account.
    thread::sleep(Duration::from_millis(130));
    let early = session.progress().samples;
    let begin = cpu_times(targets)?;
    events.on()?;
    thread::sleep(Duration::from_secs(bench.pick(10, 2)));
    let cpu_s = (cpu_times(targets)? - begin).as_secs_f64();
    events.off()?;
    drop(events);
    let accounting = session.stop(&false.into()).accounting;
    for target in targets.iter_mut() {
        target.set(Work::Rest)?;
    }
    let delivered = accounting.delivered.saturating_sub(early);
    let expected = cpu_s * f64::from(rate_hz);
    let share = delivered as f64 / expected;
    let has_aim = rate_hz == AIM_HZ;
    Ok(Row {
        name: format!("{name}, {rate_hz} Hz{}", lost(&accounting)),
        ours: delivered.to_string(),
        other: format!("{expected:.0}"),
        ratio: format!("{share:.4}"),
        aim: if has_aim {
            AIM.to_string()
        } else {
            String::new()
        },
        is_met: has_aim.then_some(share >= AIM),
    })
}

/// CPU time of all of them.
fn cpu_times(targets: &[Target]) -> Result<Duration> {
    targets.iter().map(|target| cpu_time(target.tgid())).sum()
}

fn lost(accounting: &Accounting) -> String {
    let reasons = accounting.lost.iter();
    let texts: Vec<String> = reasons
        .map(|(reason, n)| format!(", {n} lost: {}", reason.describe()))
        .collect();
    texts.concat()
}
