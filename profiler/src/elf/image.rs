//! An ELF file, read piece by piece with bounds.

use std::{fs::File, os::unix::fs::FileExt};

use object::{
    LittleEndian as LE,
    elf::{self, FileHeader64, ProgramHeader64, SectionHeader64},
    read::{
        ReadCache, ReadCacheOps, ReadRef,
        elf::{FileHeader as _, ProgramHeader as _, SectionHeader as _},
    },
};

use super::{ElfError, Segment};

/// Bytes in one piece: the largest is the section table (65,535 x 64).
const MAX_PIECE_BYTES: u64 = 4 * 1024 * 1024;
/// Bytes read at once when much is looked through.
const SCAN_BYTES: usize = 256 * 1024;
/// Bytes looked through in one scan: the files of large programs have some 100 MB of data.
const MAX_SCAN_BYTES: u64 = 256 * 1024 * 1024;
/// Program headers looked at; a program has about a dozen.
const MAX_SEGMENTS: usize = 1024;

/// Which segments are scanned: constants and texts.
pub(super) const READ_ONLY: fn(&Segment) -> bool = |segment| !segment.writable;
/// Which segments are scanned: variables.
pub(super) const WRITABLE: fn(&Segment) -> bool = |segment| segment.writable;

/// The pieces read so far; what [`Image`] borrows from.
pub(super) struct Pieces<'f> {
    cache: ReadCache<Pread<'f>>,
    file: &'f File,
}

impl<'f> Pieces<'f> {
    pub(super) fn new(file: &'f File) -> Result<Self, ElfError> {
        let len = file.metadata()?.len();
        Ok(Self {
            cache: ReadCache::new(Pread {
                file,
                len,
                position: 0,
            }),
            file,
        })
    }
}

/// An ELF file of this machine's kind.
pub(super) struct Image<'a> {
    data: Data<'a>,
    file: &'a File,
    header: &'a FileHeader64<LE>,
    /// What is loaded, in the order of the file.
    pub(super) segments: Vec<Segment>,
    sections: &'a [SectionHeader64<LE>],
    section_names: &'a [u8],
}

impl<'a> Image<'a> {
    /// The ELF file; `None` for any other file, and for one that is not for x86-64 or neither
    /// program nor library.
    pub(super) fn new(pieces: &'a Pieces<'a>) -> Result<Option<Self>, ElfError> {
        let data = Data(&pieces.cache);
        let mut magic = [0; 4];
        // Shorter than this: no ELF file. The kernel says EISDIR and the like here.
        if pieces.file.read_at(&mut magic, 0)? < magic.len() || magic != elf::ELFMAG {
            return Ok(None);
        }
        let Ok(header) = FileHeader64::<LE>::parse(data) else {
            return Ok(None);
        };
        let is_ours = header.is_little_endian() && header.e_machine(LE) == elf::EM_X86_64;
        if !is_ours || !matches!(header.e_type(LE), elf::ET_EXEC | elf::ET_DYN) {
            return Ok(None);
        }
        let headers = header.program_headers(LE, data);
        let headers = headers.map_err(|_| ElfError::Malformed("program headers out of bounds"))?;
        let loaded = headers
            .iter()
            .take(MAX_SEGMENTS)
            .filter(|header| header.p_type(LE) == elf::PT_LOAD);
        let segments = loaded.map(segment).collect();
        // Programs run without a section table, or with a broken one.
        let sections = header.section_headers(LE, data).unwrap_or_default();
        let mut image = Self {
            data,
            file: pieces.file,
            header,
            segments,
            sections,
            section_names: &[],
        };
        image.section_names = image.read_section_names().unwrap_or_default();
        Ok(Some(image))
    }

    fn read_section_names(&self) -> Option<&'a [u8]> {
        let index = self.header.shstrndx(LE, self.data).ok()?;
        self.sections.get(index as usize)?.data(LE, self.data).ok()
    }

    /// Loaded at the addresses it states.
    pub(super) fn is_fixed(&self) -> bool {
        self.header.e_type(LE) == elf::ET_EXEC
    }

    pub(super) fn section_named(&self, name: &[u8]) -> Option<&'a SectionHeader64<LE>> {
        self.sections.iter().find(|section| {
            let rest = self.section_names.get(section.sh_name(LE) as usize..);
            let rest = rest.and_then(|rest| rest.strip_prefix(name));
            rest.and_then(<[u8]>::first) == Some(&0)
        })
    }

    pub(super) fn section_of_type(
        &self,
        kind: elf::SectionType,
    ) -> Option<&'a SectionHeader64<LE>> {
        self.sections
            .iter()
            .find(|section| section.sh_type(LE) == kind)
    }

    pub(super) fn section(&self, index: u32) -> Option<&'a SectionHeader64<LE>> {
        self.sections.get(index as usize)
    }

    /// The dynamic table as the segment states it: section tables may be missing.
    pub(super) fn dynamic_table(&self) -> Option<&'a [elf::Dyn64<LE>]> {
        let headers = self.header.program_headers(LE, self.data).ok()?;
        let headers = headers.iter().take(MAX_SEGMENTS);
        headers
            .filter_map(|header| header.dynamic(LE, self.data).ok()?)
            .next()
    }

    /// Up to `len` bytes that the file holds for an address; fewer where its segment ends.
    pub(super) fn bytes_at(&self, svma: u64, len: u64) -> Option<&'a [u8]> {
        let (offset, available) = self.file_offset(svma)?;
        self.data.read_bytes_at(offset, len.min(available)).ok()
    }

    /// A value at an address.
    pub(super) fn value_at<T: object::Pod>(&self, svma: u64) -> Option<&'a T> {
        let bytes = self.bytes_at(svma, size_of::<T>() as u64)?;
        object::pod::from_bytes(bytes).ok().map(|(value, _)| value)
    }

    /// Position in the file of an address, and the bytes from there to the end of its segment.
    fn file_offset(&self, svma: u64) -> Option<(u64, u64)> {
        self.segments.iter().find_map(|segment| {
            let distance = svma.checked_sub(segment.svma)?;
            let available = segment
                .file_size
                .checked_sub(distance)
                .filter(|&rest| rest > 0)?;
            Some((segment.offset.checked_add(distance)?, available))
        })
    }

    /// Shows the bytes of all chosen segments to `look`, with the svma of the first; see
    /// [`Self::scan_range`].
    pub(super) fn scan<T>(
        &self,
        chosen: fn(&Segment) -> bool,
        overlap: usize,
        mut look: impl FnMut(&[u8], u64) -> Option<T>,
    ) -> Result<Option<T>, ElfError> {
        let mut budget = MAX_SCAN_BYTES;
        for segment in self.segments.iter().filter(|segment| chosen(segment)) {
            let len = segment.file_size.min(budget);
            budget -= len;
            let found = self.scan_range(segment.offset, len, overlap, |bytes, position| {
                look(bytes, segment.svma.wrapping_add(position))
            })?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Shows the bytes of a range of the file to `look`, window by window, with the position of
    /// the window's first byte in the range, until it returns something. The last `overlap`
    /// bytes of a window are the first of the next, and positions are multiples of 8 when
    /// `overlap` is. Ends where the file ends.
    pub(super) fn scan_range<T>(
        &self,
        offset: u64,
        len: u64,
        overlap: usize,
        mut look: impl FnMut(&[u8], u64) -> Option<T>,
    ) -> Result<Option<T>, ElfError> {
        let end = len.min(MAX_SCAN_BYTES);
        let mut buffer = vec![0; SCAN_BYTES.min(usize::try_from(end).unwrap_or(SCAN_BYTES))];
        let mut position = 0;
        while position < end {
            let wanted = buffer
                .len()
                .min(usize::try_from(end - position).unwrap_or(usize::MAX));
            let Some(at) = offset.checked_add(position) else {
                break;
            };
            let window = buffer.get_mut(..wanted).unwrap_or_default();
            let n_bytes = read_full(self.file, window, at)?;
            let window = window.get(..n_bytes).unwrap_or_default();
            if let Some(found) = look(window, position) {
                return Ok(Some(found));
            }
            if n_bytes < wanted || position + n_bytes as u64 >= end || n_bytes <= overlap {
                break;
            }
            position += (n_bytes - overlap) as u64;
        }
        Ok(None)
    }
}

fn segment(header: &ProgramHeader64<LE>) -> Segment {
    Segment {
        svma: header.p_vaddr(LE),
        offset: header.p_offset(LE),
        file_size: header.p_filesz(LE),
        executable: header.p_flags(LE).contains(elf::PF_X),
        writable: header.p_flags(LE).contains(elf::PF_W),
    }
}

/// Fills the buffer from a position, as far as the file goes.
fn read_full(file: &File, buffer: &mut [u8], position: u64) -> Result<usize, ElfError> {
    let mut n_bytes = 0;
    while let Some(rest) = buffer.get_mut(n_bytes..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, position.saturating_add(n_bytes as u64)) {
            Ok(0) => break,
            Ok(n_more) => n_bytes += n_more,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(n_bytes)
}

/// A file by pread, which leaves its position to whoever else uses it.
struct Pread<'f> {
    file: &'f File,
    len: u64,
    position: u64,
}

impl ReadCacheOps for Pread<'_> {
    fn len(&mut self) -> Result<u64, ()> {
        Ok(self.len)
    }

    fn seek(&mut self, position: u64) -> Result<u64, ()> {
        self.position = position;
        Ok(position)
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ()> {
        let n_bytes = read_full(self.file, buffer, self.position).map_err(|_| ())?;
        self.position = self.position.saturating_add(n_bytes as u64);
        Ok(n_bytes)
    }

    fn read_exact(&mut self, buffer: &mut [u8]) -> Result<(), ()> {
        let wanted = buffer.len();
        if self.read(buffer)? == wanted {
            Ok(())
        } else {
            Err(())
        }
    }
}

/// The cache with a bound on each piece: a file may state a length of exabytes and be empty.
#[derive(Clone, Copy)]
struct Data<'a>(&'a ReadCache<Pread<'a>>);

impl<'a> ReadRef<'a> for Data<'a> {
    fn len(self) -> Result<u64, ()> {
        self.0.len()
    }

    fn read_bytes_at(self, offset: u64, size: u64) -> Result<&'a [u8], ()> {
        if size > MAX_PIECE_BYTES {
            return Err(());
        }
        self.0.read_bytes_at(offset, size)
    }

    fn read_bytes_at_until(
        self,
        range: std::ops::Range<u64>,
        delimiter: u8,
    ) -> Result<&'a [u8], ()> {
        self.0.read_bytes_at_until(range, delimiter)
    }
}
