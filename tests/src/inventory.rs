//! Which interpreters, and what else, this machine has for the tests: a JSON file that
//! `cargo xtask test` writes.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde::Deserialize;

/// What is here and what is not.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Inventory {
    /// Interpreters to test with.
    pub interpreters: Vec<Interpreter>,
    /// A virtual environment with gunicorn, Flask, NumPy and setproctitle; empty: none.
    pub venv: PathBuf,
    /// What was looked for in vain.
    pub missing: Vec<Missing>,
}

/// One interpreter.
#[derive(Clone, Debug, Deserialize)]
pub struct Interpreter {
    /// `3.14.2`.
    pub version: String,
    /// 14.
    pub minor: u32,
    /// `pyenv`, `debian-forky`.
    pub origin: String,
    /// The command that runs it: the executable, perhaps behind `chroot DIR`.
    pub argv: Vec<String>,
    /// The folder of the chroot on this host; empty: it runs in the host's root.
    pub root: PathBuf,
}

/// Something that is not here.
#[derive(Clone, Debug, Deserialize)]
pub struct Missing {
    /// `pyenv 3.8`.
    pub name: String,
    /// Whether the suite fails without it.
    pub required: bool,
    /// Why it is not here.
    pub why: String,
}

impl Inventory {
    /// Reads the file named by `PROFILER_TEST_INVENTORY`, else `target/test-inventory.json`.
    ///
    /// # Errors
    ///
    /// When the file is not there or not what it should be.
    pub fn read() -> Result<Self> {
        let path = env::var_os("PROFILER_TEST_INVENTORY").map_or_else(
            || workspace().join("target/test-inventory.json"),
            PathBuf::from,
        );
        let text = fs::read_to_string(&path).with_context(|| {
            format!(
                "no inventory of interpreters, run `cargo xtask test`: {}",
                path.display()
            )
        })?;
        serde_json::from_str(&text).with_context(|| {
            format!(
                "cannot read the inventory of interpreters: {}",
                path.display()
            )
        })
    }

    /// The interpreters that the tests are about: 3.8 and later.
    pub fn supported(&self) -> impl Iterator<Item = &Interpreter> {
        self.interpreters.iter().filter(|python| python.minor >= 8)
    }

    /// One interpreter for tests that need any: the newest that runs without a chroot.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn any(&self) -> Result<&Interpreter> {
        self.supported()
            .filter(|python| python.is_plain())
            .max_by_key(|python| python.minor)
            .context("the inventory has no interpreter that runs without a chroot")
    }
}

impl Interpreter {
    /// `pyenv-3.8`, as it stands in the names of tests.
    pub fn name(&self) -> String {
        format!("{}-3.{}", self.origin, self.minor)
    }

    /// Whether it runs in the host's root folder.
    pub fn is_plain(&self) -> bool {
        self.root() == Path::new("/")
    }

    /// Its root folder on this host.
    pub fn root(&self) -> &Path {
        if self.root.as_os_str().is_empty() {
            Path::new("/")
        } else {
            &self.root
        }
    }

    /// A path of the host as the interpreter sees it.
    ///
    /// # Errors
    ///
    /// When the path is not below the interpreter's root.
    pub fn inside(&self, path: &Path) -> Result<PathBuf> {
        let relative = path.strip_prefix(self.root()).with_context(|| {
            format!(
                "{} is not below the root of {}",
                path.display(),
                self.name()
            )
        })?;
        Ok(Path::new("/").join(relative))
    }
}

/// The workspace's folder.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The folder with the workloads.
pub fn workloads() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("workloads")
}
