//! A Python module: an executable or library that holds an interpreter.

use super::Version;
use crate::procfs::Mapping;

const PAGE_BYTES: u64 = 4096;

/// A part of the file that is loaded (PT_LOAD).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Address in the file's own terms (`p_vaddr`). On Debian's 3.13 and later it is not the
    /// file offset, not even within a page count.
    pub svma: u64,
    /// Position in the file, in bytes.
    pub offset: u64,
    /// Bytes in the file.
    pub file_size: u64,
    /// Loaded executable.
    pub executable: bool,
    /// Loaded writable.
    pub writable: bool,
}

/// An executable or library that holds an interpreter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PythonModule {
    /// Address of `_PyRuntime` in the file's own terms.
    pub runtime_svma: u64,
    /// Which CPython.
    pub version: Version,
    /// The first bytes of `_PyRuntime` in the file, up to 4,096, where they are its
    /// `_Py_DebugOffsets` (3.13+): checked for the cookie and the version, nothing else.
    pub debug_offsets: Option<Vec<u8>>,
    /// What is loaded, in the order of the file.
    pub segments: Vec<Segment>,
    /// Loaded at the addresses it states (ET_EXEC), with a bias of 0.
    pub is_fixed: bool,
}

impl PythonModule {
    /// What to add to an svma for the address in the process that has this mapping of the file,
    /// which must be an executable one. `None` when the mapping shows no part of the file that
    /// is loaded executable, or one at another address than a fixed file states.
    pub fn bias(&self, mapping: &Mapping) -> Option<u64> {
        // The loader maps whole pages, so neighbours in the file may share the page at their
        // border; executable ones are told apart from the others by that, and from each other
        // by where they begin.
        let page_of = |offset: u64| offset & !(PAGE_BYTES - 1);
        let executable = self.segments.iter().filter(|segment| segment.executable);
        let segment = executable
            .filter(|segment| {
                let end = segment.offset.saturating_add(segment.file_size);
                (page_of(segment.offset)..end).contains(&mapping.offset)
            })
            .max_by_key(|segment| segment.offset)?;
        let svma = segment
            .svma
            .wrapping_sub(segment.offset)
            .wrapping_add(mapping.offset);
        let bias = mapping.start.wrapping_sub(svma);
        let fits = bias % PAGE_BYTES == 0 && (bias == 0 || !self.is_fixed);
        fits.then_some(bias)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::procfs::Device;

    fn segment(svma: u64, offset: u64, file_size: u64, executable: bool) -> Segment {
        Segment {
            svma,
            offset,
            file_size,
            executable,
            writable: !executable,
        }
    }

    fn module(segments: Vec<Segment>, is_fixed: bool) -> PythonModule {
        let version = Version {
            major: 3,
            minor: 13,
            micro: None,
            hex: None,
        };
        PythonModule {
            runtime_svma: 0,
            version,
            debug_offsets: None,
            segments,
            is_fixed,
        }
    }

    fn mapping(start: u64, offset: u64) -> Mapping {
        let device = Device { major: 0, minor: 1 };
        Mapping::for_test(start, start + 0x1000, offset, device, 7)
    }

    #[test]
    fn addresses_need_not_be_offsets() {
        // Debian's python3.13: the text starts at vaddr 0x41f000, offset 0x1f000 and so on.
        let module = module(
            vec![
                segment(0, 0, 0x1000, false),
                segment(0x40_2340, 0x1340, 0x5000, true),
                segment(0xb1_76a0, 0x71_66a0, 0x100, false),
            ],
            false,
        );
        assert_eq!(
            module.bias(&mapping(0x5555_5540_2000, 0x1000)),
            Some(0x5555_5500_0000)
        );
        // A later part of the same segment, after a split.
        assert_eq!(
            module.bias(&mapping(0x5555_5540_4000, 0x3000)),
            Some(0x5555_5500_0000)
        );
        // No executable part of the file.
        assert_eq!(module.bias(&mapping(0x5555_5540_4000, 0x71_6000)), None);
    }

    #[test]
    fn segments_that_share_a_page() {
        // Without -z separate-code: text and data border at 0x1234 and share the page 0x1000.
        let module = module(
            vec![
                segment(0, 0, 0x1234, true),
                segment(0x2_1234, 0x1234, 0x100, false),
            ],
            false,
        );
        assert_eq!(module.bias(&mapping(0x7000_0000, 0)), Some(0x7000_0000));
    }

    #[test]
    fn a_fixed_file_has_no_bias() {
        let module = module(vec![segment(0x40_0000, 0, 0x5000, true)], true);
        assert_eq!(module.bias(&mapping(0x40_0000, 0)), Some(0));
        assert_eq!(module.bias(&mapping(0x50_0000, 0)), None);
    }

    #[test]
    fn hostile_headers_do_not_overflow() {
        let module = module(
            vec![
                segment(u64::MAX, u64::MAX, u64::MAX, true),
                segment(0, 1, u64::MAX, true),
            ],
            false,
        );
        for offset in [0, 1, 0xfff, 0x1000, u64::MAX & !0xfff] {
            module.bias(&mapping(0x1000, offset));
        }
    }
}
