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

/// Type addresses that may be asked about in one batch; a healthy process has three.
const MAX_UNKNOWN: usize = 64;

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
        // The bound is on different addresses: a batch may begin with any number of equal ones.
        let mut unknown = HashSet::new();
        for address in addresses {
            if self.known.iter().all(|&(known, _)| known != address) {
                unknown.insert(address);
            }
            if unknown.len() >= MAX_UNKNOWN {
                break;
            }
        }
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
    use crate::cpython::{memory::Image, versions::release};

    #[test]
    fn names_are_whole_words() {
        assert_eq!(by_name(b"code\0a"), Some(Type::Code));
        assert_eq!(by_name(b"str\0\0\0"), Some(Type::Str));
        assert_eq!(by_name(b"bytes\0"), Some(Type::Bytes));
        for other in [&b"codec\0"[..], b"bytear", b"\0code", b""] {
            assert_eq!(by_name(other), None);
        }
    }

    #[test]
    fn a_batch_that_begins_with_many_of_one_type_teaches_the_others_too() {
        let layout = crate::cpython::layout(release(12, None), None).unwrap();
        let mut image = Image::default();
        let types = [
            (0x1000, Type::Code, &b"code\0\0"[..]),
            (0x2000, Type::Str, b"str\0\0\0"),
            (0x3000, Type::Bytes, b"bytes\0"),
        ];
        for (address, _, name) in types {
            image.put_u64s(address + layout.object.tp_name as u64, &[address + 0x800]);
            image.put(address + 0x800, name);
        }
        let mut known = Types::default();
        let codes = std::iter::repeat_n(0x1000, 10 * MAX_UNKNOWN);
        known.learn(&image, &layout, codes.chain([0x2000, 0x3000]));
        for (address, expected, _) in types {
            assert!(known.is(address, expected), "{expected:?}");
        }
    }

    #[test]
    fn different_addresses_are_bounded() {
        let layout = crate::cpython::layout(release(12, None), None).unwrap();
        let mut n_taken = 0;
        let garbage = (1..10_000).map(|n| n * 8).inspect(|_| n_taken += 1);
        Types::default().learn(&Image::default(), &layout, garbage);
        assert_eq!(n_taken, MAX_UNKNOWN);
    }
}
