//! The code objects of one process, and the stacks that are made of them.
//!
//! Addresses of code objects are used again as soon as one dies. So in each batch of samples
//! every code object that occurs in it is read (the first time) or compared with what was read;
//! one that changed since the last batch is `<code replaced>` in this one and read anew in the
//! next. So that code which ran once and died, as modules do, is forgotten before its address
//! runs again as other code, some of those that do not occur are compared too, in turn.
//!
//! What a process can make us do and keep is bounded, batch by batch and in all: whoever runs it
//! can have as many code objects, as long tables and as deep stacks as they like.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
};

use hashbrown::HashMap;

use crate::{
    aggregate::SymbolTable,
    bpf::decode::Words,
    cpython::{
        Layout, ReadMemory,
        linetable::Lines,
        objects::{Code, CodeReader, ObjectError},
    },
    model::{FrameId, Function, FunctionId, LostReason, Special, StackId},
};

/// Where a batch's code objects are.
pub struct Target<'a> {
    /// The process's memory.
    pub memory: &'a dyn ReadMemory,
    /// Its interpreter's layout.
    pub layout: &'a Layout,
    /// Look nothing up: what is not known is `<unreadable>`.
    pub skip: bool,
}

/// One proved code object.
#[derive(Clone, Debug)]
struct Known {
    code: Arc<Code>,
    lines: Arc<Lines>,
    function: FunctionId,
    /// The batch that proved it last.
    batch: u64,
    /// The batch that read it: tells its place in the turn from an earlier one's.
    read_in: u64,
}

/// Why a code object is not known in this batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unknown {
    Unreadable,
    Replaced,
    NotCode,
}

/// What is known of one process.
#[derive(Debug, Default)]
pub struct Codes {
    reader: CodeReader,
    known: HashMap<u64, Known>,
    /// Bytes that `known` takes, about.
    known_bytes: usize,
    unknown: HashMap<u64, Unknown>,
    /// Stacks of known code objects only, by their frame words, and the batch that proved all
    /// of them last.
    stacks: HashMap<Box<[u8]>, (StackId, u64)>,
    /// Bytes of the keys of `stacks`.
    stack_bytes: usize,
    /// Bytes that the symbols have grown by for this process.
    spent: usize,
    batch: u64,
    /// Batches since the last one with new code.
    n_quiet: u32,
    /// Addresses of `known` and the batches that read them, in the order in which they are to be
    /// compared. What was replaced since stands here until its turn comes.
    turn: VecDeque<(u64, u64)>,
    scratch: Vec<FrameId>,
}

/// Code objects that do not occur in a batch and are compared all the same.
const TURN: usize = 32;
/// The same while a program starts: its modules' code dies at once, and what takes the addresses
/// is to find them forgotten.
const TURN_WHILE_NEW: usize = 512;
/// Batches without new code after which a program has started.
const QUIET_BATCHES: u32 = 20;
/// Code objects that are read, or compared, in one batch: the 25 samples of 50 ms at 500 Hz have
/// some hundred different ones. What goes beyond is `<unreadable>` in this batch.
const MAX_IN_BATCH: usize = 4_096;
/// Code objects that are read at once: 32 MiB where all have the longest line table.
const READ_AT_ONCE: usize = 128;
/// Bytes of code objects and of cached stacks that are kept of one process, each; a program of
/// 20,000 functions has 6 MB of line tables. When there are more all are forgotten, and read anew.
const MAX_KEPT_BYTES: usize = 32 << 20;
/// Bytes of symbols that one process can add to the profile: names of its own, and stacks of
/// their own. After that no new function is named, and of a stack the inner part is kept.
const MAX_SPENT_BYTES: usize = 256 << 20;
/// Frames of that inner part.
const INNER_FRAMES: usize = 128;

impl Codes {
    /// For a process that was forked from this one: it begins with the same code objects.
    #[must_use]
    pub fn inherited(&self) -> Self {
        Self {
            reader: self.reader.clone(),
            known: self.known.clone(),
            known_bytes: self.known_bytes,
            batch: self.batch,
            turn: self.turn.clone(),
            ..Self::default()
        }
    }

    /// Prepares for the stacks of one batch: reads what is new and proves what is known. Returns
    /// whether there was anything new: then more may come soon.
    pub fn prepare<'a>(
        &mut self,
        target: &Target<'_>,
        symbols: &mut SymbolTable,
        stacks: impl Iterator<Item = Words<'a>>,
    ) -> bool {
        self.batch += 1;
        self.unknown.clear();
        if self.known_bytes > MAX_KEPT_BYTES {
            self.forget();
        }
        if self.stack_bytes > MAX_KEPT_BYTES {
            self.forget_stacks();
        }
        let mut new = HashSet::new();
        let mut seen = Vec::new();
        for words in stacks {
            if let Some((_, batch)) = self.stacks.get_mut(words.0) {
                if *batch == self.batch {
                    continue;
                }
                *batch = self.batch;
            }
            for (address, _) in words.frames() {
                match self.known.get_mut(&address) {
                    Some(known) if known.batch == self.batch => {}
                    Some(known) => {
                        known.batch = self.batch;
                        seen.push(address);
                    }
                    None => {
                        new.insert(address);
                    }
                }
            }
        }
        if seen.len() > MAX_IN_BATCH {
            self.forget();
            new.extend(seen.drain(..));
        }
        self.n_quiet = if new.is_empty() {
            self.n_quiet.saturating_add(1)
        } else {
            0
        };
        let n_seen = seen.len();
        self.take_turn(&mut seen);
        self.prove(target, &seen, n_seen);
        let has_new = !new.is_empty();
        self.read(target, symbols, new.into_iter().collect());
        has_new
    }

    /// Adds the next of those that do not occur in the batch.
    fn take_turn(&mut self, addresses: &mut Vec<u64>) {
        let is_quiet = self.n_quiet > QUIET_BATCHES;
        let mut n_left = if is_quiet { TURN } else { TURN_WHILE_NEW };
        for _ in 0..self.turn.len() {
            if n_left == 0 {
                break;
            }
            let Some((address, read_in)) = self.turn.pop_front() else {
                break;
            };
            let known = self.known.get_mut(&address);
            let Some(known) = known.filter(|known| known.read_in == read_in) else {
                continue;
            };
            self.turn.push_back((address, read_in));
            n_left -= 1;
            if known.batch != self.batch {
                known.batch = self.batch;
                addresses.push(address);
            }
        }
    }

    /// Compares; the first `n_seen` addresses occur in the batch.
    fn prove(&mut self, target: &Target<'_>, addresses: &[u64], n_seen: usize) {
        if target.skip {
            return;
        }
        let (positions, codes): (Vec<usize>, Vec<(u64, &Code)>) = addresses
            .iter()
            .enumerate()
            .filter_map(|(n, address)| Some((n, (*address, &*self.known.get(address)?.code))))
            .unzip();
        let unchanged = CodeReader::unchanged(target.memory, target.layout, &codes);
        let replaced: Vec<(usize, u64)> = positions
            .into_iter()
            .zip(codes)
            .zip(unchanged)
            .filter_map(|((n, (address, _)), unchanged)| {
                (unchanged == Some(false)).then_some((n, address))
            })
            .collect();
        if replaced.is_empty() {
            return;
        }
        self.forget_stacks();
        for (n, address) in replaced {
            if let Some(known) = self.known.remove(&address) {
                self.known_bytes -= known.size();
            }
            if n < n_seen {
                self.unknown.insert(address, Unknown::Replaced);
            }
        }
    }

    fn read(&mut self, target: &Target<'_>, symbols: &mut SymbolTable, addresses: Vec<u64>) {
        let mut rest = &addresses[..];
        let mut n_left = if target.skip { 0 } else { MAX_IN_BATCH };
        while !rest.is_empty() {
            let is_full = self.known_bytes > MAX_KEPT_BYTES || self.spent > MAX_SPENT_BYTES;
            let n = rest.len().min(READ_AT_ONCE).min(n_left);
            if is_full || n == 0 {
                break;
            }
            let (now, later) = rest.split_at(n);
            let codes = self.reader.read(target.memory, target.layout, now);
            for (&address, code) in now.iter().zip(codes) {
                match code {
                    Ok(code) if self.known_bytes <= MAX_KEPT_BYTES => {
                        self.learn(symbols, address, code);
                    }
                    Ok(_) => {
                        self.unknown.insert(address, Unknown::Unreadable);
                    }
                    Err(error) => {
                        self.unknown.insert(address, error.into());
                    }
                }
            }
            (rest, n_left) = (later, n_left - n);
        }
        let unreadable = rest.iter().map(|&address| (address, Unknown::Unreadable));
        self.unknown.extend(unreadable);
    }

    fn learn(&mut self, symbols: &mut SymbolTable, address: u64, code: Code) {
        let size = symbols.size();
        let function = symbols.function(&Function {
            name: code.name.clone(),
            file: code.file.clone(),
            first_line: code.first_line,
        });
        self.spent += symbols.size() - size;
        let known = Known {
            lines: code.lines().into(),
            code: code.into(),
            function,
            batch: self.batch,
            read_in: self.batch,
        };
        self.known_bytes += known.size();
        self.known.insert(address, known);
        self.turn.push_back((address, self.batch));
    }

    fn forget(&mut self) {
        self.forget_stacks();
        self.known.clear();
        self.known_bytes = 0;
        self.turn.clear();
    }

    fn forget_stacks(&mut self) {
        self.stacks.clear();
        self.stack_bytes = 0;
    }

    /// The stack of these frame words, which were among those that [`Self::prepare`] saw.
    ///
    /// # Errors
    /// A frame's code object does not prove to be one.
    pub fn stack(
        &mut self,
        symbols: &mut SymbolTable,
        words: Words<'_>,
        is_truncated: bool,
    ) -> Result<StackId, LostReason> {
        if !is_truncated && let Some((stack, _)) = self.stacks.get(words.0) {
            return Ok(*stack);
        }
        let mut frames = std::mem::take(&mut self.scratch);
        frames.clear();
        let mut all_known = !is_truncated;
        for (address, unit) in words.frames() {
            let frame = match self.known.get(&address) {
                Some(known) if known.code.contains(unit) => {
                    symbols.python(known.function, known.lines.at(unit))
                }
                Some(_) => {
                    all_known = false;
                    symbols.special(Special::CodeReplaced)
                }
                None => {
                    all_known = false;
                    match self.unknown.get(&address) {
                        Some(Unknown::NotCode) => {
                            self.scratch = frames;
                            return Err(LostReason::NotCode);
                        }
                        Some(Unknown::Replaced) => symbols.special(Special::CodeReplaced),
                        Some(Unknown::Unreadable) | None => symbols.special(Special::Unreadable),
                    }
                }
            };
            frames.push(frame);
        }
        let is_cut = self.spent > MAX_SPENT_BYTES && frames.len() > INNER_FRAMES;
        if is_cut {
            frames.truncate(INNER_FRAMES);
        }
        if is_cut || is_truncated {
            frames.push(symbols.special(Special::Truncated));
        }
        frames.reverse();
        let size = symbols.size();
        let stack = symbols.stack(&frames);
        self.spent += symbols.size() - size;
        self.scratch = frames;
        if all_known {
            self.stacks.insert(words.0.into(), (stack, self.batch));
            self.stack_bytes += words.0.len();
        }
        Ok(stack)
    }
}

impl Known {
    /// Bytes that it takes, about.
    fn size(&self) -> usize {
        let table = self.code.line_table.as_deref().map_or(0, <[u8]>::len);
        let names = self.code.name.len() + self.code.file.len();
        size_of::<Self>() + size_of::<Code>() + names + table + self.lines.size()
    }
}

impl From<ObjectError> for Unknown {
    fn from(error: ObjectError) -> Self {
        match error {
            ObjectError::CodeUnreadable | ObjectError::FieldUnreadable(_) => Self::Unreadable,
            ObjectError::NotCode | ObjectError::FieldType(..) | ObjectError::NotCompact(_) => {
                Self::NotCode
            }
        }
    }
}

#[cfg(test)]
mod tests;
