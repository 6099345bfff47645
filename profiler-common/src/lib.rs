//! What the eBPF programs and user space agree on.
//!
//! | module | written by | read by |
//! |---|---|---|
//! | [`sample`] | the `sample` program, into the ring `SAMPLES` | `profiler::bpf::decode` |
//! | [`lifecycle`] | the raw tracepoint programs, into the ring `EVENTS` | `profiler::bpf::decode` |
//! | [`process`] | the tracepoint programs and user space, as map values | the `sample` program |
//! | [`layout`] | `profiler::cpython`, as map values | the walker |
//! | [`status`], [`counter`] | the programs | the summary and the documents |
//! | [`limits`] | nobody: every bound with its reason | everybody |
#![no_std]
#![warn(missing_docs)]

pub mod counter;
pub mod layout;
pub mod lifecycle;
pub mod limits;
pub mod process;
pub mod sample;
pub mod status;

/// Declares wire structs: `repr(C)`, plain integers only, no padding (checked at compile time
/// by the stated size), and `aya::Pod` for user space.
macro_rules! wire {
    ($(#[$meta:meta])* pub struct $name:ident: $size:literal { $($(#[$fmeta:meta])* pub $field:ident: $ty:ty,)* }) => {
        $(#[$meta])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name { $($(#[$fmeta])* pub $field: $ty,)* }

        const _: () = {
            assert!(size_of::<$name>() == $size, "the stated size is wrong");
            assert!($size == 0 $(+ size_of::<$ty>())*, "the struct has padding");
        };

        impl $name {
            /// All fields zero.
            pub const ZERO: Self = {
                // SAFETY: the struct holds integers, arrays and structs of integers only (the
                // padding assertion above would not accept a type with a niche of its own
                // unnoticed: every field type used with this macro is an integer, an array of
                // integers or another `wire!` struct), and zero is a value of each.
                unsafe { core::mem::zeroed() }
            };
        }

        // SAFETY: `repr(C)`, `Copy`, 'static, integers only and no padding (asserted above), so
        // every bit pattern is a value and every byte is initialised.
        #[cfg(feature = "user")]
        unsafe impl aya::Pod for $name {}
    };
}
pub(crate) use wire;
