//! Real interpreters, real processes, the real kernel: run by `cargo xtask test`.
//!
//! The tests are made from the inventory, so that each interpreter has its own, by name:
//! `stacks::recursion::debian-forky-3.14`. They run one after another (`--test-threads` says
//! otherwise): the recordings are of the whole machine. A test lives in the list of its module's
//! `trials`; an attribute `#[test]` would be forgotten here without a word, so it fails.

mod accounting;
mod cli;
mod folded;
mod gunicorn;
mod line_tables;
mod live_layouts;
mod loads;
mod refused;
mod selection;
mod sources;
mod stacks;
mod svg;

use std::process::ExitCode;

use integration::inventory::{Inventory, Missing};
use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    // Under nohup it is ignored, and so it would be in the profilers that the tests start.
    // SAFETY: no handler is installed, only the default restored; nothing else runs yet.
    unsafe { libc::signal(libc::SIGHUP, libc::SIG_DFL) };
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(1);
    let inventory = match Inventory::read() {
        Ok(inventory) => inventory,
        Err(error) => return run(&arguments, vec![failing("inventory", format!("{error:#}"))]),
    };
    let trials = trials(&inventory);
    let left_out: Vec<_> = trials
        .iter()
        .filter(|trial| trial.has_ignored_flag())
        .map(|trial| trial.name().to_owned())
        .collect();
    let code = run(&arguments, trials);
    if !arguments.list {
        tell_missing(&inventory.missing, &left_out);
    }
    code
}

fn trials(inventory: &Inventory) -> Vec<Trial> {
    let mut trials = vec![trial(
        "sources::every_test_is_listed",
        sources::every_test_is_listed,
    )];
    let required = inventory.missing.iter().filter(|missing| missing.required);
    trials.extend(required.map(|missing| {
        failing(
            &format!("inventory::{}", missing.name.replace(' ', "-")),
            missing.why.clone(),
        )
    }));
    trials.extend(loads::trials());
    trials.extend(line_tables::trials(inventory));
    trials.extend(live_layouts::trials(inventory));
    trials.extend(stacks::trials(inventory));
    trials.extend(accounting::trials(inventory));
    trials.extend(selection::trials(inventory));
    trials.extend(refused::trials(inventory));
    trials.extend(cli::trials(inventory));
    trials.extend(gunicorn::trials(inventory));
    trials
}

/// A test of this name.
pub(crate) fn trial(
    name: impl Into<String>,
    test: impl FnOnce() -> anyhow::Result<()> + Send + 'static,
) -> Trial {
    Trial::test(name, move || {
        test().map_err(|error| Failed::from(format!("{error:#}")))
    })
}

/// A test that cannot be run here: listed as ignored.
pub(crate) fn left_out(name: impl Into<String>) -> Trial {
    Trial::test(name, || Ok(())).with_ignored_flag(true)
}

fn failing(name: &str, why: String) -> Trial {
    Trial::test(name, move || Err(why.into()))
}

fn run(arguments: &Arguments, trials: Vec<Trial>) -> ExitCode {
    libtest_mimic::run(arguments, trials).exit_code()
}

#[expect(
    clippy::print_stdout,
    reason = "it stands under the result of the tests"
)]
fn tell_missing(missing: &[Missing], left_out: &[String]) {
    for name in left_out {
        println!("left out: {name}");
    }
    for Missing {
        name,
        required,
        why,
    } in missing
    {
        let consequence = if *required { "failed" } else { "left out" };
        println!("{consequence}, not here: {name}: {why}");
    }
}
