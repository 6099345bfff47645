//! The state of one walk. It lives in a map value: the verifier then sees equal states at the
//! head of the loop, and every index is masked instead of checked.

use profiler_common::{
    layout::WalkLayout,
    limits::{FRAME_BYTES, MAX_FRAME_WORDS, TSTATE_BYTES, WINDOW_BYTES},
    sample::SampleHeader,
    status::Status,
};

/// Words of a window of the data stack.
pub const WINDOW_WORDS: usize = WINDOW_BYTES / 8;
/// Words of a frame that lies elsewhere.
pub const FRAME_WORDS: usize = FRAME_BYTES / 8;
/// Words of a tstate.
pub const TSTATE_WORDS: usize = TSTATE_BYTES / 8;
const SLACK_WORDS: usize = WINDOW_WORDS - FRAME_WORDS;

/// What was read of the stack: a window of the data stack and one frame that lies elsewhere.
/// One array to the walker, so that a frame's fields are read alike wherever it lies.
#[repr(C)]
pub struct Buffer {
    /// The window.
    pub window: [u64; WINDOW_WORDS],
    /// The frame that lies elsewhere: starts at byte [`WINDOW_BYTES`].
    pub single: [u64; FRAME_WORDS],
    slack: [u64; SLACK_WORDS],
}

const BUFFER_WORDS: usize = 2 * WINDOW_WORDS;
const _: () = assert!(size_of::<Buffer>() == BUFFER_WORDS * 8 && BUFFER_WORDS.is_power_of_two());

impl Buffer {
    /// The word that holds byte `byte`.
    #[inline(always)]
    pub fn word(&self, byte: u32) -> u64 {
        let index = (byte >> 3) as usize & (BUFFER_WORDS - 1);
        // SAFETY: a `Buffer` is `repr(C)` and consists of exactly BUFFER_WORDS words (asserted
        // above), and the index is masked to less than that.
        let word = unsafe { core::ptr::from_ref(self).cast::<u64>().add(index) };
        // SAFETY: as above; `self` is borrowed, so the word is initialised and not written.
        unsafe { word.read() }
    }
}

/// Where the walk is and what it has found out.
#[repr(C)]
pub struct Walk {
    /// What was read of the stack.
    pub buffer: Buffer,
    /// What was read of the tstate.
    pub tstate: [u64; TSTATE_WORDS],
    /// The layout of the interpreter.
    pub layout: WalkLayout,
    /// The next frame.
    pub frame: u64,
    /// Address of the window's first byte.
    pub window_base: u64,
    /// Bytes in the window.
    pub window_len: u64,
    /// The data stack chunk that the walk is in; 0: none.
    pub chunk: u64,
    /// With a `_PyCFrame`: what the outer evaluation's current frame is.
    pub outer: u64,
    /// The first boundary is still to be compared with `outer`.
    pub unproved: u32,
    /// `FLAG_` bits of the sample.
    pub flags: u32,
    /// Words in the record.
    pub n_words: u32,
    /// Why the walk stopped; [`RUNNING`] until then.
    pub status: u32,
}

/// [`Walk::status`] while the walk goes on.
pub const RUNNING: u32 = u32::MAX;

/// The record: the header and the frame words, as they go into the ring.
#[repr(C)]
pub struct Record {
    /// The header.
    pub header: SampleHeader,
    /// The frame words.
    pub words: [u64; MAX_FRAME_WORDS],
}

const HEADER_WORDS: usize = size_of::<SampleHeader>() / 8;
const RECORD_WORDS: usize = size_of::<Record>() / 8;
const _: () = assert!(RECORD_WORDS.is_power_of_two());

impl Record {
    /// Sets frame word `n`; `n` is below [`MAX_FRAME_WORDS`].
    #[inline(always)]
    pub fn set(&mut self, n: u32, word: u64) {
        let index = (HEADER_WORDS + n as usize) & (RECORD_WORDS - 1);
        // SAFETY: a `Record` is `repr(C)` and consists of exactly RECORD_WORDS words, and the
        // index is masked to less than that.
        let place = unsafe { core::ptr::from_mut(self).cast::<u64>().add(index) };
        // SAFETY: as above; `self` is borrowed mutably.
        unsafe { place.write(word) };
    }
}

impl Walk {
    /// Starts anew at `frame`, with nothing read.
    #[inline(always)]
    pub fn start(&mut self, frame: u64, chunk: u64, outer: Option<u64>) {
        self.frame = frame;
        self.chunk = chunk;
        self.window_base = 0;
        self.window_len = 0;
        self.outer = outer.unwrap_or(0);
        self.unproved = outer.is_some() as u32;
        self.n_words = 0;
        self.status = RUNNING;
    }

    /// Ends the walk.
    #[inline(always)]
    pub fn stop(&mut self, status: Status) {
        self.status = status as u32;
    }

    /// The word of the tstate at byte `offset`.
    #[inline(always)]
    pub fn tstate_word(&self, offset: u16) -> u64 {
        // TSTATE_WORDS is no power of two: the comparison is the bound.
        match self.tstate.get(offset as usize >> 3) {
            Some(word) => *word,
            None => 0,
        }
    }
}
