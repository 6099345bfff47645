//! Code objects, read in batches.
//!
//! A batch of any size takes three rounds of [`ReadMemory::read_batch`]: the code objects; the
//! starts of their strings and line tables; what those starts did not cover. (The first batch of
//! a program takes two more, for the names of the three types.) Addresses of code objects are
//! used again as soon as one dies, so [`CodeReader::unchanged`] asks in one round whether those
//! that were read are still what is there.

use std::{
    collections::{HashMap, HashSet},
    num::NonZeroU32,
    sync::Arc,
};

use super::{
    ObjectError,
    spans::{Place, Spans},
    strings,
    strings::StrHead,
    types::{Type, Types},
};
use crate::cpython::{
    Layout, LineTableKind, ReadMemory,
    layout::CodeLength,
    linetable::{Lines, line_of},
    memory::{read_pieces, u32_at, u64_at},
};

/// Bytes of a line table that are read. The longest of the standard library has 84,186.
pub const MAX_LINE_TABLE_BYTES: usize = 256 * 1024;

/// Code objects that are read at once: bounds what a hostile process can make us hold for a
/// moment to 32 MiB.
const CHUNK: usize = 128;

/// `co_firstlineno` is at most this in a code object that we believe.
const MAX_FIRST_LINE: i32 = 10_000_000;

/// Read of a string or table before its length is known: most names, and many tables, fit.
const FIRST_READ: usize = 256;

/// The least of it where a page ends: a head. No object of these types takes up less.
const HEAD_READ: usize = 40;

const PAGE: u64 = 4096;

/// Bytes of a line table that [`CodeReader::unchanged`] compares.
const COMPARED_TABLE_BYTES: usize = 4096;

/// Bytes and code objects that are compared at once: with what lies between them some 5 MiB at
/// most, 0.2 MiB for 450 functions.
const MAX_COMPARED_BYTES: usize = 1024 * 1024;
const MAX_COMPARED: usize = 1024;

/// What a code object says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// `co_qualname`, before 3.11 `co_name`. Free of characters that XML 1.0 forbids.
    pub name: Arc<str>,
    /// `co_filename`, likewise.
    pub file: Arc<str>,
    /// `co_firstlineno`.
    pub first_line: u32,
    /// The length of its code, in units of 2 bytes.
    pub n_units: u64,
    /// `co_lnotab` or `co_linetable`; `None`: longer than [`MAX_LINE_TABLE_BYTES`].
    pub line_table: Option<Box<[u8]>>,
    /// The format of the table.
    pub line_table_kind: LineTableKind,
    head: Head,
    name_bytes: usize,
    file_bytes: usize,
}

impl Code {
    /// Whether a frame of this code can be at this code unit; -1 is one that has not begun.
    /// Where it cannot, the address has been another code object's.
    pub fn contains(&self, unit: i64) -> bool {
        unit == -1 || u64::try_from(unit).is_ok_and(|unit| unit < self.n_units)
    }

    /// The line of the instruction at this code unit: see [`line_of`].
    pub fn line_at(&self, unit: i64) -> Option<NonZeroU32> {
        line_of(
            self.line_table_kind,
            self.line_table.as_deref()?,
            self.first_line,
            unit,
        )
    }

    /// The lines of all instructions; none where the table is not kept.
    pub fn lines(&self) -> Lines {
        match self.line_table.as_deref() {
            Some(table) => Lines::new(self.line_table_kind, table, self.first_line),
            None => Lines::default(),
        }
    }

    /// What is compared of it: the fields, the name, the file name, the line table.
    fn places(&self, layout: &Layout, address: u64) -> [Place; 4] {
        let table = self.line_table.as_deref().unwrap_or_default();
        let table_start = self.head.line_table.wrapping_add(layout.bytes_sval as u64);
        [
            (address, Head::len_needed(layout)),
            (self.head.name, self.name_bytes),
            (self.head.file, self.file_bytes),
            (table_start, table.len().min(COMPARED_TABLE_BYTES)),
        ]
    }

    /// Whether the bytes at its [`Self::places`] still say the same; `None`: not readable.
    fn is_same(&self, layout: &Layout, places: [Option<&[u8]>; 4]) -> Option<bool> {
        let [head, name, file, table] = places;
        let is_same = Head::parse(layout, head?)? == self.head
            && strings::is(&layout.unicode, name?, &self.name)
            && strings::is(&layout.unicode, file?, &self.file)
            && self
                .line_table
                .as_deref()
                .unwrap_or_default()
                .starts_with(table?);
        Some(is_same)
    }
}

/// The fields of one code object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    ob_type: u64,
    name: u64,
    file: u64,
    line_table: u64,
    first_line: u32,
    length: Length,
    argcount: u32,
    flags: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    Units(u64),
    BytesObject(u64),
}

impl Head {
    /// Bytes of a code object that hold the fields.
    fn len_needed(layout: &Layout) -> usize {
        let code = &layout.code;
        let length = match code.length {
            CodeLength::ObSize => layout.object.ob_size,
            CodeLength::CoCode(offset) => offset,
        };
        [
            layout.object.ob_type,
            code.filename,
            code.name,
            code.line_table,
            code.argcount,
            code.flags,
            length,
        ]
        .into_iter()
        .chain(code.qualname)
        .fold(code.firstlineno, usize::max)
        .saturating_add(8)
    }

    fn parse(layout: &Layout, bytes: &[u8]) -> Option<Self> {
        let code = &layout.code;
        let pointer =
            |offset: usize| u64_at(bytes, offset).filter(|&address| is_object_address(address));
        let first_line = i32::try_from(u32_at(bytes, code.firstlineno)?).ok()?;
        let length = match code.length {
            CodeLength::ObSize => Length::Units(u64_at(bytes, layout.object.ob_size)?),
            CodeLength::CoCode(offset) => Length::BytesObject(pointer(offset)?),
        };
        Some(Self {
            ob_type: pointer(layout.object.ob_type)?,
            name: pointer(code.qualname.unwrap_or(code.name))?,
            file: pointer(code.filename)?,
            line_table: pointer(code.line_table)?,
            first_line: u32::try_from(first_line)
                .ok()
                .filter(|_| first_line <= MAX_FIRST_LINE)?,
            length,
            argcount: u32_at(bytes, code.argcount)?,
            flags: u32_at(bytes, code.flags)?,
        })
    }

    /// The objects it points to.
    fn objects(&self) -> impl Iterator<Item = u64> {
        let code = match self.length {
            Length::Units(_) => None,
            Length::BytesObject(address) => Some(address),
        };
        [self.name, self.file, self.line_table]
            .into_iter()
            .chain(code)
    }
}

/// An address that an object can have: not null, 8-aligned, in the lower 47 bits.
fn is_object_address(address: u64) -> bool {
    profiler_common::sample::FrameWord::holds(address)
}

/// Reads the code objects of one program; a new one for each.
#[derive(Clone, Debug, Default)]
pub struct CodeReader {
    types: Types,
}

impl CodeReader {
    /// For a program of which nothing was read yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads and proves the code objects at these addresses, in their order.
    ///
    /// # Errors
    /// One for each address at which there is no code object that can be read whole.
    pub fn read(
        &mut self,
        memory: &dyn ReadMemory,
        layout: &Layout,
        addresses: &[u64],
    ) -> Vec<Result<Code, ObjectError>> {
        addresses
            .chunks(CHUNK)
            .flat_map(|addresses| self.read_chunk(memory, layout, addresses))
            .collect()
    }

    fn read_chunk(
        &mut self,
        memory: &dyn ReadMemory,
        layout: &Layout,
        addresses: &[u64],
    ) -> Vec<Result<Code, ObjectError>> {
        let heads = read_heads(memory, layout, addresses.iter().copied());
        let mut objects =
            Objects::read_starts(memory, heads.iter().flatten().flat_map(Head::objects));
        let code_types = heads.iter().flatten().map(|head| head.ob_type);
        self.types
            .learn(memory, layout, code_types.chain(objects.types(layout)));
        let tables: HashSet<u64> = heads.iter().flatten().map(|head| head.line_table).collect();
        objects.read_rest(memory, |address, start| {
            if tables.contains(&address) {
                bytes_end(layout, start)
            } else {
                str_end(layout, start)
            }
        });
        heads
            .into_iter()
            .map(|head| self.assemble(layout, &objects, head?))
            .collect()
    }

    fn assemble(
        &self,
        layout: &Layout,
        objects: &Objects,
        head: Head,
    ) -> Result<Code, ObjectError> {
        if !self.types.is(head.ob_type, Type::Code) {
            return Err(ObjectError::NotCode);
        }
        let object = |field, address, expected: Type| {
            let bytes = objects
                .get(address)
                .ok_or(ObjectError::FieldUnreadable(field))?;
            let ob_type = u64_at(bytes, layout.object.ob_type).unwrap_or_default();
            if self.types.is(ob_type, expected) {
                Ok(bytes)
            } else {
                Err(ObjectError::FieldType(field, expected.name()))
            }
        };
        let text = |field, address| {
            let bytes = object(field, address, Type::Str)?;
            let head =
                StrHead::parse(&layout.unicode, bytes).ok_or(ObjectError::NotCompact(field))?;
            let text = strings::decode(&layout.unicode, bytes)
                .ok_or(ObjectError::FieldUnreadable(field))?;
            Ok((Arc::from(text), head.end()))
        };
        let (name, name_bytes) = text("name", head.name)?;
        let (file, file_bytes) = text("file name", head.file)?;
        let table = object("line table", head.line_table, Type::Bytes)?;
        let table_bytes =
            bytes_size(layout, table).ok_or(ObjectError::FieldUnreadable("line table"))?;
        let line_table = match usize::try_from(table_bytes) {
            Ok(length) if length <= MAX_LINE_TABLE_BYTES => {
                let bytes = table
                    .get(layout.bytes_sval..)
                    .and_then(|bytes| bytes.get(..length));
                Some(
                    bytes
                        .ok_or(ObjectError::FieldUnreadable("line table"))?
                        .into(),
                )
            }
            _ => None,
        };
        let n_units = match head.length {
            Length::Units(units) => units,
            Length::BytesObject(address) => {
                let code = object("code", address, Type::Bytes)?;
                bytes_size(layout, code).ok_or(ObjectError::FieldUnreadable("code"))? / 2
            }
        };
        let (first_line, line_table_kind) = (head.first_line, layout.code.line_table_kind);
        Ok(Code {
            name,
            file,
            first_line,
            n_units,
            line_table,
            line_table_kind,
            head,
            name_bytes,
            file_bytes,
        })
    }

    /// Whether each of these addresses still holds the code object that was read from it: its
    /// fields, names and line table (of long ones the first 4 KiB) are the same; `None` where it
    /// cannot be read any more. One round, or two, for some hundred of them.
    pub fn unchanged(
        memory: &dyn ReadMemory,
        layout: &Layout,
        codes: &[(u64, &Code)],
    ) -> Vec<Option<bool>> {
        let mut spans = Spans::default();
        let mut results = Vec::with_capacity(codes.len());
        let mut rest = codes;
        while !rest.is_empty() {
            let (codes, behind) = rest.split_at(n_compared(layout, rest));
            let places = codes.iter().flat_map(|&(at, code)| code.places(layout, at));
            spans.read(memory, places);
            results.extend(codes.iter().map(|&(address, code)| {
                let places = code.places(layout, address).map(|place| spans.get(place));
                places[0]?;
                Some(code.is_same(layout, places) == Some(true))
            }));
            rest = behind;
        }
        results
    }
}

/// How many of these code objects are compared at once, at least one.
fn n_compared(layout: &Layout, codes: &[(u64, &Code)]) -> usize {
    let mut bytes = 0;
    let fits = |&&(address, code): &&(u64, &Code)| {
        bytes += code
            .places(layout, address)
            .map(|(_, len)| len)
            .iter()
            .sum::<usize>();
        bytes <= MAX_COMPARED_BYTES
    };
    let n_fitting = codes.iter().take(MAX_COMPARED).take_while(fits).count();
    n_fitting.max(1).min(codes.len())
}

fn read_heads(
    memory: &dyn ReadMemory,
    layout: &Layout,
    addresses: impl Iterator<Item = u64>,
) -> Vec<Result<Head, ObjectError>> {
    let length = Head::len_needed(layout);
    let pieces: Vec<(u64, usize)> = addresses.map(|address| (address, length)).collect();
    let parse = |bytes: Option<Vec<u8>>| {
        let bytes = bytes.ok_or(ObjectError::CodeUnreadable)?;
        Head::parse(layout, &bytes).ok_or(ObjectError::NotCode)
    };
    read_pieces(memory, &pieces)
        .into_iter()
        .map(parse)
        .collect()
}

/// The objects that a chunk of code objects points to, each read once.
struct Objects {
    bytes: HashMap<u64, Vec<u8>>,
}

impl Objects {
    /// Reads the start of each, not beyond the page that it is in: the next one may not be there.
    fn read_starts(memory: &dyn ReadMemory, addresses: impl Iterator<Item = u64>) -> Self {
        let addresses: HashSet<u64> = addresses.collect();
        let pieces: Vec<(u64, usize)> = addresses
            .into_iter()
            .map(|address| {
                let in_page = (PAGE - address % PAGE) as usize;
                (address, in_page.clamp(HEAD_READ, FIRST_READ))
            })
            .collect();
        let read = pieces.iter().zip(read_pieces(memory, &pieces));
        Self {
            bytes: read
                .filter_map(|(&(address, _), bytes)| Some((address, bytes?)))
                .collect(),
        }
    }

    fn get(&self, address: u64) -> Option<&[u8]> {
        self.bytes.get(&address).map(Vec::as_slice)
    }

    fn types(&self, layout: &Layout) -> impl Iterator<Item = u64> {
        self.bytes
            .values()
            .filter_map(|bytes| u64_at(bytes, layout.object.ob_type))
    }

    /// Completes those that are longer than their start, up to the end that the start tells.
    fn read_rest(&mut self, memory: &dyn ReadMemory, end: impl Fn(u64, &[u8]) -> Option<usize>) {
        let missing: Vec<(u64, usize, usize)> = self
            .bytes
            .iter()
            .filter_map(|(&address, start)| {
                let length = end(address, start)?
                    .checked_sub(start.len())
                    .filter(|&length| length > 0)?;
                Some((address, start.len(), length))
            })
            .collect();
        let pieces: Vec<(u64, usize)> = missing
            .iter()
            .map(|&(address, skip, length)| (address.wrapping_add(skip as u64), length))
            .collect();
        for ((address, ..), rest) in missing.into_iter().zip(read_pieces(memory, &pieces)) {
            if let (Some(bytes), Some(rest)) = (self.bytes.get_mut(&address), rest) {
                bytes.extend(rest);
            }
        }
    }
}

fn str_end(layout: &Layout, start: &[u8]) -> Option<usize> {
    Some(StrHead::parse(&layout.unicode, start)?.end())
}

fn bytes_size(layout: &Layout, object: &[u8]) -> Option<u64> {
    u64_at(object, layout.object.ob_size)
}

fn bytes_end(layout: &Layout, start: &[u8]) -> Option<usize> {
    let length = usize::try_from(bytes_size(layout, start)?)
        .ok()
        .filter(|&length| length <= MAX_LINE_TABLE_BYTES)?;
    Some(layout.bytes_sval + length)
}

#[cfg(test)]
mod tests;
