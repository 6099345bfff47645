//! The walker: from a thread's pointer to its tstate, and from there along its Python frames.
//!
//! Generic over [`Memory`], so that the same source runs in the kernel and, over byte images
//! with injected faults, in the host's tests. It branches on no CPython version: it reads
//! offsets and capability flags. Every function is inlined: a BPF program is one function.
#![cfg_attr(target_arch = "bpf", no_std)]

pub mod frames;
pub mod memory;
pub mod tstate;
pub mod walk;

#[cfg(all(test, not(target_arch = "bpf")))]
#[expect(
    clippy::unwrap_used,
    reason = "a panic is how a test fails, also in its helpers"
)]
mod tests;

pub use memory::Memory;
pub use walk::Walk;
