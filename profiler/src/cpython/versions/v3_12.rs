//! CPython 3.12, x86-64, with the GIL. The head of the chain is in a `_PyCFrame` on the C stack; entry frames have owners of their own.
//!
//! Offsets as a C compiler has them with the headers of 3.12.1.

use profiler_common::layout::{CAP_CFRAME, CAP_GIL_MASK, CAP_INSTR_PTR, WalkLayout};

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
    version: release(12, None),
    walk: WalkLayout {
        caps: CAP_CFRAME | CAP_GIL_MASK | CAP_INSTR_PTR,
        tstate_thread_id: 136, // PyThreadState.thread_id
        tstate_frame: 56, // PyThreadState.cframe
        tstate_datastack_chunk: 232, // PyThreadState.datastack_chunk
        tstate_gil: 24, // PyThreadState._status
        gil_mask: 1 << 4, // .active
        cframe_current_frame: 0, // _PyCFrame.current_frame
        cframe_previous: 8, // _PyCFrame.previous
        frame_code: 0, // _PyInterpreterFrame.f_code
        frame_previous: 8, // _PyInterpreterFrame.previous
        frame_instr: 56, // _PyInterpreterFrame.prev_instr
        frame_owner: 70, // _PyInterpreterFrame.owner
        owner_boundary: 3, // FRAME_OWNED_BY_CSTACK
        code_adaptive: 192, // PyCodeObject.co_code_adaptive
        ..WalkLayout::ZERO
    },
    runtime: RuntimeLayout {
        interpreters_head: 40, // interpreters.head
        tstate_current: None,
        tss_key: Some(1548), // autoTSSkey._key
    },
    interpreter: InterpreterLayout {
        next: 0, // next
        threads_head: 72, // threads.head
        code_object_generation: None,
    },
    thread_state: ThreadStateLayout {
        size: 288, // sizeof
        prev: 0, // prev
        next: 8, // next
        interp: 16, // interp
        native_thread_id: Some(144), // native_thread_id
    },
    object: ObjectLayout {
        ob_type: 8, // PyObject.ob_type
        ob_size: 16, // PyVarObject.ob_size
        tp_name: 24, // PyTypeObject.tp_name
    },
    code: CodeLayout {
        size: 200, // sizeof
        argcount: 52, // co_argcount
        flags: 48, // co_flags
        firstlineno: 68, // co_firstlineno
        filename: 112, // co_filename
        name: 120, // co_name
        qualname: Some(128), // co_qualname
        line_table: 136, // co_linetable
        line_table_kind: LineTableKind::Pep657,
        length: CodeLength::ObSize,
    },
    unicode: UnicodeLayout {
        ascii_size: 40, // sizeof PyASCIIObject
        compact_size: 56, // sizeof PyCompactUnicodeObject
        length: 16, // length
        state: 32, // state
        kind_shift: 2, // state.kind
        compact_bit: 5, // state.compact
        ascii_bit: 6, // state.ascii
    },
    bytes_sval: 32, // PyBytesObject.ob_sval
};
