//! Many small places of a process at once, each byte of them once.
//!
//! What a place costs process_vm_readv is its page, 0.2 to 0.5 us, not its bytes; and the objects
//! of one program lie close together. So places of one page are read as one span, into one
//! buffer for all.

use crate::{cpython::ReadMemory, procfs::Request};

const PAGE: u64 = 4096;

/// Bytes between two places of a page up to which they make one span: copying them is cheaper.
const MAX_GAP: u64 = 1024;

/// A place: address and length in bytes.
pub(super) type Place = (u64, usize);

/// What was read. Kept from one batch to the next for its buffers.
#[derive(Debug, Default)]
pub(super) struct Spans {
    places: Vec<Place>,
    /// In the order of their addresses.
    spans: Vec<Span>,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    address: u64,
    len: usize,
    /// In [`Spans::bytes`].
    start: usize,
    is_read: bool,
}

impl Spans {
    /// Reads these places instead of what was read before. The caller bounds their lengths; the
    /// buffer grows to their sum and at most [`MAX_GAP`] a place. One round, or two where a
    /// place is not there: it must not hide its neighbours.
    pub(super) fn read(&mut self, memory: &dyn ReadMemory, places: impl Iterator<Item = Place>) {
        self.places.clear();
        self.places.extend(places.filter(|&(_, len)| len > 0));
        self.places.sort_unstable();
        self.places.dedup();
        self.spans.clear();
        for &(address, len) in &self.places {
            match self.spans.last_mut() {
                Some(span) if joins(span, address) => {
                    let end = (address - span.address) as usize + len;
                    span.len = span.len.max(end);
                }
                _ => self.spans.push(Span {
                    address,
                    len,
                    start: 0,
                    is_read: false,
                }),
            }
        }
        self.fill(memory);
        if self.spans.iter().any(|span| !span.is_read) {
            self.split();
            self.fill(memory);
        }
    }

    /// The bytes of a place; `None`: not among those that were read, or not there. An empty one
    /// is always there.
    pub(super) fn get(&self, (address, len): Place) -> Option<&[u8]> {
        if len == 0 {
            return Some(&[]);
        }
        let n_before = self.spans.partition_point(|span| span.address <= address);
        let before = self.spans.get(..n_before)?;
        let offset = usize::try_from(address - before.last()?.address).ok()?;
        let end = offset.checked_add(len)?;
        // Of places that were read one by one, several may begin at one address.
        let span = before
            .iter()
            .rev()
            .take_while(|span| address - span.address == offset as u64)
            .find(|span| span.is_read && end <= span.len)?;
        self.bytes.get(span.start + offset..span.start + end)
    }

    /// Makes a span of each place whose span could not be read.
    fn split(&mut self) {
        let Self { places, spans, .. } = self;
        let mut parts = Vec::new();
        let mut places = places.iter().peekable();
        for span in &*spans {
            let end = span.address.saturating_add(span.len as u64);
            if span.is_read {
                parts.push(*span);
            }
            while let Some(&(address, len)) = places.next_if(|(address, _)| *address < end) {
                if !span.is_read {
                    parts.push(Span {
                        address,
                        len,
                        ..*span
                    });
                }
            }
        }
        *spans = parts;
    }

    fn fill(&mut self, memory: &dyn ReadMemory) {
        let Self { spans, bytes, .. } = self;
        let mut end = 0;
        for span in spans.iter_mut() {
            span.start = end;
            end += span.len;
        }
        bytes.clear();
        bytes.resize(end, 0);
        let mut rest = bytes.as_mut_slice();
        let mut requests = Vec::with_capacity(spans.len());
        for span in &*spans {
            let (buffer, behind) = rest.split_at_mut(span.len);
            requests.push(Request::new(span.address, buffer));
            rest = behind;
        }
        memory.read_batch(&mut requests);
        for (span, request) in spans.iter_mut().zip(&requests) {
            span.is_read = request.is_read;
        }
    }
}

/// Whether a place at `address`, which is not below the span's, is to be read with it: they
/// overlap, or it begins on the page on which the span ends, close by. So no page is touched
/// that no place needs.
fn joins(span: &Span, address: u64) -> bool {
    let end = span.address.saturating_add(span.len as u64);
    address < end || address / PAGE == (end - 1) / PAGE && address - end <= MAX_GAP
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpython::memory::Image;

    /// A page whose bytes say where they are.
    fn page(number: u64) -> Vec<u8> {
        (0..PAGE)
            .map(|offset| ((number + offset) % 251) as u8)
            .collect()
    }

    fn image(pages: &[u64]) -> Image {
        let mut image = Image::default();
        // Images find a read within one piece: neighbours are one.
        for run in pages.chunk_by(|a, b| a + 1 == *b) {
            let bytes: Vec<u8> = run.iter().flat_map(|&number| page(number)).collect();
            image.put(run[0] * PAGE, &bytes);
        }
        image
    }

    fn expected(address: u64, len: usize) -> Vec<u8> {
        (address..address + len as u64)
            .map(|at| ((at / PAGE + at % PAGE) % 251) as u8)
            .collect()
    }

    #[test]
    fn every_place_has_its_own_bytes() {
        let image = image(&[1, 2, 3, 7]);
        let places = [
            (0x3010, 40),
            (0x1000, 8),
            (0x1ff0, 32),
            (0x1008, 100),
            (0x1000, 200),
            (0x1000, 8),
            (0x2010, 16),
            (0x7ffc, 4),
            (0x7000, 1),
        ];
        let mut spans = Spans::default();
        spans.read(&image, places.into_iter());
        for place in places {
            let (address, len) = place;
            assert_eq!(
                spans.get(place),
                Some(&*expected(address, len)),
                "{place:x?}"
            );
        }
        assert_eq!(image.calls(), 1);
        // 0x1000, 0x1ff0 with 0x2010, 0x3010, 0x7000, 0x7ffc.
        assert_eq!(spans.spans.len(), 5);
        assert_eq!(spans.get((0x1000, 201)), None);
        assert_eq!(spans.get((0xfff, 1)), None);
        assert_eq!(spans.get((0x9000, 0)), Some(&[][..]));
    }

    #[test]
    fn what_is_not_there_hides_nothing_else() {
        // The page 2 is gone; a place reaches into it from page 1, and joins its neighbours.
        let image = image(&[1, 3]);
        let there = [(0x1f00, 16), (0x1f40, 16), (0x1ff0, 16), (0x3000, 8)];
        let gone = [(0x1ff0, 32), (0x2010, 16), (0x5000, 8)];
        let mut spans = Spans::default();
        spans.read(&image, there.into_iter().chain(gone));
        for place in there {
            let (address, len) = place;
            assert_eq!(
                spans.get(place),
                Some(&*expected(address, len)),
                "{place:x?}"
            );
        }
        for place in gone {
            assert_eq!(spans.get(place), None, "{place:x?}");
        }
        assert_eq!(image.calls(), 2);
    }

    #[test]
    fn addresses_at_the_end_of_the_world_are_refused() {
        let image = image(&[1]);
        let mut spans = Spans::default();
        let absurd = [(u64::MAX - 3, 100), (u64::MAX, 1)];
        spans.read(&image, absurd.into_iter().chain([(0x1000, 8)]));
        assert_eq!(spans.get((0x1000, 8)), Some(&*expected(0x1000, 8)));
        for place in absurd {
            assert_eq!(spans.get(place), None);
        }
    }
}
