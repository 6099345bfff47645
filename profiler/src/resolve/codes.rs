//! The code objects of one process, and the stacks that are made of them.
//!
//! Addresses of code objects are used again as soon as one dies. So in each batch of samples
//! every code object that occurs in it is read (the first time) or compared with what was read;
//! one that changed since the last batch is `<code replaced>` in this one and read anew in the
//! next. So that code which ran once and died, as modules do, is forgotten before its address
//! runs again as other code, some of those that do not occur are compared too, in turn.

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
#[derive(Clone, Debug, Default)]
pub struct Codes {
    reader: CodeReader,
    known: HashMap<u64, Known>,
    unknown: HashMap<u64, Unknown>,
    /// Stacks of known code objects only, by their frame words, and the batch that proved all
    /// of them last.
    stacks: HashMap<Box<[u8]>, (StackId, u64)>,
    /// What `stacks` holds, about.
    stack_bytes: usize,
    batch: u64,
    /// Addresses of `known` and the batches that read them, in the order in which they are to be
    /// compared. What was replaced since stands here until its turn comes.
    turn: VecDeque<(u64, u64)>,
    scratch: Vec<FrameId>,
}

/// Bytes of stacks that one process may have in [`Codes::stacks`]: some 15,000 of 60 frames. When
/// there are more it starts again from nothing.
const MAX_STACK_BYTES: usize = 8 * 1024 * 1024;

/// Bytes of one of them beside its words.
const STACK_ENTRY_BYTES: usize = 64;

/// Code objects that do not occur in a batch and are compared all the same.
const TURN: usize = 32;

impl Codes {
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
        let n_seen = seen.len();
        self.take_turn(&mut seen);
        self.prove(target, &seen, n_seen);
        let has_new = !new.is_empty();
        self.read(target, symbols, new.into_iter().collect());
        has_new
    }

    /// Adds the next of those that do not occur in the batch.
    fn take_turn(&mut self, addresses: &mut Vec<u64>) {
        let mut n_left = TURN;
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
        let codes: Vec<(u64, &Code)> = addresses
            .iter()
            .filter_map(|address| Some((*address, &*self.known.get(address)?.code)))
            .collect();
        let unchanged = CodeReader::unchanged(target.memory, target.layout, &codes);
        let replaced: Vec<u64> = codes
            .iter()
            .zip(unchanged)
            .filter_map(|((address, _), unchanged)| (unchanged == Some(false)).then_some(*address))
            .collect();
        if replaced.is_empty() {
            return;
        }
        self.forget_stacks();
        for address in replaced {
            self.known.remove(&address);
            if addresses[..n_seen].contains(&address) {
                self.unknown.insert(address, Unknown::Replaced);
            }
        }
    }

    fn read(&mut self, target: &Target<'_>, symbols: &mut SymbolTable, addresses: Vec<u64>) {
        if target.skip {
            let unreadable = addresses
                .into_iter()
                .map(|address| (address, Unknown::Unreadable));
            self.unknown.extend(unreadable);
            return;
        }
        let codes = self.reader.read(target.memory, target.layout, &addresses);
        for (address, code) in addresses.into_iter().zip(codes) {
            match code {
                Ok(code) => {
                    let function = symbols.function(&Function {
                        name: code.name.clone(),
                        file: code.file.clone(),
                        first_line: code.first_line,
                    });
                    let code = code.into();
                    let batch = self.batch;
                    self.known.insert(
                        address,
                        Known {
                            code,
                            function,
                            batch,
                            read_in: batch,
                        },
                    );
                    self.turn.push_back((address, batch));
                }
                Err(error) => {
                    self.unknown.insert(address, error.into());
                }
            }
        }
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
                    symbols.python(known.function, known.code.line_at(unit))
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
        if is_truncated {
            frames.push(symbols.special(Special::Truncated));
        }
        frames.reverse();
        let stack = symbols.stack(&frames);
        self.scratch = frames;
        if all_known {
            if self.stack_bytes > MAX_STACK_BYTES {
                self.forget_stacks();
            }
            self.stack_bytes += words.0.len() + STACK_ENTRY_BYTES;
            self.stacks.insert(words.0.into(), (stack, self.batch));
        }
        Ok(stack)
    }

    /// They are only made out again.
    fn forget_stacks(&mut self) {
        self.stacks.clear();
        self.stack_bytes = 0;
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
