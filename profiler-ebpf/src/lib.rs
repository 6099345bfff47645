//! The walker.
#![no_std]
