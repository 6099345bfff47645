//! The CPython versions that are known: one file each, and this list.

use super::{Layout, debug_offsets::Positions};
use crate::elf::Version;

/// What is known of one minor version, as pure data.
pub(super) struct Build {
    /// Its fields, as its headers have them.
    pub(super) layout: Layout,
    /// Where the members of its `_Py_DebugOffsets` are; `None`: it has none.
    pub(super) debug_offsets: Option<Positions>,
}

/// The list: minor version and file, in order. All else derives from it.
macro_rules! versions {
    ($($minor:literal => $file:ident,)*) => {
        $(mod $file;)*

        const BUILDS: &[(u8, Build)] = &[$(($minor, $file::BUILD)),*];
    };
}

versions! {
    8 => v3_8,
    9 => v3_9,
    10 => v3_10,
    11 => v3_11,
    12 => v3_12,
    13 => v3_13,
    14 => v3_14,
    15 => v3_15,
}

/// The oldest known minor version of Python 3.
pub const OLDEST: u8 = match BUILDS {
    [(minor, _), ..] => *minor,
    [] => 0,
};

/// The newest known minor version of Python 3.
pub const NEWEST: u8 = match BUILDS {
    [.., (minor, _)] => *minor,
    [] => 0,
};

/// The known minor versions of Python 3, in order.
pub fn supported() -> impl Iterator<Item = u8> {
    BUILDS.iter().map(|&(minor, _)| minor)
}

/// A release of Python 3.
pub(super) const fn release(minor: u8, micro: Option<u8>) -> Version {
    Version {
        major: 3,
        minor,
        micro,
        hex: None,
    }
}

/// What is known of this version.
pub(super) fn build(version: Version) -> Option<&'static Build> {
    let known = BUILDS
        .iter()
        .find(|&&(minor, _)| version.major == 3 && version.minor == minor)?;
    Some(&known.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_order_and_agrees_with_its_files() {
        assert!(supported().eq(OLDEST..=NEWEST));
        for (minor, build) in BUILDS {
            assert_eq!(
                (build.layout.version.major, build.layout.version.minor),
                (3, *minor)
            );
        }
    }
}
