//! A process's memory as byte images, with faults injected.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

use crate::Memory;

/// Regions by address. A read that is not within one region fails.
#[derive(Default)]
pub(super) struct Image {
    regions: BTreeMap<u64, Vec<u8>>,
    /// The reads so far: address and length.
    pub(super) reads: RefCell<Vec<(u64, usize)>>,
    /// The number of the read that fails.
    pub(super) fault_at: Cell<Option<usize>>,
}

impl Image {
    /// Adds a zeroed region.
    pub(super) fn region(&mut self, base: u64, len: usize) {
        self.regions.insert(base, vec![0; len]);
    }

    /// Writes a word.
    pub(super) fn set(&mut self, address: u64, word: u64) {
        self.set_bytes(address, &word.to_ne_bytes());
    }

    /// Writes bytes, within one region.
    pub(super) fn set_bytes(&mut self, address: u64, bytes: &[u8]) {
        let (base, region) = self.regions.range_mut(..=address).next_back().unwrap();
        let at = (address - base) as usize;
        region[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn fill(&self, address: u64, words: &mut [u64], len: usize) -> bool {
        let n = self.reads.borrow().len();
        self.reads.borrow_mut().push((address, len));
        let bytes = (self.fault_at.get() != Some(n))
            .then(|| self.bytes(address, len))
            .flatten();
        let Some(bytes) = bytes else {
            // What the kernel leaves behind a failed read is not defined.
            words.fill(0x5a5a_5a5a_5a5a_5a58);
            return false;
        };
        for (word, bytes) in words.iter_mut().zip(bytes.chunks(8)) {
            let mut whole = word.to_ne_bytes();
            whole[..bytes.len()].copy_from_slice(bytes);
            *word = u64::from_ne_bytes(whole);
        }
        true
    }

    fn bytes(&self, address: u64, len: usize) -> Option<&[u8]> {
        let (base, region) = self.regions.range(..=address).next_back()?;
        let at = (address - base) as usize;
        region.get(at..at.checked_add(len)?)
    }
}

impl Memory for Image {
    fn read<const N: usize>(&self, address: u64, words: &mut [u64; N]) -> bool {
        self.fill(address, words, N * 8)
    }

    fn read_part<const N: usize>(&self, address: u64, words: &mut [u64; N], len: u64) -> bool {
        self.fill(address, words, (len as usize).min(N * 8))
    }
}
