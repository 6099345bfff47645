//! Whether a layout fits a live process, before it is used on it.
//!
//! The process is not stopped, so a look can meet a list or a frame chain in the middle of a
//! change: a few looks, of which one must fit in every point. What a process must show: thread
//! states that belong to their interpreter, are linked both ways and name the thread pointer of a
//! thread; and frames whose code objects are of the type `code` with names of the type `str`, a
//! line table of the type `bytes`, and the instruction within the code.

use profiler_common::{
    layout::{CAP_CFRAME, CAP_INSTR_PTR, CAP_LASTI_BYTES},
    limits::FRAME_BYTES,
};

use super::{
    Layout, ReadMemory, Refusal,
    interpreters::{ListError, ThreadState, thread_states},
    memory::{read_u64, u32_at, u64_at},
    objects::{Code, CodeReader, ObjectError},
};

/// Looks before a layout is refused.
const LOOKS: usize = 8;

/// Frames that are looked at of one thread.
const MAX_FRAMES: usize = 32;

/// Threads whose frames are looked at, until one has any.
const MAX_THREADS: usize = 64;

/// What became of the look at a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The layout is right.
    Fits,
    /// Nothing to look at: the interpreter has not started, runs no Python code yet, or is gone.
    NotYet,
    /// The layout is wrong for this process.
    Refused(Refusal),
}

/// What in a process is not as its layout has it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The lists of interpreters and threads.
    #[error("{0}")]
    List(String),
    /// A thread state in the list of an interpreter that is not its own.
    #[error("the PyThreadState at {0:#x} does not belong to its interpreter")]
    Interpreter(u64),
    /// Its neighbours.
    #[error("the PyThreadState at {0:#x} is not linked both ways")]
    Links(u64),
    /// `thread_id`.
    #[error("the PyThreadState at {address:#x} names no thread pointer: {thread_id:#x}")]
    ThreadId {
        /// Of the thread state.
        address: u64,
        /// What it names.
        thread_id: u64,
    },
    /// A frame.
    #[error("the frame at {0:#x} cannot be read")]
    Frame(u64),
    /// A code object.
    #[error("{error}: {address:#x}")]
    Code {
        /// Where it should be.
        address: u64,
        /// What is wrong.
        error: ObjectError,
    },
    /// The instruction.
    #[error("the frame of the code object at {address:#x} is at code unit {unit} of {n_units}")]
    Instruction {
        /// Of the code object.
        address: u64,
        /// Where the frame says it is.
        unit: i64,
        /// The length of the code.
        n_units: u64,
    },
}

/// Looks at the process whose `_PyRuntime` is at `runtime`, a few times where it has to.
pub fn verify(memory: &dyn ReadMemory, layout: &Layout, runtime: u64) -> Verdict {
    let mut last = None;
    for _ in 0..LOOKS {
        match look(memory, layout, runtime) {
            Ok(true) => return Verdict::Fits,
            Ok(false) => return Verdict::NotYet,
            Err(mismatch) => last = Some(mismatch),
        }
    }
    let version = layout.version;
    Verdict::Refused(match last {
        Some(Mismatch::Code { address, .. }) if is_shifted(memory, layout, address) => {
            Refusal::TraceRefs(version)
        }
        Some(mismatch) => Refusal::Mismatch { version, mismatch },
        None => return Verdict::NotYet,
    })
}

/// One look; false: there is nothing to look at.
fn look(memory: &dyn ReadMemory, layout: &Layout, runtime: u64) -> Result<bool, Mismatch> {
    // Not even the runtime can be read: the process is gone, or runs another program by now.
    if memory.read(runtime, &mut [0; 8]).is_err() {
        return Ok(false);
    }
    let states = thread_states(memory, layout, runtime)
        .map_err(|error: ListError| Mismatch::List(error.to_string()))?;
    check_links(&states)?;
    let bound: Vec<&ThreadState> = states
        .iter()
        .filter(|state| state.thread_id != 0)
        .take(MAX_THREADS)
        .collect();
    for state in &bound {
        check_thread_id(memory, state)?;
    }
    for state in bound {
        if check_frames(memory, layout, state)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn check_links(states: &[ThreadState]) -> Result<(), Mismatch> {
    for state in states {
        if state.interp != state.interpreter {
            return Err(Mismatch::Interpreter(state.address));
        }
    }
    for pair in states.windows(2) {
        let [first, second] = pair else { continue };
        if first.interpreter == second.interpreter
            && (first.next, second.prev) != (second.address, first.address)
        {
            return Err(Mismatch::Links(second.address));
        }
    }
    Ok(())
}

/// `pthread_self()` is the thread pointer in glibc and musl, and x86-64's ABI has its first word
/// point to itself.
fn check_thread_id(memory: &dyn ReadMemory, state: &ThreadState) -> Result<(), Mismatch> {
    let thread_id = state.thread_id;
    match read_u64(memory, thread_id) {
        Ok(word) if word == thread_id => Ok(()),
        _ => Err(Mismatch::ThreadId {
            address: state.address,
            thread_id,
        }),
    }
}

/// Looks at the innermost frames; false: the thread has none.
fn check_frames(
    memory: &dyn ReadMemory,
    layout: &Layout,
    state: &ThreadState,
) -> Result<bool, Mismatch> {
    let frames = innermost_frames(memory, layout, state)?;
    let addresses: Vec<u64> = frames.iter().map(|frame| frame.code).collect();
    let codes = CodeReader::new().read(memory, layout, &addresses);
    for (frame, code) in frames.iter().zip(codes) {
        let address = frame.code;
        let code: Code = code.map_err(|error| Mismatch::Code { address, error })?;
        if !code.contains(frame.unit) {
            return Err(Mismatch::Instruction {
                address,
                unit: frame.unit,
                n_units: code.n_units,
            });
        }
    }
    Ok(!frames.is_empty())
}

/// One frame of a Python function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteFrame {
    /// The code object.
    pub code: u64,
    /// The instruction, in code units; -1 before the first.
    pub unit: i64,
}

/// The innermost frames of a thread, leaf first, at most 32 of them, as the walker in the kernel
/// has them; but read from outside, while the thread runs.
///
/// # Errors
/// When a frame cannot be read.
pub fn innermost_frames(
    memory: &dyn ReadMemory,
    layout: &Layout,
    state: &ThreadState,
) -> Result<Vec<RemoteFrame>, Mismatch> {
    let walk = &layout.walk;
    let mut address = state.frame;
    if walk.caps & CAP_CFRAME != 0 && address != 0 {
        let field = address.wrapping_add(walk.cframe_current_frame.into());
        address = read_u64(memory, field).map_err(|_| Mismatch::Frame(address))?;
    }
    let mut frames = Vec::new();
    for _ in 0..MAX_FRAMES {
        if address == 0 {
            break;
        }
        let mut bytes = [0; FRAME_BYTES];
        let (bytes, _) = bytes.split_at_mut(usize::from(walk.frame_len).min(FRAME_BYTES));
        memory
            .read(address, bytes)
            .map_err(|_| Mismatch::Frame(address))?;
        frames.extend(python_frame(layout, bytes));
        address = u64_at(bytes, walk.frame_previous.into()).unwrap_or(0);
    }
    Ok(frames)
}

/// The frame in these bytes; `None`: it is no Python function's.
fn python_frame(layout: &Layout, bytes: &[u8]) -> Option<RemoteFrame> {
    let walk = &layout.walk;
    let owner = bytes.get(usize::from(walk.frame_owner)).copied()?;
    if walk.owner_boundary != 0 && u16::from(owner) >= walk.owner_boundary {
        return None;
    }
    let code = u64_at(bytes, walk.frame_code.into())? & !u64::from(walk.code_tag_mask);
    let unit = if walk.caps & CAP_INSTR_PTR != 0 {
        let start = code.wrapping_add(walk.code_adaptive.into());
        u64_at(bytes, walk.frame_instr.into())?
            .wrapping_sub(start)
            .cast_signed()
            >> 1
    } else {
        let index = i64::from(u32_at(bytes, walk.frame_instr.into())?.cast_signed());
        if walk.caps & CAP_LASTI_BYTES != 0 {
            index >> 1
        } else {
            index
        }
    };
    Some(RemoteFrame { code, unit })
}

/// Whether the code object is one of a build with trace-refs: before 3.13 those have two more
/// pointers in front of every object.
fn is_shifted(memory: &dyn ReadMemory, layout: &Layout, code: u64) -> bool {
    const SHIFT: u64 = 16;
    let read = |base: u64, offset: usize| {
        read_u64(memory, base.wrapping_add(offset as u64).wrapping_add(SHIFT))
    };
    let name =
        read(code, layout.object.ob_type).and_then(|ob_type| read(ob_type, layout.object.tp_name));
    let mut bytes = [0; 5];
    name.and_then(|name| memory.read(name, &mut bytes)).is_ok() && &bytes == b"code\0"
}

#[cfg(test)]
mod tests;
