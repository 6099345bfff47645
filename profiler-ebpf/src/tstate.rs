//! From the TP to the thread's tstate, and what it says about the GIL.

use profiler_common::{
    layout::{CAP_CFRAME, CAP_GIL_IS_CURRENT, CAP_GIL_MASK},
    limits::{MAX_PATHS, WINDOW_BYTES},
    process::{PyProcess, TstatePath},
    sample::{FLAG_GIL_HELD, FLAG_GIL_KNOWN},
    status::Status,
};

use crate::{Memory, Walk};

/// Bytes of a `_PyCFrame` (3.11: 24, 3.12: 16) that hold what is read of it.
const CFRAME_BYTES: u64 = 24;

/// Finds the tstate of the thread with this TP, reads it into `walk.tstate` and sets the GIL
/// flags. The tstate is the thread's own: its thread_id is the TP.
///
/// # Errors
/// `NoTstate` when every path ends in NULL or in nothing, otherwise what the last path that
/// led anywhere ended with.
#[inline(always)]
pub fn find<M: Memory>(
    memory: &M,
    walk: &mut Walk,
    process: &PyProcess,
    tp: u64,
) -> Result<u64, Status> {
    let mut status = Status::NoTstate;
    let mut n = 0;
    while n < MAX_PATHS {
        let path = &process.paths[n];
        let tstate = follow(memory, path, tp);
        if tstate != 0 {
            if !memory.read_part(tstate, &mut walk.tstate, u64::from(walk.layout.tstate_len)) {
                status = Status::TstateFault;
            } else if walk.tstate_word(walk.layout.tstate_thread_id) != tp {
                // The GIL's holder is often another thread; that alone is no mismatch.
                if path.absolute == 0 {
                    status = Status::ThreadIdMismatch;
                }
            } else {
                walk.flags |= gil_flags(walk, path.absolute != 0);
                return Ok(tstate);
            }
        }
        n += 1;
    }
    Err(status)
}

/// The tstate at the end of a path, 0 when it ends early.
#[inline(always)]
fn follow<M: Memory>(memory: &M, path: &TstatePath, tp: u64) -> u64 {
    if path.n_steps == 0 {
        return 0;
    }
    let mut address = if path.absolute != 0 { 0 } else { tp };
    let mut n = 0;
    while n < path.steps.len() {
        if (n as u32) < path.n_steps {
            match memory.word(address.wrapping_add(path.steps[n] as u64)) {
                Some(word) if word != 0 => address = word,
                _ => return 0,
            }
        }
        n += 1;
    }
    address
}

#[inline(always)]
fn gil_flags(walk: &Walk, is_current: bool) -> u32 {
    let caps = walk.layout.caps;
    let held = if caps & CAP_GIL_IS_CURRENT != 0 {
        is_current
    } else if caps & CAP_GIL_MASK != 0 {
        let offset = walk.layout.tstate_gil;
        let word = walk.tstate_word(offset) >> ((offset & 4) * 8);
        word as u32 & walk.layout.gil_mask != 0
    } else {
        return 0;
    };
    FLAG_GIL_KNOWN | if held { FLAG_GIL_HELD } else { 0 }
}

/// Starts the walk at the thread's current frame; `walk.tstate` is read.
///
/// # Errors
/// `FrameFault` when the `_PyCFrame` of 3.11 and 3.12 cannot be read.
#[inline(always)]
pub fn start<M: Memory>(memory: &M, walk: &mut Walk) -> Result<(), Status> {
    let head = walk.tstate_word(walk.layout.tstate_frame);
    let chunk = match walk.layout.tstate_datastack_chunk {
        0 => 0,
        offset => walk.tstate_word(offset),
    };
    if walk.layout.caps & CAP_CFRAME == 0 {
        walk.start(head, chunk, None);
        return Ok(());
    }
    // Between two instructions of an evaluation's start its _PyCFrame is linked but its
    // current_frame not written yet, and the frame's previous may be an old one. The first
    // boundary of a true stack leads to the current frame of the outer _PyCFrame.
    if !memory.read_part(head, &mut walk.buffer.single, CFRAME_BYTES) {
        return Err(Status::FrameFault);
    }
    let single = WINDOW_BYTES as u32;
    let current = walk
        .buffer
        .word(single + u32::from(walk.layout.cframe_current_frame));
    let previous = walk
        .buffer
        .word(single + u32::from(walk.layout.cframe_previous));
    if previous == 0 {
        walk.start(current, chunk, None);
        return Ok(());
    }
    match memory.word(previous.wrapping_add(u64::from(walk.layout.cframe_current_frame))) {
        Some(outer) => walk.start(current, chunk, Some(outer)),
        None => return Err(Status::FrameFault),
    }
    Ok(())
}
