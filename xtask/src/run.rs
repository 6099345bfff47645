//! Builds the release binary and becomes it, or the benchmark.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};

use crate::{
    exec::{self, cargo, without_cargo},
    root::Root,
    setup::{Inventory, Setup},
};

/// Sets up and builds the release binary; returns its place.
///
/// # Errors
/// When set-up or cargo fails.
pub(crate) fn build(workspace: &Path) -> Result<PathBuf> {
    Setup::new(workspace, false).building()?;
    exec::run(
        cargo()
            .args(["build", "--release", "--package", "profiler"])
            .current_dir(workspace),
    )?;
    let binary = workspace.join("target/release/profiler");
    if !binary.is_file() {
        bail!(
            "cargo built the profiler, but not at {}: unset CARGO_TARGET_DIR and build.target-dir",
            binary.display()
        );
    }
    Ok(binary)
}

/// Builds, and becomes the profiler, as root.
///
/// # Errors
/// When there is no way to be root, or building fails. Does not return otherwise.
pub(crate) fn run(workspace: &Path, arguments: &[OsString]) -> Result<()> {
    let root = Root::detect();
    // Said before minutes of building, not after.
    root.must_exist("the profiler")?;
    let binary = build(workspace)?;
    let mut command = root.command(&binary, &[], "the profiler")?;
    command.args(arguments);
    without_cargo(&mut command, workspace);
    Err(exec::become_command(&mut command))
}

/// What a test or benchmark that runs as root is told by its environment.
pub(crate) fn variables(workspace: &Path, binary: &Path) -> [(&'static str, OsString); 3] {
    // A user's PATH on Debian has no sbin, where chroot is.
    let mut path = env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/sbin:/sbin");
    [
        ("PATH", path),
        ("PROFILER_BIN", binary.as_os_str().to_owned()),
        (
            "PROFILER_TEST_INVENTORY",
            Inventory::path(workspace).into_os_string(),
        ),
    ]
}

/// Builds, and becomes the benchmark of the `integration` crate, as root.
///
/// # Errors
/// As [`run`].
pub(crate) fn bench(workspace: &Path, arguments: &[OsString]) -> Result<()> {
    let root = Root::detect();
    root.must_exist("the benchmark")?;
    let binary = build(workspace)?;
    Setup::new(workspace, false).testing()?;
    exec::run(
        cargo()
            .args([
                "build",
                "--release",
                "--package",
                "integration",
                "--bin",
                "bench",
            ])
            .current_dir(workspace),
    )?;
    let bench = workspace.join("target/release/bench");
    let variables = variables(workspace, &binary);
    let mut command = root.command(&bench, &variables, "the benchmark")?;
    command.args(arguments);
    without_cargo(&mut command, workspace);
    Err(exec::become_command(&mut command))
}
