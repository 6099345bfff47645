//! The way from a thread pointer (TP) to the thread's `PyThreadState`, found by looking.
//!
//! The thread states of a process name their threads' TPs. Up to 3.14 each thread keeps the
//! pointer in a pthread slot, whose key `_PyRuntime` holds; where libraries put that slot is known
//! and checked on the live threads. From 3.15 on it is a thread-local variable,
//! `_Py_tss_gilstate`: wherever the pointer lies at the same distance from the TP of every thread,
//! there it is. No disassembler, no assumption about the TLS model.
//!
//! The result holds for every process with the same executable, but for the address of
//! `tstate_current`, which [`Slots::paths`] adds.

use std::collections::{BTreeMap, BTreeSet};

use profiler_common::{
    limits::{MAX_PATH_STEPS, MAX_PATHS},
    process::TstatePath,
};

use super::{
    Layout, ReadMemory,
    interpreters::{ListError, ThreadState, thread_states},
    memory::{read_pieces, read_u64, u32_at, u64_at},
};

/// Threads that are looked at: enough to tell a slot from stale copies on a stack.
const MAX_THREADS: usize = 32;

/// What is scanned around a TP: static TLS lies below it, struct pthread at it and above.
const BELOW: u64 = 8 * 1024;
const ABOVE: u64 = 4 * 1024;

const PAGE: u64 = 4096;

/// Bytes of one module's TLS block that are scanned: Debian's 3.15 has 41 in the executable and 48
/// in the library.
const BLOCK_BYTES: usize = 128;

/// Modules with thread-local storage that are looked at in one process.
const MAX_MODULES: u64 = 64;

/// Paths that one executable can have beside `tstate_current`.
const MAX_SLOTS: usize = MAX_PATHS - 1;

/// Where the threads of an executable keep their thread state: one path, or two of which the
/// first to lead to a thread state of the thread is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slots(Vec<TstatePath>);

impl Slots {
    /// Whether most threads of the process whose `_PyRuntime` is at `runtime` keep their thread
    /// state there. A library that is preloaded and takes a pthread key shifts the slot in one
    /// process of an executable and not in another.
    pub fn fit(&self, memory: &dyn ReadMemory, layout: &Layout, runtime: u64) -> bool {
        thread_states(memory, layout, runtime).is_ok_and(|states| {
            let threads = Threads::of(&states);
            self.0.iter().any(|path| threads.fit(memory, path))
        })
    }

    /// The paths of a process in the order to try them; `runtime` is the address of its
    /// `_PyRuntime`.
    pub fn paths(&self, layout: &Layout, runtime: u64) -> [TstatePath; MAX_PATHS] {
        let current = layout.runtime.tstate_current.map(|offset| {
            let address = runtime.wrapping_add(offset as u64).cast_signed();
            TstatePath {
                steps: [address, 0, 0],
                n_steps: 1,
                absolute: 1,
            }
        });
        let mut paths = [TstatePath::ZERO; MAX_PATHS];
        for (place, path) in paths
            .iter_mut()
            .zip(current.into_iter().chain(self.0.iter().copied()))
        {
            *place = path;
        }
        paths
    }
}

/// Why no path was found.
#[derive(Debug, thiserror::Error)]
pub enum CalibrationError {
    /// The interpreter has not started, or has ended: look again later.
    #[error("no thread of the interpreter has a PyThreadState yet")]
    NotYet,
    /// The list of thread states could not be read.
    #[error(transparent)]
    List(#[from] ListError),
    /// The pointer is nowhere near the TP.
    #[error(
        "the thread pointers of its {threads} threads do not lead to their PyThreadState in one same way"
    )]
    NotFound {
        /// Threads that were looked at.
        threads: usize,
    },
}

/// Finds the path on the live process whose `_PyRuntime` is at `runtime`.
///
/// # Errors
/// When there are no threads yet, or no path fits. A process that starts or ends threads at this
/// moment can look like that: try again before believing it.
pub fn calibrate(
    memory: &dyn ReadMemory,
    layout: &Layout,
    runtime: u64,
) -> Result<Slots, CalibrationError> {
    let threads = Threads::of(&thread_states(memory, layout, runtime)?);
    if threads.0.is_empty() {
        return Err(CalibrationError::NotYet);
    }
    let known = known_slots(memory, layout, runtime);
    if let Some(&path) = known.iter().find(|path| threads.fit(memory, path)) {
        return Ok(Slots(vec![path]));
    }
    let places: Vec<Places> = threads
        .0
        .iter()
        .map(|(&tp, states)| places(memory, tp, states))
        .collect();
    let kinds: [fn(&Places) -> &[Steps]; 3] = [
        |places| &places.in_blocks,
        |places| &places.through_dtv,
        |places| &places.near,
    ];
    let shared = kinds
        .into_iter()
        .map(|kind| threads.shared(places.iter().flat_map(kind)));
    match shared.into_iter().find(|paths| !paths.is_empty()) {
        Some(paths) => Ok(Slots(paths)),
        None => Err(CalibrationError::NotFound {
            threads: threads.0.len(),
        }),
    }
}

/// The threads to look at: their TPs and, for each, its thread states (one an interpreter).
struct Threads(BTreeMap<u64, BTreeSet<u64>>);

impl Threads {
    fn of(states: &[ThreadState]) -> Self {
        let mut threads = BTreeMap::<u64, BTreeSet<u64>>::new();
        // The list begins with the newest; the last ones have been there for longest.
        for state in states.iter().rev().filter(|state| state.thread_id != 0) {
            if threads.len() < MAX_THREADS || threads.contains_key(&state.thread_id) {
                threads
                    .entry(state.thread_id)
                    .or_default()
                    .insert(state.address);
            }
        }
        Self(threads)
    }

    /// Whether this path leads most threads to a thread state of their own. Not all: one may just
    /// be starting or ending.
    fn fit(&self, memory: &dyn ReadMemory, path: &TstatePath) -> bool {
        let tps: Vec<u64> = self.0.keys().copied().collect();
        let found = follow(memory, path, &tps);
        let n_right = self
            .0
            .values()
            .zip(found)
            .filter(|(states, found)| found.is_some_and(|state| states.contains(&state)));
        self.is_most(n_right.count())
    }

    fn is_most(&self, count: usize) -> bool {
        count > 0 && 2 * count >= self.0.len()
    }

    /// Of the places in which single threads have it, those that most threads share: the most
    /// shared ones, the nearest to the TP first.
    fn shared<'a>(&self, places: impl Iterator<Item = &'a Steps>) -> Vec<TstatePath> {
        let mut counts = BTreeMap::<Steps, usize>::new();
        for &place in places {
            *counts.entry(place).or_default() += 1;
        }
        let most = counts.values().copied().max().unwrap_or(0);
        let mut shared: Vec<Steps> = counts
            .into_iter()
            .filter(|&(_, count)| count == most && self.is_most(count))
            .map(|(steps, _)| steps)
            .collect();
        shared.sort_by_key(|steps| steps.map(i64::unsigned_abs));
        shared.into_iter().take(MAX_SLOTS).map(path).collect()
    }
}

/// The steps of a path; those that are not used are [`UNUSED`].
type Steps = [i64; MAX_PATH_STEPS];

/// A path relative to the TP; trailing steps of [`UNUSED`] are none.
fn path(steps: Steps) -> TstatePath {
    let n_steps = steps.iter().take_while(|&&step| step != UNUSED).count();
    TstatePath {
        steps: steps.map(|step| if step == UNUSED { 0 } else { step }),
        n_steps: n_steps as u32,
        absolute: 0,
    }
}

/// No step; sorts behind every step.
const UNUSED: i64 = i64::MAX;

/// Where glibc and musl keep the value of the key that `_PyRuntime` holds (3.14 and older).
///
/// glibc (nptl/descr.h, nptl/pthread_getspecific.c; 2.36 and 2.43 measured): 32 pairs of sequence
/// number and value at TP + 0x310, and behind them pointers to further blocks of 32 pairs. musl
/// (src/internal/pthread_impl.h): a pointer to an array of values at TP + 0x80, in 1.1 at 0x88.
fn known_slots(memory: &dyn ReadMemory, layout: &Layout, runtime: u64) -> Vec<TstatePath> {
    let Some(offset) = layout.runtime.tss_key else {
        return Vec::new();
    };
    let mut bytes = [0; 4];
    if memory
        .read(runtime.wrapping_add(offset as u64), &mut bytes)
        .is_err()
    {
        return Vec::new();
    }
    let key = i64::from(u32_at(&bytes, 0).unwrap_or_default());
    let glibc = match key {
        0..32 => [0x310 + key * 16 + 8, UNUSED, UNUSED],
        32..1024 => [0x510 + key / 32 * 8, key % 32 * 16 + 8, UNUSED],
        _ => return Vec::new(),
    };
    [glibc, [0x80, key * 8, UNUSED], [0x88, key * 8, UNUSED]]
        .map(path)
        .to_vec()
}

/// Follows a path from each TP.
fn follow(memory: &dyn ReadMemory, path: &TstatePath, tps: &[u64]) -> Vec<Option<u64>> {
    let mut found: Vec<Option<u64>> = tps.iter().map(|&tp| Some(tp)).collect();
    for &step in path.steps.iter().take(path.n_steps as usize) {
        let pieces: Vec<(u64, usize)> = found
            .iter()
            .map(|base| (base.unwrap_or_default().wrapping_add_signed(step), 8))
            .collect();
        let words = read_pieces(memory, &pieces)
            .into_iter()
            .map(|word| u64_at(&word?, 0));
        found = found
            .into_iter()
            .zip(words)
            .map(|(base, word)| base.and(word))
            .collect();
    }
    found
}

/// Where one thread has one of its thread states.
#[derive(Default)]
struct Places {
    /// Near the TP, within the TLS block of a module: static TLS.
    in_blocks: Vec<Steps>,
    /// In the TLS block of a module, by way of the dtv: a libpython that was dlopened.
    through_dtv: Vec<Steps>,
    /// Near the TP, anywhere: a C library with another dtv than glibc's, or a stale copy on the
    /// stack, which is right below the static TLS of every thread but the main one.
    near: Vec<Steps>,
}

fn places(memory: &dyn ReadMemory, tp: u64, states: &BTreeSet<u64>) -> Places {
    let blocks = tls_blocks(memory, tp);
    let mut places = Places::default();
    for (module, block) in &blocks {
        let steps = |offset: u64| [DTV, module * DTV_ENTRY, offset.cast_signed()];
        places
            .through_dtv
            .extend(hits(&block.bytes, states).map(steps));
    }
    // Page by page: mappings end near a thread pointer.
    let pages = pages(tp.saturating_sub(BELOW) & !7, tp.saturating_add(ABOVE));
    for (&(start, _), bytes) in pages.iter().zip(read_pieces(memory, &pages)) {
        for offset in hits(&bytes.unwrap_or_default(), states) {
            let address = start.wrapping_add(offset);
            let steps = [address.wrapping_sub(tp).cast_signed(), UNUSED, UNUSED];
            places.near.push(steps);
            if blocks.iter().any(|(_, block)| block.contains(address)) {
                places.in_blocks.push(steps);
            }
        }
    }
    places
}

/// The parts of an address range, cut where pages end.
fn pages(start: u64, end: u64) -> Vec<(u64, usize)> {
    let mut pieces = Vec::new();
    let mut address = start;
    while address < end {
        let next = end.min((address / PAGE + 1).saturating_mul(PAGE));
        pieces.push((address, (next - address) as usize));
        address = next;
    }
    pieces
}

/// Offsets of the words that are one of the thread states.
fn hits(bytes: &[u8], states: &BTreeSet<u64>) -> impl Iterator<Item = u64> {
    let words = bytes
        .as_chunks()
        .0
        .iter()
        .map(|&word| u64::from_le_bytes(word));
    (0..)
        .step_by(8)
        .zip(words)
        .filter(|(_, word)| states.contains(word))
        .map(|(offset, _)| offset)
}

/// Where glibc has the pointer to a thread's vector of TLS blocks (sysdeps/x86_64/nptl/tls.h).
const DTV: i64 = 8;

/// Bytes of one entry of it: the block, and what to free. The entry before the first holds the
/// number of modules (elf/dl-tls.c).
const DTV_ENTRY: i64 = 16;

/// The first bytes of the thread-local storage that one module has in one thread.
struct Block {
    start: u64,
    bytes: Vec<u8>,
}

impl Block {
    fn contains(&self, address: u64) -> bool {
        (self.start..self.start.saturating_add(self.bytes.len() as u64)).contains(&address)
    }
}

/// The blocks of a thread by module number, as far as they can be read: a module that the thread
/// has not used has none yet.
fn tls_blocks(memory: &dyn ReadMemory, tp: u64) -> Vec<(i64, Block)> {
    let read = |address: u64| read_u64(memory, address).unwrap_or_default();
    let dtv = read(tp.wrapping_add_signed(DTV));
    let n_modules = read(dtv.wrapping_add_signed(-DTV_ENTRY))
        .min(MAX_MODULES)
        .cast_signed();
    let entry = |module: i64| (dtv.wrapping_add_signed(module * DTV_ENTRY), 8);
    let entries: Vec<(u64, usize)> = (1..=n_modules).map(entry).collect();
    let starts = read_pieces(memory, &entries)
        .into_iter()
        .map(|word| u64_at(&word.unwrap_or_default(), 0));
    let pieces: Vec<(u64, usize)> = starts
        .map(|start| (start.unwrap_or_default(), BLOCK_BYTES))
        .collect();
    let read = pieces.iter().zip(read_pieces(memory, &pieces));
    (1..)
        .zip(read)
        .filter_map(|(module, (&(start, _), bytes))| {
            Some((
                module,
                Block {
                    start,
                    bytes: bytes?,
                },
            ))
        })
        .collect()
}

#[cfg(test)]
mod tests;
