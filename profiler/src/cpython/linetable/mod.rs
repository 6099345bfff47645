//! From an instruction to the line it was compiled from, as `co_lines()` says it.
//!
//! Three formats in eight versions; which one a code object has is part of its layout. Every
//! decoder is a total function: no bytes, however wrong, make it panic, loop or allocate.

mod lnotab;
mod pep626;
mod pep657;

use std::num::NonZeroU32;

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

/// The line of the instruction at `unit`, an offset in code units of 2 bytes; `None` where the
/// table says that there is none, where it ends before, or where it is malformed. A frame that
/// has not begun (`unit` below 0) is at the first line.
pub fn line_of(
    kind: LineTableKind,
    table: &[u8],
    first_line: u32,
    unit: i64,
) -> Option<NonZeroU32> {
    let line = match u64::try_from(unit) {
        Err(_) => i64::from(first_line),
        Ok(unit) => match kind {
            LineTableKind::Lnotab => lnotab::line_of(table, first_line, unit),
            LineTableKind::Pep626 => pep626::line_of(table, first_line, unit)?,
            LineTableKind::Pep657 => pep657::line_of(table, first_line, unit)?,
        },
    };
    u32::try_from(line).ok().and_then(NonZeroU32::new)
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
