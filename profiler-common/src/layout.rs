//! What the walker must know of one CPython build. No version numbers: offsets and flags.

use crate::wire;

/// The tstate's frame field points to a `_PyCFrame` (3.11, 3.12).
pub const CAP_CFRAME: u32 = 1;
/// The frame holds a pointer to the instruction (3.11+), not an index.
pub const CAP_INSTR_PTR: u32 = 1 << 1;
/// The index counts bytes (3.9 and older), not code units (3.10).
pub const CAP_LASTI_BYTES: u32 = 1 << 2;
/// The boundary byte is a bool on a real frame (`is_entry`, 3.11), not an owner.
pub const CAP_IS_ENTRY: u32 = 1 << 3;
/// The first path is absolute and what it leads to holds the GIL (3.11 and older).
pub const CAP_GIL_IS_CURRENT: u32 = 1 << 4;
/// `gil` is a word of which `gil_mask` is set while the thread holds the GIL (3.12+).
pub const CAP_GIL_MASK: u32 = 1 << 5;

wire! {
    /// Value of `LAYOUTS`. Offsets in bytes, of x86-64.
    pub struct WalkLayout: 40 {
        /// `CAP_` bits.
        pub caps: u32,
        /// Bytes of the tstate to read: every offset below lies within.
        pub tstate_len: u32,
        /// `PyThreadState.thread_id`.
        pub tstate_thread_id: u16,
        /// `PyThreadState.frame`, `.cframe` or `.current_frame`.
        pub tstate_frame: u16,
        /// `PyThreadState.datastack_chunk`; 0 before 3.11.
        pub tstate_datastack_chunk: u16,
        /// `PyThreadState._status` or `.state`, read as u32 (with [`CAP_GIL_MASK`]).
        pub tstate_gil: u16,
        /// See [`CAP_GIL_MASK`].
        pub gil_mask: u32,
        /// `_PyCFrame.current_frame` (with [`CAP_CFRAME`]).
        pub cframe_current_frame: u16,
        /// `_PyCFrame.previous` (with [`CAP_CFRAME`]).
        pub cframe_previous: u16,
        /// Bytes of a frame to read: every frame offset below lies within; a multiple of 8.
        pub frame_len: u16,
        /// `f_code` or `f_executable`.
        pub frame_code: u16,
        /// `f_back` or `previous`.
        pub frame_previous: u16,
        /// `f_lasti`, `prev_instr` or `instr_ptr`.
        pub frame_instr: u16,
        /// `owner`, or with [`CAP_IS_ENTRY`] `is_entry`: one byte; 0 before 3.11.
        pub frame_owner: u16,
        /// An owner byte from here on is no Python function (3.12+); 0: no such owner.
        pub owner_boundary: u16,
        /// `PyCodeObject.co_code_adaptive` (with [`CAP_INSTR_PTR`]).
        pub code_adaptive: u16,
        /// Bits of the code word that are tags (3.14+: `_PyStackRef`).
        pub code_tag_mask: u16,
    }
}
