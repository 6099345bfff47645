//! Exit codes, one list: `--help` and `docs/exit-codes.md` are made from it.

macro_rules! exits {
    ($($(#[$meta:meta])* $name:ident = $code:literal, $text:literal;)*) => {
        /// How the profiler ends when it is not COMMAND's own end that counts.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Exit { $($(#[$meta])* $name = $code,)* }

        impl Exit {
            /// Every exit code, in the order of its number.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// What it means, for people.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

exits! {
    /// Done.
    Ok = 0, "the profile was written";
    /// A bug or a failing system call.
    Internal = 1, "the profiler itself failed";
    /// The command line.
    Usage = 2, "the command line is wrong";
    /// No such pid, no match, no Python, no CPU time.
    NotFound = 3, "nothing to profile: no such process, no match, or no sample; no file was written";
    /// Not root, or a capability is missing.
    Permission = 4, "a permission is missing";
    /// Too old a kernel, a container's pid namespace.
    Unsupported = 5, "the kernel or the environment is not supported";
    /// Found out before sampling, or at its end.
    Output = 6, "the output cannot be written";
    /// As in a shell.
    CommandNotRunnable = 126, "COMMAND was found but cannot be run";
    /// As in a shell.
    CommandNotFound = 127, "COMMAND was not found";
}

impl Exit {
    /// The number.
    pub const fn code(self) -> u8 {
        self as u8
    }
}

/// What a process's end by signal `number` becomes, as in a shell: 130 for SIGINT.
pub const fn of_signal(number: i32) -> u8 {
    // Signals are 1 to 64.
    128_u8.wrapping_add(number as u8)
}

/// What the codes above cannot say.
pub const RULES: &str = "\
With -- COMMAND, its own exit code is passed on, and 128+N where signal N ended it. Only when
COMMAND ends with 0 and the profiler fails, the profiler's code counts.
Ctrl-C, SIGTERM and SIGHUP end the recording and are no failure: the first one writes the
profile, the second does without names that are not looked up yet, the third leaves at once
with 130, 143 or 129.";

/// All codes as lines of text, for `--help`.
pub fn help() -> String {
    let mut text = String::from("Exit codes:\n");
    for exit in Exit::ALL {
        text.push_str(&format!("{:>5}  {}\n", exit.code(), exit.meaning()));
    }
    text.push_str(RULES);
    text
}

/// Why the profiler ends without success: one sentence, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What is wrong, with the value; lower case, no dot.
    pub sentence: String,
    /// What to do.
    pub hints: Vec<String>,
}

impl Failure {
    /// A failure without a hint.
    pub fn new(exit: Exit, sentence: impl Into<String>) -> Self {
        Self {
            exit,
            sentence: sentence.into(),
            hints: Vec::new(),
        }
    }

    /// Adds a sentence that says what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_lists_every_code() {
        let document = include_str!("../../../docs/exit-codes.md");
        let rows: Vec<&str> = document
            .lines()
            .filter(|line| line.starts_with("| ") && !line.contains("code |"))
            .collect();
        let expected: Vec<String> = Exit::ALL
            .iter()
            .map(|exit| format!("| {} | {} |", exit.code(), exit.meaning()))
            .collect();
        assert_eq!(rows, expected);
        assert!(document.contains(RULES));
    }

    #[test]
    fn signals_are_as_in_a_shell() {
        assert_eq!([2, 15, 1].map(of_signal), [130, 143, 129]);
    }
}
