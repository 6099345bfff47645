//! Samples to a profile.
//!
//! [`SymbolTable`] gives every function, frame and stack a small handle; [`ProfileBuilder`]
//! counts samples by process and stack and makes the [`Profile`](crate::model::Profile) that the
//! outputs get. No IO and no clock: the session says what was sampled, when and where.

mod builder;
mod symbols;

pub use builder::ProfileBuilder;
pub use symbols::SymbolTable;
