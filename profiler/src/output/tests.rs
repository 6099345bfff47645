//! Formats against hostile names; SVGs are read back by an XML parser.

use std::{collections::HashMap, num::NonZeroU32, time::Duration};

use quick_xml::{Reader, events::Event};

use super::*;
use crate::{
    aggregate::ProfileBuilder,
    model::{
        Accounting, Function, LostReason, Meta, ProcessId, ProcessInfo, SampleRow, Special, Tgid,
        Tid,
    },
};

type Frames<'a> = &'a [(&'a str, &'a str, u32)];

/// A recording of `processes`: command, and stacks of (name, file, line) with their samples.
type Stacks<'a> = &'a [(Frames<'a>, u64)];

fn profile(processes: &[(&str, Stacks<'_>)]) -> Profile {
    let mut builder = ProfileBuilder::new(false);
    let mut infos = Vec::new();
    for (tgid, (command, stacks)) in (100..).zip(processes) {
        let id = ProcessId {
            tgid: Tgid(tgid),
            epoch: 1,
        };
        infos.push(ProcessInfo {
            id,
            command: (*command).into(),
            interpreter: None,
            refused: None,
        });
        for (stack, count) in *stacks {
            let table = builder.symbols();
            let frames: Vec<_> = stack
                .iter()
                .map(|&(name, file, line)| {
                    let function = table.function(&Function {
                        name: name.into(),
                        file: file.into(),
                        first_line: 1,
                    });
                    table.python(function, NonZeroU32::new(line))
                })
                .collect();
            let stack = table.stack(&frames);
            let row = SampleRow {
                time_ns: 1,
                process: id,
                tid: Tid(tgid),
                cpu: 0,
                gil: None,
                stack,
            };
            builder.add_sample(row, *count);
        }
    }
    let meta = Meta {
        host: "host".into(),
        target: "--comm <gunicorn> & co".into(),
        duration: Duration::from_millis(2_500),
        ..Meta::default()
    };
    builder.finish(meta, infos, Accounting::default())
}

fn written(name: &str, profile: &Profile) -> String {
    let mut bytes = Vec::new();
    by_name(name).unwrap().write(profile, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// Texts of all `<title>` elements, and the attribute `total_samples`. Panics on malformed XML.
fn read_svg(svg: &str) -> (Vec<String>, u64, Vec<String>) {
    let mut reader = Reader::from_str(svg);
    reader.config_mut().check_end_names = true;
    let (mut titles, mut texts, mut total, mut element) =
        (Vec::new(), Vec::new(), 0, String::new());
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) | Event::Empty(start) => {
                element = String::from_utf8(start.name().as_ref().to_vec()).unwrap();
                for attribute in start.attributes() {
                    let attribute = attribute.unwrap();
                    if attribute.key.as_ref() == b"total_samples" {
                        total = std::str::from_utf8(&attribute.value)
                            .unwrap()
                            .parse()
                            .unwrap();
                    }
                }
                if element == "title" {
                    titles.push(String::new());
                } else if element == "text" {
                    texts.push(String::new());
                }
            }
            Event::Text(text) => {
                let list = if element == "title" {
                    &mut titles
                } else {
                    &mut texts
                };
                if let Some(last) = list.last_mut() {
                    last.push_str(&text.decode().unwrap());
                }
            }
            Event::GeneralRef(reference) => {
                let list = if element == "title" {
                    &mut titles
                } else {
                    &mut texts
                };
                let name = reference.decode().unwrap();
                let text = quick_xml::escape::resolve_predefined_entity(&name).unwrap();
                list.last_mut().unwrap().push_str(text);
            }
            Event::Eof => return (titles, total, texts),
            _ => {}
        }
    }
}

#[test]
fn folded_lines_have_py_spys_labels_in_a_fixed_order() {
    let profile = profile(&[
        (
            "python b.py",
            &[
                (&[("<module>", "/b.py", 3), ("Cls.run", "/b.py", 7)], 4),
                (&[("<module>", "/b.py", 0)], 2),
            ],
        ),
        ("python a.py", &[(&[("<module>", "/a.py", 1)], 1), (&[], 5)]),
    ]);
    assert_eq!(
        written("folded", &profile),
        "process 100:\"python b.py\";<module> (/b.py) 2\n\
         process 100:\"python b.py\";<module> (/b.py:3);Cls.run (/b.py:7) 4\n\
         process 101:\"python a.py\" 5\n\
         process 101:\"python a.py\";<module> (/a.py:1) 1\n"
    );
}

#[test]
fn equal_labels_are_one_line() {
    // A process that called exec keeps its tgid, and here its command too.
    let mut profile = profile(&[("python", &[(&[("f", "/a.py", 1)], 4)])]);
    let (&(process, stack), _) = profile.counts.iter().next().unwrap();
    let later = ProcessId {
        epoch: 2,
        ..process
    };
    profile.processes.push(ProcessInfo {
        id: later,
        command: "python".into(),
        interpreter: None,
        refused: None,
    });
    profile.counts.insert((later, stack), 3);
    // Nor does a process that is not listed appear.
    profile.counts.insert(
        (
            ProcessId {
                epoch: 3,
                ..process
            },
            stack,
        ),
        50,
    );
    assert_eq!(
        written("folded", &profile),
        "process 100:\"python\";f (/a.py:1) 7\n"
    );
}

#[test]
fn special_frames_are_their_label() {
    let mut builder = ProfileBuilder::new(false);
    let process = ProcessId {
        tgid: Tgid(1),
        epoch: 1,
    };
    for special in [Special::NativeThread, Special::StartUp, Special::Shutdown] {
        let frame = builder.symbols().special(special);
        let stack = builder.symbols().stack(&[frame]);
        let row = SampleRow {
            time_ns: 1,
            process,
            tid: Tid(1),
            cpu: 0,
            gil: None,
            stack,
        };
        builder.add_sample(row, 1);
    }
    let info = ProcessInfo {
        id: process,
        command: "python".into(),
        interpreter: None,
        refused: None,
    };
    let profile = builder.finish(Meta::default(), vec![info], Accounting::default());
    assert_eq!(
        written("folded", &profile),
        "process 1:\"python\";<native thread> 1\n\
         process 1:\"python\";<shutdown> 1\n\
         process 1:\"python\";<start-up> 1\n"
    );
}

const HOSTILE: &[&str] = &[
    "<script>alert(1)</script>",
    "a & b &amp; c",
    "x; y;",
    "two\nlines\r\nand\ttab\u{85}\u{2028}\u{2029}",
    "\u{1f40d}\u{1f525} питон",
    "\u{fffd}",
    "\"quoted\" 'twice'",
    "]]>",
    "<!-- comment -->",
    "# hash",
    " 12 34",
    "f_[k]",
    "-",
    "--",
    "",
    " ",
    "name 17",
];

/// Each hostile text as name, file and command, one sample each, then one of 5,000 characters.
fn hostile() -> (Profile, u64) {
    let long = "é<".repeat(2_500);
    let texts: Vec<&str> = HOSTILE.iter().copied().chain([long.as_str()]).collect();
    let frames: Vec<Vec<(&str, &str, u32)>> = texts
        .iter()
        .map(|text| {
            vec![
                ("main", "/m.py", 1),
                (*text, *text, 2),
                ("leaf", "/l.py", 3),
            ]
        })
        .collect();
    let stacks: Vec<Vec<(Frames<'_>, u64)>> = frames
        .iter()
        .map(|frames| vec![(frames.as_slice(), 3), (&frames[..2], 2), (&frames[..0], 1)])
        .collect();
    let processes: Vec<(&str, Stacks<'_>)> = texts
        .iter()
        .zip(&stacks)
        .map(|(text, stacks)| (*text, stacks.as_slice()))
        .collect();
    (profile(&processes), 6 * texts.len() as u64)
}

#[test]
fn no_name_breaks_a_folded_line() {
    let (profile, total) = hostile();
    let text = written("folded", &profile);
    let mut sum = 0;
    // Python's splitlines() knows more line breaks than LF.
    for line in text
        .split(['\n', '\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}'])
        .filter(|line| !line.is_empty())
    {
        let (stack, count) = line.rsplit_once(' ').unwrap();
        sum += count.parse::<u64>().unwrap();
        let frames: Vec<&str> = stack.split(';').collect();
        assert!(
            frames[0].starts_with("process 1") && frames[0].ends_with('"'),
            "{line}"
        );
        assert!([1, 3, 4].contains(&frames.len()), "{line}");
        assert!(frames.len() < 4 || frames[3] == "leaf (/l.py:3)", "{line}");
    }
    assert_eq!(sum, total);
}

#[test]
fn every_sample_is_in_the_svg_and_it_is_well_formed() {
    let (profile, total) = hostile();
    let (titles, drawn, _) = read_svg(&written("flamegraph", &profile));
    assert_eq!(drawn, total);
    assert!(titles.contains(&format!("all ({total} samples, 100%)")));
    // No line was ignored or cut: each process has its six samples, each leaf its three.
    let of_a_process = titles
        .iter()
        .filter(|t| t.starts_with("process 1") && t.contains("\" (6 samples"))
        .count();
    assert_eq!(of_a_process, HOSTILE.len() + 1);
    assert_eq!(
        titles
            .iter()
            .filter(|t| t.starts_with("leaf (/l.py:3) (3 samples"))
            .count(),
        HOSTILE.len() + 1
    );
    assert!(
        titles
            .iter()
            .any(|t| t.starts_with("<script>alert(1)</script> (<script>")),
        "{titles:?}"
    );
    assert!(titles.iter().any(|t| t.starts_with("x； y； (x； y；:2)")));
}

/// What is left out is what inferno would not draw.
#[test]
fn narrow_frames_keep_their_samples_and_cost_no_text() {
    let names: Vec<String> = (0..3_000).map(|n| format!("f{n}")).collect();
    let frames: Vec<Vec<(&str, &str, u32)>> = (0..3_000)
        .map(|n| {
            let wide = ["a", "b", "c"][n % 3];
            vec![
                (wide, "/w.py", 1),
                (&names[n / 4], "/n.py", 2),
                (&names[n], "/n.py", 3),
                ("leaf", "/l.py", 4),
            ]
        })
        .collect();
    let stacks: Vec<(Frames<'_>, u64)> = frames
        .iter()
        .zip(1..)
        .map(|(frames, n)| (&frames[..], n % 7 + n / 900 * 30))
        .collect();
    let profile = profile(&[("python", &stacks), ("tiny", &[(&[("f", "/t.py", 1)], 1)])]);

    let mut options = inferno::flamegraph::Options::default();
    options.min_width = 0.1;
    let mut whole = Vec::new();
    inferno::flamegraph::from_lines(
        &mut options,
        written("folded", &profile).lines(),
        &mut whole,
    )
    .unwrap();
    let (mut expected, total, _) = read_svg(std::str::from_utf8(&whole).unwrap());
    let (mut drawn, drawn_total, _) = read_svg(&written("flamegraph", &profile));
    expected.sort();
    drawn.sort();
    assert_eq!(drawn_total, total);
    assert_eq!(drawn, expected);
    assert!((100..2_000).contains(&drawn.len()), "{}", drawn.len());

    let mut lines = lines::Lines::new(&profile);
    lines.cut(total / 1_000);
    let (mut cut, mut all) = (Vec::new(), Vec::new());
    lines.write(&mut cut).unwrap();
    lines::Lines::new(&profile).write(&mut all).unwrap();
    assert!(cut.len() * 2 < all.len(), "{} of {}", cut.len(), all.len());
    assert_eq!(lines.total(), total);
    assert!(
        String::from_utf8(cut)
            .unwrap()
            .contains("process 101:\"tiny\" 1\n")
    );
}

#[test]
fn the_title_says_where_when_how_and_what_is_missing() {
    let mut profile = profile(&[("python", &[(&[("f", "/a.py", 1)], 990)])]);
    let started = clock::readable(profile.meta.started);
    let (_, _, texts) = read_svg(&written("flamegraph", &profile));
    assert!(
        texts.contains(&format!(
            "host, {started}, 2.5 s at 100 Hz: 990 samples, 0 lost"
        )),
        "{texts:?}"
    );
    assert!(texts.contains(&"--comm <gunicorn> & co".to_owned()));

    profile.accounting.captured = 1_000;
    profile.accounting.lost.insert(LostReason::RingFull, 10);
    let (_, _, texts) = read_svg(&written("flamegraph", &profile));
    assert!(
        texts
            .iter()
            .any(|text| text.ends_with(": 990 samples, 10 lost")),
        "1.0 % is not above 1 %"
    );

    profile.accounting.lost.insert(LostReason::NotCode, 1);
    let (_, _, texts) = read_svg(&written("flamegraph", &profile));
    assert!(
        texts.iter().any(|text| text.ends_with(", 11 LOST: 1.1 %")),
        "{texts:?}"
    );
}

#[test]
fn equal_profiles_give_equal_bytes() {
    for format in FORMATS {
        assert_eq!(
            written(format.name(), &hostile().0),
            written(format.name(), &hostile().0)
        );
    }
}

#[test]
fn no_samples_no_picture() {
    let error = by_name("flamegraph")
        .unwrap()
        .write(&Profile::default(), &mut Vec::new())
        .unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert_eq!(written("folded", &Profile::default()), "");
}

#[test]
fn names_and_extensions_are_unique() {
    let names: HashMap<_, _> = FORMATS.iter().map(|format| (format.name(), ())).collect();
    let extensions: HashMap<_, _> = FORMATS
        .iter()
        .map(|format| (format.extension(), ()))
        .collect();
    assert_eq!(
        (names.len(), extensions.len()),
        (FORMATS.len(), FORMATS.len())
    );
    assert_eq!(by_extension("svg").unwrap().name(), "flamegraph");
    assert!(by_name("svg").is_none());
}
