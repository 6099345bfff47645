//! What is printed, and how: standard error, colours on a terminal only.
//!
//! Nothing here fails: a closed or full standard error is no reason to lose a profile.

use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
};

use super::exit::Failure;

/// Standard error.
#[derive(Clone, Copy, Debug)]
pub(super) struct Term {
    /// It is a terminal: a line may be rewritten.
    pub(super) live: bool,
    colors: bool,
}

impl Term {
    pub(super) fn of_stderr() -> Self {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let live = io::stderr().is_terminal()
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        // https://no-color.org
        Self {
            live,
            colors: live && !set("NO_COLOR"),
        }
    }

    /// One line about what goes on.
    pub(super) fn note(&self, text: &str) {
        self.line(&format!("{}: {text}", self.paint("1", "profiler")));
    }

    /// Prints a failure; its exit code.
    pub(super) fn fail(&self, failure: &Failure) -> ExitCode {
        self.print_failure(failure);
        ExitCode::from(failure.exit.code())
    }

    /// Prints a failure.
    pub(super) fn print_failure(&self, failure: &Failure) {
        self.line(&format!(
            "{}: {}: {}",
            self.paint("1", "profiler"),
            self.paint("31", "error"),
            failure.sentence
        ));
        for hint in &failure.hints {
            self.line(&format!("  {}: {hint}", self.paint("36", "hint")));
        }
    }

    /// Any line.
    pub(super) fn line(&self, text: &str) {
        self.write(&format!("{text}\n"));
    }

    /// Text as it is.
    pub(super) fn write(&self, text: &str) {
        drop(io::stderr().lock().write_all(text.as_bytes()));
    }

    /// `text` in bold.
    pub(super) fn bold(&self, text: &str) -> String {
        self.paint("1", text)
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colors {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// Prints what was asked for (help, version) on standard output. A reader that left early
/// (`profiler --help | head`) is no failure.
pub(super) fn print(text: &str) {
    drop(io::stdout().lock().write_all(text.as_bytes()));
}
