//! Interning of functions, frames and stacks.
//!
//! The tables hold handles only; what a handle stands for is stored once, in
//! [`Symbols`](crate::model::Symbols), and compared whole: equal hashes are never taken for
//! equal stacks. A lookup that hits allocates nothing. The hash is seeded at random in each run,
//! since names come from the profiled programs.

use std::{
    hash::{BuildHasher, Hash},
    num::NonZeroU32,
};

use hashbrown::{DefaultHashBuilder, HashTable, hash_table::Entry};

use crate::model::{Frame, FrameId, Function, FunctionId, Special, StackId, Symbols};

/// Gives out the handles of one profile. Equal things get the same handle.
#[derive(Clone, Debug, Default)]
pub struct SymbolTable {
    symbols: Symbols,
    functions: HashTable<u32>,
    frames: HashTable<u32>,
    stacks: HashTable<u32>,
    hasher: DefaultHashBuilder,
    size: usize,
}

impl SymbolTable {
    /// No symbols.
    pub fn new() -> Self {
        Self::default()
    }

    /// The handle of a function; its strings are shared, not copied.
    pub fn function(&mut self, function: &Function) -> FunctionId {
        let Self {
            symbols,
            functions,
            hasher,
            size,
            ..
        } = self;
        FunctionId(intern(
            functions,
            hasher,
            &mut symbols.functions,
            function,
            |function| {
                *size += size_of::<Function>() + function.name.len() + function.file.len();
                function.clone()
            },
        ))
    }

    /// The handle of any frame.
    pub fn frame(&mut self, frame: Frame) -> FrameId {
        let Self {
            symbols,
            frames,
            hasher,
            ..
        } = self;
        FrameId(intern(
            frames,
            hasher,
            &mut symbols.frames,
            &frame,
            |frame| *frame,
        ))
    }

    /// The handle of a Python frame. `line` is 1-based; `None` where `co_lines()` has none.
    pub fn python(&mut self, function: FunctionId, line: Option<NonZeroU32>) -> FrameId {
        self.frame(Frame::Python { function, line })
    }

    /// The handle of a frame that is no Python function.
    pub fn special(&mut self, special: Special) -> FrameId {
        self.frame(Frame::Special(special))
    }

    /// The handle of a stack, root first.
    pub fn stack(&mut self, frames: &[FrameId]) -> StackId {
        let Self {
            symbols,
            stacks,
            hasher,
            size,
            ..
        } = self;
        StackId(intern(
            stacks,
            hasher,
            &mut symbols.stacks,
            frames,
            |frames| {
                *size += size_of::<Box<[FrameId]>>() + size_of_val(frames);
                frames.into()
            },
        ))
    }

    /// Bytes that the functions and stacks take, about: a file name counts for each function.
    pub fn size(&self) -> usize {
        self.size
    }

    /// What the handles stand for.
    pub fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    /// Gives the symbols away; the lookup tables are freed.
    pub fn into_symbols(self) -> Symbols {
        self.symbols
    }
}

/// The index of `key` in `items`, which `table` finds by its hash; a new item is appended.
fn intern<K, T>(
    table: &mut HashTable<u32>,
    hasher: &DefaultHashBuilder,
    items: &mut Vec<T>,
    key: &K,
    store: impl FnOnce(&K) -> T,
) -> u32
where
    K: Hash + Eq + ?Sized,
    T: std::borrow::Borrow<K>,
{
    // Indices in the table were made below, so they are in range.
    let entry = table.entry(
        hasher.hash_one(key),
        |&index| items[index as usize].borrow() == key,
        |&index| hasher.hash_one(items[index as usize].borrow()),
    );
    match entry {
        Entry::Occupied(entry) => *entry.get(),
        Entry::Vacant(entry) => {
            // 2^32 items do not fit any memory: the smallest, a frame, has 12 bytes and a slot.
            let index = items.len() as u32;
            items.push(store(key));
            entry.insert(index);
            index
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(name: &str, file: &str, first_line: u32) -> Function {
        Function {
            name: name.into(),
            file: file.into(),
            first_line,
        }
    }

    #[test]
    fn equal_things_share_a_handle_and_different_ones_do_not() {
        let mut table = SymbolTable::new();
        let f = table.function(&function("f", "a.py", 1));
        assert_eq!(f, table.function(&function("f", "a.py", 1)));
        // Each part of the key counts.
        for other in [
            function("g", "a.py", 1),
            function("f", "b.py", 1),
            function("f", "a.py", 2),
        ] {
            assert_ne!(f, table.function(&other));
        }
        // The parts are not run together.
        assert_ne!(
            table.function(&function("ab", "c", 1)),
            table.function(&function("a", "bc", 1))
        );

        let line = NonZeroU32::new(7);
        let frame = table.python(f, line);
        assert_eq!(frame, table.python(f, line));
        assert_ne!(frame, table.python(f, None));
        let native = table.special(Special::NativeThread);
        assert_eq!(native, table.special(Special::NativeThread));

        let stack = table.stack(&[frame, native]);
        assert_eq!(stack, table.stack(&[frame, native]));
        for other in [
            &[native, frame][..],
            &[frame],
            &[],
            &[frame, native, native],
        ] {
            assert_ne!(stack, table.stack(other));
        }
        let symbols = table.into_symbols();
        assert_eq!(symbols.stack(stack), [frame, native]);
        assert_eq!(symbols.frame(native), Frame::Special(Special::NativeThread));
        assert_eq!(
            (
                symbols.functions.len(),
                symbols.frames.len(),
                symbols.stacks.len()
            ),
            (6, 3, 5)
        );
    }

    #[test]
    fn handles_stay_valid_while_the_tables_grow() {
        let mut table = SymbolTable::new();
        let mut ids = Vec::new();
        for line in 0..5_000 {
            let function = table.function(&function(&format!("f{}", line / 3), "a.py", line));
            let frame = table.python(function, NonZeroU32::new(line));
            ids.push((function, frame, table.stack(&[frame, frame])));
        }
        for (line, &(id, frame, stack)) in (0..).zip(&ids) {
            let again = function(&format!("f{}", line / 3), "a.py", line);
            assert_eq!(table.function(&again), id);
            assert_eq!(table.symbols().function(id), &again);
            assert_eq!(table.stack(&[frame, frame]), stack);
        }
        assert_eq!(table.symbols().stacks.len(), 5_000);
    }
}
