//! Which processes are chosen: by id, and by pattern against any of the names that a process
//! goes by. Pure: what /proc says comes in, an answer goes out.

use std::collections::BTreeSet;

use glob::{Pattern, PatternError};

use crate::model::Tgid;

/// Bytes of a command name that the kernel keeps (`TASK_COMM_LEN` less the 0).
const COMM_BYTES: usize = 15;
/// Options of `python` that take a value (Python/getopt.c, `SHORT_OPTS`).
const VALUE_OPTIONS: &[char] = &['W', 'X'];
/// The one long option that takes a value.
const LONG_VALUE_OPTION: &str = "--check-hash-based-pycs";
/// What Python runs as a script may end so; without it, it is a name, too.
const SCRIPT_EXTENSIONS: &[&str] = &[".py", ".pyc", ".pyw", ".pyz"];

/// A pattern that is none.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{pattern}` is no valid pattern: {reason} at character {position}; use * for any text, ? for a character, [abc] for one of several, and [*] or [[] for the characters themselves"
)]
pub struct InvalidPattern {
    /// What was given.
    pub pattern: String,
    /// What is wrong with it.
    pub reason: &'static str,
    /// Where, from 1 on.
    pub position: usize,
}

/// Chosen processes: all, or those with one of the ids or one of the names.
#[derive(Clone, Debug, Default)]
pub struct Selector {
    all: bool,
    pids: Vec<Tgid>,
    comms: Vec<Pattern>,
}

impl Selector {
    /// All processes whatever else is asked for, or these ids and glob patterns of names.
    ///
    /// # Errors
    /// For the first pattern that is none.
    pub fn new(
        all: bool,
        pids: &[Tgid],
        comms: &[impl AsRef<str>],
    ) -> Result<Self, InvalidPattern> {
        let comms = comms
            .iter()
            .map(|comm| pattern(comm.as_ref()))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            all,
            pids: pids.to_vec(),
            comms,
        })
    }

    /// Chooses one more process.
    pub fn add_pid(&mut self, tgid: Tgid) {
        self.pids.push(tgid);
    }

    /// Whether this process was chosen by its id.
    pub fn has_pid(&self, tgid: Tgid) -> bool {
        self.pids.contains(&tgid)
    }

    /// Whether names matter: a process may become a target by taking another one.
    pub fn is_by_name(&self) -> bool {
        !self.all && !self.comms.is_empty()
    }

    /// Whether this process is chosen, itself. That children of a chosen process are chosen,
    /// too, is the caller's to see to.
    pub fn matches(&self, tgid: Tgid, names: &ProcessNames) -> bool {
        let has_name = || {
            self.comms
                .iter()
                .any(|pattern| names.iter().any(|name| pattern.matches(name)))
        };
        self.all || self.has_pid(tgid) || has_name()
    }
}

fn pattern(text: &str) -> Result<Pattern, InvalidPattern> {
    Pattern::new(text).map_err(|PatternError { pos, msg }| InvalidPattern {
        pattern: text.to_owned(),
        reason: msg,
        position: pos + 1,
    })
}

/// The names that a process goes by:
/// the command name of its group leader, and its part before a colon;
/// the first word of its title, without a colon at the end, and that word's file name;
/// the script or module that Python runs, the script also without its extension;
/// and of each that is longer the first 15 bytes, as the kernel would cut it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessNames(BTreeSet<String>);

impl ProcessNames {
    /// Names from the group leader's command name and the arguments, where a title that the
    /// process gave itself is a single argument.
    pub fn new(comm: &[u8], arguments: &[Vec<u8>]) -> Self {
        let mut names = Self::default();
        let comm = String::from_utf8_lossy(comm);
        names.add(&comm);
        names.add(comm.split(':').next().unwrap_or_default());
        let arguments: Vec<_> = arguments
            .iter()
            .map(|argument| String::from_utf8_lossy(argument))
            .collect();
        let arguments: Vec<&str> = arguments.iter().map(AsRef::as_ref).collect();
        if let Some((title, rest)) = arguments.split_first() {
            names.add_title(title);
            if is_python(file_name(title)) {
                names.add_program(program(rest));
            }
        }
        names
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    fn add_title(&mut self, title: &str) {
        let word = title.split_ascii_whitespace().next().unwrap_or_default();
        // Celery's titles are `[celeryd: celery@host:MainProcess] -active- (...)`.
        let word = word
            .strip_suffix(':')
            .unwrap_or(word)
            .trim_start_matches(['[', '(']);
        self.add(word);
        self.add(file_name(word));
    }

    fn add_program(&mut self, program: Program<'_>) {
        match program {
            Program::Module(module) => self.add(module),
            Program::Script(script) => {
                let name = file_name(script);
                self.add(name);
                let extension = SCRIPT_EXTENSIONS
                    .iter()
                    .find_map(|extension| name.strip_suffix(extension));
                extension.into_iter().for_each(|stem| self.add(stem));
            }
            Program::None => {}
        }
    }

    fn add(&mut self, name: &str) {
        if name.is_empty() {
            return;
        }
        self.0.insert(name.to_owned());
        if let Some(cut) = name
            .as_bytes()
            .get(..COMM_BYTES)
            .filter(|_| name.len() > COMM_BYTES)
        {
            self.0.insert(String::from_utf8_lossy(cut).into_owned());
        }
    }
}

/// What Python was told to run.
#[derive(Debug, PartialEq, Eq)]
enum Program<'a> {
    Script(&'a str),
    Module(&'a str),
    /// A command, standard input, or nothing.
    None,
}

/// Follows `python`'s own reading of its arguments.
fn program<'a>(arguments: &[&'a str]) -> Program<'a> {
    let mut arguments = arguments.iter().copied();
    while let Some(argument) = arguments.next() {
        if argument == "--" {
            return arguments.next().map_or(Program::None, Program::Script);
        }
        if argument.starts_with("--") {
            if argument == LONG_VALUE_OPTION {
                arguments.next();
            }
            continue;
        }
        let Some(options) = argument
            .strip_prefix('-')
            .filter(|options| !options.is_empty())
        else {
            // A lone `-` is standard input.
            return if argument == "-" {
                Program::None
            } else {
                Program::Script(argument)
            };
        };
        let Some((at, option)) = options
            .char_indices()
            .find(|&(_, option)| ends_options(option))
        else {
            continue;
        };
        // The value follows in the same argument or is the next one.
        let value = options
            .get(at + option.len_utf8()..)
            .filter(|value| !value.is_empty());
        let value = value.or_else(|| arguments.next());
        match option {
            'm' => return value.map_or(Program::None, Program::Module),
            'c' => return Program::None,
            _ => {}
        }
    }
    Program::None
}

/// Whether the rest of an argument is this option's value.
fn ends_options(option: char) -> bool {
    matches!(option, 'c' | 'm') || VALUE_OPTIONS.contains(&option)
}

/// `python`, `python3.12`, `python3.13t`, `python3-dbg` and the like.
fn is_python(name: &str) -> bool {
    name.strip_prefix("python").is_some_and(|rest| {
        rest.is_empty()
            || rest.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '-' | 'w'))
    })
}

fn file_name(path: &str) -> &str {
    let path = path.trim_end_matches('/');
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests;
