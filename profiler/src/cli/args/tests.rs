use super::*;

fn parsed(line: &str) -> Result<Plan, Failure> {
    let words = std::iter::once("profiler").chain(line.split(' ').filter(|word| !word.is_empty()));
    match parse(words.map(OsString::from)) {
        Ok(Parsed::Record(plan)) => Ok(plan),
        Ok(Parsed::Text(text)) => panic!("text: {text}"),
        Err(failure) => Err(failure),
    }
}

#[test]
fn the_command_line_is_consistent() {
    use clap::CommandFactory;
    Cli::command().debug_assert();
}

#[test]
fn record_is_the_default_verb() {
    for line in [
        "--comm gunicorn -r 250 -d 1.5 -p 7 --pid 9 -p 7",
        "record --comm gunicorn --rate 250 --duration 1.5 -p 7 -p 9",
    ] {
        let plan = parsed(line).unwrap();
        assert_eq!(plan.comms, ["gunicorn"]);
        assert_eq!(plan.pids, [Tgid(7), Tgid(9)]);
        assert_eq!(
            (plan.rate_hz, plan.duration),
            (250, Some(Duration::from_millis(1_500)))
        );
        assert_eq!(plan.format.name(), "flamegraph");
    }
    let plan = parsed("").unwrap();
    assert!(plan.records_all());
    assert_eq!(
        (plan.rate_hz, plan.duration, plan.output),
        (100, None, None)
    );
}

#[test]
fn a_command_stands_behind_two_dashes() {
    for line in [
        "-d 3 -- record --help -- x",
        "record -d 3 -- record --help -- x",
    ] {
        let plan = parsed(line).unwrap();
        assert_eq!(plan.command, ["record", "--help", "--", "x"]);
        assert_eq!(plan.duration, Some(Duration::from_secs(3)));
    }
}

#[test]
fn the_format_follows_the_extension_unless_it_is_named() {
    for (line, format) in [
        ("-o x.folded", "folded"),
        ("-o x.svg", "flamegraph"),
        ("-o x.txt", "flamegraph"),
        ("-o -", "flamegraph"),
        ("-o x.svg -f folded", "folded"),
        ("-f flamegraph -o x.folded", "flamegraph"),
    ] {
        assert_eq!(parsed(line).unwrap().format.name(), format, "{line}");
    }
}

#[test]
fn bad_input_is_one_sentence() {
    for (line, sentence) in [
        (
            "-f svgg",
            "invalid value 'svgg' for '--format <FORMAT>' [possible values: flamegraph, folded]",
        ),
        (
            "-r 0",
            "invalid value '0' for '--rate <HZ>': a whole number from 1 to 10000 is needed",
        ),
        (
            "-r 10001",
            "invalid value '10001' for '--rate <HZ>': a whole number from 1 to 10000 is needed",
        ),
        (
            "-r abc",
            "invalid value 'abc' for '--rate <HZ>': a whole number from 1 to 10000 is needed",
        ),
        (
            "-r -5",
            "invalid value '-5' for '--rate <HZ>': a whole number from 1 to 10000 is needed",
        ),
        (
            "-d 0",
            "invalid value '0' for '--duration <SECONDS>': a positive number of seconds is needed",
        ),
        (
            "-d -1",
            "invalid value '-1' for '--duration <SECONDS>': a positive number of seconds is needed",
        ),
        (
            "-d 1e-12",
            "invalid value '1e-12' for '--duration <SECONDS>': a positive number of seconds is needed",
        ),
        (
            "-d nan",
            "invalid value 'nan' for '--duration <SECONDS>': a positive number of seconds is needed",
        ),
        (
            "-d inf",
            "invalid value 'inf' for '--duration <SECONDS>': a positive number of seconds is needed",
        ),
        (
            "-p 0",
            "invalid value '0' for '--pid <PID>': a whole number from 1 to 4194304 is needed",
        ),
        (
            "--comm [",
            "invalid value '[' for '--comm <NAME>': not a valid pattern: invalid range pattern",
        ),
        ("gunicorn", "unexpected argument: gunicorn"),
        ("--nosuch", "unexpected argument '--nosuch' found"),
        (
            "-o",
            "a value is required for '--output <FILE>' but none was supplied",
        ),
        (
            "-r 5 -r 6",
            "the argument '--rate <HZ>' cannot be used multiple times",
        ),
    ] {
        let failure = parsed(line).err().unwrap();
        assert_eq!(
            (failure.exit, failure.sentence.as_str()),
            (Exit::Usage, sentence)
        );
        assert!(!failure.hints.is_empty(), "{line}");
    }
}
