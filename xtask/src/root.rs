//! Who may do what: root does as it likes, a user has sudo, or neither.
//!
//! Everything is built as the user who calls. Only the profiler, the tests that need the kernel
//! and, after asking, apt-get are run as root.

use std::{env, ffi::OsString, path::Path, path::PathBuf, process::Command};

use anyhow::{Result, bail};

use crate::exec::which;

/// How this process gets something done as root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Root {
    /// It is root.
    Already,
    /// Through sudo, which may ask for a password.
    Sudo(PathBuf),
    /// Not at all.
    Never,
}

impl Root {
    pub(crate) fn detect() -> Self {
        if rustix::process::geteuid().is_root() {
            return Self::Already;
        }
        which("sudo").map_or(Self::Never, Self::Sudo)
    }

    /// Whether there is a way at all, before work is done in vain.
    ///
    /// # Errors
    /// When there is none: the sentence says `what` needs it.
    pub(crate) fn must_exist(&self, what: &str) -> Result<()> {
        if *self == Self::Never {
            bail!("{what} needs root, and there is no sudo here: run the command as root");
        }
        Ok(())
    }

    /// The command as root, with the caller's environment and `variables` besides.
    ///
    /// # Errors
    /// As [`Root::must_exist`].
    pub(crate) fn command(
        &self,
        program: &Path,
        variables: &[(&str, OsString)],
        what: &str,
    ) -> Result<Command> {
        self.must_exist(what)?;
        let Self::Sudo(sudo) = self else {
            let mut command = Command::new(program);
            command.envs(variables.iter().map(|(name, value)| (name, value)));
            return Ok(command);
        };
        let mut command = Command::new(sudo);
        // sudo replaces PATH by one of its own even with -E; env puts the caller's back, unless
        // `variables` have another, which stands later.
        command.args(["-E", "env"]);
        let path = env::var_os("PATH").unwrap_or_default();
        for (name, value) in [("PATH", path)].iter().chain(variables) {
            let mut word = OsString::from(name);
            word.push("=");
            word.push(value);
            command.arg(word);
        }
        command.arg(program);
        Ok(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sudo_keeps_the_path_and_the_variables() {
        let root = Root::Sudo("/usr/bin/sudo".into());
        let command = root
            .command(Path::new("/p"), &[("A", "b c".into())], "the test")
            .unwrap();
        let args: Vec<_> = command
            .get_args()
            .map(|arg| arg.to_string_lossy().into_owned())
            .collect();
        assert_eq!(&args[..2], ["-E", "env"]);
        assert!(args[2].starts_with("PATH="));
        assert_eq!(&args[3..], ["A=b c", "/p"]);
    }

    #[test]
    fn without_sudo_one_sentence_says_so() {
        let error = Root::Never
            .command(Path::new("/p"), &[], "the profiler")
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "the profiler needs root, and there is no sudo here: run the command as root"
        );
    }
}
