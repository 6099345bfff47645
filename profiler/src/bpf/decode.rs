//! Ring bytes to typed records: the only place that does it.

use profiler_common::{
    lifecycle::LifecycleEvent,
    sample::{FrameWord, SampleHeader},
    status::Status,
};

use crate::model::{ProcessId, Tgid};

/// One record of the ring `SAMPLES`.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    /// Its header.
    pub header: SampleHeader,
    /// How the walk ended; `None`: a number that this binary does not know.
    pub status: Option<Status>,
    /// The frame words, leaf first.
    pub words: Words<'a>,
}

impl Sample<'_> {
    /// The process and epoch it belongs to.
    #[must_use]
    pub fn process(&self) -> ProcessId {
        ProcessId {
            tgid: Tgid(self.header.tgid),
            epoch: self.header.epoch,
        }
    }
}

/// Frame words as bytes; two samples of the same stack have equal bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Words<'a>(pub &'a [u8]);

impl Words<'_> {
    /// The frames, leaf first: code address and offset in code units (-1: before the start).
    pub fn frames(&self) -> impl Iterator<Item = (u64, i64)> {
        let mut words = self
            .0
            .as_chunks::<8>()
            .0
            .iter()
            .map(|word| u64::from_ne_bytes(*word));
        std::iter::from_fn(move || {
            let word = FrameWord(words.next()?);
            let unit = match word.unit() {
                Some(unit) => unit,
                None => words.next()?.cast_signed(),
            };
            Some((word.code(), unit))
        })
    }
}

/// Splits the records that stand one behind the other in `bytes`.
pub fn samples(mut bytes: &[u8]) -> impl Iterator<Item = Sample<'_>> {
    std::iter::from_fn(move || {
        let (header, rest) = pod::<SampleHeader>(bytes)?;
        let (words, rest) = rest.split_at_checked(header.n_words as usize * 8)?;
        bytes = rest;
        Some(Sample {
            status: Status::from_id(header.status),
            header,
            words: Words(words),
        })
    })
}

/// Whether a ring record is as long as its own header says. [`samples`] relies on it.
#[must_use]
pub fn is_whole(record: &[u8]) -> bool {
    pod::<SampleHeader>(record)
        .is_some_and(|(header, rest)| rest.len() == header.n_words as usize * 8)
}

/// The header of a record that [`is_whole`].
#[must_use]
pub fn header(record: &[u8]) -> Option<SampleHeader> {
    pod(record).map(|(header, _)| header)
}

/// A record of the ring `EVENTS`.
#[must_use]
pub fn event(record: &[u8]) -> Option<LifecycleEvent> {
    pod(record).map(|(event, _)| event)
}

fn pod<T: aya::Pod>(bytes: &[u8]) -> Option<(T, &[u8])> {
    let (head, rest) = bytes.split_at_checked(size_of::<T>())?;
    // SAFETY: `head` has the size of T, the read needs no alignment, and every bit pattern is a
    // value of a `Pod`.
    let value = unsafe { head.as_ptr().cast::<T>().read_unaligned() };
    Some((value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(n_words: u32, words: &[u64]) -> Vec<u8> {
        let mut header = [0u8; size_of::<SampleHeader>()];
        header[16..20].copy_from_slice(&7u32.to_ne_bytes());
        let n_words_at = std::mem::offset_of!(SampleHeader, n_words);
        header[n_words_at..n_words_at + 4].copy_from_slice(&n_words.to_ne_bytes());
        let words = words.iter().flat_map(|word| word.to_ne_bytes());
        header.into_iter().chain(words).collect()
    }

    #[test]
    fn records_stand_one_behind_the_other() {
        let (plain, _) = FrameWord::pack(0x1000, 5);
        let (escaped, _) = FrameWord::pack(0x2000, 1 << 30);
        let first = record(3, &[plain.0, escaped.0, 1 << 30]);
        let bytes = [first.clone(), record(0, &[])].concat();
        assert!(is_whole(&first) && !is_whole(&bytes) && !is_whole(&first[..60]));
        let samples: Vec<_> = samples(&bytes).collect();
        assert_eq!(samples.len(), 2);
        let frames: Vec<_> = samples[0].words.frames().collect();
        assert_eq!(frames, [(0x1000, 5), (0x2000, 1 << 30)]);
        assert_eq!(samples[0].process().tgid, Tgid(7));
        assert_eq!(samples[1].words.frames().count(), 0);
    }

    #[test]
    fn cut_records_end_the_split() {
        let bytes = record(100, &[1, 2]);
        assert_eq!(samples(&bytes).count(), 0);
        assert_eq!(samples(&bytes[..10]).count(), 0);
    }
}
