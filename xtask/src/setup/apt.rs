//! Debian's packages: installed by apt-get as root, after asking a user who is not root.

use std::{
    io::{self, BufRead, IsTerminal},
    path::Path,
    process::Command,
};

use anyhow::{Context, Result, bail};

use super::{Setup, step};
use crate::{
    exec::{output, run, say, which},
    root::Root,
};

/// Options for a machine where nobody answers. A package of the user's is never removed.
const INSTALL: &[&str] = &[
    "install",
    "-y",
    "-q",
    "--no-remove",
    "--no-install-recommends",
    "-o",
    "DPkg::Lock::Timeout=300",
];

/// Installs packages, and says why before. Brings apt's lists up to date first, once.
///
/// # Errors
/// When apt-get fails, and when there is no apt-get, no way to be root or no consent. The caller
/// then prints the commands: see [`by_hand`].
pub(super) fn install(setup: &Setup, packages: &[&str], why: &str) -> Result<()> {
    let names = packages.join(" ");
    may_install(setup, &names, why)?;
    update(setup)?;
    step(&format!("apt-get install {names}"), why, || {
        run(apt_get(setup)?.args(INSTALL).args(packages))
            .with_context(|| format!("apt-get cannot install {names}: see its words above"))
    })
}

/// [`install`], and the commands to do it by hand when it cannot be done.
///
/// # Errors
/// As [`install`].
pub(super) fn install_or_print(setup: &Setup, packages: &[&str], why: &str) -> Result<()> {
    install(setup, packages, why).inspect_err(|_| {
        say("to do it by hand, as root:");
        eprint!("{}", by_hand(packages));
    })
}

/// The commands that install packages, as lines to copy.
pub(super) fn by_hand(packages: &[&str]) -> String {
    let sudo = sudo();
    let names = packages.join(" ");
    format!("  {sudo}apt-get update\n  {sudo}apt-get install --no-install-recommends {names}\n")
}

/// What stands before a command that needs root: nothing where this is root already, or where
/// only root's own shell will do.
pub(super) fn sudo() -> &'static str {
    if matches!(Root::detect(), Root::Sudo(_)) {
        "sudo "
    } else {
        ""
    }
}

/// Whether all of these packages are installed.
pub(super) fn installed(packages: &[&str]) -> bool {
    let mut query = Command::new("dpkg-query");
    query
        .args(["--show", "--showformat=${db:Status-Status}\n"])
        .args(packages);
    output(&mut query).is_ok_and(|states| states.lines().all(|state| state == "installed"))
}

/// Whether apt could install the package; its lists are brought up to date first.
///
/// # Errors
/// When the lists cannot be fetched.
pub(super) fn has_candidate(setup: &Setup, package: &str) -> Result<bool> {
    if which("apt-cache").is_none() {
        return Ok(false);
    }
    let may = setup.root == Root::Already || setup.yes && setup.root != Root::Never;
    if may {
        update(setup)?;
    }
    let policy = output(
        Command::new("apt-cache")
            .env("LC_ALL", "C")
            .args(["policy", package]),
    )?;
    let candidate = policy
        .lines()
        .find_map(|line| line.trim().strip_prefix("Candidate: "));
    Ok(candidate.is_some_and(|version| version != "(none)"))
}

fn may_install(setup: &Setup, names: &str, why: &str) -> Result<()> {
    if which("apt-get").is_none() {
        bail!("{names} cannot be installed: there is no apt-get here");
    }
    match setup.root {
        Root::Already => return Ok(()),
        Root::Never => bail!("{names} cannot be installed: that needs root, and there is no sudo"),
        Root::Sudo(_) if setup.yes => return Ok(()),
        Root::Sudo(_) => {}
    }
    if !io::stdin().is_terminal() {
        bail!("{names} not installed: nobody to ask; `cargo xtask setup --yes` does not ask");
    }
    say(&format!("{names}: {why}"));
    eprint!("xtask: install with sudo apt-get? [y/N] ");
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    if !matches!(answer.trim(), "y" | "Y" | "yes") {
        bail!("{names} not installed: you said no");
    }
    Ok(())
}

fn update(setup: &Setup) -> Result<()> {
    if setup.updated.replace(true) {
        return Ok(());
    }
    step(
        "apt-get update",
        "a fresh machine has no package lists, an old one old lists",
        || run(apt_get(setup)?.args(["update", "-q"])),
    )
    // One dead source of many is no reason to stop: apt-get install says what it does not find.
    .or_else(|error| {
        say(&format!("{error}; going on"));
        Ok(())
    })
}

fn apt_get(setup: &Setup) -> Result<Command> {
    let apt_get = which("apt-get").context("there is no apt-get here")?;
    let quiet = [
        ("DEBIAN_FRONTEND", "noninteractive".into()),
        ("LC_ALL", "C.UTF-8".into()),
    ];
    setup.root.command(Path::new(&apt_get), &quiet, "apt-get")
}
