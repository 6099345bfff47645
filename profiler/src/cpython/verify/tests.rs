//! Processes of CPython 3.12, as its headers have them.

use super::*;
use crate::cpython::{layout, memory::Image, objects::strings::tests::str_3_12, versions::release};

const RUNTIME: u64 = 0x10_0000;
const INTERPRETER: u64 = 0x11_0000;
const STATE: u64 = 0x12_0000;
const TP: u64 = 0x13_0000;
const CFRAME: u64 = 0x14_0000;
const FRAMES: [u64; 3] = [0x15_0000, 0x15_0100, 0x16_0000];
const CODE: u64 = 0x17_0000;
const TYPES: [(u64, &[u8]); 3] = [
    (0x1000, b"code\0..."),
    (0x2000, b"str\0..."),
    (0x3000, b"bytes\0..."),
];

/// One thread with two frames of one code object and an entry frame between them.
fn process() -> Image {
    let mut image = Image::default();
    image.put_u64s(RUNTIME, &[0, 0, 0, 0, 0, INTERPRETER]);
    let mut interpreter = [0; 10];
    interpreter[9] = STATE;
    image.put_u64s(INTERPRETER, &interpreter);
    image.put_u64s(STATE, &state(TP));
    image.put_u64s(TP, &[TP, 0, TP]);
    image.put_u64s(CFRAME, &[FRAMES[0], 0]);
    let start = CODE + 192;
    image.put(FRAMES[0], &frame(CODE, FRAMES[1], start + 4, 0));
    image.put(FRAMES[1], &frame(0x9999, FRAMES[2], 0, 3));
    image.put(FRAMES[2], &frame(CODE, 0, start - 2, 1));
    put_code(&mut image, CODE);
    image
}

fn state(thread_id: u64) -> [u64; 36] {
    let mut state = [0; 36];
    (state[2], state[7], state[17]) = (INTERPRETER, CFRAME, thread_id);
    state
}

fn frame(code: u64, previous: u64, instr: u64, owner: u8) -> Vec<u8> {
    let mut words = [0; 10];
    (words[0], words[1], words[7]) = (code, previous, instr);
    let mut bytes = words.map(u64::to_le_bytes).as_flattened().to_vec();
    bytes[70] = owner;
    bytes
}

fn put_code(image: &mut Image, code: u64) {
    for (address, name) in TYPES {
        image.put_u64s(address, &[0, 0, 0, address + 0x100]);
        image.put(address + 0x100, name);
    }
    let mut words = [0; 25];
    (words[1], words[2], words[8]) = (TYPES[0].0, 4, 0);
    (words[14], words[16], words[17]) = (code + 0x1000, code + 0x2000, code + 0x3000);
    image.put_u64s(code, &words);
    for offset in [0x1000, 0x2000] {
        let mut text = str_3_12(TYPES[1].0, "f");
        text.resize(512, 0);
        image.put(code + offset, &text);
    }
    let mut table = vec![0; 512];
    table[..32].copy_from_slice([1, TYPES[2].0, 2, 0].map(u64::to_le_bytes).as_flattened());
    image.put(code + 0x3000, &table);
}

fn verdict(image: &Image) -> String {
    match verify(image, &layout(release(12, Some(1)), None).unwrap(), RUNTIME) {
        Verdict::Refused(refusal) => refusal.to_string(),
        other => format!("{other:?}"),
    }
}

#[test]
fn a_process_as_it_should_be_fits() {
    let image = process();
    assert_eq!(verdict(&image), "Fits");
    let layout = layout(release(12, Some(1)), None).unwrap();
    let states = thread_states(&image, &layout, RUNTIME).unwrap();
    let frames = innermost_frames(&image, &layout, &states[0]).unwrap();
    assert_eq!(
        frames,
        [
            RemoteFrame {
                code: CODE,
                unit: 2
            },
            RemoteFrame {
                code: CODE,
                unit: -1
            }
        ]
    );
}

#[test]
fn nothing_to_look_at_is_no_refusal() {
    let mut image = process();
    image.put_u64s(CFRAME, &[0, 0]);
    assert_eq!(verdict(&image), "NotYet");
    image.put_u64s(STATE, &state(0));
    assert_eq!(verdict(&image), "NotYet");
    image.put_u64s(RUNTIME, &[0; 6]);
    assert_eq!(verdict(&image), "NotYet");
    image.remove(RUNTIME);
    assert_eq!(verdict(&image), "NotYet");
}

#[test]
fn each_mismatch_is_told() {
    const BEGIN: &str = "CPython 3.12.1 does not look as it should: ";
    let mut other_interpreter = state(TP);
    other_interpreter[2] = 7;
    let far = frame(CODE, 0, CODE + 192 + 8, 0);
    let cases: [(u64, Vec<u8>, &str); 5] = [
        (
            STATE,
            other_interpreter
                .map(u64::to_le_bytes)
                .as_flattened()
                .to_vec(),
            "the PyThreadState at 0x120000 does not belong to its interpreter",
        ),
        (
            TP,
            vec![0; 24],
            "the PyThreadState at 0x120000 names no thread pointer: 0x130000",
        ),
        (
            FRAMES[0],
            frame(CODE + 8, 0, 0, 0),
            "there is no code object at this address: 0x170008",
        ),
        (
            FRAMES[0],
            far,
            "the frame of the code object at 0x170000 is at code unit 4 of 4",
        ),
        (
            CFRAME,
            vec![0xf0; 16],
            "the frame at 0xf0f0f0f0f0f0f0f0 cannot be read",
        ),
    ];
    for (address, bytes, sentence) in cases {
        let mut image = process();
        image.put(address, &bytes);
        assert_eq!(verdict(&image), format!("{BEGIN}{sentence}"));
    }
}

#[test]
fn objects_that_trace_refs_shifted_are_recognised() {
    let mut image = process();
    let mut shifted = [0; 40];
    shifted[3] = TYPES[0].0;
    image.put_u64s(CODE, &shifted);
    image.put_u64s(TYPES[0].0, &[0, 0, 0, 0x500, 0, TYPES[0].0 + 0x100]);
    assert_eq!(
        verdict(&image),
        "CPython 3.12.1 was built with trace-refs, which shifts every object: use a normal build"
    );
}

#[test]
fn lists_must_be_linked_both_ways() {
    let mut image = process();
    let mut first = state(TP);
    first[1] = STATE + 0x1000;
    image.put_u64s(STATE, &first);
    let mut second = state(TP);
    second[0] = STATE;
    image.put_u64s(STATE + 0x1000, &second);
    assert_eq!(verdict(&image), "Fits");
    image.put_u64s(STATE + 0x1000, &state(TP));
    assert!(verdict(&image).ends_with("the PyThreadState at 0x121000 is not linked both ways"));
}
