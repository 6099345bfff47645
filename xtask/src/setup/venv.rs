//! The Python packages that the tests run and compare with, from PyPI, in a virtual environment
//! at `target/venv`. The wheels stay in pip's own cache.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use super::{Setup, apt, step};
use crate::{
    exec::{output, run},
    interpreters,
};

/// One version of each, so that a new release upstream is not a failing test here.
const PACKAGES: &[&str] = &[
    "flask==3.1.3",
    "gunicorn==27.0.1",
    "numpy==2.4.6",
    "py-spy==0.4.3",
    "setproctitle==1.3.8",
    "uvicorn==0.54.0",
];
/// In the folder: the interpreter and the packages, written when all are installed.
const STAMP: &str = ".profiler-packages";

/// Whether the environment is there with these packages.
pub(super) fn is_there(setup: &Setup) -> bool {
    let folder = folder(setup);
    let stamp = fs::read_to_string(folder.join(STAMP)).unwrap_or_default();
    // A venv whose interpreter was removed has a dangling link.
    stamp == self::stamp() && folder.join("bin/python3").exists()
}

/// Makes the environment, if it is not there.
///
/// # Errors
/// When there is no Python for it, or pip fails.
pub(super) fn set_up(setup: &Setup) -> Result<PathBuf> {
    let folder = folder(setup);
    if is_there(setup) {
        return Ok(folder);
    }
    let python = base(setup)?;
    let what = format!(
        "a virtual environment of {} with {}",
        python.display(),
        PACKAGES.join(", ")
    );
    step(
        &what,
        "the tests profile these and compare with py-spy",
        || {
            if let Err(error) = fs::remove_dir_all(&folder)
                && error.kind() != io::ErrorKind::NotFound
            {
                bail!("cannot remove {}: {error}", folder.display());
            }
            output(Command::new(&python).args(["-m", "venv"]).arg(&folder))?;
            run(Command::new(folder.join("bin/python3"))
                .args([
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "--disable-pip-version-check",
                ])
                .args(PACKAGES)
                .current_dir(&folder))?;
            fs::write(folder.join(STAMP), stamp()).context("cannot write the stamp")
        },
    )?;
    Ok(folder)
}

fn folder(setup: &Setup) -> PathBuf {
    setup.workspace.join("target/venv")
}

fn stamp() -> String {
    PACKAGES.join("\n")
}

/// pyenv's 3.11 or 3.12, else the machine's own Python 3.
fn base(setup: &Setup) -> Result<PathBuf> {
    let pyenv = [11, 12]
        .into_iter()
        .find_map(|minor| interpreters::pyenv(minor).ok());
    if let Some(python) = pyenv.and_then(|interpreter| interpreter.argv.into_iter().next()) {
        return Ok(PathBuf::from(python));
    }
    let python = PathBuf::from("/usr/bin/python3");
    if !has_venv(&python) {
        apt::install_or_print(
            setup,
            &["python3-venv"],
            "makes the virtual environment of the tests",
        )?;
    }
    Ok(python)
}

fn has_venv(python: &Path) -> bool {
    output(Command::new(python).args(["-c", "import ensurepip, venv"])).is_ok()
}
