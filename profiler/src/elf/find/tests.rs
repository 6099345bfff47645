use std::{fs, os::unix::fs::MetadataExt, path::Path};
use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use super::*;

/// What an interpreter says about itself: `_PyRuntime`'s address by its own dynamic linker and
/// `sys.hexversion`; nothing of it comes from the code under test.
const SAY: &str = "
import ctypes, sys
runtime = ctypes.c_char.in_dll(ctypes.pythonapi, '_PyRuntime')
print(ctypes.addressof(runtime), sys.hexversion, flush=True)
sys.stdin.read()
";

/// A running interpreter, killed when dropped.
struct Interpreter {
    child: Child,
    runtime_avma: u64,
    hex: u32,
}

impl Interpreter {
    fn start(program: &Path) -> Self {
        let mut command = Command::new(program);
        command
            .args(["-I", "-c", SAY])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        let (address, hex) = line.trim().split_once(' ').unwrap();
        Self {
            runtime_avma: address.parse().unwrap(),
            hex: hex.parse().unwrap(),
            child,
        }
    }

    fn tgid(&self) -> Tgid {
        Tgid(self.child.id())
    }
}

impl Drop for Interpreter {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Interpreters that this machine has: pyenv's, and the system's.
fn interpreters() -> Vec<PathBuf> {
    let home = std::env::var_os("HOME")
        .map(PathBuf::from)
        .unwrap_or_default();
    let versions = fs::read_dir(home.join(".pyenv/versions"))
        .into_iter()
        .flatten();
    let pyenv = versions.map(|version| version.unwrap().path().join("bin/python3"));
    pyenv
        .chain([PathBuf::from("/usr/bin/python3")])
        .filter(|path| path.exists())
        .collect()
}

/// `Some(minor)` for the folder of a CPython 3 in pyenv, which has none of 3.6 and older.
fn has_no_runtime(program: &Path) -> bool {
    program.to_string_lossy().contains("versions/3.6.")
}

#[test]
fn every_interpreter_of_this_machine() {
    let mut cache = ModuleCache::default();
    for program in interpreters() {
        if has_no_runtime(&program) {
            continue;
        }
        let python = Interpreter::start(&program);
        let start = std::time::Instant::now();
        let found = find_python(python.tgid(), &mut cache)
            .unwrap()
            .expect("a Python");
        let first = start.elapsed();
        let start = std::time::Instant::now();
        find_python(python.tgid(), &mut cache)
            .unwrap()
            .expect("a Python");
        println!(
            "{} {} {} fixed {} cookie {:?} {first:?} {:?}",
            program.display(),
            found.module.version,
            found.path.display(),
            found.module.is_fixed,
            found.module.debug_offsets.as_ref().map(Vec::len),
            start.elapsed()
        );
        assert_eq!(
            found.runtime_avma,
            python.runtime_avma,
            "{}",
            program.display()
        );
        let [major, minor, micro, _] = python.hex.to_be_bytes();
        let version = found.module.version;
        assert_eq!((version.major, version.minor), (major, minor));
        assert!(
            version.micro.is_none_or(|known| known == micro),
            "{version}"
        );
        assert!(
            version.hex.is_none_or(|known| known == python.hex),
            "{version}"
        );
        assert_eq!(found.module.debug_offsets.is_some(), minor >= 13);
        let exe = fs::metadata(format!("/proc/{}/exe", python.tgid())).unwrap();
        assert_eq!(found.exe.ino, exe.ino());
    }
}
