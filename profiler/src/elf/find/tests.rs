use std::{fs, os::unix::fs::MetadataExt, path::Path};
use std::{
    io::{BufRead, BufReader, Read, Write},
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
    fn start(mut command: Command) -> Self {
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

/// Interpreters that this machine has: pyenv's, the system's, and as root those that set-up has
/// brought, each in a root of its own.
fn interpreters() -> Vec<Command> {
    let home = std::env::var_os("HOME")
        .map(PathBuf::from)
        .unwrap_or_default();
    let folders = |path: &str| {
        let entries = fs::read_dir(home.join(path)).into_iter().flatten();
        entries
            .map(|entry| entry.unwrap().path())
            .collect::<Vec<_>>()
    };
    // 3.6 has no `_PyRuntime`.
    let pyenv = folders(".pyenv/versions")
        .into_iter()
        .filter(|path| !path.ends_with("3.6.15"));
    let programs = pyenv.map(|version| version.join("bin/python3"));
    let programs = programs.chain([PathBuf::from("/usr/bin/python3")]);
    let mut commands: Vec<Command> = programs
        .filter(|path| path.exists())
        .map(Command::new)
        .collect();
    for root in folders(".cache/profiler/roots") {
        let program = Path::new("/usr/bin").join(root.file_name().unwrap());
        if nix::unistd::geteuid().is_root()
            && root.join(program.strip_prefix("/").unwrap()).exists()
        {
            let mut command = Command::new("chroot");
            command.arg(root).arg(program);
            commands.push(command);
        }
    }
    commands
}

#[test]
fn every_interpreter_of_this_machine() {
    let mut cache = ModuleCache::default();
    for command in interpreters() {
        let name = format!("{command:?}");
        let python = Interpreter::start(command);
        let found = find_python(python.tgid(), &mut cache)
            .unwrap()
            .expect(&name);
        assert_eq!(found.runtime_avma, python.runtime_avma, "{name}");
        let [major, minor, micro, _] = python.hex.to_be_bytes();
        let version = found.module.version;
        assert_eq!(
            (version.major, version.minor, version.micro),
            (major, minor, Some(micro)),
            "{name}"
        );
        assert!(
            version.hex.is_none_or(|known| known == python.hex),
            "{name}"
        );
        assert_eq!(found.module.debug_offsets.is_some(), minor >= 13, "{name}");
        let exe = fs::metadata(format!("/proc/{}/exe", python.tgid())).unwrap();
        assert_eq!(found.exe.ino, exe.ino());
        // The second time by the cache alone, and not by the process's own name or path.
        let again = find_python(python.tgid(), &mut cache).unwrap().unwrap();
        assert!(Arc::ptr_eq(&again.module, &found.module));
    }
}

#[test]
fn a_process_that_is_no_python() {
    let mut command = Command::new("cat");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.as_mut().unwrap().write_all(b"x").unwrap();
    child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    let tgid = Tgid(child.id());
    let mut cache = ModuleCache::default();
    assert!(find_python(tgid, &mut cache).unwrap().is_none());
    child.kill().unwrap();
    child.wait().unwrap();
    let error = find_python(tgid, &mut cache).unwrap_err();
    assert!(matches!(error, FindError::Process(error) if error.is_gone()));
}
