//! `co_lnotab` of CPython 3.6 to 3.9: pairs of an unsigned address step in bytes and a signed
//! line step (Objects/lnotab_notes.txt).

use super::{LineRange, State};

/// The next range, as `dis.findlinestarts` has it. The last one has no end: lnotab does not know
/// how long the code is.
pub(super) fn next(state: &mut State<'_>) -> Option<LineRange> {
    if state.end == u64::MAX {
        return None;
    }
    let line = state.line();
    match state.pair() {
        Some((step, line_step)) => {
            state.end += step;
            state.line += i64::from(line_step);
            // A code unit is where its first byte is.
            Some(LineRange {
                end: state.end.div_ceil(2),
                line,
            })
        }
        None => {
            state.end = u64::MAX;
            Some(LineRange {
                end: u64::MAX,
                line,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::super::{LineTableKind, line_of};

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
            assert_eq!(
                line_of(LineTableKind::Lnotab, NOTES, 0, address / 2),
                NonZeroU32::new(line),
                "at byte {address}"
            );
        }
    }

    #[test]
    fn lines_go_back_too() {
        assert_eq!(
            line_of(LineTableKind::Lnotab, &[2, 0xfe], 10, 1),
            NonZeroU32::new(8)
        );
    }

    #[test]
    fn half_a_pair_is_ignored() {
        assert_eq!(
            line_of(LineTableKind::Lnotab, &[0, 3, 0], 10, 5),
            NonZeroU32::new(13)
        );
    }
}
