//! Offsets of kernel struct members, from the kernel's own type information (BTF).
//!
//! aya's BTF has no public look-up of members, and the one crate that does is LGPL, so this reads
//! the format itself (Documentation/bpf/btf.rst): a header, types one after the other, strings.
//! The types are walked once; each look-up follows names down, also through anonymous structs
//! and unions. The bytes are treated as hostile: a bad file gives an error, never a panic.

use std::{fs::File, io::Read, ops::Range};

/// Where the running kernel keeps its types.
pub const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

/// vmlinux's BTF has 4 to 10 MB; more than this is not read.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// Anonymous structs within each other, and typedefs and qualifiers of a member, at most.
const MAX_NESTING: u32 = 32;
/// Members looked at in one search: only a malicious file nests anonymous structs into more.
const MAX_MEMBERS: u32 = 100_000;

const MAGIC: u16 = 0xeb9f;
const VERSION: u8 = 1;
const HEADER_BYTES: usize = 24;
const TYPE_BYTES: usize = 12;
const MEMBER_BYTES: usize = 12;

/// Kinds of types, `include/uapi/linux/btf.h`.
mod kind {
    pub(super) const INT: u32 = 1;
    pub(super) const PTR: u32 = 2;
    pub(super) const ARRAY: u32 = 3;
    pub(super) const STRUCT: u32 = 4;
    pub(super) const UNION: u32 = 5;
    pub(super) const ENUM: u32 = 6;
    pub(super) const FWD: u32 = 7;
    pub(super) const TYPEDEF: u32 = 8;
    pub(super) const VOLATILE: u32 = 9;
    pub(super) const CONST: u32 = 10;
    pub(super) const RESTRICT: u32 = 11;
    pub(super) const FUNC: u32 = 12;
    pub(super) const FUNC_PROTO: u32 = 13;
    pub(super) const VAR: u32 = 14;
    pub(super) const DATASEC: u32 = 15;
    pub(super) const FLOAT: u32 = 16;
    pub(super) const DECL_TAG: u32 = 17;
    pub(super) const TYPE_TAG: u32 = 18;
    pub(super) const ENUM64: u32 = 19;
}

/// Why a kernel offset could not be had.
#[derive(Debug, thiserror::Error)]
pub enum BtfError {
    /// The file could not be read.
    #[error(
        "cannot read the kernel's type information from {VMLINUX}: {0}; run as root on a kernel built with CONFIG_DEBUG_INFO_BTF=y"
    )]
    Read(#[source] std::io::Error),
    /// The bytes are no BTF.
    #[error(
        "the kernel's type information ({VMLINUX}) is malformed: {what} at byte {position}; please report this with `uname -a`"
    )]
    Malformed {
        /// What does not fit.
        what: &'static str,
        /// Where, in bytes from the start of the file.
        position: usize,
    },
    /// A path names a struct or member that this kernel does not have.
    #[error(
        "this kernel has no `{path}` in its type information ({VMLINUX}): {what}; please report this with `uname -a`"
    )]
    NotFound {
        /// The whole path.
        path: String,
        /// What is missing.
        what: &'static str,
    },
}

/// The types of a kernel.
pub struct Btf {
    bytes: Vec<u8>,
    /// Where each type starts in `bytes`; type id n is at n - 1.
    types: Vec<u32>,
    /// Ids of the structs that have a name.
    structs: Vec<u32>,
    strings: Range<usize>,
}

/// A type's three words.
#[derive(Clone, Copy)]
struct Type {
    name: u32,
    kind: u32,
    kind_flag: bool,
    n_members: u32,
    /// Target type of typedefs, qualifiers and pointers; size of others.
    target: u32,
    position: usize,
}

impl Btf {
    /// The types of the running kernel. Takes a few milliseconds: keep it while offsets are looked up.
    ///
    /// # Errors
    /// When the file is not there, cannot be read, or is malformed.
    pub fn load() -> Result<Self, BtfError> {
        let mut bytes = Vec::new();
        let file = File::open(VMLINUX).map_err(BtfError::Read)?;
        let capacity = file
            .metadata()
            .map_or(0, |metadata| metadata.len())
            .min(MAX_BYTES);
        bytes.reserve_exact(usize::try_from(capacity).unwrap_or(0));
        file.take(MAX_BYTES)
            .read_to_end(&mut bytes)
            .map_err(BtfError::Read)?;
        Self::parse(bytes)
    }

    /// The types in the bytes of a BTF file.
    ///
    /// # Errors
    /// When the header, or a type's size, does not fit.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, BtfError> {
        let malformed = |what, position| BtfError::Malformed { what, position };
        let header = |position| u32_at(&bytes, position).ok_or(malformed("cut header", position));
        if bytes.get(..2) != Some(&MAGIC.to_le_bytes()) {
            return Err(malformed("no BTF magic", 0));
        }
        if bytes.get(2) != Some(&VERSION) {
            return Err(malformed("unknown version", 2));
        }
        let header_bytes = header(4)? as usize;
        if header_bytes < HEADER_BYTES {
            return Err(malformed("header too short", 4));
        }
        let section = |position| -> Result<Range<usize>, BtfError> {
            let start = header_bytes.checked_add(header(position)? as usize);
            let start = start.ok_or(malformed("section out of bounds", position))?;
            let end = start.checked_add(header(position + 4)? as usize);
            let end = end.filter(|&end| end <= bytes.len());
            Ok(start..end.ok_or(malformed("section out of bounds", position))?)
        };
        let type_section = section(8)?;
        let strings = section(16)?;
        let (types, structs) = index_types(&bytes, type_section)?;
        Ok(Self {
            bytes,
            types,
            structs,
            strings,
        })
    }

    /// Offset in bytes of a member from the start of the outermost struct, for a path such as
    /// `task_struct.thread.fsbase`. Members of anonymous structs and unions count as their
    /// parent's, as in C; a path does not go through pointers or arrays.
    ///
    /// # Errors
    /// When a name of the path is not there, is a bit field, or when two structs of that name
    /// disagree.
    pub fn offset(&self, path: &str) -> Result<u32, BtfError> {
        let not_found = |what| BtfError::NotFound {
            path: path.to_owned(),
            what,
        };
        let mut names = path.split('.');
        let root = names
            .next()
            .filter(|name| !name.is_empty())
            .ok_or(not_found("empty path"))?;
        let members: Vec<&str> = names.collect();
        if members.is_empty() || members.contains(&"") {
            return Err(not_found("the path names no member"));
        }
        let mut found = None;
        let mut reason = "no such struct";
        for id in self.structs_named(root) {
            match self.offset_in(id, &members) {
                Ok(bits) if found.is_some_and(|earlier| earlier != bits) => {
                    return Err(not_found("several structs of that name disagree"));
                }
                Ok(bits) => found = Some(bits),
                Err(what) => reason = what,
            }
        }
        let bits = found.ok_or(not_found(reason))?;
        if bits % 8 != 0 {
            return Err(not_found("the member is a bit field"));
        }
        Ok(bits / 8)
    }

    /// Offset in bits of a chain of members.
    fn offset_in(&self, root: u32, members: &[&str]) -> Result<u32, &'static str> {
        let mut bits = 0_u32;
        let mut id = root;
        for name in members {
            let mut budget = MAX_MEMBERS;
            let (member, offset) = self
                .member(id, name.as_bytes(), 0, &mut budget)?
                .ok_or("no such member")?;
            bits = bits.checked_add(offset).ok_or("offset out of range")?;
            id = member;
        }
        Ok(bits)
    }

    /// A member's type and its offset in bits, searched in the struct and in its anonymous
    /// structs and unions.
    fn member(
        &self,
        id: u32,
        name: &[u8],
        depth: u32,
        budget: &mut u32,
    ) -> Result<Option<(u32, u32)>, &'static str> {
        let id = self
            .strip_qualifiers(id)
            .ok_or("a type refers to itself or to none")?;
        let parent = self.ty(id).ok_or("a type refers to none")?;
        if !matches!(parent.kind, kind::STRUCT | kind::UNION) {
            return Err("a part of the path is no struct");
        }
        for index in 0..parent.n_members as usize {
            *budget = budget.checked_sub(1).ok_or("too many members")?;
            let at = parent.position + TYPE_BYTES + index * MEMBER_BYTES;
            let word = |n| u32_at(&self.bytes, at + n).ok_or("members out of bounds");
            let (member_name, member_type, offset) = (word(0)?, word(4)?, word(8)?);
            // With the kind flag the upper byte is the width of a bit field.
            let (width, offset) = if parent.kind_flag {
                (offset >> 24, offset & 0xff_ffff)
            } else {
                (0, offset)
            };
            if self.is_string(member_name, name) {
                if width != 0 {
                    return Err("the member is a bit field");
                }
                return Ok(Some((member_type, offset)));
            }
            if member_name == 0
                && depth < MAX_NESTING
                && self.is_composite(member_type)
                && let Some((found, inner)) = self.member(member_type, name, depth + 1, budget)?
            {
                let sum = offset.checked_add(inner).ok_or("offset out of range")?;
                return Ok(Some((found, sum)));
            }
        }
        Ok(None)
    }

    fn is_composite(&self, id: u32) -> bool {
        let ty = self.strip_qualifiers(id).and_then(|id| self.ty(id));
        ty.is_some_and(|ty| matches!(ty.kind, kind::STRUCT | kind::UNION))
    }

    fn strip_qualifiers(&self, mut id: u32) -> Option<u32> {
        for _ in 0..MAX_NESTING {
            let ty = self.ty(id)?;
            match ty.kind {
                kind::TYPEDEF | kind::VOLATILE | kind::CONST | kind::RESTRICT | kind::TYPE_TAG => {
                    id = ty.target
                }
                _ => return Some(id),
            }
        }
        None
    }

    fn structs_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = u32> + 'a {
        let named = |ty: Type| self.is_string(ty.name, name.as_bytes());
        self.structs
            .iter()
            .copied()
            .filter(move |&id| self.ty(id).is_some_and(named))
    }

    fn ty(&self, id: u32) -> Option<Type> {
        let index = (id as usize).checked_sub(1)?;
        type_at(&self.bytes, *self.types.get(index)? as usize)
    }

    /// Whether the string at an offset is `name`.
    fn is_string(&self, offset: u32, name: &[u8]) -> bool {
        let strings = self.bytes.get(self.strings.clone()).unwrap_or_default();
        let rest = strings
            .get(offset as usize..)
            .and_then(|rest| rest.strip_prefix(name));
        rest.and_then(<[u8]>::first) == Some(&0)
    }
}

/// Start of each type, and the ids of the structs with a name; the walk itself proves that all
/// lie within the section.
fn index_types(bytes: &[u8], section: Range<usize>) -> Result<(Vec<u32>, Vec<u32>), BtfError> {
    let (mut types, mut structs) = (Vec::with_capacity(section.len() / 24), Vec::new());
    let mut position = section.start;
    while position < section.end {
        let malformed = |what| BtfError::Malformed { what, position };
        let ty = type_at(bytes, position).ok_or(malformed("cut type"))?;
        let size = TYPE_BYTES + trailing_bytes(ty).ok_or(malformed("unknown kind of type"))?;
        types.push(u32::try_from(position).map_err(|_| malformed("file too large"))?);
        if ty.kind == kind::STRUCT && ty.name != 0 {
            structs.push(u32::try_from(types.len()).map_err(|_| malformed("file too large"))?);
        }
        position += size;
    }
    if position != section.end {
        return Err(BtfError::Malformed {
            what: "cut type",
            position,
        });
    }
    Ok((types, structs))
}

/// Bytes that follow a type's three words.
fn trailing_bytes(ty: Type) -> Option<usize> {
    let n_members = ty.n_members as usize;
    Some(match ty.kind {
        kind::PTR
        | kind::FWD
        | kind::TYPEDEF
        | kind::VOLATILE
        | kind::CONST
        | kind::RESTRICT
        | kind::FUNC
        | kind::FLOAT
        | kind::TYPE_TAG => 0,
        kind::INT | kind::VAR | kind::DECL_TAG => 4,
        kind::ARRAY => 12,
        kind::STRUCT | kind::UNION | kind::DATASEC | kind::ENUM64 => n_members * 12,
        kind::ENUM | kind::FUNC_PROTO => n_members * 8,
        _ => return None,
    })
}

fn type_at(bytes: &[u8], position: usize) -> Option<Type> {
    let info = u32_at(bytes, position.checked_add(4)?)?;
    Some(Type {
        name: u32_at(bytes, position)?,
        kind: (info >> 24) & 0x1f,
        kind_flag: info >> 31 != 0,
        n_members: info & 0xffff,
        target: u32_at(bytes, position.checked_add(8)?)?,
        position,
    })
}

fn u32_at(bytes: &[u8], position: usize) -> Option<u32> {
    let word = bytes.get(position..position.checked_add(4)?)?;
    Some(u32::from_le_bytes(word.try_into().ok()?))
}

#[cfg(test)]
mod tests;
