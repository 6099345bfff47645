//! The record of one interrupt: a header and the frame words behind it, leaf first.

use crate::wire;

wire! {
    /// Start of every record in the ring `SAMPLES`; `n_words` frame words follow.
    pub struct SampleHeader: 56 {
        /// CLOCK_MONOTONIC, in nanoseconds.
        pub time_ns: u64,
        /// Identifies one run of a program in `tgid`: see [`crate::process::ProcessEntry`].
        pub epoch: u64,
        /// Thread group id in the host's pid namespace.
        pub tgid: u32,
        /// Thread id in the host's pid namespace.
        pub tid: u32,
        /// The CPU that was interrupted.
        pub cpu: u32,
        /// A [`crate::status::Status`].
        pub status: u32,
        /// Set of `FLAG_` bits.
        pub flags: u32,
        /// Frame words that follow.
        pub n_words: u32,
        /// Address of the `PyThreadState`, 0 when none was found.
        pub tstate: u64,
        /// Kept for the code object generation (3.14+).
        pub reserved: u64,
    }
}

/// The thread held the GIL. Without [`FLAG_GIL_KNOWN`] it means nothing.
pub const FLAG_GIL_HELD: u32 = 1;
/// Whether the thread held the GIL could be told.
pub const FLAG_GIL_KNOWN: u32 = 1 << 1;
/// The first walk was torn (3.11, 3.12), the second one, from `cframe.previous`, was not.
pub const FLAG_RETRIED: u32 = 1 << 2;
/// The task is past the start of its exit.
pub const FLAG_EXITING: u32 = 1 << 3;

/// One frame in 8 bytes: the code object's address and the instruction's position.
///
/// Bits 63..20 hold the address divided by 8: user addresses have 47 bits and objects are
/// 8-aligned. Bits 19..0 hold the instruction's offset in code units plus one, so that 0 means
/// "before the first instruction"; all ones mean that the next word holds the offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct FrameWord(pub u64);

impl FrameWord {
    const POSITION_BITS: u32 = 20;
    const POSITION_MASK: u64 = (1 << Self::POSITION_BITS) - 1;
    /// The position that says: the next word is the offset in code units, as an i64.
    pub const ESCAPE: u64 = Self::POSITION_MASK;

    /// A code address that a word can hold: not null, 8-aligned, in the lower 47 bits.
    #[inline(always)]
    pub const fn holds(code: u64) -> bool {
        code != 0 && code & 7 == 0 && code >> 47 == 0
    }

    /// Packs a code address ([`Self::holds`]) and a code unit offset (-1 before the start).
    /// Returns the word and whether the offset must follow in a word of its own.
    #[inline(always)]
    pub const fn pack(code: u64, unit: i64) -> (Self, bool) {
        let position = unit.wrapping_add(1) as u64;
        let escaped = position >= Self::ESCAPE;
        let low = if escaped { Self::ESCAPE } else { position };
        (Self(((code >> 3) << Self::POSITION_BITS) | low), escaped)
    }

    /// The code object's address.
    pub const fn code(self) -> u64 {
        (self.0 >> Self::POSITION_BITS) << 3
    }

    /// The instruction's offset in code units, -1 before the first; `None`: in the next word.
    pub const fn unit(self) -> Option<i64> {
        let position = self.0 & Self::POSITION_MASK;
        if position == Self::ESCAPE {
            None
        } else {
            Some(position as i64 - 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_holds_address_and_position() {
        for code in [8, 0x55d0_1234_5678, 0x7fff_ffff_fff8] {
            assert!(FrameWord::holds(code));
            for unit in [-1, 0, 1, 1_048_573] {
                let (word, escaped) = FrameWord::pack(code, unit);
                assert_eq!(
                    (word.code(), word.unit(), escaped),
                    (code, Some(unit), false)
                );
            }
        }
    }

    #[test]
    fn outliers_are_escaped() {
        for unit in [-2, i64::MIN, 1_048_574, i64::MAX] {
            let (word, escaped) = FrameWord::pack(0x1000, unit);
            assert_eq!((word.code(), word.unit(), escaped), (0x1000, None, true));
        }
    }

    #[test]
    fn no_word_for_what_is_no_object_address() {
        for code in [0, 4, 0x8000_0000_0000, u64::MAX] {
            assert!(!FrameWord::holds(code));
        }
    }
}
