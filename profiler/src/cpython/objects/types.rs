//! Whether an object is a code, str or bytes: its type's `tp_name`, looked up once.
//!
//! The three types are static objects of the interpreter, so an address that was proved once stays
//! true for the life of the program.

use std::collections::HashSet;

use crate::cpython::{
    Layout, ReadMemory,
    memory::{read_pieces, u64_at},
};

/// A type that we read objects of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Type {
    Code,
    Str,
    Bytes,
}

impl Type {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Str => "str",
            Self::Bytes => "bytes",
        }
    }
}

/// Proved types; more than three only where a process holds several interpreters.
const MAX_KNOWN: usize = 32;

/// Bytes of a name that are read: the longest we look for, and its end.
const NAME_BYTES: usize = 6;

/// Type addresses of one program whose names were read.
#[derive(Clone, Debug, Default)]
pub(super) struct Types {
    known: Vec<(u64, Type)>,
}

impl Types {
    /// Whether this address is a type of this name, as far as [`Self::learn`] was asked.
    pub(super) fn is(&self, address: u64, expected: Type) -> bool {
        self.known.contains(&(address, expected))
    }

    /// Reads the names of the types that are not known yet: no system call in the normal case.
    pub(super) fn learn(
        &mut self,
        memory: &dyn ReadMemory,
        layout: &Layout,
        addresses: impl Iterator<Item = u64>,
    ) {
        let unknown: HashSet<u64> = addresses
            .filter(|&address| self.known.iter().all(|&(known, _)| known != address))
            .collect();
        if unknown.is_empty() {
            return;
        }
        let unknown: Vec<u64> = unknown.into_iter().collect();
        let pointers: Vec<(u64, usize)> = unknown
            .iter()
            .map(|address| (address.wrapping_add(layout.object.tp_name as u64), 8))
            .collect();
        let names: Vec<(u64, usize)> = read_pieces(memory, &pointers)
            .iter()
            .map(|piece| {
                (
                    piece
                        .as_deref()
                        .and_then(|piece| u64_at(piece, 0))
                        .unwrap_or(0),
                    NAME_BYTES,
                )
            })
            .collect();
        for (address, name) in unknown.into_iter().zip(read_pieces(memory, &names)) {
            if let Some(known) = name
                .and_then(|name| by_name(&name))
                .filter(|_| self.known.len() < MAX_KNOWN)
            {
                self.known.push((address, known));
            }
        }
    }
}

fn by_name(bytes: &[u8]) -> Option<Type> {
    let name = bytes.split(|&byte| byte == 0).next()?;
    [Type::Code, Type::Str, Type::Bytes]
        .into_iter()
        .find(|known| known.name().as_bytes() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_whole_words() {
        assert_eq!(by_name(b"code\0a"), Some(Type::Code));
        assert_eq!(by_name(b"str\0\0\0"), Some(Type::Str));
        assert_eq!(by_name(b"bytes\0"), Some(Type::Bytes));
        for other in [&b"codec\0"[..], b"bytear", b"\0code", b""] {
            assert_eq!(by_name(other), None);
        }
    }
}
