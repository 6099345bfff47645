//! A profile to bytes. Sees `model` and nothing else.
//!
//! A format is one file that implements [`Format`] and one word in [`FORMATS`]; the values of
//! `--format`, the file extensions, what `-o x.EXTENSION` means and the help all come from that
//! list. Only here do stacks become text. Every format writes in a fixed order, so that equal
//! profiles give equal bytes.

use std::io::{self, Write};

use crate::model::Profile;

pub mod clock;
mod flamegraph;
mod folded;
mod label;
mod lines;

/// One way to write a profile down.
pub trait Format: Sync {
    /// The value of `--format`.
    fn name(&self) -> &'static str;

    /// The file extension, without the dot.
    fn extension(&self) -> &'static str;

    /// One line for `--help`: lower case, no dot.
    fn about(&self) -> &'static str;

    /// What opens the file, for the summary.
    fn opened_with(&self) -> &'static str;

    /// Whether it needs every sample (`Profile::samples`), not counts alone.
    fn needs_samples(&self) -> bool {
        false
    }

    /// Writes `profile` to `out`.
    ///
    /// # Errors
    /// What `out` says, and [`io::ErrorKind::InvalidInput`] where the format cannot express a
    /// profile without samples.
    fn write(&self, profile: &Profile, out: &mut dyn Write) -> io::Result<()>;
}

/// Every format; the first is the default.
pub const FORMATS: &[&dyn Format] = &[&flamegraph::Flamegraph, &folded::Folded];

/// The format of this name.
pub fn by_name(name: &str) -> Option<&'static dyn Format> {
    FORMATS.iter().copied().find(|format| format.name() == name)
}

/// The format that files with this extension have.
pub fn by_extension(extension: &str) -> Option<&'static dyn Format> {
    FORMATS
        .iter()
        .copied()
        .find(|format| format.extension() == extension)
}

#[cfg(test)]
mod tests;
