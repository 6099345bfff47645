//! The one place that builds the eBPF crate. `profiler/build.rs` is its only caller: a second one
//! with other flags or another environment would make each rebuild what the other built.
//!
//! cargo runs inside cargo here. The inner one has a target folder of its own, or it would wait
//! for the lock of the outer one, and gets none of the outer one's wrappers and flags.

use std::{
    env,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
};

use crate::toolchain::{Toolchain, Way};

/// The only target that the object is built for: little-endian eBPF.
const TARGET: &str = "bpfel-unknown-none";
/// The package and its binary.
const PACKAGE: &str = "profiler-ebpf";

/// Why there is no object.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither way is complete on this machine.
    #[error("the eBPF tool chain is missing: run `cargo xtask setup`, which says what it installs")]
    NoToolchain,
    /// cargo did not start.
    #[error("cannot start {} to build the eBPF programs: {source}", cargo.display())]
    Start {
        /// The program that was started.
        cargo: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// cargo ran and failed; its own words stand above.
    #[error(
        "building the eBPF programs failed: {0}; cargo's words are in the output of this build script"
    )]
    Build(ExitStatus),
    /// The object could not be copied to where the binary embeds it from.
    #[error("cannot copy {} to {}: {source}", from.display(), to.display())]
    Copy {
        /// The object that was built.
        from: PathBuf,
        /// Where it was to go.
        to: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

/// Builds the eBPF crate of the workspace and copies the object to `object`.
///
/// Takes about 10 s when nothing is built yet, 0.1 s when nothing changed.
///
/// # Errors
/// When the tool chain is missing (the sentence says what to run), when the build fails, and when
/// the object cannot be copied.
pub fn build_ebpf(workspace: &Path, object: &Path) -> Result<(), Error> {
    let toolchain = Toolchain::find().ok_or(Error::NoToolchain)?;
    let target_dir = workspace.join("target/ebpf");
    let mut cargo = command(&toolchain, workspace, &target_dir);
    let status = cargo.status().map_err(|source| Error::Start {
        cargo: cargo.get_program().into(),
        source,
    })?;
    if !status.success() {
        return Err(Error::Build(status));
    }
    let built = target_dir.join(TARGET).join("release").join(PACKAGE);
    match std::fs::copy(&built, object) {
        Ok(_) => Ok(()),
        Err(source) => Err(Error::Copy {
            from: built,
            to: object.into(),
            source,
        }),
    }
}

/// The files and folders of the workspace that the object depends on, besides the tool chain.
#[must_use]
pub fn inputs(workspace: &Path) -> Vec<PathBuf> {
    let inputs = [
        "Cargo.toml",
        "Cargo.lock",
        "profiler-common/Cargo.toml",
        "profiler-common/src",
        "profiler-ebpf/Cargo.toml",
        "profiler-ebpf/src",
    ];
    inputs
        .into_iter()
        .map(|input| workspace.join(input))
        .collect()
}

fn command(toolchain: &Toolchain, workspace: &Path, target_dir: &Path) -> Command {
    // In a build script CARGO is the real cargo, not rustup's proxy.
    let cargo = toolchain.cargo.clone().map(OsString::from);
    let cargo = cargo
        .or_else(|| env::var_os("CARGO"))
        .unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args([
            "build",
            "--release",
            "--package",
            PACKAGE,
            "--bin",
            PACKAGE,
            "--target",
            TARGET,
        ])
        .arg("--target-dir")
        .arg(target_dir)
        .current_dir(workspace);
    if toolchain.way == Way::NightlyBuildStd {
        command.args(["-Z", "build-std=core"]);
    }
    for variable in [
        "CARGO_BUILD_RUSTFLAGS",
        "CARGO_BUILD_TARGET",
        "CARGO_TARGET_DIR",
        "RUSTFLAGS",
        "RUSTUP_TOOLCHAIN",
    ] {
        command.env_remove(variable);
    }
    // Empty, not absent: that also overrides a wrapper in the user's cargo configuration.
    for variable in ["RUSTC_WORKSPACE_WRAPPER", "RUSTC_WRAPPER"] {
        command.env(variable, "");
    }
    command
        .env("RUSTC", &toolchain.rustc)
        .env("CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER", &toolchain.linker)
        .env("CARGO_ENCODED_RUSTFLAGS", rustflags())
        // Unstable features on a stable compiler: the inline assembly of eBPF.
        .env("RUSTC_BOOTSTRAP", "1");
    command
}

/// The flags for the eBPF target alone, in the form of `CARGO_ENCODED_RUSTFLAGS`.
fn rustflags() -> String {
    // aya-ebpf takes the layout of pt_regs from this cfg; it is the machine that the programs
    // run on.
    let arch = format!("--cfg=bpf_target_arch=\"{}\"", env::consts::ARCH);
    // bpf_loop's call-backs and the maps need BTF, which the linker makes from the debug
    // information; the profile's own `debug` does not reach `core`.
    [arch.as_str(), "-Cdebuginfo=2", "-Clink-arg=--btf"].join("\x1f")
}
