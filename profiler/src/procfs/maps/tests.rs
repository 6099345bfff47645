use std::{fs, os::unix::fs::MetadataExt, path::PathBuf};

use super::*;

fn parse(line: &str) -> Option<Mapping> {
    parse_line(line.as_bytes())
}

#[test]
fn a_library() {
    let line = "7f0a1b200000-7f0a1b3f5000 r-xp 00026000 fe:10 1234567                    /usr/lib/x86_64-linux-gnu/libc.so.6";
    assert_eq!(
        parse(line),
        Some(Mapping {
            start: 0x7f0a_1b20_0000,
            end: 0x7f0a_1b3f_5000,
            offset: 0x26000,
            executable: true,
            writable: false,
            device: Device {
                major: 0xfe,
                minor: 0x10
            },
            inode: 1_234_567,
            path: b"/usr/lib/x86_64-linux-gnu/libc.so.6".to_vec(),
            deleted: false,
        })
    );
}

#[test]
fn names_of_every_kind() {
    let path = |shown: &str| {
        let mapping = parse(&format!("1000-2000 rw-s 0 00:01 7   {shown}")).unwrap();
        assert!(mapping.writable && !mapping.executable);
        assert_eq!(mapping.path_as_shown(), unescape(shown.as_bytes()));
        (mapping.path().to_str().unwrap().to_owned(), mapping.deleted)
    };
    assert_eq!(path("/a b/  c.so"), ("/a b/  c.so".to_owned(), false));
    assert_eq!(path("/a\\012b"), ("/a\nb".to_owned(), false));
    assert_eq!(path("/a\\b\\01"), ("/a\\b\\01".to_owned(), false));
    assert_eq!(path("/x.so (deleted)"), ("/x.so".to_owned(), true));
    assert_eq!(
        path("/x.so (deleted) (deleted)"),
        ("/x.so (deleted)".to_owned(), true)
    );
    assert_eq!(
        path("/memfd:jit (deleted)"),
        ("/memfd:jit".to_owned(), true)
    );
}

#[test]
fn a_name_need_not_be_utf8() {
    let mapping = parse_line(b"1000-2000 r-xp 0 00:01 7 /\xff\xfe").unwrap();
    assert_eq!(mapping.path().as_os_str().as_bytes(), b"/\xff\xfe");
}

#[test]
fn what_maps_no_file_is_left_out() {
    for line in [
        "7ffd1000-7ffd2000 rw-p 00000000 00:00 0                          [stack]",
        "1000-2000 rw-p 00000000 00:00 0",
        "1000-2000 rw-p 00000000 00:00 0 ",
        "1000-2000 rw-s 00000000 00:0e 9   anon_inode:[perf_event]",
    ] {
        assert_eq!(parse(line), None, "{line}");
    }
}

#[test]
fn damaged_lines_are_left_out() {
    let good = "1000-2000 r-xp 0 00:01 7 /x";
    assert!(parse(good).is_some());
    for end in 0..good.len() - 1 {
        assert_eq!(parse(&good[..end]), None, "{}", &good[..end]);
    }
    for line in [
        "2000-1000 r-xp 0 00:01 7 /x",
        "1000-1000 r-xp 0 00:01 7 /x",
        "+1000-2000 r-xp 0 00:01 7 /x",
        "1000-10000000000000000 r-xp 0 00:01 7 /x",
        "1000-2000 r-xp 0 00:100000000 7 /x",
        "1000-2000 r-xp 0 00:01 -7 /x",
    ] {
        assert_eq!(parse(line), None, "{line}");
    }
}

#[test]
fn mappings_of_one_file() {
    let lines = [
        "1000-2000 r--p 0 00:01 7 /a",
        "2000-3000 r-xp 1000 00:01 7 /a",
        "4000-5000 r-xp 1000 00:01 8 /b",
        "6000-7000 r-xp 3000 00:01 7 /a",
        "8000-9000 r-xp 1000 00:02 7 /other device",
    ];
    let mappings = Mappings(lines.iter().filter_map(|line| parse(line)).collect());
    let starts: Vec<u64> = mappings
        .executable_files()
        .map(|mapping| mapping.start)
        .collect();
    assert_eq!(starts, [0x2000, 0x4000, 0x8000]);
    let first = mappings.iter().next().unwrap();
    let starts: Vec<u64> = mappings
        .of_file(first)
        .map(|mapping| mapping.start)
        .collect();
    assert_eq!(starts, [0x1000, 0x2000, 0x6000]);
}

#[test]
fn this_process() {
    let mappings = file_mappings(Tgid(std::process::id())).unwrap();
    let own = fs::read_link("/proc/self/exe").unwrap();
    let inode = fs::metadata(&own).unwrap().ino();
    let code = mappings
        .executable_files()
        .find(|mapping| mapping.inode == inode)
        .unwrap();
    assert_eq!(PathBuf::from(code.path()), own);
    assert!((code.start..code.end).contains(&(this_process as *const () as u64)));
    assert!(mappings.of_file(code).count() > 1);
}

#[test]
fn no_such_process() {
    assert!(file_mappings(Tgid(u32::MAX)).unwrap_err().is_gone());
}
