use std::{
    fs,
    io::{Seek, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use super::*;

/// An ELF file that is changed, as a file without a name.
fn file_of(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    file
}

fn look_at(bytes: &[u8]) -> Result<Option<PythonModule>, ElfError> {
    python_module(&file_of(bytes))
}

/// Files of pyenv's interpreters, `{}` being the minor version; those that exist.
fn pyenv(pattern: &str) -> Vec<(u8, PathBuf)> {
    let home = std::env::var_os("HOME")
        .map(PathBuf::from)
        .unwrap_or_default();
    let Ok(versions) = fs::read_dir(home.join(".pyenv/versions")) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for version in versions {
        let name = version.as_ref().unwrap().file_name().into_string().unwrap();
        let minor: u8 = name.split('.').nth(1).unwrap().parse().unwrap();
        let path = version
            .unwrap()
            .path()
            .join(pattern.replace("{}", &minor.to_string()));
        if name.starts_with('3') && path.exists() {
            found.push((minor, path));
        }
    }
    found
}

mod headers {
    //! Where things stand in an ELF file (elf(5)).
    pub(super) const PROGRAM_HEADERS: usize = 64;
    pub(super) const PROGRAM_HEADER_BYTES: usize = 56;
    pub(super) const E_SHOFF: usize = 0x28;
    pub(super) const E_SHNUM: usize = 0x3c;
    pub(super) const PT_DYNAMIC: u32 = 2;
    pub(super) const PT_LOAD: u32 = 1;
}

/// As sstrip leaves a file.
fn without_section_table(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes[headers::E_SHOFF..headers::E_SHOFF + 8].fill(0);
    bytes[headers::E_SHNUM..headers::E_SHNUM + 4].fill(0);
    bytes
}

/// As a file that is linked statically has none.
fn without_dynamic_table(mut bytes: Vec<u8>) -> Vec<u8> {
    let n_headers = usize::from(u16::from_le_bytes(bytes[0x38..0x3a].try_into().unwrap()));
    for n in 0..n_headers {
        let at = headers::PROGRAM_HEADERS + n * headers::PROGRAM_HEADER_BYTES;
        if bytes[at..at + 4] == headers::PT_DYNAMIC.to_le_bytes() {
            bytes[at..at + 4].fill(0);
        }
    }
    bytes
}

#[test]
fn what_is_no_python() {
    let mut files: Vec<PathBuf> = [
        "/bin/true",
        "/usr/bin/node",
        "/usr/bin/gcc",
        "/etc/passwd",
        "/dev/null",
        "/",
    ]
    .map(PathBuf::from)
    .to_vec();
    let libc = fs::read_to_string("/proc/self/maps").unwrap();
    let libc = libc.lines().find_map(|line| {
        line.split_once('/')
            .filter(|(_, path)| path.contains("libc.so"))
    });
    files.extend(libc.map(|(_, path)| PathBuf::from(format!("/{path}"))));
    // The small program that loads libpython, and modules, import `_PyRuntime` at most.
    for (minor, program) in pyenv("bin/python3.{}") {
        files.push(program);
        for (_, folder) in pyenv(&format!("lib/python3.{minor}/lib-dynload")) {
            files.extend(
                fs::read_dir(folder)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        }
    }
    // Before 3.7 there is no `_PyRuntime`.
    files.extend(
        pyenv("lib/libpython3.6m.so.1.0")
            .into_iter()
            .map(|(_, path)| path),
    );
    for path in files.iter().filter(|path| path.exists()) {
        let answer = File::open(path)
            .map_err(ElfError::from)
            .and_then(|file| python_module(&file));
        assert!(
            matches!(answer, Ok(None) | Err(ElfError::Read(_))),
            "{}: {answer:?}",
            path.display()
        );
    }
}

/// The address and the version do not depend on what of the file is left to tell them.
#[test]
fn stripped_in_every_way() {
    for (minor, path) in pyenv("lib/libpython3.{}.so.1.0") {
        let bytes = fs::read(&path).unwrap();
        let whole = look_at(&bytes).unwrap().unwrap();
        assert_eq!(whole.version.minor, minor);
        assert_eq!(
            look_at(&without_section_table(bytes.clone())).unwrap(),
            Some(whole.clone())
        );
        // By the section (3.10+), or the full symbol table.
        let fixed = look_at(&without_dynamic_table(bytes.clone()))
            .unwrap()
            .unwrap();
        assert_eq!(
            (fixed.runtime_svma, fixed.version),
            (whole.runtime_svma, whole.version)
        );
        // By the cookie, where there is one.
        let bare = look_at(&without_section_table(without_dynamic_table(bytes))).unwrap();
        let address = bare.map(|module| (module.runtime_svma, module.version));
        assert_eq!(
            address,
            (minor >= 13).then_some((whole.runtime_svma, whole.version))
        );
    }
}

/// A program of one writable segment at this address, with this content.
fn program(svma: u64, flags: u32, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0_u8; 4096];
    bytes[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(0x10, &2_u16.to_le_bytes());
    put(0x12, &62_u16.to_le_bytes());
    put(0x14, &1_u32.to_le_bytes());
    put(0x20, &64_u64.to_le_bytes());
    put(0x34, &64_u16.to_le_bytes());
    put(0x36, &56_u16.to_le_bytes());
    put(0x38, &1_u16.to_le_bytes());
    put(0x40, &headers::PT_LOAD.to_le_bytes());
    put(0x44, &flags.to_le_bytes());
    put(0x48, &4096_u64.to_le_bytes());
    put(0x50, &svma.to_le_bytes());
    put(0x60, &(content.len() as u64).to_le_bytes());
    bytes.extend_from_slice(content);
    bytes
}

const WRITE: u32 = 2;
const READ: u32 = 4;

fn cookie(version: u64, free_threaded: u64) -> Vec<u8> {
    [
        b"xdebugpy".as_slice(),
        &version.to_le_bytes(),
        &free_threaded.to_le_bytes(),
    ]
    .concat()
}

#[test]
fn a_cookie_in_writable_data() {
    let with_padding =
        |n_bytes: usize| [vec![0xaa; n_bytes], cookie(0x030e_02f0, 1), vec![0; 500]].concat();
    for n_bytes in [
        0,
        8,
        4096,
        256 * 1024 - 16,
        256 * 1024 - 8,
        256 * 1024,
        600_000,
    ] {
        let module = look_at(&program(0x40_1000, READ | WRITE, &with_padding(n_bytes)))
            .unwrap()
            .unwrap();
        assert_eq!(module.runtime_svma, 0x40_1000 + n_bytes as u64);
        assert_eq!(module.version.to_string(), "3.14.2");
        assert!(module.is_fixed);
        assert_eq!(module.debug_offsets.unwrap().len(), 524);
    }
    // Its address counts for the alignment, not its position.
    let module = look_at(&program(0x40_1004, READ | WRITE, &with_padding(4)))
        .unwrap()
        .unwrap();
    assert_eq!(module.runtime_svma, 0x40_1008);
}

#[test]
fn a_cookie_that_is_none() {
    let good = cookie(0x030d_00f0, 0);
    let is_python = |flags, content: &[u8]| {
        look_at(&program(0x40_1000, flags, content))
            .unwrap()
            .is_some()
    };
    assert!(is_python(READ | WRITE, &good));
    assert!(!is_python(READ, &good), "read-only");
    assert!(
        !is_python(READ | WRITE, &[&[0; 4], &good[..]].concat()),
        "not aligned"
    );
    assert!(!is_python(READ | WRITE, &good[..23]), "cut");
    assert!(
        !is_python(READ | WRITE, &cookie(0x030c_01f0, 0)),
        "before 3.13"
    );
    assert!(
        !is_python(READ | WRITE, &cookie(0x030d_0000, 0)),
        "no release level"
    );
    assert!(
        !is_python(READ | WRITE, &cookie(0x0030_0d00_f000, 0)),
        "too large"
    );
    assert!(!is_python(READ | WRITE, &cookie(0x030d_00f0, 2)), "no bool");
}

#[test]
fn a_file_of_exabytes_is_not_read() {
    // A sparse file whose headers claim all of it.
    let mut bytes = program(0, READ | WRITE, &[]);
    bytes[0x60..0x68].copy_from_slice(&(1_u64 << 40).to_le_bytes());
    bytes[headers::E_SHOFF..headers::E_SHOFF + 8].copy_from_slice(&4096_u64.to_le_bytes());
    bytes[0x3a..0x3c].copy_from_slice(&64_u16.to_le_bytes());
    bytes[headers::E_SHNUM..headers::E_SHNUM + 2].copy_from_slice(&u16::MAX.to_le_bytes());
    let file = file_of(&bytes);
    file.set_len(1 << 40).unwrap();
    // Reading what the headers claim would take hours.
    assert!(python_module(&file).unwrap().is_none());
}

#[test]
fn damaged_files_never_panic() {
    let mut subjects = vec![program(0x40_1000, READ | WRITE, &cookie(0x030d_00f0, 0))];
    subjects.push(fs::read("/bin/true").unwrap());
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for subject in &subjects {
        let file = file_of(subject);
        for round in 0..2_000_u64 {
            let len = subject.len() as u64;
            // Headers are hit most.
            let mut damage: Vec<u64> = (0..1 + round % 4)
                .map(|_| random() % len.min(if round % 3 == 0 { len } else { 1024 }))
                .collect();
            damage.dedup();
            for &at in &damage {
                file.write_all_at(&[random() as u8], at).unwrap();
            }
            let _ = python_module(&file);
            file.write_all_at(subject, 0).unwrap();
        }
        for len in (0..subject.len()).step_by(97) {
            file.set_len(len as u64).unwrap();
            let _ = python_module(&file);
        }
    }
}

/// The debug offsets are those of the interpreter: its version, by its own header.
#[test]
fn debug_offsets_start_with_cookie_and_version() {
    for (minor, path) in pyenv("lib/libpython3.{}.so.1.0") {
        let module = python_module(&File::open(&path).unwrap()).unwrap().unwrap();
        let Some(offsets) = module.debug_offsets else {
            assert!(minor < 13);
            continue;
        };
        let header = path.with_file_name(format!("../include/python3.{minor}/patchlevel.h"));
        let header = fs::read_to_string(header).unwrap();
        let stated = header
            .lines()
            .find_map(|line| line.strip_prefix("#define PY_VERSION "))
            .unwrap();
        assert_eq!(format!("\"{}\"", module.version), stated.trim());
        assert_eq!(offsets[12 - 1], 3);
        assert_eq!(offsets[8 + 2], minor);
        assert!(Path::new(&path).exists());
    }
}
