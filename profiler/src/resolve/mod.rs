//! Code addresses to names and lines.
//!
//! [`codes`] reads the code objects of a process in batches and proves, in each batch, that
//! those it knows are still the ones it read; [`phases`] says what samples without a stack mean.

mod codes;
mod phases;

pub use codes::{Codes, Target};
pub use phases::{Bare, Outcome, Phases};
