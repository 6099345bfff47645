//! CPython 3.13, x86-64, with the GIL. The first version with `_Py_DebugOffsets`; what they hold overrules what stands here.
//!
//! Offsets as a C compiler has them with the headers of 3.13.0.

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
    version: release(13, None),
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
        frame_owner: 70, // _PyInterpreterFrame.owner
        owner_boundary: 3, // FRAME_OWNED_BY_CSTACK
        code_adaptive: 200, // PyCodeObject.co_code_adaptive
        ..WalkLayout::ZERO
    },
    runtime: RuntimeLayout {
        interpreters_head: 632, // interpreters.head
        tstate_current: None,
        tss_key: Some(2164), // autoTSSkey._key
    },
    interpreter: InterpreterLayout {
        next: 7264, // next
        threads_head: 7344, // threads.head
        code_object_generation: None,
    },
    thread_state: ThreadStateLayout {
        size: 304, // sizeof
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
        size: 208, // sizeof
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
    size: 584,
    free_threaded: 16, // free_threaded
    runtime_size: 24, // runtime_state.size
    interpreters_head: 40, // runtime_state.interpreters_head
    interpreter_size: 48, // interpreter_state.size
    interpreter_next: 64, // interpreter_state.next
    threads_head: 72, // interpreter_state.threads_head
    code_object_generation: None,
    thread_size: 152, // thread_state.size
    thread_prev: 160, // thread_state.prev
    thread_next: 168, // thread_state.next
    thread_interp: 176, // thread_state.interp
    current_frame: 184, // thread_state.current_frame
    thread_id: 192, // thread_state.thread_id
    native_thread_id: 200, // thread_state.native_thread_id
    datastack_chunk: 208, // thread_state.datastack_chunk
    status: 216, // thread_state.status
    frame_size: 224, // interpreter_frame.size
    frame_previous: 232, // interpreter_frame.previous
    executable: 240, // interpreter_frame.executable
    instr_ptr: 248, // interpreter_frame.instr_ptr
    owner: 264, // interpreter_frame.owner
    code_size: 272, // code_object.size
    filename: 280, // code_object.filename
    name: 288, // code_object.name
    qualname: 296, // code_object.qualname
    linetable: 304, // code_object.linetable
    firstlineno: 312, // code_object.firstlineno
    argcount: 320, // code_object.argcount
    co_code_adaptive: 344, // code_object.co_code_adaptive
    object_size: 352, // pyobject.size
    ob_type: 360, // pyobject.ob_type
    type_size: 368, // type_object.size
    tp_name: 376, // type_object.tp_name
    bytes_size: 512, // bytes_object.size
    bytes_ob_size: 520, // bytes_object.ob_size
    ob_sval: 528, // bytes_object.ob_sval
    unicode_size: 536, // unicode_object.size
    unicode_state: 544, // unicode_object.state
    unicode_length: 552, // unicode_object.length
    asciiobject_size: 560, // unicode_object.asciiobject_size
    compactunicodeobject_size: None,
};
