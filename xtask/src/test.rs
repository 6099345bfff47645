//! `cargo xtask test`: set-up, then every check and every test, then what was left out and why.
//!
//! A failing part does not keep the others from running: one run says all that is wrong.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context, Result, bail};

use crate::{
    exec::{self, cargo, say},
    root::Root,
    run,
    setup::{Inventory, Setup},
};

/// What happened to each part of the suite.
struct Suite<'a> {
    workspace: &'a Path,
    failed: Vec<String>,
    skipped: Vec<String>,
}

/// Sets up and runs everything.
///
/// # Errors
/// When a check or a test fails, or something required is missing.
pub(crate) fn test(workspace: &Path, arguments: &[OsString]) -> Result<()> {
    let start = Instant::now();
    let setup = Setup::new(workspace, false);
    setup.building()?;
    let inventory = setup.testing()?;
    print_interpreters(&inventory);
    let mut suite = Suite {
        workspace,
        failed: Vec::new(),
        skipped: Vec::new(),
    };
    if arguments.is_empty() {
        suite.check(&setup);
    } else {
        suite
            .skipped
            .push("format, lints and licences: arguments were given".into());
    }
    suite.part("unit tests", |suite| {
        let mut tests = cargo();
        tests.args([
            "test",
            "--workspace",
            "--exclude",
            "integration",
            "--no-fail-fast",
        ]);
        suite.cargo(tests.arg("--").args(arguments))
    });
    suite.part("integration tests", |suite| suite.integration(arguments));
    suite.report(&inventory, start)
}

/// Fails when something that the tests require is missing.
///
/// # Errors
/// Then, with the names; each has been printed with its reason.
pub(crate) fn require(inventory: &Inventory) -> Result<()> {
    let mut required = Vec::new();
    for missing in &inventory.missing {
        let kind = if missing.required {
            "required"
        } else {
            "left out"
        };
        say(&format!(
            "missing ({kind}): {}: {}",
            missing.name, missing.why
        ));
        if missing.required {
            required.push(missing.name.as_str());
        }
    }
    if !required.is_empty() {
        bail!(
            "required for the tests and missing: {}",
            required.join(", ")
        );
    }
    Ok(())
}

fn print_interpreters(inventory: &Inventory) {
    for interpreter in &inventory.interpreters {
        let argv = interpreter.argv.join(" ");
        say(&format!(
            "Python {} ({}): {argv}",
            interpreter.version, interpreter.origin
        ));
    }
}

impl Suite<'_> {
    fn part(&mut self, name: &str, work: impl FnOnce(&Self) -> Result<()>) {
        say(&format!("== {name}"));
        let start = Instant::now();
        let result = work(self);
        let seconds = start.elapsed().as_secs_f64();
        match result {
            Ok(()) => say(&format!("== {name}: ok, {seconds:.0} s")),
            Err(error) => {
                say(&format!("== {name}: FAILED, {seconds:.0} s: {error:#}"));
                self.failed.push(name.into());
            }
        }
    }

    /// Not [`exec::run`]: the harness's closing lines belong on standard output.
    fn cargo(&self, command: &mut Command) -> Result<()> {
        command.current_dir(self.workspace).stdin(Stdio::null());
        let status = command
            .status()
            .with_context(|| format!("cannot start {}", exec::shown(command)))?;
        if !status.success() {
            bail!("{}: {status}", exec::shown(command));
        }
        Ok(())
    }

    fn check(&mut self, setup: &Setup) {
        self.part("format", |suite| {
            suite.cargo(cargo().args(["fmt", "--all", "--check"]))
        });
        self.part("lints", |suite| {
            let clippy = [
                "clippy",
                "--workspace",
                "--all-targets",
                "--",
                "-D",
                "warnings",
            ];
            suite.cargo(cargo().args(clippy))
        });
        let cargo_deny = setup.cargo_deny();
        if cargo_deny.is_file() {
            // The advisory database is a repository of GitHub's; see deny.toml.
            let checks = ["--workspace", "check", "bans", "licenses", "sources"];
            self.part("licences, bans and sources", |suite| {
                suite.cargo(Command::new(&cargo_deny).args(checks))
            });
        } else {
            self.skipped
                .push("licences, bans and sources: no cargo-deny".into());
        }
    }

    /// Builds the tests of the `integration` crate as this user and runs them as root.
    fn integration(&self, arguments: &[OsString]) -> Result<()> {
        let profiler = run::build(self.workspace)?;
        let tests = integration_binaries(self.workspace)?;
        let variables = run::variables(self.workspace, &profiler);
        let folder = self.workspace.join("tests");
        let mut failed = Vec::new();
        for binary in &tests {
            let mut command =
                Root::detect().command(binary, &variables, "profiling in the tests")?;
            exec::without_cargo(&mut command, self.workspace);
            // stdout is the harness's own: its closing lines are counted.
            let status = command
                .args(arguments)
                .current_dir(&folder)
                .stdin(Stdio::null())
                .status()
                .with_context(|| format!("cannot start {}", binary.display()))?;
            if !status.success() {
                failed.push(format!("{}: {status}", binary.display()));
            }
        }
        if !failed.is_empty() {
            bail!("{}", failed.join(", "));
        }
        Ok(())
    }

    fn report(mut self, inventory: &Inventory, start: Instant) -> Result<()> {
        for skipped in &self.skipped {
            say(&format!("left out: {skipped}"));
        }
        if let Err(error) = require(inventory) {
            self.failed.push(error.to_string());
        }
        let minutes = start.elapsed().as_secs_f64() / 60.0;
        if !self.failed.is_empty() {
            bail!("FAILED after {minutes:.1} min: {}", self.failed.join("; "));
        }
        say(&format!("all passed in {minutes:.1} min"));
        Ok(())
    }
}

/// Builds the test binaries and returns their places, from cargo's own messages.
fn integration_binaries(workspace: &Path) -> Result<Vec<PathBuf>> {
    let mut build = cargo();
    build.args([
        "test",
        "--package",
        "integration",
        "--no-run",
        "--message-format=json-render-diagnostics",
    ]);
    let messages = build
        .current_dir(workspace)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    if !messages.status.success() {
        bail!("building the integration tests failed: {}", messages.status);
    }
    let binaries: Vec<_> = String::from_utf8_lossy(&messages.stdout)
        .lines()
        .filter_map(executable_of_test)
        .collect();
    if binaries.is_empty() {
        bail!("the integration crate has no test binary");
    }
    Ok(binaries)
}

/// The executable that a line of cargo's JSON messages tells of, when it is a test's.
fn executable_of_test(line: &str) -> Option<PathBuf> {
    let message: serde_json::Value = serde_json::from_str(line).ok()?;
    let is_test = message.get("profile")?.get("test")?.as_bool()?;
    let executable = message.get("executable")?.as_str()?;
    is_test.then(|| PathBuf::from(executable))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_test_executables_are_run() {
        let test =
            r#"{"reason":"compiler-artifact","profile":{"test":true},"executable":"/t/it-1"}"#;
        let bin =
            r#"{"reason":"compiler-artifact","profile":{"test":false},"executable":"/t/bench"}"#;
        let lib = r#"{"reason":"compiler-artifact","profile":{"test":true},"executable":null}"#;
        assert_eq!(executable_of_test(test), Some(PathBuf::from("/t/it-1")));
        assert_eq!(executable_of_test(bin), None);
        assert_eq!(executable_of_test(lib), None);
        assert_eq!(executable_of_test("not json"), None);
    }
}
