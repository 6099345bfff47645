//! `cargo xtask`: set up, build, run, test, benchmark, make a release binary. CI and the README
//! call only this. No product logic: what a command runs is the product itself.

mod dist;
mod exec;
mod interpreters;
mod root;
mod run;
mod setup;
mod test;

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

use crate::{exec::say, setup::Setup};

#[derive(Parser)]
#[command(
    bin_name = "cargo xtask",
    about = "Set up, build, run, test and benchmark the profiler"
)]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Bring what is missing to build: the eBPF tool chain. Under 1 s when nothing is
    Setup {
        /// Only say what is there, and print the commands that bring what is missing
        #[arg(long)]
        check: bool,
        /// Do not ask before apt-get runs under sudo
        #[arg(long, conflicts_with = "check")]
        yes: bool,
        /// Also what the tests need: interpreters, Python packages, cargo-deny
        #[arg(long)]
        tests: bool,
    },
    /// Set up, and build the release binary: target/release/profiler
    Build,
    /// Set up, build, and become the profiler with these arguments, as root
    Run {
        /// The profiler's own command line
        #[arg(last = true)]
        arguments: Vec<OsString>,
    },
    /// Set up and run every check and every test
    Test {
        /// For the test binaries: a name that the tests must contain, `--nocapture`, ...; the
        /// checks of format, lints and licences are then left out
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Set up and run the benchmark with these arguments, as root
    Bench {
        /// The benchmark's own command line
        #[arg(last = true)]
        arguments: Vec<OsString>,
    },
    /// Make the static binary that runs on a host without Rust: target/dist/profiler
    Dist,
}

fn main() -> ExitCode {
    match perform(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn perform(task: Task) -> Result<()> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(PathBuf::from);
    let workspace = workspace.context("the xtask crate has no folder above it")?;
    match task {
        Task::Setup {
            check: true, tests, ..
        } => Setup::new(&workspace, false).check(tests),
        Task::Setup { yes, tests, .. } => {
            let setup = Setup::new(&workspace, yes);
            setup.building()?;
            if tests {
                test::require(&setup.testing()?)
            } else {
                Ok(())
            }
        }
        Task::Build => run::build(&workspace).map(drop),
        Task::Run { arguments } => run::run(&workspace, &arguments),
        Task::Test { arguments } => test::test(&workspace, &arguments),
        Task::Bench { arguments } => run::bench(&workspace, &arguments),
        Task::Dist => dist::dist(&workspace),
    }
}
