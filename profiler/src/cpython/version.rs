//! The version of one CPython.

use std::{fmt, str::FromStr};

/// A CPython version, as `PY_VERSION_HEX` packs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version {
    /// 3.
    pub major: u8,
    /// 12 of 3.12.1.
    pub minor: u8,
    /// 1 of 3.12.1.
    pub micro: u8,
    /// The release level in the upper 4 bits (0xA alpha, 0xB beta, 0xC candidate, 0xF final)
    /// and its serial number in the lower ones.
    pub release: u8,
}

/// `release` of a final release.
const FINAL: u8 = 0xf0;

/// The level letter of a pre-release, as CPython writes it, and its upper 4 bits.
const LEVELS: [(&str, u8); 3] = [("a", 0xa), ("b", 0xb), ("rc", 0xc)];

impl Version {
    /// A final release.
    pub const fn new(major: u8, minor: u8, micro: u8) -> Self {
        Self {
            major,
            minor,
            micro,
            release: FINAL,
        }
    }

    /// From `PY_VERSION_HEX`, which `Py_Version` (3.11+) and `_Py_DebugOffsets` (3.13+) hold.
    pub const fn from_hex(hex: u32) -> Self {
        let [major, minor, micro, release] = hex.to_be_bytes();
        Self {
            major,
            minor,
            micro,
            release,
        }
    }

    /// An alpha or a beta: its structures are not those of the release yet.
    pub const fn is_unfinished(self) -> bool {
        self.release < 0xc0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.micro)?;
        match LEVELS
            .iter()
            .find(|&&(_, level)| level == self.release >> 4)
        {
            Some((letter, _)) => write!(f, "{letter}{}", self.release & 0xf),
            None => Ok(()),
        }
    }
}

/// The text is not a version of the form `3.12.1`, `3.12.1+` or `3.15.0rc2`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a CPython version: {0:?}")]
pub struct NotAVersion(String);

impl FromStr for Version {
    type Err = NotAVersion;

    /// Reads the first word of what `Py_GetVersion` returns.
    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        parse(text).ok_or_else(|| NotAVersion(text.chars().take(32).collect()))
    }
}

fn parse(text: &str) -> Option<Version> {
    let mut parts = text.strip_suffix('+').unwrap_or(text).splitn(3, '.');
    let major = parts.next()?.parse().ok()?;
    let minor = parts.next()?.parse().ok()?;
    let rest = parts.next()?;
    let digits = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    let (micro, level) = rest.split_at(digits);
    let micro = micro.parse().ok()?;
    let release = match level {
        "" => FINAL,
        _ => LEVELS
            .iter()
            .find_map(|&(letter, bits)| Some(bits << 4 | serial(level.strip_prefix(letter)?)?))?,
    };
    Some(Version {
        major,
        minor,
        micro,
        release,
    })
}

fn serial(digits: &str) -> Option<u8> {
    digits.parse().ok().filter(|&serial: &u8| serial < 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_read_as_cpython_packs_it() {
        // Include/patchlevel.h: major, minor, micro, level << 4 | serial.
        assert_eq!(Version::from_hex(0x030c_01f0), Version::new(3, 12, 1));
        assert_eq!(Version::from_hex(0x030f_00a7).to_string(), "3.15.0a7");
        assert_eq!(Version::from_hex(0x030e_00c2).to_string(), "3.14.0rc2");
        assert_eq!(Version::from_hex(0x0308_12f0).to_string(), "3.8.18");
    }

    #[test]
    fn text_and_version_agree() {
        for text in ["3.8.18", "3.13.0", "3.15.0a7", "3.15.0b1", "3.14.0rc2"] {
            assert_eq!(text.parse::<Version>().unwrap().to_string(), text);
        }
        assert_eq!("3.8.18+".parse(), Ok(Version::new(3, 8, 18)));
        for text in [
            "",
            "3",
            "3.8",
            "3.8.",
            "3.8.x",
            "3.8.1z1",
            "3.8.1rc",
            "3.300.1",
            "3.8.1rc99",
        ] {
            assert_eq!(text.parse::<Version>(), Err(NotAVersion(text.to_owned())));
        }
    }

    #[test]
    fn alphas_and_betas_are_unfinished() {
        assert!("3.15.0b1".parse::<Version>().unwrap().is_unfinished());
        assert!(!"3.15.0rc1".parse::<Version>().unwrap().is_unfinished());
        assert!(!Version::new(3, 15, 0).is_unfinished());
    }
}
