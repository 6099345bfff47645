//! Where the fields are that we read: one value for one CPython build.
//!
//! The numbers come from `versions/`, one file a minor version; from 3.13 on the file's own
//! `_Py_DebugOffsets` overrule them. A build that is not known is refused with its reason, never
//! read with the offsets of another one.

use profiler_common::{
    layout::{CAP_GIL_MASK, CAP_INSTR_PTR, WalkLayout},
    limits,
};

use super::{debug_offsets, linetable::LineTableKind, versions};
use crate::elf::Version;

/// The field offsets of one CPython build, in bytes. No field is far from its struct's start:
/// every offset fits the reads that use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Which CPython.
    pub version: Version,
    /// What the walker in the kernel reads.
    pub walk: WalkLayout,
    /// `_PyRuntimeState`.
    pub runtime: RuntimeLayout,
    /// `PyInterpreterState`.
    pub interpreter: InterpreterLayout,
    /// `PyThreadState`.
    pub thread_state: ThreadStateLayout,
    /// `PyObject`, `PyVarObject` and `PyTypeObject`.
    pub object: ObjectLayout,
    /// `PyCodeObject`.
    pub code: CodeLayout,
    /// `PyASCIIObject` and `PyCompactUnicodeObject`.
    pub unicode: UnicodeLayout,
    /// `PyBytesObject.ob_sval`.
    pub bytes_sval: usize,
}

/// Fields of `_PyRuntimeState`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimeLayout {
    /// `interpreters.head`.
    pub interpreters_head: usize,
    /// `gilstate.tstate_current` (3.11 and older).
    pub tstate_current: Option<usize>,
    /// The pthread key, a u32: `_key` of `autoTSSkey` (3.14 and older).
    pub tss_key: Option<usize>,
}

/// Fields of `PyInterpreterState`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterpreterLayout {
    /// `next`.
    pub next: usize,
    /// `tstate_head` or `threads.head`.
    pub threads_head: usize,
    /// `_code_object_generation` (3.14+), a u64 that grows when a code object dies.
    pub code_object_generation: Option<usize>,
}

/// Fields of `PyThreadState` that the walker does not need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadStateLayout {
    /// `sizeof(PyThreadState)`, where it is known from the build itself or from its headers.
    pub size: usize,
    /// `prev`.
    pub prev: usize,
    /// `next`.
    pub next: usize,
    /// `interp`.
    pub interp: usize,
    /// `native_thread_id` (3.11+): a tid in the process's own pid namespace.
    pub native_thread_id: Option<usize>,
}

impl ThreadStateLayout {
    /// Bytes of a thread state that hold all the fields we read.
    pub(super) fn read_len(&self, walk: &WalkLayout) -> usize {
        [self.prev, self.next, self.interp]
            .into_iter()
            .chain(self.native_thread_id)
            .map(|offset| offset + 8)
            .fold(walk.tstate_len as usize, usize::max)
    }
}

/// Fields that many objects have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectLayout {
    /// `ob_type`.
    pub ob_type: usize,
    /// `ob_size`.
    pub ob_size: usize,
    /// `PyTypeObject.tp_name`, a C string.
    pub tp_name: usize,
}

/// Where a code object says how long its code is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeLength {
    /// `ob_size` counts code units (3.11+).
    ObSize,
    /// `co_code`, at this offset, is a bytes object (3.10 and older).
    CoCode(usize),
}

/// Fields of `PyCodeObject`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeLayout {
    /// `sizeof(PyCodeObject)`, without the code units behind it.
    pub size: usize,
    /// `co_argcount`, an int.
    pub argcount: usize,
    /// `co_flags`, an int.
    pub flags: usize,
    /// `co_firstlineno`, an int.
    pub firstlineno: usize,
    /// `co_filename`.
    pub filename: usize,
    /// `co_name`.
    pub name: usize,
    /// `co_qualname` (3.11+).
    pub qualname: Option<usize>,
    /// `co_lnotab` or `co_linetable`.
    pub line_table: usize,
    /// The format of that table.
    pub line_table_kind: LineTableKind,
    /// The length of the code.
    pub length: CodeLength,
}

/// Fields of str objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnicodeLayout {
    /// `sizeof(PyASCIIObject)`: where the characters of an ASCII str begin.
    pub ascii_size: usize,
    /// `sizeof(PyCompactUnicodeObject)`: where those of other str objects begin.
    pub compact_size: usize,
    /// `length`, in characters.
    pub length: usize,
    /// `state`, a u32 of bit fields.
    pub state: usize,
    /// The lowest of the 3 bits of `state.kind`.
    pub kind_shift: u32,
    /// The bit `state.compact`.
    pub compact_bit: u32,
    /// The bit `state.ascii`.
    pub ascii_bit: u32,
}

/// Why there is no layout for an interpreter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// 3.7 and older.
    #[error("CPython {0} is too old for this profiler, which knows {oldest} to {newest}", oldest = text(versions::OLDEST), newest = text(versions::NEWEST))]
    TooOld(Version),
    /// Newer than the newest, or no Python 3 at all.
    #[error("CPython {0} is not known to this profiler, which knows {oldest} to {newest}: use a newer profiler", oldest = text(versions::OLDEST), newest = text(versions::NEWEST))]
    Unknown(Version),
    /// An alpha or a beta.
    #[error(
        "CPython {0} is an unfinished release, whose structures nobody has fixed yet: use a release"
    )]
    Unfinished(Version),
    /// `--disable-gil`.
    #[error(
        "CPython {0} is a free-threaded build, which this profiler does not read yet: use a build with the GIL"
    )]
    FreeThreaded(Version),
    /// `--with-trace-refs`.
    #[error("CPython {0} was built with trace-refs, which shifts every object: use a normal build")]
    TraceRefs(Version),
    /// 3.13+ without them.
    #[error(
        "CPython {0} without its _Py_DebugOffsets: the file is damaged or not the one that runs"
    )]
    NoDebugOffsets(Version),
    /// The debug offsets end early or begin with something else.
    #[error(
        "the _Py_DebugOffsets of CPython {version} are no debug offsets: {bytes} bytes of {expected}, or another cookie"
    )]
    BadDebugOffsets {
        /// Of the interpreter.
        version: Version,
        /// As many as there are.
        bytes: usize,
        /// As many as this version has.
        expected: usize,
    },
    /// They are those of another version.
    #[error(
        "CPython {version} with the _Py_DebugOffsets of {found}: the file is damaged or not the one that runs"
    )]
    OtherVersion {
        /// As found elsewhere.
        version: Version,
        /// As the debug offsets have it.
        found: Version,
    },
    /// One of them cannot be.
    #[error("CPython {version} with an impossible {field} in its _Py_DebugOffsets: {value}")]
    DebugOffset {
        /// Of the interpreter.
        version: Version,
        /// The C name of the member.
        field: &'static str,
        /// What it holds.
        value: u64,
    },
    /// A live process does not look like the layout.
    #[error("CPython {version} does not look as it should: {mismatch}")]
    Mismatch {
        /// Of the interpreter.
        version: Version,
        /// What does not fit.
        mismatch: super::verify::Mismatch,
    },
}

fn text(minor: u8) -> String {
    format!("3.{minor}")
}

/// The layout of a CPython.
///
/// `debug_offsets`: the first bytes of `_PyRuntime`, as [`crate::elf::PythonModule`] has them.
/// Needed from 3.13 on and ignored before.
///
/// # Errors
/// When this build is not one whose layout is known.
pub fn layout(version: Version, debug_offsets: Option<&[u8]>) -> Result<Layout, Refusal> {
    let build = versions::build(version).ok_or(if version.minor < versions::OLDEST {
        Refusal::TooOld(version)
    } else {
        Refusal::Unknown(version)
    })?;
    // Alphas and betas; a candidate's structures are those of the release.
    if version.hex.is_some_and(|hex| hex & 0xff < 0xc0) {
        return Err(Refusal::Unfinished(version));
    }
    let mut layout = Layout {
        version,
        ..build.layout.clone()
    };
    if let Some(table) = &build.debug_offsets {
        debug_offsets::apply(
            table,
            debug_offsets.ok_or(Refusal::NoDebugOffsets(version))?,
            &mut layout,
        )?;
    }
    Ok(layout)
}

/// The format of the line tables of this version, where it is known.
pub fn line_table_kind(version: Version) -> Option<LineTableKind> {
    Some(versions::build(version)?.layout.code.line_table_kind)
}

impl Layout {
    /// With the lengths of the walker's reads computed: every field lies within. At compile time
    /// this is also the proof that a version's data keeps the limits.
    pub(super) const fn with_lengths(mut self) -> Self {
        assert!(
            self.measure(),
            "a field lies beyond the limits of the walker's reads"
        );
        self
    }

    /// Computes the lengths of the walker's reads; false: they are beyond their limits.
    pub(super) const fn measure(&mut self) -> bool {
        let walk = &mut self.walk;
        let mut tstate = end(walk.tstate_thread_id, 8);
        tstate = max(tstate, end(walk.tstate_frame, 8));
        tstate = max(tstate, end(walk.tstate_datastack_chunk, 8));
        if walk.caps & CAP_GIL_MASK != 0 {
            tstate = max(tstate, end(walk.tstate_gil, 4));
        }
        let mut frame = end(walk.frame_code, 8);
        frame = max(frame, end(walk.frame_previous, 8));
        frame = max(frame, end(walk.frame_owner, 1));
        frame = max(
            frame,
            end(
                walk.frame_instr,
                if walk.caps & CAP_INSTR_PTR != 0 { 8 } else { 4 },
            ),
        );
        walk.tstate_len = tstate.next_multiple_of(8);
        let frame = frame.next_multiple_of(8);
        if walk.tstate_len as usize > limits::TSTATE_BYTES || frame as usize > limits::FRAME_BYTES {
            return false;
        }
        walk.frame_len = frame as u16;
        true
    }
}

const fn end(offset: u16, width: u32) -> u32 {
    offset as u32 + width
}

const fn max(a: u32, b: u32) -> u32 {
    if a > b { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpython::versions::release;

    #[test]
    fn unknown_versions_are_refused_with_a_sentence() {
        let sentence = |version| layout(version, None).unwrap_err().to_string();
        assert_eq!(
            sentence(release(7, Some(16))),
            "CPython 3.7.16 is too old for this profiler, which knows 3.8 to 3.15"
        );
        assert_eq!(
            sentence(release(16, Some(0))),
            "CPython 3.16.0 is not known to this profiler, which knows 3.8 to 3.15: use a newer profiler"
        );
        let beta = Version::from_hex(0x030c_00b1).unwrap();
        assert_eq!(layout(beta, None), Err(Refusal::Unfinished(beta)));
        let candidate = Version::from_hex(0x030c_00c1).unwrap();
        assert!(layout(candidate, None).is_ok());
    }

    #[test]
    fn the_walkers_reads_end_within_the_structs() {
        // sizeof PyThreadState and of the frame, as gcc has them with each version's headers.
        for (minor, tstate, frame) in [
            (8, 264, 368),
            (9, 264, 368),
            (10, 280, 360),
            (11, 360, 80),
            (12, 288, 80),
        ] {
            let Layout { walk, .. } = layout(release(minor, None), None).unwrap();
            assert!(walk.tstate_len <= tstate && walk.frame_len <= frame);
            assert_eq!((walk.tstate_len % 8, walk.frame_len % 8), (0, 0));
        }
    }
}
