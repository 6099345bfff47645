//! What CPython's structures look like, by version, and how to read them.
//!
//! | module | what it knows |
//! |---|---|
//! | [`layout`](mod@layout), `versions`, `debug_offsets` | the field offsets of one CPython build, for the walker and for user space |
//! | [`linetable`] | instruction to line, for the three formats |
//! | [`memory`] | the one way to a process's bytes |
//! | [`objects`] | str, bytes and code objects |
//! | [`interpreters`] | the thread states of a live process |
//! | [`calibrate`] | the way from a thread pointer to its thread state |
//! | [`verify`] | whether a layout fits a live process |
//!
//! A new CPython version is one file in `versions/` and one line in its list. Everything that
//! comes from a process or from its files is hostile: bounded, checked, never trusted to be sane.

pub mod calibrate;
mod debug_offsets;
pub mod interpreters;
pub mod layout;
pub mod linetable;
pub mod memory;
pub mod objects;
pub mod verify;
mod versions;

pub use layout::{Layout, Refusal, layout, line_table_kind};
pub use linetable::LineTableKind;
pub use memory::ReadMemory;
pub use versions::{NEWEST, OLDEST, supported};
