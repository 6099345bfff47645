//! `co_linetable` of CPython 3.10: ranges as pairs of an unsigned length in bytes and a signed
//! line step, where a step of -128 is a range without a line (Objects/lnotab_notes.txt of 3.10).

use super::{LineRange, State};

const NO_LINE: i8 = -128;

/// The next range, as `co_lines()` has it.
pub(super) fn next(state: &mut State<'_>) -> Option<LineRange> {
    let (length, step) = state.pair()?;
    state.end += length;
    let end = state.end.div_ceil(2);
    if step == NO_LINE {
        return Some(LineRange { end, line: None });
    }
    state.line += i64::from(step);
    Some(LineRange {
        end,
        line: state.line(),
    })
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::super::{LineTableKind, line_of};

    fn line(table: &[u8], first_line: u32, unit: i64) -> Option<u32> {
        line_of(LineTableKind::Pep626, table, first_line, unit).map(NonZeroU32::get)
    }

    #[test]
    fn ranges_have_the_line_that_their_step_leads_to() {
        // Bytes 0..6 line 11, 6..10 none, 10..10 line 15, 10..12 line 13.
        let table = [6, 1, 4, 0x80, 0, 4, 2, 0xfe];
        let lines: Vec<_> = (0..7).map(|unit| line(&table, 10, unit)).collect();
        let (eleven, thirteen) = (Some(11), Some(13));
        assert_eq!(lines, [eleven, eleven, eleven, None, None, thirteen, None]);
    }

    #[test]
    fn long_ranges_take_several_pairs() {
        // 300 bytes at line 5: (254, 5), (46, 0).
        let table = [254, 5, 46, 0];
        assert_eq!(
            (line(&table, 0, 149), line(&table, 0, 150)),
            (Some(5), None)
        );
    }
}
