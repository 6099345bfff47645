//! The walker over byte images: three shapes of layout, and a fault at every read.

mod image;

use profiler_common::{
    layout::{
        CAP_CFRAME, CAP_GIL_IS_CURRENT, CAP_GIL_MASK, CAP_INSTR_PTR, CAP_IS_ENTRY, CAP_LASTI_BYTES,
        WalkLayout,
    },
    limits::{MAX_FRAME_WORDS, MAX_STEPS},
    process::{PyProcess, TstatePath},
    sample::{FLAG_GIL_HELD, FLAG_GIL_KNOWN, FLAG_RETRIED, FrameWord},
    status::Status,
};

use self::image::Image;
use crate::{
    Walk, frames, tstate,
    walk::{RUNNING, Record},
};

const TP: u64 = 0x7000_0000;
const TSTATE: u64 = 0x7100_0000;
const CURRENT: u64 = 0x7200_0000;
const CHUNK_A: u64 = 0x7300_0000;
const CHUNK_B: u64 = 0x7400_0000;
const C_STACK: u64 = 0x7500_0000;
const HEAP: u64 = 0x7600_0000;
const CODE: u64 = 0x5500_0000;
const SLOT: u64 = 0x318;

/// The shape of CPython 3.8 (fact sheet 1.1).
const OBJECT_FRAMES: WalkLayout = WalkLayout {
    caps: CAP_LASTI_BYTES | CAP_GIL_IS_CURRENT,
    tstate_len: 184,
    tstate_thread_id: 176,
    tstate_frame: 24,
    frame_len: 112,
    frame_code: 32,
    frame_previous: 24,
    frame_instr: 104,
    ..WalkLayout::ZERO
};

/// The shape of CPython 3.11.
const CFRAMES: WalkLayout = WalkLayout {
    caps: CAP_CFRAME | CAP_INSTR_PTR | CAP_IS_ENTRY | CAP_GIL_IS_CURRENT,
    tstate_len: 304,
    tstate_thread_id: 152,
    tstate_frame: 56,
    tstate_datastack_chunk: 296,
    cframe_current_frame: 8,
    cframe_previous: 16,
    frame_len: 72,
    frame_code: 32,
    frame_previous: 48,
    frame_instr: 56,
    frame_owner: 68,
    code_adaptive: 184,
    ..WalkLayout::ZERO
};

/// The shape of CPython 3.14.
const TAGGED: WalkLayout = WalkLayout {
    caps: CAP_INSTR_PTR | CAP_GIL_MASK,
    tstate_len: 240,
    tstate_thread_id: 152,
    tstate_frame: 72,
    tstate_datastack_chunk: 232,
    tstate_gil: 44,
    gil_mask: 1,
    frame_len: 80,
    frame_code: 0,
    frame_previous: 8,
    frame_instr: 56,
    frame_owner: 74,
    owner_boundary: 3,
    code_adaptive: 208,
    code_tag_mask: 7,
    ..WalkLayout::ZERO
};

/// A process image and what a walk of it must give, leaf first.
struct Case {
    image: Image,
    layout: WalkLayout,
    process: PyProcess,
    frames: Vec<(u64, i64)>,
}

struct Walked {
    status: Result<Status, Status>,
    flags: u32,
    frames: Vec<(u64, i64)>,
}

fn code(n: u64) -> u64 {
    CODE + n * 0x100
}

fn slot_path() -> TstatePath {
    TstatePath {
        steps: [SLOT as i64, 0, 0],
        n_steps: 1,
        absolute: 0,
    }
}

impl Case {
    fn new(layout: WalkLayout) -> Self {
        let mut image = Image::default();
        image.region(TP, 0x400);
        image.region(TSTATE, layout.tstate_len as usize);
        image.region(CURRENT, 8);
        image.region(CHUNK_A, 16 * 1024);
        image.region(CHUNK_B, 16 * 1024);
        image.region(C_STACK, 4096);
        image.region(HEAP, 64 * 1024);
        image.set(TP + SLOT, TSTATE);
        image.set(CURRENT, TSTATE);
        image.set(TSTATE + u64::from(layout.tstate_thread_id), TP);
        let mut process = PyProcess::ZERO;
        process.paths[0] = slot_path();
        Self {
            image,
            layout,
            process,
            frames: Vec::new(),
        }
    }

    /// A frame at `at`: it executes `unit` of code `n`.
    fn frame(&mut self, at: u64, previous: u64, n: u64, unit: i64, owner: u8) {
        let layout = self.layout;
        self.image
            .set(at + u64::from(layout.frame_previous), previous);
        let tag = u64::from(layout.code_tag_mask & 1);
        self.image
            .set(at + u64::from(layout.frame_code), code(n) | tag);
        let instr = at + u64::from(layout.frame_instr);
        if layout.caps & CAP_INSTR_PTR != 0 {
            let first = code(n) + u64::from(layout.code_adaptive);
            self.image.set(instr, first.wrapping_add_signed(unit * 2));
        } else {
            let lasti = if unit < 0 { -1 } else { unit as i32 * 2 };
            self.image.set_bytes(instr, &lasti.to_ne_bytes());
        }
        if layout.frame_owner != 0 {
            self.image
                .set_bytes(at + u64::from(layout.frame_owner), &[owner]);
        }
    }

    fn head(&mut self, frame: u64) {
        self.image
            .set(TSTATE + u64::from(self.layout.tstate_frame), frame);
    }

    fn walk(&self) -> Walked {
        // SAFETY: both consist of integers, of which zero is a value.
        let mut walk: Box<Walk> = unsafe { Box::new(core::mem::zeroed()) };
        // SAFETY: as above.
        let mut record: Box<Record> = unsafe { Box::new(core::mem::zeroed()) };
        self.image.reads.borrow_mut().clear();
        walk.layout = self.layout;
        let found = tstate::find(&self.image, &mut walk, &self.process, TP)
            .and_then(|_| tstate::start(&self.image, &mut walk));
        if let Err(status) = found {
            return Walked {
                status: Err(status),
                flags: walk.flags,
                frames: Vec::new(),
            };
        }
        let mut steps = 0;
        while steps < MAX_STEPS && frames::step(&self.image, &mut walk, &mut record) {
            steps += 1;
        }
        frames::finish(&mut walk);
        assert_ne!(walk.status, RUNNING);
        let mut words = record.words[..walk.n_words as usize].iter();
        let frames = std::iter::from_fn(|| {
            let word = FrameWord(*words.next()?);
            let unit = word.unit().unwrap_or_else(|| *words.next().unwrap() as i64);
            Some((word.code(), unit))
        });
        let frames = frames.collect();
        Walked {
            status: Ok(Status::from_id(walk.status).unwrap()),
            flags: walk.flags,
            frames,
        }
    }

    fn assert_exact(&self) {
        let walked = self.walk();
        assert_eq!(walked.status, Ok(Status::Complete));
        assert_eq!(walked.frames, self.frames);
    }

    /// Whichever read fails, the walk gives the true stack or none.
    fn assert_faults_are_seen(&self) {
        self.walk();
        let n_reads = self.image.reads.borrow().len();
        assert!(n_reads > 2);
        let mut failed = 0;
        for n in 0..n_reads {
            self.image.fault_at.set(Some(n));
            let walked = self.walk();
            match walked.status {
                Ok(status) if status.has_stack() => {
                    assert_eq!(walked.frames, self.frames, "read {n}")
                }
                _ => failed += 1,
            }
        }
        self.image.fault_at.set(None);
        assert!(failed > 0);
    }
}

fn object_frames(n: u64) -> Case {
    let mut case = Case::new(OBJECT_FRAMES);
    let at = |i: u64| HEAP + i * 128;
    for i in 0..n {
        let previous = if i + 1 < n { at(i + 1) } else { 0 };
        case.frame(at(i), previous, i, i as i64 - 1, 0);
        case.frames.push((code(i), i as i64 - 1));
    }
    case.head(at(0));
    case
}

/// 3.14: a leaf in the upper chunk, a generator, a boundary, and frames that fill most of the
/// lower chunk.
fn data_stack() -> Case {
    let mut case = Case::new(TAGGED);
    case.image.set(TSTATE + 232, CHUNK_B);
    case.image.set_bytes(TSTATE + 44, &1u32.to_ne_bytes());
    case.image.set(CHUNK_B, CHUNK_A);
    case.image.set(CHUNK_B + 8, 16 * 1024);
    case.image.set(CHUNK_A + 8, 16 * 1024);
    let mut chain: Vec<(u64, u8)> = (0..3).rev().map(|i| (CHUNK_B + 24 + i * 104, 0)).collect();
    chain.push((HEAP + 72, 1));
    chain.push((C_STACK + 16, 4));
    chain.extend((0..140).rev().map(|i| (CHUNK_A + 24 + i * 104, 0)));
    chain.push((C_STACK + 256, 3));
    for (i, &(at, owner)) in chain.iter().enumerate() {
        let previous = chain.get(i + 1).map_or(0, |next| next.0);
        case.frame(at, previous, i as u64, 7, owner);
        if owner < 3 {
            case.frames.push((code(i as u64), 7));
        }
    }
    case.head(chain[0].0);
    case
}

/// 3.11: two evaluations, each with its _PyCFrame on the C stack.
fn cframes() -> Case {
    let mut case = Case::new(CFRAMES);
    case.image.set(TSTATE + 296, CHUNK_A);
    case.image.set(CHUNK_A + 8, 16 * 1024);
    let at = |i: u64| CHUNK_A + 24 + i * 120;
    // leaf 3 <- entry 2 | 1 <- entry 0
    for i in (0..4).rev() {
        let previous = if i == 0 { 0 } else { at(i - 1) };
        case.frame(at(i), previous, i, 3, u8::from(i == 2 || i == 0));
        case.frames.push((code(i), 3));
    }
    let (inner, outer, root) = (C_STACK, C_STACK + 64, C_STACK + 128);
    for (cframe, current, previous) in [(inner, at(3), outer), (outer, at(1), root), (root, 0, 0)] {
        case.image.set(cframe + 8, current);
        case.image.set(cframe + 16, previous);
    }
    case.head(inner);
    case
}

#[test]
fn object_frames_are_followed_one_read_each() {
    let case = object_frames(20);
    case.assert_exact();
    assert_eq!(case.image.reads.borrow().len(), 2 + 20);
    case.assert_faults_are_seen();
}

#[test]
fn windows_span_the_data_stack() {
    let case = data_stack();
    case.assert_exact();
    let walked = case.walk();
    assert_eq!(walked.flags, FLAG_GIL_KNOWN | FLAG_GIL_HELD);
    // slot, tstate, window; generator; boundary; the first frame of the lower chunk and the
    // chunk's head; two windows; boundary.
    assert_eq!(case.image.reads.borrow().len(), 10);
    case.assert_faults_are_seen();
}

#[test]
fn no_read_goes_above_the_leaf_frame() {
    let case = data_stack();
    case.walk();
    let leaf_end = CHUNK_B + 24 + 2 * 104 + u64::from(TAGGED.frame_len);
    for &(address, len) in case.image.reads.borrow().iter() {
        let end = address + len as u64;
        assert!(!(CHUNK_B..CHUNK_B + 16 * 1024).contains(&address) || end <= leaf_end);
    }
}

#[test]
fn cframes_lead_to_the_frames() {
    let case = cframes();
    case.assert_exact();
    assert_eq!(case.walk().flags & FLAG_RETRIED, 0);
    case.assert_faults_are_seen();
}

/// The evaluation has linked its _PyCFrame and not written current_frame: garbage is on top.
#[test]
fn a_torn_start_falls_back_to_the_outer_stack() {
    let outer_frames = [(code(1), 3), (code(0), 3)];
    for garbage in [0x1234_5671, 0xdead_0000, HEAP, CHUNK_A + 24] {
        let mut case = cframes();
        case.image.set(C_STACK + 8, garbage);
        let walked = case.walk();
        assert_eq!(walked.status, Ok(Status::Complete), "{garbage:#x}");
        assert_eq!(walked.frames, outer_frames, "{garbage:#x}");
        assert_ne!(walked.flags & FLAG_RETRIED, 0);
    }
    // The frame is there, but its previous is that of an earlier call.
    let mut case = cframes();
    case.image.set(CHUNK_A + 24 + 2 * 120 + 48, CHUNK_A + 24);
    assert_eq!(case.walk().frames, outer_frames);
}

#[test]
fn the_gil_holders_tstate_is_not_taken_for_anothers() {
    const OTHER: u64 = 0x7700_0000;
    let mut case = object_frames(3);
    case.process.paths[1] = slot_path();
    case.process.paths[0] = TstatePath {
        steps: [CURRENT as i64, 0, 0],
        n_steps: 1,
        absolute: 1,
    };
    assert_eq!(case.walk().flags, FLAG_GIL_KNOWN | FLAG_GIL_HELD);
    case.assert_exact();
    case.image.region(OTHER, 184);
    case.image.set(OTHER + 176, 0x1234_5678);
    case.image.set(CURRENT, OTHER);
    case.assert_exact();
    assert_eq!(case.walk().flags, FLAG_GIL_KNOWN);
    case.image.set(TP + SLOT, 0);
    assert_eq!(case.walk().status, Err(Status::NoTstate));
    case.image.set(TP + SLOT, OTHER);
    assert_eq!(case.walk().status, Err(Status::ThreadIdMismatch));
    case.image.set(TP + SLOT, 0x10);
    assert_eq!(case.walk().status, Err(Status::TstateFault));
}

#[test]
fn hostile_chains_end() {
    // A cycle of two frames.
    let mut case = object_frames(2);
    case.frame(HEAP + 128, HEAP, 1, 0, 0);
    let walked = case.walk();
    assert_eq!(walked.status, Ok(Status::Truncated));
    assert!(walked.frames.len() <= MAX_FRAME_WORDS && walked.frames.len() > 4_000);
    // A frame that is its own caller, a crooked pointer, a code pointer that is none.
    let mut case = object_frames(2);
    case.frame(HEAP + 128, HEAP + 128, 1, 0, 0);
    assert_eq!(case.walk().status, Ok(Status::BadFrame));
    let mut case = object_frames(2);
    case.frame(HEAP, HEAP + 129, 1, 0, 0);
    assert_eq!(case.walk().status, Ok(Status::BadFrame));
    let mut case = object_frames(2);
    case.image.set(HEAP + 32, 0xffff_8000_0000_0000);
    assert_eq!(case.walk().status, Ok(Status::BadCode));
    // A boundary that leads to itself by way of another one.
    let mut case = data_stack();
    case.frame(C_STACK + 16, C_STACK + 256, 1, 0, 4);
    case.frame(C_STACK + 256, C_STACK + 16, 1, 0, 4);
    assert_eq!(case.walk().status, Ok(Status::Truncated));
}

#[test]
fn wild_instruction_pointers_are_escaped() {
    let mut case = data_stack();
    let first = code(0) + 208;
    case.image
        .set(CHUNK_B + 24 + 2 * 104 + 56, first.wrapping_sub(1 << 40));
    case.frames[0].1 = -(1 << 39);
    case.assert_exact();
}

#[test]
fn deep_stacks_keep_the_leaf_side() {
    let mut case = object_frames(1);
    case.image.region(0x10_0000_0000, 128 * 5_000);
    let at = |i: u64| 0x10_0000_0000 + i * 128;
    for i in 0..5_000 {
        case.frame(at(i), if i < 4_999 { at(i + 1) } else { 0 }, i, 0, 0);
    }
    case.head(at(0));
    let walked = case.walk();
    assert_eq!(walked.status, Ok(Status::Truncated));
    assert!(walked.frames.len() >= 4_080);
    for (i, frame) in walked.frames.iter().enumerate() {
        assert_eq!(*frame, (code(i as u64), 0));
    }
}
