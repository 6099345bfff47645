//! CPython 3.8, x86-64, with the GIL. `f_lasti` counts bytes.
//!
//! Offsets as a C compiler has them with the headers of 3.8.18.

use profiler_common::layout::{CAP_GIL_IS_CURRENT, CAP_LASTI_BYTES, WalkLayout};

use super::{Build, release};
use crate::cpython::{
    layout::{CodeLength, CodeLayout, InterpreterLayout, Layout, ObjectLayout, RuntimeLayout, ThreadStateLayout, UnicodeLayout},
    linetable::LineTableKind,
};

pub(super) const BUILD: Build = Build {
    layout: LAYOUT.with_lengths(),
    debug_offsets: None,
};

const LAYOUT: Layout = Layout {
    version: release(8, None),
    walk: WalkLayout {
        caps: CAP_GIL_IS_CURRENT | CAP_LASTI_BYTES,
        tstate_thread_id: 176, // PyThreadState.thread_id
        tstate_frame: 24, // PyThreadState.frame
        frame_code: 32, // PyFrameObject.f_code
        frame_previous: 24, // PyFrameObject.f_back
        frame_instr: 104, // PyFrameObject.f_lasti
        ..WalkLayout::ZERO
    },
    runtime: RuntimeLayout {
        interpreters_head: 32, // interpreters.head
        tstate_current: Some(1368), // gilstate.tstate_current
        tss_key: Some(1396), // gilstate.autoTSSkey._key
    },
    interpreter: InterpreterLayout {
        next: 0, // next
        threads_head: 8, // tstate_head
        code_object_generation: None,
    },
    thread_state: ThreadStateLayout {
        size: 264, // sizeof
        prev: 0, // prev
        next: 8, // next
        interp: 16, // interp
        native_thread_id: None,
    },
    object: ObjectLayout {
        ob_type: 8, // PyObject.ob_type
        ob_size: 16, // PyVarObject.ob_size
        tp_name: 24, // PyTypeObject.tp_name
    },
    code: CodeLayout {
        size: 176, // sizeof
        argcount: 16, // co_argcount
        flags: 36, // co_flags
        firstlineno: 40, // co_firstlineno
        filename: 104, // co_filename
        name: 112, // co_name
        qualname: None,
        line_table: 120, // co_lnotab
        line_table_kind: LineTableKind::Lnotab,
        length: CodeLength::CoCode(48), // co_code
    },
    unicode: UnicodeLayout {
        ascii_size: 48, // sizeof PyASCIIObject
        compact_size: 72, // sizeof PyCompactUnicodeObject
        length: 16, // length
        state: 32, // state
        kind_shift: 2, // state.kind
        compact_bit: 5, // state.compact
        ascii_bit: 6, // state.ascii
    },
    bytes_sval: 32, // PyBytesObject.ob_sval
};
