//! A process that does its worst, against the bounds.

use std::{cell::Cell, io};

use super::*;
use crate::{
    cpython::{layout, objects::code::MAX_LINE_TABLE_BYTES},
    elf::Version,
};

const CODES: u64 = 0x1000_0000;
const CODE_BYTES: u64 = 0x1000;
const TYPES: u64 = 0x1000;
const TABLE: u64 = 0x2_0000_0000;
const NAMES: u64 = 0x3_0000_0000;
const NAME_BYTES: u64 = 0x1000;

/// A 3.12 process that has a code object at every page from `CODES` on, each with a name of its
/// own of 1,000 characters; they share one line table.
struct Hostile {
    table: Vec<u8>,
    n_read: Cell<usize>,
}

impl Hostile {
    fn new(table: &[u8]) -> Self {
        let head = [1, TYPES + 2 * 0x100, table.len() as u64, 0].map(u64::to_le_bytes);
        let table = [head.as_flattened(), table, &[0; 4096]].concat();
        let n_read = Cell::new(0);
        Self { table, n_read }
    }

    fn object(&self, address: u64) -> Option<(u64, Vec<u8>)> {
        let mut bytes = vec![0; 0x1000];
        let mut put = |offset: usize, word: u64| {
            bytes[offset..offset + 8].copy_from_slice(&word.to_le_bytes());
        };
        if (TYPES..TYPES + 0x1000).contains(&address) {
            let names: [&[u8]; 3] = [b"code\0", b"str\0", b"bytes\0"];
            for (n, name) in names.iter().enumerate() {
                put(n * 0x100 + 24, TYPES + 0x800 + n as u64 * 0x10);
                let at = 0x800 + n * 0x10;
                let mut word = [0; 8];
                word[..name.len()].copy_from_slice(name);
                put(at, u64::from_le_bytes(word));
            }
            Some((TYPES, bytes))
        } else if (CODES..TABLE).contains(&address) {
            let start = address & !(CODE_BYTES - 1);
            put(8, TYPES);
            put(16, 1 << 20);
            put(112, NAMES);
            put(128, NAMES + (start - CODES) / CODE_BYTES * NAME_BYTES);
            put(136, TABLE);
            Some((start, bytes))
        } else if (TABLE..NAMES).contains(&address) {
            Some((TABLE, self.table.clone()))
        } else if address >= NAMES {
            let start = address & !(NAME_BYTES - 1);
            put(8, TYPES + 0x100);
            put(16, 1_000);
            put(32, 1 << 6 | 1 << 5 | 1 << 2);
            let name = format!("{:0>1000}", (start - NAMES) / NAME_BYTES);
            bytes[40..1_040].copy_from_slice(name.as_bytes());
            Some((start, bytes))
        } else {
            None
        }
    }
}

impl ReadMemory for Hostile {
    fn read(&self, address: u64, buffer: &mut [u8]) -> io::Result<()> {
        let gone = || io::Error::from_raw_os_error(libc::EFAULT);
        let (start, bytes) = self.object(address).ok_or_else(gone)?;
        let source = bytes.get((address - start) as usize..).ok_or_else(gone)?;
        buffer.copy_from_slice(source.get(..buffer.len()).ok_or_else(gone)?);
        if (CODES..TABLE).contains(&address) {
            self.n_read.set(self.n_read.get() + 1);
        }
        Ok(())
    }
}

fn words(codes: std::ops::Range<u64>, unit: i64) -> Vec<u8> {
    let word = |n: u64| profiler_common::sample::FrameWord::pack(CODES + n * CODE_BYTES, unit);
    codes.flat_map(|n| word(n).0.0.to_ne_bytes()).collect()
}

fn layout_3_12() -> Layout {
    let version = Version {
        major: 3,
        minor: 12,
        micro: Some(1),
        hex: None,
    };
    layout(version, None).unwrap()
}

/// One batch of these stacks.
fn batch(codes: &mut Codes, symbols: &mut SymbolTable, process: &Hostile, stacks: &[Vec<u8>]) {
    let target = Target {
        memory: process,
        layout: &layout_3_12(),
        skip: false,
    };
    codes.prepare(&target, symbols, stacks.iter().map(|words| Words(words)));
}

#[test]
fn a_batch_reads_and_compares_so_many_code_objects() {
    let process = Hostile::new(&[0x81, 0]);
    let (mut codes, mut symbols) = (Codes::default(), SymbolTable::new());
    let stacks = [words(0..3_000, 0), words(3_000..6_000, 0)];
    for _ in 0..3 {
        process.n_read.set(0);
        batch(&mut codes, &mut symbols, &process, &stacks);
        // Those that are known are compared, and some in turn.
        assert!(process.n_read.get() <= 2 * MAX_IN_BATCH + TURN);
        assert!(codes.known.len() <= 2 * MAX_IN_BATCH);
    }
    let stack = codes.stack(&mut symbols, Words(&words(0..6_000, 0)), false);
    let frames = symbols.symbols().stack(stack.unwrap()).to_vec();
    let unreadable = symbols.special(Special::Unreadable);
    let n_named = frames.iter().filter(|frame| **frame != unreadable).count();
    assert!(
        (MAX_IN_BATCH..=2 * MAX_IN_BATCH).contains(&n_named),
        "{n_named}"
    );
}

#[test]
fn long_tables_are_kept_up_to_a_bound() {
    // Each entry another line: as many ranges as a table can have.
    let entries = [[0x80 | 13 << 3, 2], [0x80 | 13 << 3, 4]]
        .as_flattened()
        .repeat(1 << 16);
    let process = Hostile::new(&entries[..MAX_LINE_TABLE_BYTES]);
    let (mut codes, mut symbols) = (Codes::default(), SymbolTable::new());
    for first in 0..2 {
        let stack = words(first * 200..first * 200 + 400, 100_000);
        batch(&mut codes, &mut symbols, &process, &[stack]);
        let kept = codes
            .known
            .values()
            .map(|known| known.code.line_table.as_ref().unwrap().len() + known.lines.size());
        let kept: usize = kept.sum();
        assert!(
            (MAX_KEPT_BYTES / 2..2 * MAX_KEPT_BYTES).contains(&kept),
            "{kept}"
        );
        assert_eq!(codes.known.len(), codes.turn.len());
    }
}

#[test]
fn a_process_adds_so_much_to_the_profile() {
    let process = Hostile::new(&[0x81, 0]);
    let (mut codes, mut symbols) = (Codes::default(), SymbolTable::new());
    batch(&mut codes, &mut symbols, &process, &[words(0..1_000, 0)]);
    let whole = codes.stack(&mut symbols, Words(&words(0..1_000, 0)), false);
    assert_eq!(symbols.symbols().stack(whole.unwrap()).len(), 1_000);
    assert!(codes.spent >= 1_000 * 1_000 + 4_000);
    codes.spent = MAX_SPENT_BYTES + 1;

    // What is known is still named, what is new is not, and of the stack the inner part is kept.
    let two = [words(0..100, 0), words(5_000..5_001, 0)].concat();
    batch(
        &mut codes,
        &mut symbols,
        &process,
        &[two.clone(), words(1..1_000, 0)],
    );
    let unreadable = symbols.special(Special::Unreadable);
    let stack = codes.stack(&mut symbols, Words(&two), false).unwrap();
    let frames = symbols.symbols().stack(stack);
    let position = frames.iter().position(|frame| *frame == unreadable);
    assert_eq!((frames.len(), position), (101, Some(0)));
    let stack = codes
        .stack(&mut symbols, Words(&words(1..1_000, 0)), false)
        .unwrap();
    let truncated = symbols.special(Special::Truncated);
    let frames = symbols.symbols().stack(stack);
    assert_eq!((frames.len(), frames[0]), (INNER_FRAMES + 1, truncated));
    let whole = symbols.symbols().stack(whole.unwrap());
    assert_eq!(
        frames[1..],
        whole[whole.len() - 1 - INNER_FRAMES..whole.len() - 1]
    );
}

#[test]
fn cached_stacks_are_kept_up_to_a_bound() {
    let process = Hostile::new(&[0x81, 0]);
    let (mut codes, mut symbols) = (Codes::default(), SymbolTable::new());
    let stacks = [words(0..10, 0), words(0..20, 0)];
    batch(&mut codes, &mut symbols, &process, &stacks);
    for stack in &stacks {
        codes.stack(&mut symbols, Words(stack), false).unwrap();
    }
    assert_eq!((codes.stacks.len(), codes.stack_bytes), (2, 240));
    codes.stack_bytes += MAX_KEPT_BYTES;
    batch(&mut codes, &mut symbols, &process, &stacks);
    assert_eq!((codes.stacks.len(), codes.stack_bytes), (0, 0));
    assert_eq!(codes.known.len(), 20);
}
