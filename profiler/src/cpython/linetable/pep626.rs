//! `co_linetable` of CPython 3.10: ranges as pairs of an unsigned length in bytes and a signed
//! line step, where a step of -128 is a range without a line (Objects/lnotab_notes.txt of 3.10).

const NO_LINE: i8 = -128;

/// The line at a code unit, as `co_lines()` has it.
pub(super) fn line_of(table: &[u8], first_line: u32, unit: u64) -> Option<i64> {
    let target = unit.saturating_mul(2);
    let mut end = 0_u64;
    let mut line = i64::from(first_line);
    for &[length, step] in table.as_chunks().0 {
        let step = step.cast_signed();
        if step != NO_LINE {
            line += i64::from(step);
        }
        end += u64::from(length);
        if target < end {
            return (step != NO_LINE).then_some(line);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_have_the_line_that_their_step_leads_to() {
        // Bytes 0..6 line 11, 6..10 none, 10..10 line 15, 10..12 line 13.
        let table = [6, 1, 4, 0x80, 0, 4, 2, 0xfe];
        let lines: Vec<_> = (0..7).map(|unit| line_of(&table, 10, unit)).collect();
        let (eleven, thirteen) = (Some(11), Some(13));
        assert_eq!(lines, [eleven, eleven, eleven, None, None, thirteen, None]);
    }

    #[test]
    fn long_ranges_take_several_pairs() {
        // 300 bytes at line 5: (254, 5), (46, 0).
        let table = [254, 5, 46, 0];
        assert_eq!(
            (line_of(&table, 0, 149), line_of(&table, 0, 150)),
            (Some(5), None)
        );
    }
}
