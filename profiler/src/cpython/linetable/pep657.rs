//! `co_linetable` of CPython 3.11 and later: entries of a first byte with bit 7 set and data
//! bytes without it (Objects/locations.md, before 3.13 locations.md in Objects).

use super::{LineRange, State};

/// The next range, as `co_lines()` has it.
pub(super) fn next(state: &mut State<'_>) -> Option<LineRange> {
    let (&first, tail) = state.rest.split_first()?;
    if first & 0x80 == 0 {
        return None;
    }
    // An entry ends where the next one begins, as CPython's own advance() has it.
    let length = tail
        .iter()
        .position(|byte| byte & 0x80 != 0)
        .unwrap_or(tail.len());
    let (data, rest) = tail.split_at(length);
    let code = first >> 3 & 0xf;
    state.rest = rest;
    state.line += line_step(code, data)?;
    state.end += u64::from(first & 7) + 1;
    let line = if code == NO_LOCATION {
        None
    } else {
        state.line()
    };
    Some(LineRange {
        end: state.end,
        line,
    })
}

const ONE_LINE_FIRST: u8 = 10;
const NO_COLUMNS: u8 = 13;
const LONG: u8 = 14;
const NO_LOCATION: u8 = 15;

fn line_step(code: u8, data: &[u8]) -> Option<i64> {
    match code {
        NO_COLUMNS | LONG => signed_varint(data),
        ONE_LINE_FIRST..NO_COLUMNS => Some(i64::from(code - ONE_LINE_FIRST)),
        _ => Some(0),
    }
}

/// 6 bits a byte, the lowest first, bit 6: more follow; bit 0 of the number is its sign.
fn signed_varint(data: &[u8]) -> Option<i64> {
    let mut value = 0_u32;
    for (i, &byte) in (0_u32..).zip(data) {
        let bits = u32::from(byte & 0x3f);
        if bits.leading_zeros() < 6 * i {
            return None;
        }
        value |= bits << (6 * i);
        if byte & 0x40 == 0 {
            let magnitude = i64::from(value >> 1);
            return Some(if value & 1 == 0 {
                magnitude
            } else {
                -magnitude
            });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::{
        super::{LineTableKind, line_of},
        *,
    };

    fn line(table: &[u8], first_line: u32, unit: i64) -> Option<u32> {
        line_of(LineTableKind::Pep657, table, first_line, unit).map(NonZeroU32::get)
    }

    const fn entry(code: u8, units: u8) -> u8 {
        0x80 | code << 3 | (units - 1)
    }

    #[test]
    fn every_kind_of_entry() {
        let table = [
            entry(0, 1),
            0x12, // short: line 10
            entry(12, 2),
            3,
            4,            // one line: 12
            entry(15, 1), // none, and the running line stays
            entry(10, 1),
            0,
            0, // one line: 12
            entry(13, 1),
            0b0111, // no columns, -3: 9
            entry(14, 8),
            0b0100_1000,
            0b0000_0001,
            0,
            1,
            2, // long, 8 + 64 = 72, halved: 36 more
        ];
        let lines: Vec<_> = (0..15).map(|unit| line(&table, 10, unit)).collect();
        let mut expected = vec![Some(10), Some(12), Some(12), None, Some(12), Some(9)];
        expected.extend([Some(45); 8]);
        expected.push(None);
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_table_that_does_not_begin_with_an_entry_has_no_lines() {
        assert_eq!(line(&[0x12, entry(0, 8), 0], 10, 0), None);
    }

    #[test]
    fn varints_are_bounded() {
        assert_eq!(
            signed_varint(&[0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x03]),
            Some(-0x7fff_ffff)
        );
        assert_eq!(signed_varint(&[0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x04]), None);
        assert_eq!(signed_varint(&[0x40; 1000]), None);
        assert_eq!(signed_varint(&[]), None);
    }
}
