//! `_Py_DebugOffsets`, the description of itself that CPython carries from 3.13 on.
//!
//! It is the first member of `_PyRuntime` and lies, initialised, in the file. Its own layout
//! differs in every minor version, so there is a table of [`Positions`] for each. A target can
//! write anything there: each value is held against its struct's size, and that against a cap.

use profiler_common::limits;

use super::{Layout, Refusal, memory::u64_at};
use crate::elf::Version;

/// The first 8 bytes.
const COOKIE: &[u8; 8] = b"xdebugpy";

fn version_in(bytes: &[u8]) -> Option<Version> {
    Version::from_hex(u64_at(bytes.strip_prefix(COOKIE)?, 0)?)
}

/// Where the members are that we use, in bytes.
pub(super) struct Positions {
    /// `sizeof(_Py_DebugOffsets)`.
    pub(super) size: usize,
    pub(super) free_threaded: usize,
    pub(super) runtime_size: usize,
    pub(super) interpreters_head: usize,
    pub(super) interpreter_size: usize,
    pub(super) interpreter_next: usize,
    pub(super) threads_head: usize,
    pub(super) code_object_generation: Option<usize>,
    pub(super) thread_size: usize,
    pub(super) thread_prev: usize,
    pub(super) thread_next: usize,
    pub(super) thread_interp: usize,
    pub(super) current_frame: usize,
    pub(super) thread_id: usize,
    pub(super) native_thread_id: usize,
    pub(super) datastack_chunk: usize,
    pub(super) status: usize,
    pub(super) frame_size: usize,
    pub(super) frame_previous: usize,
    pub(super) executable: usize,
    pub(super) instr_ptr: usize,
    pub(super) owner: usize,
    pub(super) code_size: usize,
    pub(super) filename: usize,
    pub(super) name: usize,
    pub(super) qualname: usize,
    pub(super) linetable: usize,
    pub(super) firstlineno: usize,
    pub(super) argcount: usize,
    pub(super) co_code_adaptive: usize,
    pub(super) object_size: usize,
    pub(super) ob_type: usize,
    pub(super) type_size: usize,
    pub(super) tp_name: usize,
    pub(super) bytes_size: usize,
    pub(super) bytes_ob_size: usize,
    pub(super) ob_sval: usize,
    pub(super) unicode_size: usize,
    pub(super) unicode_state: usize,
    pub(super) unicode_length: usize,
    pub(super) asciiobject_size: usize,
    pub(super) compactunicodeobject_size: Option<usize>,
}

/// Puts what the debug offsets say into a layout of the same minor version.
pub(super) fn apply(at: &Positions, bytes: &[u8], layout: &mut Layout) -> Result<(), Refusal> {
    let version = layout.version;
    let bad = || Refusal::BadDebugOffsets {
        version,
        bytes: bytes.len(),
        expected: at.size,
    };
    let found = version_in(bytes).ok_or_else(bad)?;
    if (found.major, found.minor) != (version.major, version.minor) {
        return Err(Refusal::OtherVersion { version, found });
    }
    let reader = Reader {
        bytes: bytes.get(..at.size).ok_or_else(bad)?,
        version,
    };
    if reader.value("free_threaded", at.free_threaded)? != 0 {
        return Err(Refusal::FreeThreaded(version));
    }
    interpreters(&reader, at, layout)?;
    thread_state(&reader, at, layout)?;
    frame(&reader, at, layout)?;
    code(&reader, at, layout)?;
    objects(&reader, at, layout)?;
    if layout.measure() {
        Ok(())
    } else {
        reader.refuse("thread_state.size", layout.thread_state.size as u64)
    }
}

fn interpreters(reader: &Reader<'_>, at: &Positions, layout: &mut Layout) -> Result<(), Refusal> {
    let size = reader.size("runtime_state.size", at.runtime_size, STATE_CAP)?;
    layout.runtime.interpreters_head = reader.field(
        "runtime_state.interpreters_head",
        at.interpreters_head,
        8,
        size,
    )?;
    if let Some(key) = layout.runtime.tss_key.filter(|key| key + 4 > size) {
        return reader.refuse("runtime_state.size", key as u64);
    }
    let size = reader.size("interpreter_state.size", at.interpreter_size, STATE_CAP)?;
    let state = &mut layout.interpreter;
    state.next = reader.field("interpreter_state.next", at.interpreter_next, 8, size)?;
    state.threads_head =
        reader.field("interpreter_state.threads_head", at.threads_head, 8, size)?;
    if let Some(position) = at.code_object_generation {
        let field = reader.field(
            "interpreter_state.code_object_generation",
            position,
            8,
            size,
        )?;
        state.code_object_generation = Some(field);
    }
    Ok(())
}

fn thread_state(reader: &Reader<'_>, at: &Positions, layout: &mut Layout) -> Result<(), Refusal> {
    let size = reader.size("thread_state.size", at.thread_size, STATE_CAP)?;
    // What we read of it in one piece.
    let head = size.min(limits::TSTATE_BYTES);
    let state = &mut layout.thread_state;
    state.size = size;
    state.prev = reader.field("thread_state.prev", at.thread_prev, 8, head)?;
    state.next = reader.field("thread_state.next", at.thread_next, 8, head)?;
    state.interp = reader.field("thread_state.interp", at.thread_interp, 8, head)?;
    let native = reader.field(
        "thread_state.native_thread_id",
        at.native_thread_id,
        8,
        head,
    )?;
    state.native_thread_id = Some(native);
    let walk = &mut layout.walk;
    walk.tstate_frame = reader.short("thread_state.current_frame", at.current_frame, 8, head)?;
    walk.tstate_thread_id = reader.short("thread_state.thread_id", at.thread_id, 8, head)?;
    walk.tstate_datastack_chunk =
        reader.short("thread_state.datastack_chunk", at.datastack_chunk, 8, head)?;
    walk.tstate_gil = reader.short("thread_state.status", at.status, 4, head)?;
    Ok(())
}

fn frame(reader: &Reader<'_>, at: &Positions, layout: &mut Layout) -> Result<(), Refusal> {
    let size = reader
        .size("interpreter_frame.size", at.frame_size, STATE_CAP)?
        .min(limits::FRAME_BYTES);
    let walk = &mut layout.walk;
    walk.frame_previous = reader.short("interpreter_frame.previous", at.frame_previous, 8, size)?;
    walk.frame_code = reader.short("interpreter_frame.executable", at.executable, 8, size)?;
    walk.frame_instr = reader.short("interpreter_frame.instr_ptr", at.instr_ptr, 8, size)?;
    walk.frame_owner = reader.short("interpreter_frame.owner", at.owner, 1, size)?;
    Ok(())
}

fn code(reader: &Reader<'_>, at: &Positions, layout: &mut Layout) -> Result<(), Refusal> {
    let size = reader.size("code_object.size", at.code_size, OBJECT_CAP)?;
    let code = &mut layout.code;
    code.size = size;
    code.filename = reader.field("code_object.filename", at.filename, 8, size)?;
    code.name = reader.field("code_object.name", at.name, 8, size)?;
    code.qualname = Some(reader.field("code_object.qualname", at.qualname, 8, size)?);
    code.line_table = reader.field("code_object.linetable", at.linetable, 8, size)?;
    code.firstlineno = reader.field("code_object.firstlineno", at.firstlineno, 4, size)?;
    code.argcount = reader.field("code_object.argcount", at.argcount, 4, size)?;
    layout.walk.code_adaptive =
        reader.short("code_object.co_code_adaptive", at.co_code_adaptive, 1, size)?;
    Ok(())
}

fn objects(reader: &Reader<'_>, at: &Positions, layout: &mut Layout) -> Result<(), Refusal> {
    let size = reader.size("pyobject.size", at.object_size, OBJECT_CAP)?;
    layout.object.ob_type = reader.field("pyobject.ob_type", at.ob_type, 8, size)?;
    let size = reader.size("type_object.size", at.type_size, OBJECT_CAP)?;
    layout.object.tp_name = reader.field("type_object.tp_name", at.tp_name, 8, size)?;
    let size = reader.size("bytes_object.size", at.bytes_size, OBJECT_CAP)?;
    layout.object.ob_size = reader.field("bytes_object.ob_size", at.bytes_ob_size, 8, size)?;
    layout.bytes_sval = reader.field("bytes_object.ob_sval", at.ob_sval, 1, size)?;
    let size = reader.size("unicode_object.size", at.unicode_size, OBJECT_CAP)?;
    let unicode = &mut layout.unicode;
    unicode.state = reader.field("unicode_object.state", at.unicode_state, 4, size)?;
    unicode.length = reader.field("unicode_object.length", at.unicode_length, 8, size)?;
    unicode.ascii_size =
        reader.size("unicode_object.asciiobject_size", at.asciiobject_size, size)?;
    if let Some(position) = at.compactunicodeobject_size {
        unicode.compact_size =
            reader.size("unicode_object.compactunicodeobject_size", position, size)?;
    }
    // Both are read before the characters, in one piece.
    if unicode.state + 4 > unicode.ascii_size
        || unicode.length + 8 > unicode.ascii_size
        || unicode.compact_size > size
    {
        return reader.refuse("unicode_object.asciiobject_size", unicode.ascii_size as u64);
    }
    Ok(())
}

/// More than any state struct of CPython has: a free-threaded interpreter state is 340 KiB.
const STATE_CAP: usize = 16 << 20;

/// More than any object's head has: a heap type is 900 bytes.
const OBJECT_CAP: usize = 4096;

struct Reader<'a> {
    bytes: &'a [u8],
    version: Version,
}

impl Reader<'_> {
    fn refuse<T>(&self, field: &'static str, value: u64) -> Result<T, Refusal> {
        Err(Refusal::DebugOffset {
            version: self.version,
            field,
            value,
        })
    }

    fn value(&self, field: &'static str, position: usize) -> Result<u64, Refusal> {
        match u64_at(self.bytes, position) {
            Some(value) => Ok(value),
            None => self.refuse(field, position as u64),
        }
    }

    /// The size of a struct: not 0, and no more than `cap`.
    fn size(&self, field: &'static str, position: usize, cap: usize) -> Result<usize, Refusal> {
        let value = self.value(field, position)?;
        match usize::try_from(value) {
            Ok(size) if size > 0 && size <= cap => Ok(size),
            _ => self.refuse(field, value),
        }
    }

    /// The offset of an aligned field of `width` bytes in a struct of `size` bytes.
    fn field(
        &self,
        field: &'static str,
        position: usize,
        width: usize,
        size: usize,
    ) -> Result<usize, Refusal> {
        let value = self.value(field, position)?;
        match usize::try_from(value) {
            Ok(offset)
                if offset % width == 0 && offset <= size.saturating_sub(width) && width <= size =>
            {
                Ok(offset)
            }
            _ => self.refuse(field, value),
        }
    }

    /// The same, for the walker.
    fn short(
        &self,
        field: &'static str,
        position: usize,
        width: usize,
        size: usize,
    ) -> Result<u16, Refusal> {
        let offset = self.field(field, position, width, size)?;
        u16::try_from(offset).or_else(|_| self.refuse(field, offset as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpython::{
        layout,
        versions::{self, release},
    };

    /// As the libpython of pyenv's 3.13.0 holds them.
    const OF_3_13: &[u64] = &[
        0x30d00f0, 0, 283320, 608, 632, 194968, 7272, 7264, 7344, 7400, 7656, 7640, 7648, 16, 7752,
        0, 7768, 7760, 304, 0, 8, 16, 72, 152, 160, 232, 32, 80, 8, 0, 56, 72, 70, 208, 112, 120,
        128, 136, 68, 52, 96, 104, 200, 16, 8, 416, 24, 88, 168, 32, 24, 16, 40, 24, 16, 48, 32,
        40, 24, 16, 32, 16, 24, 40, 16, 32, 64, 32, 16, 40, 240, 200,
    ];

    /// As Debian's python3.14 3.14.8-1 holds them.
    const OF_3_14: &[u64] = &[
        0x30e08f0, 0, 316616, 784, 808, 225864, 7280, 7272, 7344, 7360, 7408, 7688, 7672, 7680, 16,
        7784, 0, 7800, 7792, 7992, 0, 832, 0, 8, 16, 72, 152, 160, 232, 32, 88, 8, 0, 56, 80, 74,
        64, 0, 216, 112, 120, 128, 136, 68, 52, 96, 104, 208, 0, 16, 8, 416, 24, 88, 168, 40, 32,
        16, 40, 24, 16, 200, 24, 40, 32, 48, 32, 40, 24, 16, 32, 16, 24, 40, 16, 32, 64, 32, 16,
        40, 264, 192, 160, 24, 72, 67, 0, 8, 24, 304, 8076, 0, 4, 512,
    ];

    /// As Debian's python3.15 3.15.0-1 holds them.
    const OF_3_15: &[u64] = &[
        0x30f00f0, 0, 346568, 912, 936, 226240, 7272, 7264, 7336, 7352, 7400, 7592, 7576, 7584, 16,
        7736, 0, 7752, 7744, 7944, 0, 888, 0, 8, 16, 72, 80, 88, 96, 176, 184, 256, 32, 36, 40,
        136, 288, 0, 88, 8, 0, 56, 80, 74, 64, 0, 216, 112, 120, 128, 136, 68, 52, 96, 104, 208, 0,
        16, 8, 424, 24, 88, 168, 32, 288, 944, 888, 40, 32, 16, 40, 24, 16, 200, 24, 40, 32, 48,
        32, 40, 24, 16, 32, 16, 24, 40, 16, 32, 64, 32, 16, 40, 56, 176, 112, 120, 1112, 104, 160,
        24, 72, 67, 0, 8, 24, 344, 8028, 0, 4, 512,
    ];

    fn bytes(words: &[u64]) -> Vec<u8> {
        let words = words.iter().flat_map(|word| word.to_le_bytes());
        COOKIE.iter().copied().chain(words).collect()
    }

    fn refusal(words: &[u64], version: Version) -> String {
        layout(version, Some(&bytes(words)))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn what_the_files_say_is_what_the_headers_say() {
        for words in [OF_3_13, OF_3_14, OF_3_15] {
            let bytes = bytes(words);
            let version = version_in(&bytes).unwrap();
            let headers = &versions::build(version).unwrap().layout;
            let expected = Layout {
                version,
                ..headers.clone()
            };
            assert_eq!(layout(version, Some(&bytes)), Ok(expected));
        }
    }

    #[test]
    fn the_file_overrules_the_headers() {
        let mut words = OF_3_13.to_vec();
        let positions = versions::build(release(13, Some(0)))
            .unwrap()
            .debug_offsets
            .as_ref()
            .unwrap();
        words[positions.thread_id / 8 - 1] = 240;
        let layout = layout(release(13, Some(0)), Some(&bytes(&words))).unwrap();
        assert_eq!(
            (layout.walk.tstate_thread_id, layout.walk.tstate_len),
            (240, 248)
        );
    }

    #[test]
    fn every_impossible_value_is_refused_by_its_name() {
        let version = release(14, Some(8));
        let positions = versions::build(version)
            .unwrap()
            .debug_offsets
            .as_ref()
            .unwrap();
        for (position, name) in [
            (positions.thread_id, "thread_state.thread_id"),
            (positions.owner, "interpreter_frame.owner"),
            (positions.executable, "interpreter_frame.executable"),
            (positions.filename, "code_object.filename"),
            (positions.tp_name, "type_object.tp_name"),
            (positions.ob_sval, "bytes_object.ob_sval"),
            (
                positions.asciiobject_size,
                "unicode_object.asciiobject_size",
            ),
            (
                positions.interpreters_head,
                "runtime_state.interpreters_head",
            ),
            (positions.threads_head, "interpreter_state.threads_head"),
        ] {
            let mut words = OF_3_14.to_vec();
            words[position / 8 - 1] = 1 << 40;
            let expected = format!(
                "CPython 3.14.8 with an impossible {name} in its _Py_DebugOffsets: 1099511627776"
            );
            assert_eq!(refusal(&words, version), expected);
        }
    }

    #[test]
    fn no_words_make_it_panic() {
        let version = release(15, Some(0));
        for i in 1..OF_3_15.len() {
            for value in [0, 1, 7, 500, 65_535, 1 << 20, u64::MAX] {
                let mut words = OF_3_15.to_vec();
                words[i] = value;
                let _ = layout(version, Some(&bytes(&words)));
            }
            let _ = layout(version, Some(&bytes(&OF_3_15[..i])));
        }
    }

    #[test]
    fn builds_that_are_not_read() {
        let version = release(13, Some(0));
        assert_eq!(layout(version, None), Err(Refusal::NoDebugOffsets(version)));
        assert_eq!(
            refusal(OF_3_14, version),
            "CPython 3.13.0 with the _Py_DebugOffsets of 3.14.8: the file is damaged or not the one that runs"
        );
        let mut free_threaded = OF_3_13.to_vec();
        free_threaded[1] = 1;
        assert_eq!(
            refusal(&free_threaded, version),
            "CPython 3.13.0 is a free-threaded build, which this profiler does not read yet: use a build with the GIL"
        );
        assert_eq!(
            refusal(&OF_3_13[..9], version),
            "the _Py_DebugOffsets of CPython 3.13.0 are no debug offsets: 80 bytes of 584, or another cookie"
        );
    }
}
