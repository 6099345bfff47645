//! (to be written)

pub mod btf;
pub mod preflight;
