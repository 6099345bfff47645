//! The command as a person meets it, where no kernel is needed: everything here ends before
//! sampling would start.
#![expect(clippy::unwrap_used, reason = "the helpers of a test are test code")]

use std::{
    fs,
    process::{Command, Output},
};

fn profiler(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_profiler"))
        .args(words)
        .output()
        .unwrap()
}

/// Exit code and standard error; standard output must be empty.
fn failure(words: &[&str]) -> (i32, String) {
    let output = profiler(words);
    assert!(output.stdout.is_empty(), "{words:?}");
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn bad_input_is_one_sentence_and_one_hint() {
    for (words, sentence) in [
        (
            &["--format", "pdf"][..],
            "invalid value 'pdf' for '--format <FORMAT>' [possible values: flamegraph, folded]",
        ),
        (
            &["-r", "0"],
            "invalid value '0' for '--rate <HZ>': a whole number from 1 to 10000 is needed",
        ),
        (
            &["-r", "10001"],
            "invalid value '10001' for '--rate <HZ>': a whole number from 1 to 10000 is needed",
        ),
        (
            &["record", "-r", "abc"],
            "invalid value 'abc' for '--rate <HZ>': a whole number from 1 to 10000 is needed",
        ),
        (
            &["-d", "0"],
            "invalid value '0' for '--duration <SECONDS>': a positive number of seconds is needed",
        ),
        (
            &["-d", "-1"],
            "invalid value '-1' for '--duration <SECONDS>': a positive number of seconds is needed",
        ),
        (
            &["--pid", "self"],
            "invalid value 'self' for '--pid <PID>': a whole number from 1 to 4194304 is needed",
        ),
        (
            &["--comm", ""],
            "invalid value '' for '--comm <NAME>': a name is needed",
        ),
        (
            &["-d", "1", "-d", "2"],
            "the argument '--duration <SECONDS>' cannot be used multiple times",
        ),
        (&["gunicorn"], "unexpected argument: gunicorn"),
        (&["--bogus"], "unexpected argument '--bogus' found"),
    ] {
        let (code, text) = failure(words);
        assert_eq!(code, 2, "{words:?}: {text}");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], format!("profiler: error: {sentence}"));
        assert!(
            lines.len() == 2 && lines[1].starts_with("  hint: "),
            "{text}"
        );
    }
}

#[test]
fn a_slip_is_put_right() {
    let (code, text) = failure(&["--durations", "3"]);
    assert_eq!(code, 2);
    assert!(
        text.contains("  hint: a similar argument exists: '--duration'"),
        "{text}"
    );
    let (_, text) = failure(&["gunicorn"]);
    assert!(text.contains("profiler --comm gunicorn"), "{text}");
}

#[test]
fn an_output_that_cannot_be_written_is_found_before_sampling() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let missing = format!("{path}/missing/x.svg");
    for (output, reason) in [
        (missing.as_str(), "No such file or directory"),
        (path, "is a directory"),
    ] {
        let (code, text) = failure(&["-d", "60", "-o", output]);
        assert_eq!(code, 6, "{text}");
        assert_eq!(
            text,
            format!(
                "profiler: error: the output cannot be written: {output}: {reason}\n  \
                 hint: name another file with --output FILE\n"
            )
        );
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn help_and_version_are_for_standard_output() {
    let output = profiler(&["--help"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && output.stderr.is_empty());
    for piece in [
        "--comm <NAME>",
        "- flamegraph:",
        "- folded:",
        "[default: 100]",
        "Exit codes:",
        "  127  COMMAND was not found",
    ] {
        assert!(text.contains(piece), "{piece}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 100));
    assert_eq!(profiler(&["record", "-h"]).status.code(), Some(0));

    let output = profiler(&["--version"]);
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        concat!("profiler ", env!("CARGO_PKG_VERSION"), "\n")
    );
}
