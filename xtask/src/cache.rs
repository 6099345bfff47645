//! The folder where set-up keeps what it downloaded or built, so that a second clone needs
//! nothing: `${XDG_CACHE_HOME:-~/.cache}/profiler`. Under sudo it is the invoking user's.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

/// The version of bpf-linker that builds the object; 0.13 can be built against LLVM 21, 22, 23.
pub const BPF_LINKER_VERSION: &str = "0.13.0";

/// The user who called sudo, when this process is root because of sudo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SudoUser {
    /// Their user id, never 0.
    pub uid: u32,
    /// Their group id.
    pub gid: u32,
    /// Their home folder, from the user database.
    pub home: PathBuf,
}

impl SudoUser {
    /// Reads what sudo left in the environment. `None` without sudo, and where sudo was called
    /// by root.
    #[must_use]
    pub fn detect() -> Option<Self> {
        let uid = number("SUDO_UID").filter(|&uid| uid != 0)?;
        let gid = number("SUDO_GID")?;
        let entry = Command::new("getent")
            .args(["passwd", &uid.to_string()])
            .output()
            .ok()?;
        let home = home_of(std::str::from_utf8(&entry.stdout).ok()?)?;
        Some(Self { uid, gid, home })
    }
}

/// The sixth field of a line of passwd(5).
fn home_of(entry: &str) -> Option<PathBuf> {
    let home = entry.lines().next()?.split(':').nth(5)?;
    (!home.is_empty()).then(|| PathBuf::from(home))
}

fn number(variable: &str) -> Option<u32> {
    env::var(variable).ok()?.parse().ok()
}

fn set(variable: &str) -> Option<OsString> {
    env::var_os(variable).filter(|value| !value.is_empty())
}

/// The home folder of the user who builds; `/` where the environment names none.
#[must_use]
pub fn home() -> PathBuf {
    if let Some(user) = SudoUser::detect() {
        return user.home;
    }
    set("HOME").map_or_else(|| PathBuf::from("/"), PathBuf::from)
}

/// The cache folder itself. It need not exist yet.
#[must_use]
pub fn dir() -> PathBuf {
    let base = set("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    base.unwrap_or_else(|| home().join(".cache"))
        .join("profiler")
}

/// Where the bpf-linker for one major version of LLVM is kept: bitcode of one major version is
/// read only by that LLVM.
#[must_use]
pub fn bpf_linker(cache: &Path, llvm_major: u32) -> PathBuf {
    cache
        .join("bin")
        .join(format!("bpf-linker-{BPF_LINKER_VERSION}-llvm-{llvm_major}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_home_is_the_sixth_field() {
        let entry = "ada:x:1000:1000:Ada,,,:/home/ada:/bin/bash\n";
        assert_eq!(home_of(entry), Some(PathBuf::from("/home/ada")));
        assert_eq!(home_of("ada:x:1000:1000:Ada,,,::/bin/bash\n"), None);
        assert_eq!(home_of(""), None);
    }

    #[test]
    fn the_linker_is_keyed_by_version_and_llvm() {
        let path = bpf_linker(Path::new("/c"), 22);
        assert_eq!(path, Path::new("/c/bin/bpf-linker-0.13.0-llvm-22"));
    }
}
