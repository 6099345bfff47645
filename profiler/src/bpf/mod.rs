//! (to be written)

pub mod btf;
