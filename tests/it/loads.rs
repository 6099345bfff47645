//! The kernel takes every program: only loading shows what the verifier refuses.

use anyhow::{Result, ensure};
use integration::record::{self, record};
use libtest_mimic::Trial;
use profiler::{
    bpf::Kernel,
    model::{ProcessId, Tgid},
};
use profiler_common::{
    counter::Counter,
    limits::MAX_PROCESSES,
    process::{PyProcess, VERDICT_SKIP},
};

use crate::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("loads::every_program", every_program),
        trial("loads::two_at_once", two_at_once),
        trial("loads::every_rate", every_rate),
        trial("loads::full_tables", full_tables),
    ]
}

fn every_program() -> Result<()> {
    let (profile, ()) = record(record::of_all(), |_| Ok(()))?;
    let accounting = &profile.accounting;
    ensure!(
        accounting.captured == accounting.delivered + accounting.lost_total(),
        "the law does not hold: {accounting:?}"
    );
    Ok(())
}

/// Two recordings have nothing in common: neither maps nor events.
fn two_at_once() -> Result<()> {
    record(record::of_all(), |_| record(record::of_all(), |_| Ok(())))?;
    Ok(())
}

fn every_rate() -> Result<()> {
    for rate_hz in [1, 100, 10_000] {
        let mut config = record::of_all();
        config.rate_hz = rate_hz;
        record(config, |_| Ok(()))?;
    }
    Ok(())
}

/// A host with more processes than the tables hold: those that are left over are counted, and the
/// recording of the others goes on.
fn full_tables() -> Result<()> {
    let (_kernel, mut maps, _rings) = Kernel::load(1 << 20)?;
    let mut verdict = PyProcess::ZERO;
    verdict.verdict = VERDICT_SKIP;
    let id = |n: u32, epoch| ProcessId {
        tgid: Tgid(n),
        epoch,
    };
    let mut n_left_over = 0;
    for n in 1..=MAX_PROCESSES + 10 {
        n_left_over += u64::from(maps.add_process(id(n, 1)).is_none());
        maps.set_verdict(id(n, 1), &verdict)?;
    }
    let full = |maps: &profiler::bpf::Maps| {
        let counters = maps.counters();
        counters
            .iter()
            .find(|(counter, _)| *counter == Counter::TableFull)
            .map(|(_, n)| *n)
    };
    ensure!(n_left_over == 10, "{n_left_over} had no room");
    ensure!(full(&maps) == Some(10), "{:?} are counted", full(&maps));
    Ok(())
}
