//! Which tool chain builds the eBPF crate on this machine.
//!
//! Way A: rustup's nightly, when it has the source of `core` (component rust-src), which cargo
//! then builds for the target (`-Z build-std`). Way B: Debian's rustc with a prebuilt `core` for
//! bpfel-unknown-none (packages rustc-web and libstd-rust-web-dev-bpf on Debian 12 and 13).
//! Either needs a bpf-linker built with the LLVM major of its rustc. Nothing is installed here.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::cache;

/// How `core` for bpfel-unknown-none comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Built from source by rustup's nightly.
    NightlyBuildStd,
    /// Prebuilt, from a Debian package.
    DebianPrebuilt,
}

/// A rustc that can build for eBPF, and its linker.
#[derive(Clone, Debug)]
pub struct Toolchain {
    /// How `core` comes about.
    pub way: Way,
    /// The compiler.
    pub rustc: PathBuf,
    /// The cargo that belongs to the compiler; `None` where any cargo will do.
    pub cargo: Option<PathBuf>,
    /// The major version of the LLVM in the compiler.
    pub llvm_major: u32,
    /// Where its bpf-linker belongs. It may not be there yet: [`Toolchain::is_complete`].
    pub linker: PathBuf,
}

/// Debian's compiler, whatever stands earlier on PATH.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
/// Where libstd-rust-web-dev-bpf puts the prebuilt `core`.
const DEBIAN_CORE: &str = "/usr/lib/rustlib/bpfel-unknown-none/lib";

impl Toolchain {
    /// Every compiler of this machine that can build for eBPF, the preferred one first.
    #[must_use]
    pub fn candidates() -> Vec<Self> {
        let cache = cache::dir();
        [nightly(&cache), debian(&cache)]
            .into_iter()
            .flatten()
            .collect()
    }

    /// The tool chain to build with: the first that has its linker.
    #[must_use]
    pub fn find() -> Option<Self> {
        Self::candidates().into_iter().find(Self::is_complete)
    }

    /// Whether the linker is there.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.linker.is_file()
    }
}

fn nightly(cache: &Path) -> Option<Toolchain> {
    // Not asked of `rustc +nightly`: rustup's proxy installs a tool chain that is missing.
    let rustup =
        env::var_os("RUSTUP_HOME").map_or_else(|| cache::home().join(".rustup"), PathBuf::from);
    let name = format!("nightly-{}-unknown-linux-gnu", env::consts::ARCH);
    let sysroot = rustup.join("toolchains").join(name);
    if !sysroot.join("lib/rustlib/src/rust/library/core").is_dir() {
        return None;
    }
    let cargo = sysroot.join("bin/cargo");
    let rustc = sysroot.join("bin/rustc");
    toolchain(Way::NightlyBuildStd, rustc, Some(cargo), cache)
}

fn debian(cache: &Path) -> Option<Toolchain> {
    let has_core = fs::read_dir(DEBIAN_CORE).ok()?.flatten().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("libcore-") && name.ends_with(".rlib")
    });
    if !has_core {
        return None;
    }
    toolchain(
        Way::DebianPrebuilt,
        PathBuf::from(DEBIAN_RUSTC),
        None,
        cache,
    )
}

fn toolchain(way: Way, rustc: PathBuf, cargo: Option<PathBuf>, cache: &Path) -> Option<Toolchain> {
    let version = Command::new(&rustc).arg("-vV").output().ok()?;
    let llvm_major = llvm_major(std::str::from_utf8(&version.stdout).ok()?)?;
    let linker = cache::bpf_linker(cache, llvm_major);
    Some(Toolchain {
        way,
        rustc,
        cargo,
        llvm_major,
        linker,
    })
}

/// The major version in the line `LLVM version: 22.1.8` of `rustc -vV`.
#[must_use]
pub fn llvm_major(verbose_version: &str) -> Option<u32> {
    let version = verbose_version
        .lines()
        .find_map(|line| line.strip_prefix("LLVM version: "))?;
    version.split('.').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_llvm_major_comes_from_the_verbose_version() {
        let text = "rustc 1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)\n\
                    host: x86_64-unknown-linux-gnu\nrelease: 1.96.0\nLLVM version: 22.1.8\n";
        assert_eq!(llvm_major(text), Some(22));
        assert_eq!(llvm_major("release: 1.96.0\n"), None);
        assert_eq!(llvm_major("LLVM version: rust\n"), None);
    }
}
