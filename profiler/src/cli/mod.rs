//! Arguments, progress, summary, exit codes: everything that talks to a person.
//!
//! Only here is clap named: [`args`] turns the command line into plain values. [`record`] runs
//! the session between its signals, timer and command, [`destination`] puts the result where it
//! belongs. Every failure ends as one [`exit::Failure`], printed in one place.

use std::{ffi::OsString, process::ExitCode};

mod args;
mod command;
mod destination;
pub mod exit;
mod plan;
mod progress;
mod record;
mod signals;
mod summary;
mod targets;
mod term;

/// Runs the command line `args`, of which the first is the program's name.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let term = term::Term::of_stderr();
    let plan = match args::parse(args) {
        Ok(args::Parsed::Record(plan)) => plan,
        Ok(args::Parsed::Text(text)) => {
            term::print(&text);
            return ExitCode::SUCCESS;
        }
        Err(failure) => return term.fail(&failure),
    };
    match record::run::<crate::session::Session>(plan, &term) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => term.fail(&failure),
    }
}
