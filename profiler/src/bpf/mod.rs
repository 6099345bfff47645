//! The kernel side as user space sees it: load, attach, maps, rings, records.
//!
//! The only module that names aya. Nothing here knows what a Python is: [`Maps`] takes verdicts
//! and layouts, [`decode`] gives typed records.

pub mod btf;
mod cpus;
pub mod decode;
mod error;
mod kernel;
mod maps;
mod perf;
pub mod preflight;

pub use error::LoadError;
pub use kernel::{Kernel, Rings};
pub use maps::{KernelCounts, Maps};
