//! A Python of Debian's in a root folder of its own: `chroot ROOT /usr/bin/python3.14`.
//!
//! apt, with a configuration of its own that knows one suite and an empty machine, resolves and
//! fetches the packages and verifies them with Debian's keyring; dpkg-deb unpacks them. That
//! takes 5 s and 70 MB, needs no root and runs none of the packages' scripts (debootstrap: 40 s,
//! 250 MB, root). The machine's own apt is not touched.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, anyhow, bail};

use super::{Setup, step};
use crate::{
    exec::{output, which},
    interpreters::{DebianPython, Interpreter},
};

/// Debian's archive, unless `PROFILER_DEBIAN_MIRROR` names another.
const MIRROR: &str = "http://deb.debian.org/debian";
/// Debian's keys, by package debian-archive-keyring; newer suites name the file .pgp.
const KEYRINGS: [&str; 2] = [
    "/usr/share/keyrings/debian-archive-keyring.gpg",
    "/usr/share/keyrings/debian-archive-keyring.pgp",
];
/// In the root folder: the suite and the version, written when all else is done.
const STAMP: &str = ".profiler-python";

/// Whether the root folder is there and whole.
pub(super) fn is_there(setup: &Setup, python: &DebianPython) -> bool {
    found(&folder(setup, python), python.minor).is_some()
}

/// Brings the interpreter, if it is not there.
///
/// # Errors
/// When no suite gives it.
pub(super) fn set_up(setup: &Setup, python: &DebianPython) -> Result<Interpreter> {
    let root = folder(setup, python);
    if let Some(interpreter) = found(&root, python.minor) {
        return Ok(interpreter);
    }
    if which("apt-get").is_none() || which("dpkg-deb").is_none() {
        bail!("it is unpacked from Debian's packages, and there is no apt-get and dpkg-deb here");
    }
    let mut reason = anyhow!("no suite is named for it");
    for suite in python.suites {
        let what = format!("Debian {suite}'s Python 3.{}", python.minor);
        let why = "the tests run it in a root folder of its own (20 MB to fetch)";
        match step(&what, why, || bring(&root, suite, python.minor)) {
            Ok(()) => {
                return found(&root, python.minor)
                    .with_context(|| format!("{} is not whole", root.display()));
            }
            Err(error) => reason = error.context(format!("suite {suite}")),
        }
    }
    Err(reason)
}

fn folder(setup: &Setup, python: &DebianPython) -> PathBuf {
    setup.cache.join(format!("roots/python3.{}", python.minor))
}

fn found(root: &Path, minor: u32) -> Option<Interpreter> {
    let stamp = fs::read_to_string(root.join(STAMP)).ok()?;
    let (suite, version) = stamp.trim().split_once(' ')?;
    let root = root.to_str()?;
    Some(Interpreter {
        version: version.into(),
        minor,
        origin: format!("debian-{suite}"),
        argv: vec![
            "chroot".into(),
            root.into(),
            format!("/usr/bin/python3.{minor}"),
        ],
        root: root.into(),
    })
}

fn bring(root: &Path, suite: &str, minor: u32) -> Result<()> {
    let work = root.with_extension(format!("{minor}-partial"));
    remove(&work)?;
    let archives = fetch(&work, suite, minor)?;
    let new = work.join("root");
    fs::create_dir_all(&new)?;
    let mut version = None;
    for archive in &archives {
        output(
            Command::new("dpkg-deb")
                .arg("--extract")
                .arg(archive)
                .arg(&new),
        )?;
        let name = archive.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(&format!("python3.{minor}_")) {
            version = Some(output(
                Command::new("dpkg-deb")
                    .arg("--field")
                    .arg(archive)
                    .arg("Version"),
            )?);
        }
    }
    let version = version.with_context(|| format!("no package python3.{minor} was fetched"))?;
    finish(&new)?;
    fs::write(new.join(STAMP), format!("{suite} {}\n", upstream(&version)))?;
    remove(root)?;
    fs::rename(&new, root).with_context(|| format!("cannot make {}", root.display()))?;
    remove(&work)
}

/// Fetches the package and all that it depends on, as for a machine with nothing installed.
fn fetch(work: &Path, suite: &str, minor: u32) -> Result<Vec<PathBuf>> {
    let archives = work.join("archives");
    fs::create_dir_all(archives.join("partial"))?;
    fs::create_dir_all(work.join("lists/partial"))?;
    fs::write(work.join("status"), "")?;
    fs::write(work.join("sources.list"), sources(suite)?)?;
    let configuration = work.join("apt.conf");
    fs::write(&configuration, apt_conf(work)?)?;
    let apt_get = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.env("APT_CONFIG", &configuration).args(arguments);
        output(&mut command)
    };
    apt_get(&["update"])?;
    let python = format!("python3.{minor}");
    // libc-bin has the locale C.UTF-8, dash is /bin/sh for subprocess(shell=True).
    apt_get(&[
        "install",
        "-y",
        "--download-only",
        &python,
        "libc-bin",
        "dash",
    ])?;
    let entries = fs::read_dir(&archives)?;
    let mut packages: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    packages.retain(|path| path.extension().is_some_and(|extension| extension == "deb"));
    packages.sort();
    Ok(packages)
}

fn sources(suite: &str) -> Result<String> {
    let keyring = KEYRINGS
        .into_iter()
        .find(|path| Path::new(path).is_file())
        .context("Debian's keys are missing: install the package debian-archive-keyring")?;
    let mirror = std::env::var("PROFILER_DEBIAN_MIRROR").unwrap_or_else(|_| MIRROR.into());
    Ok(format!(
        "deb [arch=amd64 target=Packages signed-by={keyring}] {mirror} {suite} main\n"
    ))
}

fn apt_conf(work: &Path) -> Result<String> {
    let work = work
        .to_str()
        .context("the cache folder's name is not UTF-8")?;
    if work.contains('"') {
        bail!("the cache folder's name has a quotation mark, which apt cannot take: {work}");
    }
    Ok(format!(
        "Dir::State::status \"{work}/status\";\n\
         Dir::State::lists \"{work}/lists\";\n\
         Dir::Cache \"{work}\";\n\
         Dir::Cache::archives \"{work}/archives\";\n\
         Dir::Etc::sourcelist \"{work}/sources.list\";\n\
         Dir::Etc::sourceparts \"/dev/null\";\n\
         Dir::Etc::preferences \"/dev/null\";\n\
         Dir::Etc::preferencesparts \"/dev/null\";\n\
         Dir::Log \"{work}\";\n\
         Debug::NoLocking \"true\";\n\
         APT::Architecture \"amd64\";\n\
         APT::Architectures \"amd64\";\n\
         APT::Install-Recommends \"false\";\n\
         APT::Sandbox::User \"\";\n\
         APT::Update::Post-Invoke-Success \"\";\n\
         Acquire::Languages \"none\";\n\
         Acquire::Retries \"3\";\n\
         // Old suites are not signed anew; for these packages only.\n\
         Acquire::Check-Valid-Until \"false\";\n"
    ))
}

/// What the packages' scripts would have done and Python needs.
fn finish(root: &Path) -> Result<()> {
    for folder in ["dev", "proc", "sys", "tmp"] {
        fs::create_dir_all(root.join(folder))?;
    }
    fs::set_permissions(root.join("tmp"), fs::Permissions::from_mode(0o1777))?;
    // Newer suites have everything in /usr and these links from base-files.
    for folder in ["bin", "lib", "lib64", "sbin"] {
        let link = root.join(folder);
        if !link.exists() && root.join("usr").join(folder).is_dir() {
            symlink(format!("usr/{folder}"), link)?;
        }
    }
    Ok(())
}

/// `3.15.0~rc1-2+b1` is Python's `3.15.0rc1`.
fn upstream(version: &str) -> String {
    let version = version.trim();
    let upstream = version
        .rsplit_once('-')
        .map_or(version, |(upstream, _)| upstream);
    upstream.replace('~', "")
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_upstream_version_is_pythons_own() {
        assert_eq!(upstream("3.9.2-1\n"), "3.9.2");
        assert_eq!(upstream("3.15.0~rc1-2+b1"), "3.15.0rc1");
    }

    #[test]
    fn a_stamp_makes_an_interpreter() {
        let root = std::env::temp_dir().join(format!("xtask-root-{}", std::process::id()));
        fs::create_dir_all(&root).unwrap();
        assert_eq!(found(&root, 14), None);
        fs::write(root.join(STAMP), "forky 3.14.8\n").unwrap();
        let interpreter = found(&root, 14).unwrap();
        fs::remove_dir_all(&root).unwrap();
        assert_eq!(interpreter.version, "3.14.8");
        assert_eq!(interpreter.origin, "debian-forky");
        assert_eq!(interpreter.argv[0], "chroot");
        assert_eq!(interpreter.argv[2], "/usr/bin/python3.14");
    }
}
