//! CPython 3.11, x86-64, with the GIL. The first version with frames that are no objects, each with `is_entry` instead of an entry frame.
//!
//! Offsets as a C compiler has them with the headers of 3.11.7.

use profiler_common::layout::{CAP_CFRAME, CAP_GIL_IS_CURRENT, CAP_INSTR_PTR, CAP_IS_ENTRY, WalkLayout};

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
    version: release(11, None),
    walk: WalkLayout {
        caps: CAP_CFRAME | CAP_GIL_IS_CURRENT | CAP_INSTR_PTR | CAP_IS_ENTRY,
        tstate_thread_id: 152, // PyThreadState.thread_id
        tstate_frame: 56, // PyThreadState.cframe
        tstate_datastack_chunk: 296, // PyThreadState.datastack_chunk
        cframe_current_frame: 8, // _PyCFrame.current_frame
        cframe_previous: 16, // _PyCFrame.previous
        frame_code: 32, // _PyInterpreterFrame.f_code
        frame_previous: 48, // _PyInterpreterFrame.previous
        frame_instr: 56, // _PyInterpreterFrame.prev_instr
        frame_owner: 68, // _PyInterpreterFrame.is_entry
        code_adaptive: 184, // PyCodeObject.co_code_adaptive
        ..WalkLayout::ZERO
    },
    runtime: RuntimeLayout {
        interpreters_head: 40, // interpreters.head
        tstate_current: Some(576), // gilstate.tstate_current
        tss_key: Some(596), // gilstate.autoTSSkey._key
    },
    interpreter: InterpreterLayout {
        next: 0, // next
        threads_head: 16, // threads.head
        code_object_generation: None,
    },
    thread_state: ThreadStateLayout {
        size: 360, // sizeof
        prev: 0, // prev
        next: 8, // next
        interp: 16, // interp
        native_thread_id: Some(160), // native_thread_id
    },
    object: ObjectLayout {
        ob_type: 8, // PyObject.ob_type
        ob_size: 16, // PyVarObject.ob_size
        tp_name: 24, // PyTypeObject.tp_name
    },
    code: CodeLayout {
        size: 192, // sizeof
        argcount: 56, // co_argcount
        flags: 48, // co_flags
        firstlineno: 72, // co_firstlineno
        filename: 112, // co_filename
        name: 120, // co_name
        qualname: Some(128), // co_qualname
        line_table: 136, // co_linetable
        line_table_kind: LineTableKind::Pep657,
        length: CodeLength::ObSize,
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
