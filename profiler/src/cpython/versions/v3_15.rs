//! CPython 3.15, x86-64, with the GIL. No pthread key any more: `_Py_tss_gilstate` is a thread-local variable.
//!
//! Offsets as a C compiler has them with the headers of 3.15.0.

use profiler_common::layout::{CAP_GIL_MASK, CAP_INSTR_PTR, WalkLayout};

use super::{Build, release};
use crate::cpython::{
    debug_offsets::Positions,
    layout::{CodeLength, CodeLayout, InterpreterLayout, Layout, ObjectLayout, RuntimeLayout, ThreadStateLayout, UnicodeLayout},
    linetable::LineTableKind,
};

pub(super) const BUILD: Build = Build {
    layout: LAYOUT.with_lengths(),
    debug_offsets: Some(DEBUG_OFFSETS),
};

const LAYOUT: Layout = Layout {
    version: release(15, None),
    walk: WalkLayout {
        caps: CAP_GIL_MASK | CAP_INSTR_PTR,
        tstate_thread_id: 176, // PyThreadState.thread_id
        tstate_frame: 72, // PyThreadState.current_frame
        tstate_datastack_chunk: 256, // PyThreadState.datastack_chunk
        tstate_gil: 32, // PyThreadState._status
        gil_mask: 1 << 4, // .active
        frame_code: 0, // _PyInterpreterFrame.f_executable
        frame_previous: 8, // _PyInterpreterFrame.previous
        frame_instr: 56, // _PyInterpreterFrame.instr_ptr
        frame_owner: 74, // _PyInterpreterFrame.owner
        owner_boundary: 3, // FRAME_OWNED_BY_INTERPRETER
        code_adaptive: 208, // PyCodeObject.co_code_adaptive
        code_tag_mask: 3, // Py_TAG_BITS; Py_INT_TAG in 3.14
        ..WalkLayout::ZERO
    },
    runtime: RuntimeLayout {
        interpreters_head: 936, // interpreters.head
        tstate_current: None,
        tss_key: None,
    },
    interpreter: InterpreterLayout {
        next: 7264, // next
        threads_head: 7336, // threads.head
        code_object_generation: Some(7944), // _code_object_generation
    },
    thread_state: ThreadStateLayout {
        size: 888, // sizeof
        prev: 0, // prev
        next: 8, // next
        interp: 16, // interp
        native_thread_id: Some(184), // native_thread_id
    },
    object: ObjectLayout {
        ob_type: 8, // PyObject.ob_type
        ob_size: 16, // PyVarObject.ob_size
        tp_name: 24, // PyTypeObject.tp_name
    },
    code: CodeLayout {
        size: 216, // sizeof
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

const DEBUG_OFFSETS: Positions = Positions {
    size: 888,
    free_threaded: 16, // free_threaded
    runtime_size: 24, // runtime_state.size
    interpreters_head: 40, // runtime_state.interpreters_head
    interpreter_size: 48, // interpreter_state.size
    interpreter_next: 64, // interpreter_state.next
    threads_head: 72, // interpreter_state.threads_head
    code_object_generation: Some(160), // interpreter_state.code_object_generation
    thread_size: 176, // thread_state.size
    thread_prev: 184, // thread_state.prev
    thread_next: 192, // thread_state.next
    thread_interp: 200, // thread_state.interp
    current_frame: 208, // thread_state.current_frame
    thread_id: 240, // thread_state.thread_id
    native_thread_id: 248, // thread_state.native_thread_id
    datastack_chunk: 256, // thread_state.datastack_chunk
    status: 264, // thread_state.status
    frame_size: 312, // interpreter_frame.size
    frame_previous: 320, // interpreter_frame.previous
    executable: 328, // interpreter_frame.executable
    instr_ptr: 336, // interpreter_frame.instr_ptr
    owner: 352, // interpreter_frame.owner
    code_size: 376, // code_object.size
    filename: 384, // code_object.filename
    name: 392, // code_object.name
    qualname: 400, // code_object.qualname
    linetable: 408, // code_object.linetable
    firstlineno: 416, // code_object.firstlineno
    argcount: 424, // code_object.argcount
    co_code_adaptive: 448, // code_object.co_code_adaptive
    object_size: 464, // pyobject.size
    ob_type: 472, // pyobject.ob_type
    type_size: 480, // type_object.size
    tp_name: 488, // type_object.tp_name
    bytes_size: 688, // bytes_object.size
    bytes_ob_size: 696, // bytes_object.ob_size
    ob_sval: 704, // bytes_object.ob_sval
    unicode_size: 712, // unicode_object.size
    unicode_state: 720, // unicode_object.state
    unicode_length: 728, // unicode_object.length
    asciiobject_size: 736, // unicode_object.asciiobject_size
    compactunicodeobject_size: Some(744), // unicode_object.compactunicodeobject_size
};
