//! A recording as the command line asks for it, in plain values.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{model::Tgid, output::Format, session::Config};

/// What to record, for how long, and where to.
#[derive(Clone)]
pub(super) struct Plan {
    pub(super) pids: Vec<Tgid>,
    /// Valid globs.
    pub(super) comms: Vec<String>,
    /// 1 to 10,000.
    pub(super) rate_hz: u32,
    /// Not zero.
    pub(super) duration: Option<Duration>,
    pub(super) output: Option<PathBuf>,
    pub(super) format: &'static dyn Format,
    /// A program and its arguments, or nothing.
    pub(super) command: Vec<OsString>,
}

impl Plan {
    /// For the session.
    pub(super) fn config(&self) -> Config {
        Config {
            target: self.target(),
            all: self.records_all(),
            pids: self.pids.clone(),
            comms: self.comms.clone(),
            rate_hz: self.rate_hz,
            keep_samples: self.format.needs_samples(),
        }
    }

    /// No target is named.
    pub(super) fn records_all(&self) -> bool {
        self.pids.is_empty() && self.comms.is_empty() && self.command.is_empty()
    }

    /// The targets in words: `--comm gunicorn, pid 17`.
    pub(super) fn target(&self) -> String {
        if self.records_all() {
            return "all Python processes".to_owned();
        }
        let comms = self.comms.iter().map(|comm| format!("--comm {comm}"));
        let pids = self.pids.iter().map(|tgid| format!("pid {tgid}"));
        let command = (!self.command.is_empty()).then(|| {
            let words: Vec<_> = self
                .command
                .iter()
                .map(|word| word.to_string_lossy())
                .collect();
            shortened(&words.join(" "), 120)
        });
        let words: Vec<String> = comms.chain(pids).chain(command).collect();
        shortened(&words.join(", "), 200)
    }

    /// The first target as the start of a file name: `gunicorn`, `pid-17`, `python`.
    pub(super) fn file_stem(&self) -> String {
        let stem = if let Some(program) = self.command.first() {
            Path::new(program)
                .file_name()
                .unwrap_or(program)
                .to_string_lossy()
                .into_owned()
        } else if let Some(comm) = self.comms.first() {
            comm.clone()
        } else if let Some(tgid) = self.pids.first() {
            format!("pid-{tgid}")
        } else {
            "python".to_owned()
        };
        let plain = |c: char| {
            if c.is_alphanumeric() || "-_.+".contains(c) {
                c
            } else {
                '_'
            }
        };
        let stem: String = stem.chars().map(plain).take(60).collect();
        let stem = stem.trim_matches(['.', '_', '-']);
        if stem.is_empty() {
            "profile".to_owned()
        } else {
            stem.to_owned()
        }
    }
}

/// At most `limit` characters, free of what XML and terminals do not take.
fn shortened(text: &str, limit: usize) -> String {
    let mut short: String = text
        .chars()
        .take(limit)
        .map(|c| {
            if c.is_control() || "\u{fffe}\u{ffff}".contains(c) {
                ' '
            } else {
                c
            }
        })
        .collect();
    if text.chars().nth(limit).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::FORMATS;

    fn plan() -> Plan {
        Plan {
            pids: Vec::new(),
            comms: Vec::new(),
            rate_hz: 100,
            duration: None,
            output: None,
            format: FORMATS[0],
            command: Vec::new(),
        }
    }

    #[test]
    fn targets_in_words_and_as_file_names() {
        let comms = |comms: &[&str]| comms.iter().map(|comm| (*comm).to_owned()).collect();
        let command = |words: &[&str]| words.iter().map(OsString::from).collect();
        for (plan, target, stem) in [
            (plan(), "all Python processes", "python"),
            (
                Plan {
                    comms: comms(&["gunicorn*", "b"]),
                    ..plan()
                },
                "--comm gunicorn*, --comm b",
                "gunicorn",
            ),
            (
                Plan {
                    comms: comms(&["../x"]),
                    ..plan()
                },
                "--comm ../x",
                "x",
            ),
            (
                Plan {
                    comms: comms(&["*"]),
                    ..plan()
                },
                "--comm *",
                "profile",
            ),
            (
                Plan {
                    pids: vec![Tgid(17), Tgid(4)],
                    ..plan()
                },
                "pid 17, pid 4",
                "pid-17",
            ),
            (
                Plan {
                    command: command(&["/usr/bin/python3.11", "a\n.py"]),
                    ..plan()
                },
                "/usr/bin/python3.11 a .py",
                "python3.11",
            ),
        ] {
            assert_eq!(
                (plan.target().as_str(), plan.file_stem().as_str()),
                (target, stem)
            );
        }
    }

    #[test]
    fn a_command_alone_does_not_mean_all() {
        assert!(plan().config().all);
        assert!(
            !Plan {
                command: vec!["x".into()],
                ..plan()
            }
            .config()
            .all
        );
    }
}
