//! CPython 3.14, x86-64, with the GIL. `f_executable` is a tagged `_PyStackRef`; `owner` has new values.
//!
//! Offsets as a C compiler has them with the headers of 3.14.8.

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
    version: release(14, None),
    walk: WalkLayout {
        caps: CAP_GIL_MASK | CAP_INSTR_PTR,
        tstate_thread_id: 152, // PyThreadState.thread_id
        tstate_frame: 72, // PyThreadState.current_frame
        tstate_datastack_chunk: 232, // PyThreadState.datastack_chunk
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
        interpreters_head: 808, // interpreters.head
        tstate_current: None,
        tss_key: Some(2340), // autoTSSkey._key
    },
    interpreter: InterpreterLayout {
        next: 7272, // next
        threads_head: 7344, // threads.head
        code_object_generation: Some(7992), // _code_object_generation
    },
    thread_state: ThreadStateLayout {
        size: 832, // sizeof
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
    size: 760,
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
    thread_id: 216, // thread_state.thread_id
    native_thread_id: 224, // thread_state.native_thread_id
    datastack_chunk: 232, // thread_state.datastack_chunk
    status: 240, // thread_state.status
    frame_size: 248, // interpreter_frame.size
    frame_previous: 256, // interpreter_frame.previous
    executable: 264, // interpreter_frame.executable
    instr_ptr: 272, // interpreter_frame.instr_ptr
    owner: 288, // interpreter_frame.owner
    code_size: 312, // code_object.size
    filename: 320, // code_object.filename
    name: 328, // code_object.name
    qualname: 336, // code_object.qualname
    linetable: 344, // code_object.linetable
    firstlineno: 352, // code_object.firstlineno
    argcount: 360, // code_object.argcount
    co_code_adaptive: 384, // code_object.co_code_adaptive
    object_size: 400, // pyobject.size
    ob_type: 408, // pyobject.ob_type
    type_size: 416, // type_object.size
    tp_name: 424, // type_object.tp_name
    bytes_size: 592, // bytes_object.size
    bytes_ob_size: 600, // bytes_object.ob_size
    ob_sval: 608, // bytes_object.ob_sval
    unicode_size: 616, // unicode_object.size
    unicode_state: 624, // unicode_object.state
    unicode_length: 632, // unicode_object.length
    asciiobject_size: 640, // unicode_object.asciiobject_size
    compactunicodeobject_size: None,
};
