//! How much slower a CPU-bound loop runs: nothing, a bare perf event and our session take turns
//! in one run, in windows of 80 ms and in all orders, so that whatever else the machine does
//! hits all three alike.
//!
//! The figure is CPU time for one turn of the loop: the kernel counts time in interrupts to the
//! thread that they interrupt, and time that other processes take is not in it.

use std::{thread, time::Duration};

use anyhow::Result;
use profiler::session::Config;

use crate::{
    Bench,
    events::Events,
    table::{Row, Table, median},
    target::{Target, Work},
};

const WINDOW: Duration = Duration::from_millis(80);
const RATES_HZ: &[u32] = &[100, 1_000, 10_000];
/// The target's run time with us, in that with a bare event.
const AIM: f64 = 1.05;

const ORDERS: [[usize; 3]; 6] = [
    [0, 1, 2],
    [2, 1, 0],
    [1, 2, 0],
    [0, 2, 1],
    [2, 0, 1],
    [1, 0, 2],
];
const OFF: usize = 0;
const BARE: usize = 1;
const OURS: usize = 2;

pub(crate) fn run(bench: &Bench) -> Result<Vec<Table>> {
    let title = "Run time of a loop at 20 frames (ours and a bare event: against neither; \
                 ratio: ours / bare)";
    let mut table = Table::new(title, "bare event");
    let mut target = Target::start(&bench.python, bench.cpus.target)?;
    for &rate_hz in RATES_HZ {
        target.set(Work::Depth(20))?;
        let rounds = rounds(bench, &target, rate_hz)?;
        target.set(Work::Rest)?;
        let against = |a: usize, b: usize| median(rounds.iter().map(|round| round[a] / round[b]));
        let ratio = against(OURS, BARE);
        table.add(Row {
            name: format!("{rate_hz} Hz ({} rounds)", rounds.len()),
            ours: percent(against(OURS, OFF)),
            other: percent(against(BARE, OFF)),
            ratio: format!("{ratio:.4}"),
            aim: format!("{AIM}"),
            is_met: Some(ratio <= AIM),
        });
    }
    Ok(vec![table])
}

/// `1.034` as `+3.40 %`.
pub(crate) fn percent(ratio: f64) -> String {
    format!("{:+.2} %", (ratio - 1.0) * 100.0)
}

/// CPU nanoseconds a turn with nothing, the bare event, and ours; once a round.
fn rounds(bench: &Bench, target: &Target, rate_hz: u32) -> Result<Vec<[f64; 3]>> {
    let bare = Events::bare(bench.cpus.n, rate_hz)?;
    let config = Config {
        pids: vec![target.tgid()],
        rate_hz,
        ..Config::default()
    };
    let (session, ours) = Events::of_session(config, bench.cpus.n)?;
    let mut rounds = Vec::new();
    for round in 0..bench.pick(120, 18) {
        let mut costs = [0.0; 3];
        for which in ORDERS[round % ORDERS.len()] {
            match which {
                BARE => bare.on()?,
                OURS => ours.on()?,
                _ => {}
            }
            let mark = target.mark()?;
            thread::sleep(WINDOW);
            costs[which] = target.pace(mark)?.cpu_ns;
            bare.off()?;
            ours.off()?;
        }
        rounds.push(costs);
    }
    drop(ours);
    drop(session.stop(&false.into()));
    Ok(rounds)
}
