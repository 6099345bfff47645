//! The version of a Python, from what its file holds.

use std::{collections::BTreeSet, fmt};

use super::{
    ElfError,
    image::{Image, READ_ONLY},
};

/// A version of CPython.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version {
    /// Always 3.
    pub major: u8,
    /// As in 3.12.
    pub minor: u8,
    /// As in 3.12.1; unknown where an old interpreter does not export it.
    pub micro: Option<u8>,
    /// `PY_VERSION_HEX`, where the file holds it: the two last digits tell a pre-release.
    pub hex: Option<u32>,
}

impl Version {
    /// From `PY_VERSION_HEX`, stored in 8 bytes; `None` for a value that no CPython 3 has.
    pub fn from_hex(stored: u64) -> Option<Self> {
        let hex = u32::try_from(stored).ok()?;
        let [major, minor, micro, release] = hex.to_be_bytes();
        // Release level: alpha, beta, candidate, final (Include/patchlevel.h).
        let is_known = major == 3 && minor < 100 && matches!(release >> 4, 0xa | 0xb | 0xc | 0xf);
        is_known.then_some(Self {
            major,
            minor,
            micro: Some(micro),
            hex: Some(hex),
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        if let Some(micro) = self.micro {
            write!(f, ".{micro}")?;
        }
        let release = self.hex.unwrap_or(0xf0) as u8;
        match release >> 4 {
            0xa => write!(f, "a{}", release & 0xf),
            0xb => write!(f, "b{}", release & 0xf),
            0xc => write!(f, "rc{}", release & 0xf),
            _ => Ok(()),
        }
    }
}

/// The version that the texts of a Python tell: its cache tag and SOABI (`cpython-39`,
/// `cpython-39-x86_64-linux-gnu`) and, if there is just one such text, `3.9.18`. For builds that
/// do not say it as a number.
///
/// # Errors
/// When there is no cache tag, or there are several.
pub(super) fn from_texts(image: &Image<'_>) -> Result<Version, ElfError> {
    let mut texts = Texts::default();
    image.scan(READ_ONLY, Texts::LONGEST, |bytes, _| {
        texts.look_at(bytes);
        None::<()>
    })?;
    let mut minors = texts.minors.iter();
    match (minors.next(), minors.next()) {
        (None, _) => Err(ElfError::NoVersion("it holds no cache tag")),
        (Some(_), Some(_)) => Err(ElfError::NoVersion("it holds different cache tags")),
        (Some(&minor), None) => {
            let micros: Vec<u8> = texts
                .releases
                .iter()
                .filter(|release| release.0 == minor)
                .map(|release| release.1)
                .collect();
            let micro = if let [micro] = micros[..] {
                Some(micro)
            } else {
                None
            };
            Ok(Version {
                major: 3,
                minor,
                micro,
                hex: None,
            })
        }
    }
}

/// What was found so far. Sets of numbers below 256: bounded.
#[derive(Default)]
struct Texts {
    minors: BTreeSet<u8>,
    releases: BTreeSet<(u8, u8)>,
}

impl Texts {
    /// `cpython-399x` and `x3.99.99+\0`: at most as many bytes.
    const LONGEST: usize = 16;

    fn look_at(&mut self, bytes: &[u8]) {
        const TAG: &[u8] = b"cpython-3";
        const RELEASE: &[u8] = b"3.";
        for at in memchr::memmem::find_iter(bytes, TAG) {
            let minor = bytes.get(at + TAG.len()..).and_then(number);
            self.minors.extend(minor.map(|(minor, _)| minor));
        }
        for at in memchr::memmem::find_iter(bytes, RELEASE) {
            // Linkers keep a text that ends another only there: `/opt/python/3.9.18`.
            let before = at.checked_sub(1).and_then(|before| bytes.get(before));
            if before.is_some_and(|before| !before.is_ascii_digit() && *before != b'.') {
                self.releases
                    .extend(bytes.get(at + RELEASE.len()..).and_then(release));
            }
        }
    }
}

/// `9.18`, up to a 0 byte, with the plus sign of a build between releases.
fn release(bytes: &[u8]) -> Option<(u8, u8)> {
    let (minor, rest) = number(bytes)?;
    let (micro, rest) = number(rest.strip_prefix(b".")?)?;
    let rest = rest.strip_prefix(b"+").unwrap_or(rest);
    (rest.first() == Some(&0)).then_some((minor, micro))
}

/// A number of one or two digits with something behind them, and the rest.
fn number(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let n_digits = bytes.iter().position(|byte| !byte.is_ascii_digit())?;
    let (digits, rest) = bytes.split_at_checked(n_digits)?;
    if n_digits > 2 {
        return None;
    }
    Some((str::from_utf8(digits).ok()?.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_versions() {
        // sys.hexversion of real interpreters.
        for (hex, text) in [
            (0x030b_07f0, "3.11.7"),
            (0x030d_00f0, "3.13.0"),
            (0x030f_00a2, "3.15.0a2"),
            (0x030f_00b1, "3.15.0b1"),
            (0x030e_00c3, "3.14.0rc3"),
        ] {
            assert_eq!(Version::from_hex(hex).unwrap().to_string(), text);
        }
        for hex in [0, 0x0207_12f0, 0x030b_0700, 0x1_030b_07f0, u64::MAX] {
            assert_eq!(Version::from_hex(hex), None, "{hex:x}");
        }
    }

    #[test]
    fn texts_of_a_cache_tag_and_a_release() {
        let mut texts = Texts::default();
        texts.look_at(
            b"x\x003.9.18\x00cpython-39\x00cpython-39-x86_64-linux-gnu\x00.cpython-39d-\x00",
        );
        assert_eq!(texts.minors, BTreeSet::from([9]));
        assert_eq!(texts.releases, BTreeSet::from([(9, 18)]));
        texts.look_at(b"/3.10.13+\x00cpython-310\x00");
        assert_eq!(texts.minors, BTreeSet::from([9, 10]));
        assert_eq!(texts.releases, BTreeSet::from([(9, 18), (10, 13)]));
    }

    #[test]
    fn texts_that_are_none() {
        let mut texts = Texts::default();
        texts.look_at(b"cpython-3\x00cpython-3x\x00cpython-3100\x003.9\x003.9.x\x003.9.100\x003.9.1.2\x003.9.18 (\x0013.9.18\x003.3.9.18\x003.9.1");
        assert_eq!((texts.minors.len(), texts.releases.len()), (0, 0));
    }
}
