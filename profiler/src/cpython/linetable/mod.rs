//! From an instruction to the line it was compiled from, as `co_lines()` says it.
//!
//! Three formats in eight versions; which one a code object has is part of its layout. Every
//! decoder is a total function: no bytes, however wrong, make it panic, loop or allocate.

mod lnotab;
mod pep626;
mod pep657;

use std::{iter, num::NonZeroU32};

/// The format of a line table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LineTableKind {
    /// `co_lnotab`, CPython 3.9 and older.
    Lnotab,
    /// `co_linetable` of 3.10 (PEP 626).
    Pep626,
    /// `co_linetable` of 3.11 and later (PEP 657).
    Pep657,
}

/// Instructions one behind the other that have the same line, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineRange {
    /// The code unit behind the last; each range begins where the one before it ends.
    pub end: u64,
    /// The line; `None` where the table says that there is none.
    pub line: Option<NonZeroU32>,
}

/// The ranges of a table, from code unit 0; they end where the table does or is malformed. Some
/// are empty, and neighbours can have the same line.
pub fn ranges(
    kind: LineTableKind,
    table: &[u8],
    first_line: u32,
) -> impl Iterator<Item = LineRange> {
    let mut state = State {
        rest: table,
        end: 0,
        line: first_line.into(),
    };
    iter::from_fn(move || match kind {
        LineTableKind::Lnotab => lnotab::next(&mut state),
        LineTableKind::Pep626 => pep626::next(&mut state),
        LineTableKind::Pep657 => pep657::next(&mut state),
    })
}

/// The line of the instruction at `unit`, an offset in code units of 2 bytes; `None` where the
/// table says that there is none, where it ends before, or where it is malformed. A frame that
/// has not begun (`unit` below 0) is at the first line.
pub fn line_of(
    kind: LineTableKind,
    table: &[u8],
    first_line: u32,
    unit: i64,
) -> Option<NonZeroU32> {
    match u64::try_from(unit) {
        Ok(unit) => {
            ranges(kind, table, first_line)
                .find(|range| unit < range.end)?
                .line
        }
        Err(_) => NonZeroU32::new(first_line),
    }
}

/// A decoded table: to find many lines in a long one, it is gone through once, not once a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    first_line: Option<NonZeroU32>,
    /// No two neighbours with the same line, none of them empty.
    ranges: Box<[LineRange]>,
}

impl Lines {
    /// Decodes a table: a range for each byte at most, and one.
    pub fn new(kind: LineTableKind, table: &[u8], first_line: u32) -> Self {
        let mut merged: Vec<LineRange> = Vec::new();
        for range in ranges(kind, table, first_line) {
            match merged.last_mut() {
                Some(last) if range.end == last.end => {}
                Some(last) if range.line == last.line => last.end = range.end,
                None if range.end == 0 => {}
                _ => merged.push(range),
            }
        }
        Self {
            first_line: NonZeroU32::new(first_line),
            ranges: merged.into(),
        }
    }

    /// As [`line_of`].
    pub fn at(&self, unit: i64) -> Option<NonZeroU32> {
        let Ok(unit) = u64::try_from(unit) else {
            return self.first_line;
        };
        let index = self.ranges.partition_point(|range| range.end <= unit);
        self.ranges.get(index)?.line
    }

    /// Bytes that it takes.
    pub fn size(&self) -> usize {
        size_of_val(&*self.ranges)
    }
}

/// A decoder's place in a table.
struct State<'a> {
    /// What was not decoded yet.
    rest: &'a [u8],
    /// Where the last range ended, in the table's own unit.
    end: u64,
    /// The running line. A table is shorter than 2^32 bytes and a step than 2^31 lines, so this
    /// does not overflow.
    line: i64,
}

impl State<'_> {
    fn pair(&mut self) -> Option<(u64, i8)> {
        let ([step, line_step], rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some((u64::from(*step), line_step.cast_signed()))
    }

    fn line(&self) -> Option<NonZeroU32> {
        u32::try_from(self.line).ok().and_then(NonZeroU32::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [LineTableKind; 3] = [
        LineTableKind::Lnotab,
        LineTableKind::Pep626,
        LineTableKind::Pep657,
    ];

    #[test]
    fn a_frame_that_has_not_begun_is_at_the_first_line() {
        for kind in KINDS {
            for unit in [-1, i64::MIN] {
                assert_eq!(line_of(kind, &[], 7, unit), NonZeroU32::new(7));
                assert_eq!(line_of(kind, &[0xff; 9], 0, unit), None);
            }
        }
    }

    #[test]
    fn decoded_once_it_says_the_same() {
        let mut state = 7_u32;
        let mut random = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        for kind in KINDS {
            for length in 0..300 {
                // Half of them well-formed for 3.11+: every second byte begins an entry.
                let table: Vec<u8> = (0..length)
                    .map(|at| random() & 0x7f | u8::from(length % 2 == 0 && at % 2 == 0) << 7)
                    .collect();
                let lines = Lines::new(kind, &table, 1_000);
                for unit in (-2..2_000).chain([i64::MAX]) {
                    assert_eq!(lines.at(unit), line_of(kind, &table, 1_000, unit));
                }
                assert!(lines.size() <= (length + 1) * size_of::<LineRange>());
            }
        }
    }

    #[test]
    fn no_bytes_make_a_decoder_panic() {
        // All tables of two bytes, and longer ones from a generator.
        let mut state = 1_u32;
        let mut random = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        for kind in KINDS {
            for first in 0..=u8::MAX {
                for second in 0..=u8::MAX {
                    let _ = line_of(kind, &[first, second], u32::MAX, 1);
                }
            }
            for length in 0..500 {
                let table: Vec<u8> = (0..length).map(|_| random()).collect();
                for unit in [0, 1, 2, 100, i64::MAX] {
                    let _ = line_of(kind, &table, u32::MAX, unit);
                }
            }
        }
    }
}
