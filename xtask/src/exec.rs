//! Starting other programs: what they print goes to standard error, so that the standard output
//! of `cargo xtask run` is the profiler's own.

use std::{
    env,
    ffi::{OsStr, OsString},
    io,
    os::{fd::AsFd, unix::process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, anyhow, bail};

/// Says something to whoever started the command.
pub(crate) fn say(text: &str) {
    eprintln!("xtask: {text}");
}

/// How a command looks in a shell, for messages and for commands to copy.
pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(OsStr::to_string_lossy).collect();
    words.join(" ")
}

/// Runs a command to its end, with its output on standard error.
///
/// # Errors
/// When it does not start, or ends with anything but success.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let stderr = io::stderr().as_fd().try_clone_to_owned()?;
    let status = command
        .stdout(Stdio::from(stderr))
        .status()
        .with_context(|| format!("cannot start {}", shown(command)))?;
    if !status.success() {
        bail!("{} failed: {status}", shown(command));
    }
    Ok(())
}

/// Runs a command to its end and returns what it wrote to standard output.
///
/// # Errors
/// When it does not start, or fails; then with the last lines that it wrote to standard error.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {}", shown(command)))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<_> = words.lines().rev().take(5).collect();
        let words: Vec<_> = lines.into_iter().rev().collect();
        bail!(
            "{} failed: {}: {}",
            shown(command),
            output.status,
            words.join("; ")
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Becomes the command: same process, so its signals, streams and exit code are its own.
pub(crate) fn become_command(command: &mut Command) -> anyhow::Error {
    let error = command.exec();
    anyhow!("cannot start {}: {error}", shown(command))
}

/// The cargo that started this command; without one, the one on PATH.
pub(crate) fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Takes out of a command's environment what cargo and rustup's proxy put there, so that the
/// profiler, and a program that it starts, get the environment of the caller's shell.
pub(crate) fn without_cargo(command: &mut Command, workspace: &Path) {
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        let package = text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_");
        let exact = [
            "CARGO",
            "RUSTUP_TOOLCHAIN",
            "RUSTUP_TOOLCHAIN_SOURCE",
            "RUST_RECURSION_COUNT",
        ];
        if package || exact.contains(&text.as_ref()) {
            command.env_remove(&name);
        }
    }
    let Some(paths) = env::var_os("LD_LIBRARY_PATH") else {
        return;
    };
    match libraries_of_the_caller(&paths, workspace) {
        Some(paths) => command.env("LD_LIBRARY_PATH", paths),
        None => command.env_remove("LD_LIBRARY_PATH"),
    };
}

fn libraries_of_the_caller(paths: &OsStr, workspace: &Path) -> Option<OsString> {
    let target = workspace.join("target");
    let added = |path: &PathBuf| {
        let toolchain = path
            .components()
            .any(|part| part.as_os_str() == "toolchains");
        path.starts_with(&target) || toolchain || path.as_os_str().is_empty()
    };
    let kept: Vec<_> = env::split_paths(paths)
        .filter(|path| !added(path))
        .collect();
    if kept.is_empty() {
        None
    } else {
        env::join_paths(kept).ok()
    }
}

/// The program of that name on PATH.
pub(crate) fn which(name: &str) -> Option<PathBuf> {
    let mut paths: Vec<_> = env::split_paths(&env::var_os("PATH")?).collect();
    // A user's PATH on Debian has no sbin; root's tools are there all the same.
    paths.extend(["/usr/sbin", "/sbin"].map(PathBuf::from));
    paths
        .into_iter()
        .map(|path| path.join(name))
        .find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_callers_library_paths_are_kept() {
        let workspace = Path::new("/w");
        let cargo = OsStr::new("/w/target/debug/deps:/home/a/.rustup/toolchains/stable/lib");
        assert_eq!(libraries_of_the_caller(cargo, workspace), None);
        let both = OsStr::new("/w/target/debug:/opt/lib");
        assert_eq!(
            libraries_of_the_caller(both, workspace),
            Some("/opt/lib".into())
        );
    }

    #[test]
    fn a_failure_carries_the_commands_own_words() {
        let error = output(Command::new("sh").args(["-c", "echo no such thing >&2; exit 3"]));
        let text = error.unwrap_err().to_string();
        assert!(
            text.contains("no such thing") && text.contains('3'),
            "{text}"
        );
    }
}
