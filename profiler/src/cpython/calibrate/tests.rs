use super::*;
use crate::cpython::{layout, memory::Image, versions};

const RUNTIME: u64 = 0x10_0000;
const INTERPRETER: u64 = 0x20_0000;
/// Thread pointers and thread states: the main thread last, as CPython's lists have it.
const THREADS: [(u64, u64); 3] = [
    (0x7f10_0040, 0x30_0000),
    (0x7f20_0040, 0x30_1000),
    (0x7f30_0040, 0x30_2000),
];

/// A process of a version with these threads, and nothing around their thread pointers.
fn process(minor: u8, threads: &[(u64, u64)]) -> (Image, Layout) {
    let version = versions::release(minor, Some(0));
    let layout = versions::build(version).unwrap().layout.clone();
    let mut image = Image::default();
    image.put_u64s(
        RUNTIME + layout.runtime.interpreters_head as u64,
        &[INTERPRETER],
    );
    image.put_u64s(INTERPRETER + layout.interpreter.next as u64, &[0]);
    image.put_u64s(
        INTERPRETER + layout.interpreter.threads_head as u64,
        &[threads.first().map_or(0, |t| t.1)],
    );
    for (i, &(tp, state)) in threads.iter().enumerate() {
        let mut words = [0; 64];
        words[layout.thread_state.next / 8] = threads.get(i + 1).map_or(0, |thread| thread.1);
        words[usize::from(layout.walk.tstate_thread_id) / 8] = tp;
        image.put_u64s(state, &words);
    }
    (image, layout)
}

fn put_key(image: &mut Image, layout: &Layout, key: u32) {
    image.put(
        RUNTIME + layout.runtime.tss_key.unwrap() as u64,
        &key.to_le_bytes(),
    );
}

/// Memory around a TP: the words at these distances from it, the rest zero.
fn put_around(image: &mut Image, tp: u64, words: &[(i64, u64)]) {
    let start = tp & !(PAGE - 1);
    for page in [start - PAGE, start] {
        let mut content = vec![0; PAGE as usize];
        for &(distance, word) in words {
            let offset = tp.wrapping_add_signed(distance).wrapping_sub(page);
            if offset < PAGE {
                content[offset as usize..][..8].copy_from_slice(&word.to_le_bytes());
            }
        }
        image.put(page, &content);
    }
}

fn relative(steps: &[i64]) -> TstatePath {
    let mut path = TstatePath {
        n_steps: steps.len() as u32,
        ..TstatePath::ZERO
    };
    path.steps[..steps.len()].copy_from_slice(steps);
    path
}

fn slots(image: &Image, layout: &Layout) -> Vec<TstatePath> {
    calibrate(image, layout, RUNTIME).unwrap().0
}

#[test]
fn glibcs_slot_of_the_key() {
    for (key, distance) in [(0, 0x318), (1, 0x328), (31, 0x508)] {
        let (mut image, layout) = process(12, &THREADS);
        put_key(&mut image, &layout, key);
        for (tp, state) in THREADS {
            put_around(&mut image, tp, &[(distance, state), (-8, state)]);
        }
        assert_eq!(slots(&image, &layout), [relative(&[distance])]);
    }
}

#[test]
fn glibcs_second_block_and_musls_array() {
    // Key 33 is the second of the second block; musl has its array at TP + 0x80.
    for (key, pointer, second) in [(33, 0x518, 24), (2, 0x80, 16), (2, 0x88, 16)] {
        let (mut image, layout) = process(9, &THREADS);
        put_key(&mut image, &layout, key);
        for (tp, state) in THREADS {
            put_around(&mut image, tp, &[(pointer, state + 0x800)]);
            image.put_u64s(
                state + 0x800,
                &[0, 0, if second == 16 { state } else { 0 }, state],
            );
        }
        assert_eq!(slots(&image, &layout), [relative(&[pointer, second])]);
    }
}

#[test]
fn a_thread_that_starts_or_ends_does_not_matter() {
    let (mut image, layout) = process(13, &THREADS);
    put_key(&mut image, &layout, 0);
    put_around(&mut image, THREADS[0].0, &[(0x318, 0)]);
    for (tp, state) in &THREADS[1..] {
        put_around(&mut image, *tp, &[(0x318, *state)]);
    }
    assert_eq!(slots(&image, &layout), [relative(&[0x318])]);
}

#[test]
fn static_tls_is_told_from_stale_copies_on_the_stack() {
    let (mut image, layout) = process(15, &THREADS);
    for (i, (tp, state)) in THREADS.into_iter().enumerate() {
        // The dtv and its first entry: a module whose block begins 0x30 below the TP.
        let dtv = state + 0x800;
        image.put_u64s(dtv - 16, &[1, 0, 7, 0, tp - 0x30, 0]);
        let mut words = vec![(-0x28, state), (8, dtv)];
        if i < 2 {
            words.extend([(-0x100, state), (-0x850, state)]);
        }
        put_around(&mut image, tp, &words);
    }
    assert_eq!(slots(&image, &layout), [relative(&[-0x28])]);
}

#[test]
fn one_thread_that_is_attached_has_it_twice() {
    let (tp, state) = THREADS[2];
    let (mut image, layout) = process(15, &THREADS[2..]);
    put_around(&mut image, tp, &[(-0x28, state), (-0x20, state)]);
    assert_eq!(
        slots(&image, &layout),
        [relative(&[-0x20]), relative(&[-0x28])]
    );
}

#[test]
fn a_library_that_was_dlopened_is_behind_the_dtv() {
    let (mut image, layout) = process(15, &THREADS);
    for (i, (tp, state)) in THREADS.into_iter().enumerate() {
        let (dtv, block) = (state + 0x800, state + 0xa00);
        image.put_u64s(dtv - 16, &[2, 0, 7, 0, u64::MAX, 0, block, block]);
        let mut content = [0; 16];
        content[1] = state;
        image.put_u64s(block, &content);
        let stale = if i < 2 { state } else { 0 };
        put_around(&mut image, tp, &[(8, dtv), (-0x850, stale)]);
    }
    assert_eq!(slots(&image, &layout), [relative(&[8, 32, 8])]);
}

#[test]
fn what_is_not_found_is_refused() {
    let (mut image, layout) = process(12, &[]);
    assert!(matches!(
        calibrate(&image, &layout, RUNTIME),
        Err(CalibrationError::NotYet)
    ));
    (image, _) = process(12, &THREADS);
    put_key(&mut image, &layout, u32::MAX);
    let error = calibrate(&image, &layout, RUNTIME).unwrap_err();
    let sentence =
        "the thread pointers of its 3 threads do not lead to their PyThreadState in one same way";
    assert_eq!(error.to_string(), sentence);
}

#[test]
fn before_3_12_the_absolute_path_comes_first() {
    let layout = layout(versions::release(11, None), None).unwrap();
    let slots = Slots(vec![relative(&[0x318])]);
    let absolute = TstatePath {
        steps: [RUNTIME as i64 + 576, 0, 0],
        n_steps: 1,
        absolute: 1,
    };
    assert_eq!(
        slots.paths(&layout, RUNTIME),
        [absolute, relative(&[0x318]), TstatePath::ZERO]
    );
    let layout = process(14, &[]).1;
    assert_eq!(
        slots.paths(&layout, RUNTIME),
        [relative(&[0x318]), TstatePath::ZERO, TstatePath::ZERO]
    );
}

#[test]
fn ranges_are_cut_where_pages_end() {
    assert_eq!(
        pages(0x1ff8, 0x4008),
        [(0x1ff8, 8), (0x2000, 4096), (0x3000, 4096), (0x4000, 8)]
    );
    assert_eq!(pages(0x1000, 0x1000), []);
    assert_eq!(pages(u64::MAX - 7, u64::MAX).len(), 1);
}
