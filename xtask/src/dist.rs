//! One static binary for a host without Rust: glibc linked in (crt-static), symbols stripped.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, bail};

use crate::{
    exec::{cargo, output, run, say},
    root::Root,
    setup::Setup,
};

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Builds `target/dist/profiler` and runs it in an empty root folder.
///
/// # Errors
/// When building fails, or the binary does not run where there is nothing but itself.
pub(crate) fn dist(workspace: &Path) -> Result<()> {
    Setup::new(workspace, false).building()?;
    // With --target the flags are not those of build scripts and macros, which stay dynamic.
    run(cargo()
        .args([
            "build",
            "--release",
            "--package",
            "profiler",
            "--target",
            TARGET,
        ])
        .current_dir(workspace)
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .env("CARGO_PROFILE_RELEASE_STRIP", "symbols"))?;
    let folder = workspace.join("target/dist");
    fs::create_dir_all(&folder)?;
    let binary = folder.join("profiler");
    let built = workspace
        .join("target")
        .join(TARGET)
        .join("release/profiler");
    fs::copy(&built, &binary).with_context(|| format!("cannot copy {}", built.display()))?;
    let version = run_alone(&folder)?;
    let bytes = fs::metadata(&binary)?.len();
    say(&format!(
        "{}: {:.1} MB, runs in an empty root folder ({})",
        binary.display(),
        bytes as f64 / 1e6,
        version.trim()
    ));
    Ok(())
}

/// What `--version` prints where the folder is all there is.
fn run_alone(folder: &Path) -> Result<String> {
    let mut command = match Root::detect() {
        Root::Already => Command::new("chroot"),
        // A user namespace makes a user root of nothing but this process.
        _ => {
            let mut command = Command::new("unshare");
            command.args(["--user", "--map-root-user", "chroot"]);
            command
        }
    };
    command
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    let version = output(command.arg(folder).args(["/profiler", "--version"]))
        .context("the binary does not run in an empty root folder")?;
    if version.trim().is_empty() {
        bail!("the binary runs in an empty root folder but prints no version");
    }
    Ok(version)
}
