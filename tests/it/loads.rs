//! The kernel takes every program: only loading shows what the verifier refuses.

use anyhow::{Result, ensure};
use integration::record::{self, record};
use libtest_mimic::Trial;

use crate::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("loads::every_program", every_program),
        trial("loads::two_at_once", two_at_once),
        trial("loads::every_rate", every_rate),
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
