//! A profiler for every Python process of a Linux host at once.
//!
//! The modules in reading order, which is the order of the flow; each uses only those that its
//! line names.
//!
//! | module | what it does | uses |
//! |---|---|---|
//! | [`model`] | the words: process, frame, stack, profile; no IO | |
//! | [`procfs`] | what /proc says: maps, names, times, memory | `model` |
//! | [`elf`] | is this file a Python, and where is its `_PyRuntime` | `model` |
//! | [`cpython`] | layouts, objects, line tables, tstates | `elf`, `procfs` |
//! | [`bpf`] | load, attach, maps, rings, records | `profiler-common` |
//! | [`process`] | which processes there are, what they are, which are chosen | `bpf`, `cpython`, `elf`, `procfs` |
//! | [`resolve`] | code addresses to names and lines | `process`, `cpython` |
//! | [`aggregate`] | samples to a profile | `model` |
//! | [`output`] | a profile to bytes | `model` |
//! | [`session`] | builds the pipeline and runs it | all of these |
//! | [`cli`] | arguments, progress, summary, exit codes | `session` |

pub mod aggregate;
pub mod bpf;
pub mod cli;
pub mod cpython;
pub mod elf;
pub mod model;
pub mod output;
pub mod process;
pub mod procfs;
pub mod resolve;
pub mod session;
