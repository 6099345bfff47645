//! str objects, all three kinds of them (PEP 393).

use crate::cpython::{
    layout::UnicodeLayout,
    memory::{u32_at, u64_at},
};

/// Characters of a name that are kept; a longer one ends with `…`.
pub const MAX_CHARS: usize = 1_024;

/// Characters that no name has: more is taken for garbage.
const ABSURD_CHARS: u64 = 1 << 32;

/// What the head of a str says about its characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StrHead {
    /// Where the characters begin, in bytes from the object's start.
    data: usize,
    /// Bytes a character: 1 (latin-1), 2 or 4.
    width: usize,
    /// Characters.
    n_chars: u64,
}

impl StrHead {
    /// Bytes of an object that its head needs.
    pub fn len_needed(layout: &UnicodeLayout) -> usize {
        (layout.length + 8).max(layout.state + 4)
    }

    /// Reads the head; `None`: no compact str.
    pub fn parse(layout: &UnicodeLayout, object: &[u8]) -> Option<Self> {
        let n_chars = u64_at(object, layout.length)?;
        let state = u32_at(object, layout.state)?;
        let width = state >> layout.kind_shift & 7;
        let is_compact = state >> layout.compact_bit & 1 != 0;
        let is_ascii = state >> layout.ascii_bit & 1 != 0;
        if !is_compact
            || !matches!(width, 1 | 2 | 4)
            || is_ascii && width != 1
            || n_chars >= ABSURD_CHARS
        {
            return None;
        }
        let data = if is_ascii {
            layout.ascii_size
        } else {
            layout.compact_size
        };
        Some(Self {
            data,
            width: width as usize,
            n_chars,
        })
    }

    /// Characters that are kept.
    fn n_kept(self) -> usize {
        usize::try_from(self.n_chars).map_or(MAX_CHARS, |n_chars| n_chars.min(MAX_CHARS))
    }

    /// Whether not all characters are kept.
    fn is_cut(self) -> bool {
        self.n_chars > MAX_CHARS as u64
    }

    /// Bytes from the object's start that [`decode`] needs: at most 4 KiB and a head.
    pub fn end(self) -> usize {
        self.data + self.n_kept() * self.width
    }
}

/// The text of a str object, of which at least [`StrHead::end`] bytes are here. What is no
/// character (lone surrogates), or none that XML 1.0 allows, becomes U+FFFD.
pub fn decode(layout: &UnicodeLayout, object: &[u8]) -> Option<String> {
    let (head, characters) = characters(layout, object)?;
    let mut text: String = decoded(head, characters).collect();
    if head.is_cut() {
        text.push(CUT);
    }
    Some(text)
}

/// Whether [`decode`] would give the same text, which it has given before. Allocates nothing.
pub fn is(layout: &UnicodeLayout, object: &[u8], text: &str) -> bool {
    let Some((head, characters)) = characters(layout, object) else {
        return false;
    };
    if head.width == 1 && !head.is_cut() && characters == text.as_bytes() && text.is_ascii() {
        return true; // the usual case, in one comparison
    }
    decoded(head, characters)
        .chain(head.is_cut().then_some(CUT))
        .eq(text.chars())
}

/// Ends a text that was cut.
const CUT: char = '…';

/// The head and the characters that are kept, as they stand in the object.
fn characters<'a>(layout: &UnicodeLayout, object: &'a [u8]) -> Option<(StrHead, &'a [u8])> {
    let head = StrHead::parse(layout, object)?;
    Some((head, object.get(head.data..head.end())?))
}

fn decoded(head: StrHead, characters: &[u8]) -> impl Iterator<Item = char> {
    characters.chunks_exact(head.width).map(|bytes| {
        let bytes = bytes.iter().rev();
        character(bytes.fold(0, |number, &byte| number << 8 | u32::from(byte)))
    })
}

fn character(code_point: u32) -> char {
    // https://www.w3.org/TR/xml/#charsets
    let allowed = |&c: &char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    char::from_u32(code_point)
        .filter(allowed)
        .unwrap_or(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
pub(in crate::cpython) mod tests {
    use super::*;
    use crate::cpython::{layout, versions::release};

    fn unicode(minor: u8) -> UnicodeLayout {
        layout(release(minor, None), None).unwrap().unicode
    }

    /// A str object as Include/cpython/unicodeobject.h of 3.12 lays it out: refcount, type, length,
    /// hash, state, and for what is not ASCII utf8_length and utf8.
    pub(in crate::cpython) fn str_3_12(type_address: u64, text: &str) -> Vec<u8> {
        let largest = text.chars().max().map_or(0, u32::from);
        let width = if largest < 0x100 {
            1
        } else if largest < 0x1_0000 {
            2
        } else {
            4_usize
        };
        let code_points: Vec<u32> = text.chars().map(u32::from).collect();
        object(type_address, width, largest < 0x80, &code_points, 40, 56)
    }

    fn object(
        type_address: u64,
        width: usize,
        is_ascii: bool,
        code_points: &[u32],
        ascii: usize,
        compact: usize,
    ) -> Vec<u8> {
        let garbage = 0xabcd_ef00_u32;
        let state = garbage | u32::from(is_ascii) << 6 | 1 << 5 | (width as u32) << 2 | 1;
        let mut bytes = Vec::new();
        for word in [1, type_address, code_points.len() as u64, u64::MAX] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(state.to_le_bytes());
        bytes.resize(if is_ascii { ascii } else { compact }, 0);
        for code_point in code_points {
            bytes.extend(&code_point.to_le_bytes()[..width]);
        }
        bytes.resize(bytes.len() + width, 0);
        bytes
    }

    #[test]
    fn all_kinds_of_str() {
        for text in [
            "",
            "f",
            "Ünïcödé ÿ",
            "функция",
            "名前",
            "f😀",
            "a\tb\u{fffd}",
        ] {
            assert_eq!(
                decode(&unicode(12), &str_3_12(0, text)).as_deref(),
                Some(text)
            );
        }
    }

    #[test]
    fn only_the_same_text_is_the_same() {
        let texts = [
            "",
            "f",
            "g",
            "ff",
            "ÿ",
            "функция",
            "функции",
            "f😀",
            "\u{fffd}",
        ];
        let long = [
            "a".repeat(MAX_CHARS),
            "a".repeat(MAX_CHARS) + "…",
            "ж".repeat(2_000),
        ];
        let texts = texts.into_iter().chain(long.iter().map(String::as_str));
        for object_text in texts.clone() {
            let object = str_3_12(0, object_text);
            for text in texts.clone() {
                let wanted = decode(&unicode(12), &object).as_deref() == Some(text);
                assert_eq!(
                    is(&unicode(12), &object, text),
                    wanted,
                    "{object_text:?} {text:?}"
                );
            }
        }
        let control = object(0, 1, true, &[1], 40, 56);
        assert!(is(&unicode(12), &control, "\u{fffd}"));
        assert!(!is(&unicode(12), &control[..40], "\u{fffd}"));
    }

    #[test]
    fn older_heads_are_longer() {
        let code_points = ['ф' as u32, 'я' as u32];
        assert_eq!(
            decode(&unicode(8), &object(0, 2, false, &code_points, 48, 72)).as_deref(),
            Some("фя")
        );
        assert_eq!(
            decode(&unicode(11), &object(0, 1, true, &[0x66], 48, 72)).as_deref(),
            Some("f")
        );
    }

    #[test]
    fn what_no_output_can_hold_is_replaced() {
        let surrogates = object(0, 2, false, &[0xd83d, 0xde00, 0x41, 0xfffe, 0xffff], 40, 56);
        assert_eq!(decode(&unicode(12), &surrogates).as_deref(), Some("��A��"));
        let controls = object(0, 1, true, &[0, 1, 0x1b, 0x0a, 0x20, 0x7f], 40, 56);
        assert_eq!(
            decode(&unicode(12), &controls).as_deref(),
            Some("���\n \u{7f}")
        );
        let beyond = object(0, 4, false, &[0x0011_0000, 0x1_f600, u32::MAX], 40, 56);
        assert_eq!(decode(&unicode(12), &beyond).as_deref(), Some("�😀�"));
    }

    #[test]
    fn long_ones_are_cut_with_a_mark() {
        let whole = str_3_12(0, &"ж".repeat(MAX_CHARS));
        assert_eq!(decode(&unicode(12), &whole).unwrap(), "ж".repeat(MAX_CHARS));
        let long = str_3_12(0, &"ж".repeat(MAX_CHARS + 1));
        let head = StrHead::parse(&unicode(12), &long).unwrap();
        assert_eq!(head.end(), 56 + 2 * MAX_CHARS);
        assert_eq!(
            decode(&unicode(12), &long[..head.end()]).unwrap(),
            "ж".repeat(MAX_CHARS) + "…"
        );
    }

    #[test]
    fn what_is_no_compact_str_is_refused() {
        let good = str_3_12(0, "f");
        let layout = unicode(12);
        let with_state = |state: u32| {
            let mut bytes = good.clone();
            bytes[32..36].copy_from_slice(&state.to_le_bytes());
            decode(&layout, &bytes)
        };
        assert_eq!(with_state(1 << 6 | 1 << 5 | 1 << 2).as_deref(), Some("f"));
        for bad in [0, 1 << 2, 1 << 5, 1 << 5 | 3 << 2, 1 << 6 | 1 << 5 | 2 << 2] {
            assert_eq!(with_state(bad), None, "{bad:#x}");
        }
        for cut in 0..41 {
            assert_eq!(decode(&layout, &good[..cut]), None, "{cut} bytes");
        }
        let mut absurd = good.clone();
        absurd[16..24].fill(0xff);
        assert_eq!(decode(&layout, &absurd), None);
    }
}
