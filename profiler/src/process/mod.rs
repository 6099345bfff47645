//! Which processes there are, what they are, and which of them are chosen.
//!
//! [`Registry`] is fed by a scan of /proc at the start and by the lifecycle events after it. It
//! finds out what each process is (`examine`), whether it is a target (`select`, `choice`), and
//! tells the kernel's maps: the only way back to the kernel.

mod choice;
mod epoch;
mod examine;
mod registry;
pub mod select;

pub use epoch::{Kind, Process};
pub use examine::{Interpreter, Refused};
pub use registry::Registry;
