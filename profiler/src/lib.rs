//! A profiler for every Python process of a Linux host at once.
//!
//! The modules in reading order, which is the order of the flow; each uses only those that its
//! line names, beside `model`, which all may use, and `profiler-common`.
//!
//! | module | what it does | uses |
//! |---|---|---|
//! | [`model`] | the words: process, frame, stack, profile; no IO | |
//! | [`procfs`] | what /proc says: maps, names, times, memory | |
//! | [`elf`] | is this file a Python, and where is its `_PyRuntime` | `procfs` |
//! | [`cpython`] | layouts, objects, line tables, tstates | `elf`, `procfs` |
//! | [`bpf`] | load, attach, maps, rings, records | |
//! | [`process`] | which processes there are, what they are, which are chosen | `bpf`, `cpython`, `elf`, `procfs` |
//! | [`aggregate`] | samples to a profile | |
//! | [`resolve`] | code addresses to names and lines | `aggregate`, `bpf::decode`, `cpython` |
//! | [`output`] | a profile to bytes | |
//! | [`session`] | builds the pipeline and runs it | all above but `output` |
//! | [`cli`] | arguments, progress, summary, exit codes | `session`, `output` |

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
