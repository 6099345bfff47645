//! One step of the walk: one frame.

use profiler_common::{
    layout::{CAP_INSTR_PTR, CAP_IS_ENTRY, CAP_LASTI_BYTES},
    limits::{CHUNK_BYTES, MAX_FRAME_WORDS, WINDOW_BYTES},
    sample::{FLAG_RETRIED, FrameWord},
    status::Status,
};

use crate::{
    Memory, Walk,
    walk::{RUNNING, Record},
};

/// `FRAME_OWNED_BY_THREAD` in every CPython since 3.11 (`pycore_frame.h`): the frame lies in
/// the data stack.
const OWNER_THREAD: u8 = 0;

/// Takes the next frame; returns whether there is more to do.
#[inline(always)]
pub fn step<M: Memory>(memory: &M, walk: &mut Walk, record: &mut Record) -> bool {
    let frame = walk.frame;
    if frame == 0 {
        if walk.unproved != 0 {
            return fail(walk, Status::Torn);
        }
        walk.stop(Status::Complete);
        return false;
    }
    if frame & 7 != 0 {
        return fail(walk, Status::BadFrame);
    }
    let Some((at, single)) = locate(memory, walk, frame) else {
        return fail(walk, Status::FrameFault);
    };
    let layout = &walk.layout;
    let previous = walk.buffer.word(at + u32::from(layout.frame_previous));
    if previous == frame {
        return fail(walk, Status::BadFrame);
    }
    let owner = byte(walk, at, layout.frame_owner);
    if walk.unproved != 0 && is_boundary(walk, owner) {
        if previous != walk.outer {
            return fail(walk, Status::Torn);
        }
        walk.unproved = 0;
    }
    if !is_python(walk, owner) {
        walk.frame = previous;
        return true;
    }
    if single && walk.layout.tstate_datastack_chunk != 0 && owner_in_stack(walk, at) {
        next_chunk(memory, walk, frame);
    }
    if let Err(status) = push(walk, record, at) {
        return fail(walk, status);
    }
    walk.frame = previous;
    true
}

/// Reads the frame where it is not read yet. Returns its byte in the buffer, and whether it
/// was read on its own.
#[inline(always)]
fn locate<M: Memory>(memory: &M, walk: &mut Walk, frame: u64) -> Option<(u32, bool)> {
    let frame_len = u64::from(walk.layout.frame_len);
    let at = frame.wrapping_sub(walk.window_base);
    if at < walk.window_len && walk.window_len - at >= frame_len {
        return Some((at as u32, false));
    }
    let above = frame.wrapping_sub(walk.chunk);
    if walk.chunk != 0 && above < CHUNK_BYTES {
        // Frames grow upwards and callers lie below: the window ends with this frame, so that
        // no page above the top is touched, and it does not reach below the chunk.
        let end = above + frame_len;
        let start = end.saturating_sub(WINDOW_BYTES as u64);
        let base = walk.chunk + start;
        if memory.read_part(base, &mut walk.buffer.window, end - start) {
            walk.window_base = base;
            walk.window_len = end - start;
            return Some(((above - start) as u32, false));
        }
        walk.window_len = 0;
    }
    if memory.read_part(frame, &mut walk.buffer.single, frame_len) {
        Some((WINDOW_BYTES as u32, true))
    } else {
        None
    }
}

/// Goes on to the chunk below: a frame of the data stack was met outside this one.
#[inline(always)]
fn next_chunk<M: Memory>(memory: &M, walk: &mut Walk, frame: u64) {
    if walk.chunk == 0 {
        return;
    }
    // `_PyStackChunk` starts with `previous` and `size`. A chunk that was made for one large
    // frame is longer than CHUNK_BYTES; the frames far up in it are read one by one.
    let mut head = [0; 2];
    if !memory.read(walk.chunk, &mut head) {
        walk.chunk = 0;
    } else if frame.wrapping_sub(walk.chunk) >= head[1] {
        walk.chunk = head[0];
    }
}

/// The byte at `offset` of the frame, 0 when the layout has no such field.
#[inline(always)]
fn byte(walk: &Walk, at: u32, offset: u16) -> u8 {
    if offset == 0 {
        return 0;
    }
    let offset = at + u32::from(offset);
    (walk.buffer.word(offset) >> ((offset & 7) * 8)) as u8
}

/// A frame whose caller is C code, or what stands for that boundary.
#[inline(always)]
fn is_boundary(walk: &Walk, owner: u8) -> bool {
    if walk.layout.caps & CAP_IS_ENTRY != 0 {
        owner != 0
    } else {
        !is_python(walk, owner)
    }
}

#[inline(always)]
fn is_python(walk: &Walk, owner: u8) -> bool {
    let boundary = walk.layout.owner_boundary;
    boundary == 0 || u16::from(owner) < boundary
}

/// Whether the frame lies in the data stack. With `is_entry` the owner is the next byte.
#[inline(always)]
fn owner_in_stack(walk: &Walk, at: u32) -> bool {
    let next = (walk.layout.caps & CAP_IS_ENTRY != 0) as u16;
    byte(walk, at, walk.layout.frame_owner + next) == OWNER_THREAD
}

/// Adds the frame to the record.
#[inline(always)]
fn push(walk: &mut Walk, record: &mut Record, at: u32) -> Result<(), Status> {
    let layout = &walk.layout;
    let code = walk.buffer.word(at + u32::from(layout.frame_code));
    let code = code & !u64::from(layout.code_tag_mask);
    if !FrameWord::holds(code) {
        return Err(Status::BadCode);
    }
    let (word, escaped) = FrameWord::pack(code, unit(walk, at, code));
    let n = walk.n_words;
    if n as usize + 2 > MAX_FRAME_WORDS {
        walk.unproved = 0;
        return Err(Status::Truncated);
    }
    record.set(n, word.0);
    walk.n_words = n + 1;
    if escaped {
        record.set(n + 1, unit(walk, at, code) as u64);
        walk.n_words = n + 2;
    }
    Ok(())
}

/// The instruction's offset in code units.
#[inline(always)]
fn unit(walk: &Walk, at: u32, code: u64) -> i64 {
    let layout = &walk.layout;
    let offset = at + u32::from(layout.frame_instr);
    let word = walk.buffer.word(offset);
    if layout.caps & CAP_INSTR_PTR != 0 {
        let first = code.wrapping_add(u64::from(layout.code_adaptive));
        return word.wrapping_sub(first) as i64 >> 1;
    }
    let lasti = (word >> ((offset & 4) * 8)) as u32 as i32;
    i64::from(if layout.caps & CAP_LASTI_BYTES != 0 {
        lasti >> 1
    } else {
        lasti
    })
}

/// Ends the walk, or starts it again where the outer evaluation stands: a start that was
/// interrupted half-way (see [`crate::tstate::start`]) has a garbage frame on top of a true
/// stack. A fault means garbage only at the first frame: the true one was just in use, while
/// any frame further out may lie on a page that is not resident.
#[inline(always)]
fn fail(walk: &mut Walk, status: Status) -> bool {
    let is_fault = matches!(status, Status::FrameFault);
    if walk.unproved != 0 && (!is_fault || walk.n_words == 0) {
        walk.flags |= FLAG_RETRIED;
        let chunk = walk.tstate_word(walk.layout.tstate_datastack_chunk);
        walk.start(walk.outer, chunk, None);
        return true;
    }
    walk.stop(status);
    false
}

/// What ends a walk that ran out of steps.
#[inline(always)]
pub fn finish(walk: &mut Walk) {
    if walk.status == RUNNING {
        let is_proved = walk.unproved == 0;
        walk.stop(if is_proved {
            Status::Truncated
        } else {
            Status::Torn
        });
    }
}
