//! The matcher against profiles made by hand: it must accept what is right and see each mistake.

use std::num::NonZeroU32;

use profiler::model::{FrameId, Function, FunctionId, ProcessId, Special};

use super::*;

const T0: u64 = 1_000_000_000;
const T1: u64 = 1_100_000_000;

fn frame(name: &str, line: u32) -> TrueFrame {
    TrueFrame(name.into(), "f.py".into(), Some(line))
}

fn phase() -> Phase {
    Phase {
        phase: "work".into(),
        pid: 7,
        tid: 8,
        t0: T0,
        t1: T1,
        thread_time_ns: 100_000_000,
        gil: Some(Gil::Held),
        code_dies: false,
        stacks: [vec![frame("main", 1), frame("spin", 5)]].into(),
        edges: [vec![frame("main", 1), frame("spin", 4)]].into(),
        seen: vec![frame("spin", 5)],
    }
}

/// A profile with one sample a millisecond, from T0 on; `stack_of` chooses the stack.
fn profile(n: u64, stack_of: impl Fn(u64) -> StackId) -> Profile {
    let mut profile = Profile::default();
    let symbols = &mut profile.symbols;
    for name in ["main", "spin"] {
        symbols.functions.push(Function {
            name: name.into(),
            file: "f.py".into(),
            first_line: 1,
        });
    }
    for (function, line) in [(0, 1), (1, 5), (1, 4), (1, 6)] {
        let line = NonZeroU32::new(line);
        symbols.frames.push(Frame::Python {
            function: FunctionId(function),
            line,
        });
    }
    symbols.frames.push(Frame::Special(Special::NativeThread));
    for leaf in 1..5 {
        symbols.stacks.push(Box::new([FrameId(0), FrameId(leaf)]));
    }
    symbols.stacks.push(Box::new([FrameId(1)]));
    profile.samples = Some(
        (0..n)
            .map(|i| row(T0 + i * 1_000_000, stack_of(i)))
            .collect(),
    );
    profile
}

fn row(time_ns: u64, stack: StackId) -> SampleRow {
    let process = ProcessId {
        tgid: Tgid(7),
        epoch: 0,
    };
    SampleRow {
        time_ns,
        process,
        tid: Tid(8),
        cpu: 0,
        gil: Some(true),
        stack,
    }
}

fn complaint(profile: &Profile) -> String {
    match check_all(profile, &[phase()], 1000) {
        Ok(()) => String::new(),
        Err(error) => error.to_string(),
    }
}

const RIGHT: StackId = StackId(0);
const EDGE: StackId = StackId(1);
const WRONG_LINE: StackId = StackId(2);
const SPECIAL: StackId = StackId(3);
const SHORT: StackId = StackId(4);

#[test]
fn the_truth_is_accepted() {
    assert_eq!(complaint(&profile(100, |_| RIGHT)), "");
    assert_eq!(
        complaint(&profile(100, |i| if i % 50 == 0 { EDGE } else { RIGHT })),
        ""
    );
}

#[test]
fn one_wrong_stack_in_a_hundred_is_seen() {
    let said = complaint(&profile(100, |i| if i == 99 { WRONG_LINE } else { RIGHT }));
    assert!(said.contains("1 frames alike at the root"), "{said}");
    assert!(said.contains("python  spin (f.py:5)"), "{said}");
    assert!(said.contains("sample  spin (f.py:6)"), "{said}");
    for wrong in [SPECIAL, SHORT] {
        let said = complaint(&profile(100, |i| if i == 0 { wrong } else { RIGHT }));
        assert!(
            said.contains("1 samples with a stack that Python did not have"),
            "{said}"
        );
    }
}

#[test]
fn samples_outside_the_marks_are_none_of_its_business() {
    let mut profile = profile(100, |_| RIGHT);
    let samples = profile.samples.get_or_insert_default();
    samples.push(row(T0 - 1, SPECIAL));
    samples.push(row(T1 + 1, SPECIAL));
    samples.push(SampleRow {
        tid: Tid(9),
        ..row(T0, SPECIAL)
    });
    assert_eq!(complaint(&profile), "");
    profile
        .samples
        .get_or_insert_default()
        .push(row(T1, SPECIAL));
    assert_ne!(complaint(&profile), "");
}

#[test]
fn too_few_and_unseen_and_edgy_are_seen() {
    assert!(complaint(&profile(76, |_| RIGHT)).contains("76 samples, expected 100"));
    assert!(
        complaint(&profile(100, |i| if i < 3 { EDGE } else { RIGHT })).contains("take the marks")
    );
    assert!(complaint(&profile(100, |_| EDGE)).contains("in no sample: spin (f.py:5)"));
}

#[test]
fn a_late_process_starts_up_first_and_never_again() {
    let late = |profile: &Profile| check_all_of_late(profile, &[phase()], 1000);
    let start_up = |mut profile: Profile| {
        profile.symbols.stacks[3] = Box::new([FrameId(4)]);
        profile.symbols.frames[4] = Frame::Special(Special::StartUp);
        profile
    };
    let first = start_up(profile(100, |i| if i < 3 { SPECIAL } else { RIGHT }));
    late(&first).unwrap();
    assert!(check_all(&first, &[phase()], 1000).is_err());
    assert!(
        late(&start_up(profile(100, |i| if i == 50 {
            SPECIAL
        } else {
            RIGHT
        })))
        .is_err()
    );
    assert!(late(&start_up(profile(100, |_| SPECIAL))).is_err());
}

#[test]
fn a_replaced_frame_is_accepted_where_code_dies_and_nothing_else() {
    let mut profile = profile(100, |i| if i == 7 { SPECIAL } else { RIGHT });
    profile.symbols.frames[4] = Frame::Special(Special::CodeReplaced);
    let mut phase = phase();
    assert!(check_all(&profile, std::slice::from_ref(&phase), 1000).is_err());
    phase.code_dies = true;
    check_all(&profile, &[phase.clone()], 1000).unwrap();
    profile.symbols.frames[4] = Frame::Special(Special::NativeThread);
    assert!(check_all(&profile, &[phase], 1000).is_err());
}

#[test]
fn the_gil_is_checked() {
    let mut profile = profile(100, |_| RIGHT);
    for row in profile.samples.iter_mut().flatten().take(1) {
        row.gil = None;
    }
    assert!(complaint(&profile).contains("of 100 samples 99 say so, 1 do not know"));
}
