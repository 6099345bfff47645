//! All of a process's CPU time is in its samples: Python, C without the GIL, threads that Python
//! knows nothing of, its start and its end.

use std::collections::BTreeMap;

use anyhow::{Result, bail, ensure};
use integration::{
    inventory::{Interpreter, Inventory},
    process::Process,
    python::{Scripts, command},
    record::{self, record},
    stacks::{accounting_of, render},
};
use libtest_mimic::Trial;
use profiler::model::{Profile, Tgid};
use serde::Deserialize;

use crate::trial;

/// Not 1000: where the machine has other work, processes run from one tick of the scheduler to
/// another, and samples in step with those (HZ=250) were off by up to 5 %.
const RATE_HZ: u32 = 997;

/// What `mixed.py` says of itself.
#[derive(Debug, Deserialize)]
struct Report {
    has_native: bool,
    native_ns: u64,
    python_threads_ns: u64,
}

pub(crate) fn trials(inventory: &Inventory) -> Vec<Trial> {
    let trials = inventory.supported().map(|python| {
        let python = python.clone();
        trial(format!("accounting::{}", python.name()), move || {
            samples_add_up(&python)
        })
    });
    trials.collect()
}

fn samples_add_up(python: &Interpreter) -> Result<()> {
    let scripts = Scripts::copy(python)?;
    let script = scripts.unique("mixed.py")?;
    let mut config = record::of_comms(&[&script]);
    config.rate_hz = RATE_HZ;
    let (profile, (tgid, report, cpu_ns)) = record(config, |_| {
        let mut process = Process::start(command(python).arg(scripts.inside(&script)))?;
        let report: Report = serde_json::from_str(&process.line()?)?;
        let ended = process.wait()?;
        ensure!(ended.status.success(), "{}", process.errors());
        Ok((process.tgid(), report, ended.cpu_ns))
    })?;
    record::check_law(&profile)?;

    let by_kind = kinds(&profile, tgid);
    let numbers = format!(
        "{by_kind:?}, {report:?}, cpu {cpu_ns} ns, {}",
        accounting_of(&profile)
    );
    let n: u64 = by_kind.values().sum();
    let wanted = samples(cpu_ns);
    near(
        "its samples and its CPU time",
        n as f64,
        wanted,
        0.02,
        &numbers,
    )?;
    let expected = profile.accounting.expected;
    near(
        "expected and its CPU time",
        expected,
        wanted,
        0.02,
        &numbers,
    )?;

    let of = |kind| by_kind.get(kind).copied().unwrap_or_default() as f64;
    // What no tstate counted, but for the start and the end, is what pthread_create started.
    if report.has_native {
        let native = of("<native thread>");
        near(
            "<native thread>",
            native,
            samples(report.native_ns),
            0.1,
            &numbers,
        )?;
    }
    // The main thread's time from thread_time_ns has the start in it.
    let python = of("python") + of("<start-up>");
    near(
        "Python's threads",
        python,
        samples(report.python_threads_ns),
        0.05,
        &numbers,
    )
}

/// Samples of a process by what their outermost frame is.
fn kinds(profile: &Profile, tgid: Tgid) -> BTreeMap<&'static str, u64> {
    let mut kinds = BTreeMap::new();
    for (&(process, stack), &count) in &profile.counts {
        if process.tgid == tgid {
            let kind = match render(profile, stack).first() {
                Some(Ok(_)) => "python",
                Some(Err(special)) => special,
                None => "nothing",
            };
            *kinds.entry(kind).or_default() += count;
        }
    }
    kinds
}

/// CPU time as samples.
fn samples(cpu_ns: u64) -> f64 {
    cpu_ns as f64 * 1e-9 * f64::from(RATE_HZ)
}

fn near(what: &str, got: f64, wanted: f64, tolerance: f64, numbers: &str) -> Result<()> {
    if (got - wanted).abs() > wanted * tolerance + 3.0 {
        bail!("{what}: {got:.0} is not within {tolerance} of {wanted:.0}: {numbers}");
    }
    Ok(())
}
