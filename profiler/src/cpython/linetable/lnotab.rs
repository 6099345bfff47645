//! `co_lnotab` of CPython 3.6 to 3.9: pairs of an unsigned address step in bytes and a signed
//! line step (Objects/lnotab_notes.txt).

/// The line at a code unit, as `dis.findlinestarts` has it.
pub(super) fn line_of(table: &[u8], first_line: u32, unit: u64) -> i64 {
    let target = unit.saturating_mul(2);
    let mut address = 0_u64;
    let mut line = i64::from(first_line);
    for &[address_step, line_step] in table.as_chunks().0 {
        address += u64::from(address_step);
        if address > target {
            break;
        }
        line += i64::from(line_step.cast_signed());
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of Objects/lnotab_notes.txt: byte code offsets 0, 6, 50, 350, 361 have the
    /// lines 1, 2, 7, 207, 208.
    const NOTES: &[u8] = &[0, 1, 6, 1, 44, 5, 255, 0, 45, 127, 0, 73, 11, 1];

    #[test]
    fn the_example_of_cpythons_notes() {
        let cases = [
            (0, 1),
            (4, 1),
            (6, 2),
            (48, 2),
            (50, 7),
            (348, 7),
            (350, 207),
            (360, 207),
            (362, 208),
        ];
        for (address, line) in cases {
            assert_eq!(line_of(NOTES, 0, address / 2), line, "at byte {address}");
        }
    }

    #[test]
    fn lines_go_back_too() {
        assert_eq!(line_of(&[2, 0xfe], 10, 1), 8);
    }

    #[test]
    fn half_a_pair_is_ignored() {
        assert_eq!(line_of(&[0, 3, 0], 10, 5), 13);
    }
}
