//! (to be written)

pub mod select;
