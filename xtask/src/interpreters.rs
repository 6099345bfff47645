//! The interpreters that the tests run: Debian's, which set-up brings, and pyenv's, where a
//! machine has them. A new CPython is one line here.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

/// A Python of Debian's, in a root folder of its own with its own libc: those of newer suites do
/// not run on Debian 12's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DebianPython {
    /// The suites that have it, the preferred one first.
    pub suites: &'static [&'static str],
    /// 3.`minor`.
    pub minor: u32,
}

/// Debian's interpreters.
pub(crate) const DEBIAN: &[DebianPython] = &[
    DebianPython {
        suites: &["bullseye"],
        minor: 9,
    },
    DebianPython {
        suites: &["bookworm"],
        minor: 11,
    },
    DebianPython {
        suites: &["trixie"],
        minor: 13,
    },
    DebianPython {
        suites: &["forky", "sid"],
        minor: 14,
    },
    DebianPython {
        suites: &["forky", "sid"],
        minor: 15,
    },
];

/// The minors of pyenv's versions folder that the tests run.
pub(crate) const PYENV_MINORS: std::ops::RangeInclusive<u32> = 8..=13;

/// An interpreter that the tests can start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interpreter {
    /// As `sys.version` begins: `3.14.2`, `3.15.0rc1`.
    pub version: String,
    /// The second number of the version.
    pub minor: u32,
    /// `debian-forky`, `pyenv`.
    pub origin: String,
    /// What to start it with, before the arguments for Python.
    pub argv: Vec<String>,
    /// The folder of the host that it sees as `/`; empty for the host's own.
    pub root: String,
}

/// The newest 3.`minor` in pyenv's versions folder.
///
/// # Errors
/// When there is none; the sentence names the folder.
pub(crate) fn pyenv(minor: u32) -> Result<Interpreter> {
    let root = env::var_os("PYENV_ROOT")
        .map_or_else(|| xtask::cache::home().join(".pyenv"), PathBuf::from);
    let versions = root.join("versions");
    let entries = fs::read_dir(&versions)
        .with_context(|| format!("there is no folder {}", versions.display()))?;
    let newest = entries
        .flatten()
        .filter_map(|entry| patch(entry.file_name().to_str()?, minor))
        .filter(|patch| python(&versions, minor, *patch).is_file())
        .max()
        .with_context(|| format!("there is no 3.{minor} in {}", versions.display()))?;
    Ok(Interpreter {
        version: format!("3.{minor}.{newest}"),
        minor,
        origin: "pyenv".into(),
        argv: vec![
            python(&versions, minor, newest)
                .to_string_lossy()
                .into_owned(),
        ],
        root: String::new(),
    })
}

fn python(versions: &Path, minor: u32, patch: u32) -> PathBuf {
    versions.join(format!("3.{minor}.{patch}/bin/python3"))
}

/// The third number of a folder name like `3.12.1`; other builds (`3.13.0t`, virtual
/// environments) are not meant.
fn patch(name: &str, minor: u32) -> Option<u32> {
    name.strip_prefix(&format!("3.{minor}."))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_versions_of_the_minor_count() {
        assert_eq!(patch("3.12.1", 12), Some(1));
        assert_eq!(patch("3.1.12", 12), None);
        assert_eq!(patch("3.13.0t", 13), None);
        assert_eq!(patch("3.12-dev", 12), None);
        assert_eq!(patch("web", 12), None);
    }
}
