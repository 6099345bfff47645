//! The eBPF tool chain: a rustc with `core` for bpfel-unknown-none, and a bpf-linker of the same
//! LLVM. See `xtask::toolchain` for the two ways.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, Result, bail};
use xtask::{
    cache::BPF_LINKER_VERSION,
    toolchain::{Toolchain, Way},
};

use super::{Setup, apt, own, step};
use crate::exec::{cargo, output, run, say, which};

/// Debian 12's and 13's packages with the prebuilt `core`.
const RUSTC_WEB: [&str; 2] = ["rustc-web", "libstd-rust-web-dev-bpf"];
/// The same from Debian 14 on.
const RUSTC: [&str; 2] = ["rustc", "libstd-rust-dev-bpf"];
/// The LLVM majors that this bpf-linker can be built with.
const LLVM_MAJORS: std::ops::RangeInclusive<u32> = 21..=23;

/// Brings the tool chain, if there is none.
///
/// # Errors
/// When it cannot be brought here.
pub(super) fn set_up(setup: &Setup) -> Result<Toolchain> {
    if let Some(toolchain) = Toolchain::find() {
        return Ok(toolchain);
    }
    let mut candidates = Toolchain::candidates();
    candidates.retain(|candidate| linker_is_possible(setup, candidate));
    if candidates.is_empty() {
        install_compiler(setup)?;
        candidates = Toolchain::candidates();
        candidates.retain(|candidate| candidate.way == Way::DebianPrebuilt);
    }
    let Some(toolchain) = candidates.into_iter().next() else {
        bail!(
            "/usr/bin/rustc has no core for bpfel-unknown-none although its package is installed"
        );
    };
    if !toolchain.is_complete() {
        build_linker(setup, &toolchain)?;
    }
    Ok(toolchain)
}

/// The commands for a person, for a machine where set-up may not install.
pub(super) fn print_commands() {
    say("the eBPF tool chain is missing; to bring it by hand, as root where apt-get is called:");
    if which("apt-get").is_none() {
        eprintln!(
            "  rustup toolchain install nightly --profile minimal --component rust-src\n  \
             LLVM=$(rustc +nightly -vV | sed -n 's/^LLVM version: \\([0-9]*\\).*/\\1/p')\n  \
             # your distribution's development files of LLVM $LLVM, in /usr/lib/llvm-$LLVM\n  \
             cargo xtask setup    # builds bpf-linker"
        );
        return;
    }
    let sudo = apt::sudo();
    eprint!("{}", apt::by_hand(&RUSTC_WEB));
    eprintln!(
        "  LLVM=$(/usr/bin/rustc -vV | sed -n 's/^LLVM version: \\([0-9]*\\).*/\\1/p')\n  \
         {sudo}apt-get install --no-install-recommends llvm-$LLVM-dev libpolly-$LLVM-dev libzstd-dev g++\n  \
         cargo xtask setup    # builds bpf-linker"
    );
}

fn install_compiler(setup: &Setup) -> Result<()> {
    if which("apt-get").is_none() {
        print_commands();
        bail!("no rustc here can build eBPF, and set-up can install one only with apt-get");
    }
    let packages = if apt::has_candidate(setup, RUSTC[1])? {
        RUSTC
    } else {
        RUSTC_WEB
    };
    let why = "a rustc with `core` for eBPF; rustup has none without nightly and rust-src (120 MB)";
    apt::install(setup, &packages, why).inspect_err(|_| print_commands())
}

fn packages(llvm_major: u32) -> [String; 4] {
    let llvm = format!("llvm-{llvm_major}-dev");
    let polly = format!("libpolly-{llvm_major}-dev");
    [llvm, polly, "libzstd-dev".into(), "g++".into()]
}

fn linker_is_possible(setup: &Setup, toolchain: &Toolchain) -> bool {
    let major = toolchain.llvm_major;
    LLVM_MAJORS.contains(&major)
        && (llvm_prefix(major).is_some()
            || apt::has_candidate(setup, &format!("llvm-{major}-dev")).unwrap_or(false))
}

/// Where LLVM's development files of this major version are, if they are.
fn llvm_prefix(major: u32) -> Option<PathBuf> {
    let prefixes = [
        format!("/usr/lib/llvm-{major}"),
        format!("/usr/lib64/llvm{major}"),
    ];
    let has_headers = |path: &PathBuf| path.join("include/llvm-c/Core.h").is_file();
    prefixes.into_iter().map(PathBuf::from).find(has_headers)
}

fn build_linker(setup: &Setup, toolchain: &Toolchain) -> Result<()> {
    let major = toolchain.llvm_major;
    let packages = packages(major);
    let packages: Vec<_> = packages.iter().map(String::as_str).collect();
    if which("apt-get").is_some() && !apt::installed(&packages) {
        apt::install(
            setup,
            &packages,
            "to build bpf-linker with the LLVM of the compiler (90 MB)",
        )
        .inspect_err(|_| print_commands())?;
    }
    let prefix = llvm_prefix(major).with_context(|| {
        format!("no development files of LLVM {major} in /usr/lib/llvm-{major}")
    })?;
    let what = format!("cargo install bpf-linker {BPF_LINKER_VERSION} with LLVM {major}");
    step(
        &what,
        "it links the eBPF object; about a minute, once",
        || {
            let work = setup.cache.join("build/bpf-linker");
            let feature = format!("llvm-{major}");
            run(cargo()
                .args([
                    "install",
                    "bpf-linker",
                    "--version",
                    BPF_LINKER_VERSION,
                    "--locked",
                ])
                .args([
                    "--no-default-features",
                    "--features",
                    &feature,
                    "--no-track",
                    "--root",
                ])
                .arg(&work)
                .arg("--target-dir")
                .arg(work.join("target"))
                .env("LLVM_PREFIX", prefix)
                .env_remove("RUSTFLAGS"))?;
            keep(&work, "bpf-linker", &toolchain.linker)
        },
    )?;
    output(Command::new(&toolchain.linker).arg("--version"))
        .context("the bpf-linker that was built does not run")?;
    own::give_back(&setup.cache);
    Ok(())
}

/// Moves the program that cargo installed under `work`, stripped, to its place in the cache.
pub(super) fn keep(work: &std::path::Path, name: &str, place: &std::path::Path) -> Result<()> {
    let built = work.join("bin").join(name);
    // Without strip it is only larger.
    if which("strip").is_some() {
        output(Command::new("strip").arg(&built))?;
    }
    if let Some(folder) = place.parent() {
        fs::create_dir_all(folder)?;
    }
    // One file system, so that nobody ever sees half a program.
    fs::rename(&built, place)
        .with_context(|| format!("cannot move {} to {}", built.display(), place.display()))?;
    fs::remove_dir_all(work).with_context(|| format!("cannot remove {}", work.display()))
}
