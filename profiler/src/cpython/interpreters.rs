//! The thread states of a live process, from `_PyRuntime`.
//!
//! The process runs meanwhile: a list can change under the reader, so a failure here means "look
//! again", not "broken". Bounded and safe from cycles, whatever the memory holds.

use std::{collections::HashSet, io};

use super::{
    Layout, ReadMemory,
    memory::{read_u64, u64_at},
};

/// Thread states that are listed of one process, over all of its interpreters.
pub const MAX_THREAD_STATES: usize = 4_096;

/// Interpreters that are looked at in one process.
const MAX_INTERPRETERS: usize = 1_024;

/// One `PyThreadState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThreadState {
    /// Where it is.
    pub address: u64,
    /// The interpreter in whose list it is.
    pub interpreter: u64,
    /// `interp`: that interpreter, if the layout is right.
    pub interp: u64,
    /// `prev`.
    pub prev: u64,
    /// `next`.
    pub next: u64,
    /// The thread pointer of its thread (`pthread_self()`); 0: not bound to one yet.
    pub thread_id: u64,
    /// The thread's id in the process's own pid namespace (3.11+).
    pub native_thread_id: Option<u64>,
    /// `frame`, `cframe` or `current_frame`.
    pub frame: u64,
}

/// Why the thread states could not be listed.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// Memory that should be there is not, or the process is gone.
    #[error("the {what} at {address:#x} cannot be read: {source}")]
    Unreadable {
        /// What was expected there.
        what: &'static str,
        /// Where.
        address: u64,
        /// What the kernel says.
        source: io::Error,
    },
    /// The lists do not end.
    #[error(
        "more than {MAX_THREAD_STATES} thread states or {MAX_INTERPRETERS} interpreters, or a list that runs in a circle"
    )]
    Endless,
}

/// Every thread state of the process whose `_PyRuntime` is at `runtime`; none before
/// `Py_Initialize` and after `Py_Finalize`.
///
/// # Errors
/// When the memory cannot be read, or the lists do not end; on a live process it can help to look
/// again.
pub fn thread_states(
    memory: &dyn ReadMemory,
    layout: &Layout,
    runtime: u64,
) -> Result<Vec<ThreadState>, ListError> {
    let mut states = Vec::new();
    let mut seen = HashSet::new();
    let mut interpreter = pointer(
        memory,
        "list of interpreters",
        runtime,
        layout.runtime.interpreters_head,
    )?;
    for _ in 0..MAX_INTERPRETERS {
        if interpreter == 0 {
            return Ok(states);
        }
        let mut thread = pointer(
            memory,
            "interpreter",
            interpreter,
            layout.interpreter.threads_head,
        )?;
        while thread != 0 {
            if states.len() == MAX_THREAD_STATES || !seen.insert(thread) {
                return Err(ListError::Endless);
            }
            let state = read(memory, layout, thread, interpreter)?;
            thread = state.next;
            states.push(state);
        }
        interpreter = pointer(memory, "interpreter", interpreter, layout.interpreter.next)?;
    }
    Err(ListError::Endless)
}

fn pointer(
    memory: &dyn ReadMemory,
    what: &'static str,
    base: u64,
    offset: usize,
) -> Result<u64, ListError> {
    let address = base.wrapping_add(offset as u64);
    read_u64(memory, address).map_err(|source| ListError::Unreadable {
        what,
        address,
        source,
    })
}

fn read(
    memory: &dyn ReadMemory,
    layout: &Layout,
    address: u64,
    interpreter: u64,
) -> Result<ThreadState, ListError> {
    let mut bytes = [0; profiler_common::limits::TSTATE_BYTES];
    let length = layout.thread_state.read_len(&layout.walk).min(bytes.len());
    let (bytes, _) = bytes.split_at_mut(length);
    memory
        .read(address, bytes)
        .map_err(|source| ListError::Unreadable {
            what: "thread state",
            address,
            source,
        })?;
    // Every offset lies within the read length.
    let word = |offset: usize| u64_at(bytes, offset).unwrap_or_default();
    let fields = &layout.thread_state;
    Ok(ThreadState {
        address,
        interpreter,
        interp: word(fields.interp),
        prev: word(fields.prev),
        next: word(fields.next),
        thread_id: word(layout.walk.tstate_thread_id.into()),
        native_thread_id: fields.native_thread_id.map(word),
        frame: word(layout.walk.tstate_frame.into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpython::{layout, memory::Image, versions::release};

    const RUNTIME: u64 = 0x10_000;

    /// A 3.9 with these interpreters and their thread states, linked in order.
    fn image(interpreters: &[(u64, &[(u64, u64)])]) -> Image {
        let mut image = Image::default();
        let next = |i: usize| interpreters.get(i).map_or(0, |&(address, _)| address);
        image.put_u64s(RUNTIME + 32, &[next(0)]);
        for (i, &(interpreter, threads)) in interpreters.iter().enumerate() {
            image.put_u64s(
                interpreter,
                &[next(i + 1), threads.first().map_or(0, |thread| thread.0)],
            );
            for (j, &(thread, thread_id)) in threads.iter().enumerate() {
                let mut words = [0; 33];
                words[1] = threads.get(j + 1).map_or(0, |thread| thread.0);
                words[2] = interpreter;
                words[22] = thread_id;
                image.put_u64s(thread, &words);
            }
        }
        image
    }

    fn list(image: &Image) -> Result<Vec<(u64, u64, u64)>, String> {
        let layout = layout(release(9, Some(18)), None).unwrap();
        let states = thread_states(image, &layout, RUNTIME).map_err(|error| error.to_string())?;
        Ok(states
            .iter()
            .map(|state| (state.address, state.interp, state.thread_id))
            .collect())
    }

    #[test]
    fn all_threads_of_all_interpreters() {
        let image = image(&[
            (0x20_000, &[(0x30_000, 7), (0x31_000, 8)]),
            (0x21_000, &[(0x32_000, 9)]),
        ]);
        let expected = vec![
            (0x30_000, 0x20_000, 7),
            (0x31_000, 0x20_000, 8),
            (0x32_000, 0x21_000, 9),
        ];
        assert_eq!(list(&image), Ok(expected));
    }

    #[test]
    fn none_before_the_start() {
        assert_eq!(list(&image(&[])), Ok(vec![]));
    }

    #[test]
    fn circles_end() {
        let mut image = image(&[(0x20_000, &[(0x30_000, 7)])]);
        let mut words = [0; 33];
        words[1] = 0x30_000;
        image.put_u64s(0x30_000, &words);
        assert!(list(&image).unwrap_err().contains("circle"));
        image.put_u64s(0x20_000, &[0x20_000, 0]);
        assert!(list(&image).unwrap_err().contains("circle"));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let mut image = image(&[(0x20_000, &[(0x30_000, 7)])]);
        image.remove(0x30_000);
        assert!(
            list(&image)
                .unwrap_err()
                .starts_with("the thread state at 0x30000 cannot be read: ")
        );
    }
}
