//! What only the kernel build has: maps, helpers, and the bodies of the programs.

pub(crate) mod kernel;
pub(crate) mod lifecycle;
pub(crate) mod maps;
pub(crate) mod sample;
pub(crate) mod user;
