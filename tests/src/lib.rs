//! Shared parts of the integration tests.
//!
//! | module | what it does |
//! |---|---|
//! | [`inventory`] | which interpreters there are, and which are missing |
//! | [`python`] | starts a workload, talks to it, ends it |
//! | [`truth`] | what the workload says about itself |
//! | [`stacks`] | whether the samples between two marks are what it says |
//! | [`record`] | a recording around a piece of work; the profiler's own binary |
//! | [`process`] | children that end with the test |

pub mod inventory;
pub mod process;
pub mod python;
pub mod record;
pub mod stacks;
pub mod truth;
