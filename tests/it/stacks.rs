//! Each workload under each interpreter: the samples between its marks hold exactly the stacks
//! and lines that Python says, and no other.

use anyhow::{Context, Result};
use integration::{
    inventory::{Interpreter, Inventory, workloads},
    python::Workload,
    record::{self, record},
    stacks::check_all,
};
use libtest_mimic::Trial;

use crate::trial;

/// Scripts that are no workload of this kind.
const OTHERS: &[&str] = &["truth", "tracing"];

pub(crate) fn trials(inventory: &Inventory) -> Vec<Trial> {
    let names = workload_names().unwrap_or_default();
    let mut trials = Vec::new();
    for python in inventory.supported() {
        for name in &names {
            let (python, name) = (python.clone(), name.clone());
            trials.push(trial(
                format!("stacks::{name}::{}", python.name()),
                move || samples_are_the_truth(&python, &name),
            ));
        }
    }
    // Code that dies before user space can look at it is proved only by records that the kernel
    // sends with the sample: the next piece of work. Until then `--ignored` runs these.
    trials.extend(inventory.supported().map(|python| {
        let name = format!("stacks::churning_code::{}", python.name());
        let python = python.clone();
        trial(name, move || {
            samples_are_the_truth(&python, "churning_code")
        })
        .with_ignored_flag(true)
    }));
    trials
}

fn samples_are_the_truth(python: &Interpreter, name: &str) -> Result<()> {
    let mut workload = Workload::start(python, &format!("{name}.py"))?;
    let config = record::of(&[workload.tgid()]);
    let rate_hz = config.rate_hz;
    let (profile, phases) = record(config, |_| workload.run())?;
    workload.finish()?;
    check_all(&profile, &phases, rate_hz)?;
    record::check_law(&profile)?;
    record::check_loss(&profile)
}

fn workload_names() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(workloads()).context("no workloads")? {
        let path = entry?.path();
        let Some(name) = path
            .file_stem()
            .map(|name| name.to_string_lossy().into_owned())
        else {
            continue;
        };
        if path.is_file() && !OTHERS.contains(&name.as_str()) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}
