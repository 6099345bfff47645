//! What /proc says about a process: mappings, names, times, memory.
//!
//! Everything here comes from files and memory that the process controls, so each read is
//! bounded. A process may end, or exec, between two reads: callers compare start times or
//! epochs where that matters. No ptrace, no stopping.

mod error;
mod listing;
mod maps;
mod memory;
mod names;
mod open;
mod stat;

pub use error::ProcfsError;
pub use listing::tgids;
pub use maps::{Device, Mapping, Mappings, file_mappings};
pub use memory::{ProcessMemory, Request};
pub use names::{cmdline, comm, display_command, printable};
pub use open::{FileId, MappedFile, exe_id};
pub use stat::{Stat, cpu_time, is_alive, stat};
