//! `folded`: one line for each stack, the input of flamegraph.pl, inferno, speedscope and others.
//!
//! `process PID:"COMMAND";name (file:line);...;name (file:line) COUNT`, root first, as py-spy's
//! `raw` with `--subprocesses`. What stands for `;` and line breaks within names is said in
//! `label.rs`. A profile without samples is an empty file.

use std::io::{self, Write};

use super::{Format, lines::Lines};
use crate::model::Profile;

pub(super) struct Folded;

impl Format for Folded {
    fn name(&self) -> &'static str {
        "folded"
    }

    fn extension(&self) -> &'static str {
        "folded"
    }

    fn about(&self) -> &'static str {
        "one line for each stack with its samples, for other tools"
    }

    fn opened_with(&self) -> &'static str {
        "a text editor, or https://speedscope.app"
    }

    fn write(&self, profile: &Profile, out: &mut dyn Write) -> io::Result<()> {
        Lines::new(profile).write(out)
    }
}
