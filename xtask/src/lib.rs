//! What the `xtask` command and `profiler/build.rs` share: where things are kept, which tool
//! chain builds eBPF here, and the one function that builds the eBPF crate.
//!
//! The library is a build-dependency of every build of the profiler, so it has next to no
//! dependencies, starts at most two short processes, and installs nothing: `cargo xtask setup`
//! does.

pub mod build_ebpf;
pub mod cache;
pub mod toolchain;
