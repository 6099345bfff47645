//! Brings what is missing on this machine: says what and why, asks where it must, and keeps what
//! it made in the cache folder. With nothing missing it only looks whether files are there.
//!
//! [`Setup::building`] is what `cargo build` needs, [`Setup::testing`] what `cargo xtask test`
//! needs besides. Packages come from apt-get, all else from crates.io, PyPI and Debian's archive.

mod apt;
mod cargo_deny;
mod debian_root;
mod ebpf;
mod inventory;
mod own;
mod venv;

use std::{
    cell::Cell,
    env,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Result, bail};
use xtask::{cache, toolchain::Toolchain};

pub(crate) use self::inventory::Inventory;
use crate::{
    exec::{say, which},
    interpreters,
    root::Root,
};

/// What set-up may do and where things are.
pub(crate) struct Setup {
    /// The cache folder.
    cache: PathBuf,
    /// The root of the work tree.
    workspace: PathBuf,
    /// How apt-get gets to be root.
    root: Root,
    /// Do not ask.
    yes: bool,
    /// apt's package lists are fresh.
    updated: Cell<bool>,
}

impl Setup {
    pub(crate) fn new(workspace: &Path, yes: bool) -> Self {
        Self {
            cache: cache::dir(),
            workspace: workspace.to_path_buf(),
            root: Root::detect(),
            yes: yes || is_ci(),
            updated: Cell::new(false),
        }
    }

    /// Sets up what building needs.
    ///
    /// # Errors
    /// When something is missing and cannot be brought; the exact commands have been printed.
    pub(crate) fn building(&self) -> Result<()> {
        ebpf::set_up(self)?;
        Ok(())
    }

    /// Sets up what the tests need besides, and writes the inventory that they read. What cannot
    /// be had is listed in it and does not end the set-up.
    ///
    /// # Errors
    /// When the inventory cannot be written.
    pub(crate) fn testing(&self) -> Result<Inventory> {
        let mut inventory = Inventory::default();
        for python in interpreters::DEBIAN {
            match debian_root::set_up(self, python) {
                Ok(interpreter) => inventory.interpreters.push(interpreter),
                Err(error) => inventory.misses(
                    format!("Debian's Python 3.{}", python.minor),
                    which("apt-get").is_some(),
                    &error,
                ),
            }
        }
        for minor in interpreters::PYENV_MINORS {
            match interpreters::pyenv(minor) {
                Ok(interpreter) => inventory.interpreters.push(interpreter),
                Err(error) => inventory.misses(format!("pyenv 3.{minor}"), is_ci(), &error),
            }
        }
        match venv::set_up(self) {
            Ok(path) => inventory.venv = Some(path),
            Err(error) => inventory.misses("the Python packages".into(), true, &error),
        }
        if let Err(error) = cargo_deny::set_up(self) {
            inventory.misses("cargo-deny".into(), true, &error);
        }
        // A loop of requests takes its place.
        if which("wrk").is_none()
            && let Err(error) =
                apt::install_or_print(self, &["wrk"], "puts load on web servers in the tests")
        {
            inventory.misses("wrk".into(), false, &error);
        }
        own::give_back(&self.cache);
        inventory.write(&self.workspace)?;
        Ok(inventory)
    }

    /// Prints what is there and what is missing, and for what is missing the exact commands.
    /// Changes nothing.
    ///
    /// # Errors
    /// When something that building needs is missing.
    pub(crate) fn check(&self, tests: bool) -> Result<()> {
        let toolchain = Toolchain::find();
        match &toolchain {
            Some(toolchain) => say(&format!(
                "eBPF tool chain: {} with {}",
                toolchain.rustc.display(),
                toolchain.linker.display()
            )),
            None => ebpf::print_commands(),
        }
        if tests {
            for python in interpreters::DEBIAN {
                let there = debian_root::is_there(self, python);
                report(&format!("Debian's Python 3.{}", python.minor), there);
            }
            for minor in interpreters::PYENV_MINORS {
                report(
                    &format!("pyenv 3.{minor}"),
                    interpreters::pyenv(minor).is_ok(),
                );
            }
            report("the Python packages", venv::is_there(self));
            report("cargo-deny", cargo_deny::path(self).is_file());
            report("wrk", which("wrk").is_some());
        }
        if toolchain.is_none() {
            bail!(
                "the eBPF tool chain is missing: the commands above, or `cargo xtask setup`, bring it"
            );
        }
        Ok(())
    }

    /// The cargo-deny that set-up brought.
    pub(crate) fn cargo_deny(&self) -> PathBuf {
        cargo_deny::path(self)
    }
}

fn report(what: &str, there: bool) {
    say(&format!(
        "{what}: {}",
        if there { "there" } else { "missing" }
    ));
}

/// Whether this is CI, where nobody answers and every interpreter is required.
pub(crate) fn is_ci() -> bool {
    env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false" && value != "0")
}

/// Says what is done and why before, and how long it took after.
fn step<T>(what: &str, why: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    say(&format!("{what}: {why}"));
    let start = Instant::now();
    let result = work()?;
    say(&format!(
        "{what}: done in {:.0} s",
        start.elapsed().as_secs_f64()
    ));
    Ok(result)
}
