//! cargo-deny, which checks licences, bans and sources in the test command.

use std::path::PathBuf;

use anyhow::Result;

use super::{Setup, ebpf, step};
use crate::exec::{cargo, run};

const VERSION: &str = "0.20.2";

/// Where it is kept.
pub(super) fn path(setup: &Setup) -> PathBuf {
    setup
        .cache
        .join("bin")
        .join(format!("cargo-deny-{VERSION}"))
}

/// Builds it, if it is not there. Unoptimised: that takes a minute instead of five, and a check
/// takes a second either way.
///
/// # Errors
/// When it cannot be built.
pub(super) fn set_up(setup: &Setup) -> Result<()> {
    let place = path(setup);
    if place.is_file() {
        return Ok(());
    }
    let why = "checks the licences of the dependencies; about a minute, once";
    step(&format!("cargo install cargo-deny {VERSION}"), why, || {
        let work = setup.cache.join("build/cargo-deny");
        run(cargo()
            .args([
                "install",
                "cargo-deny",
                "--version",
                VERSION,
                "--locked",
                "--no-track",
            ])
            .args(["--no-default-features", "--root"])
            .arg(&work)
            .arg("--target-dir")
            .arg(work.join("target"))
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
            .env("CARGO_PROFILE_RELEASE_DEBUG", "false")
            .env_remove("RUSTFLAGS"))?;
        ebpf::keep(&work, "cargo-deny", &place)
    })
}
