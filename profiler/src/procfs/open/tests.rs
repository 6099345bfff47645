use std::{
    io::{Read, Write},
    process::{Child, Command, Stdio},
};

use super::*;
use crate::procfs::file_mappings;

const PROGRAM: &str = "/usr/bin/cat";

/// The regular file that a mapping shows, for reading.
fn open_mapped(tgid: Tgid, mapping: &Mapping) -> Result<File, ProcfsError> {
    let problem = "it is no regular file";
    let refused = ProcfsError::Refused {
        tgid,
        what: WHAT,
        problem,
    };
    let mapped = MappedFile::locate(tgid, mapping)?.ok_or(refused)?;
    mapped
        .open()
        .map_err(|source| ProcfsError::new(tgid, WHAT, source))
}

/// A copy of a program, running; killed when dropped.
struct Running(Child);

impl Running {
    fn start(program: &Path) -> (Self, Mapping) {
        // By another process: a file that a forked child still holds open for writing cannot be run.
        let copied = Command::new("cp").arg(PROGRAM).arg(program).status();
        assert!(copied.unwrap().success());
        let mut command = Command::new(program);
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut running = Self(child);
        // Once it answers, exec is done.
        running.0.stdin.as_mut().unwrap().write_all(b"x").unwrap();
        running
            .0
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut [0])
            .unwrap();
        let mappings = file_mappings(running.tgid()).unwrap();
        let inode = fs::metadata(program).unwrap().ino();
        let mapping = mappings
            .executable_files()
            .find(|mapping| mapping.inode == inode);
        let mapping = mapping.unwrap().clone();
        (running, mapping)
    }

    /// Runs the program from an overlay over two file systems, in a mount namespace of its
    /// own; `None` where that may not be done.
    fn start_in_overlay(folder: &Path) -> Option<(Self, Mapping)> {
        let script = "cd \"$0\" && mkdir upper lower merged && cp /usr/bin/cat lower/prog
            mount -t tmpfs none upper && mkdir upper/data upper/work
            mount -t overlay overlay -o lowerdir=lower,upperdir=upper/data,workdir=upper/work merged
            exec merged/prog";
        let mut command = Command::new("unshare");
        command
            .args(["-m", "sh", "-ec", script])
            .arg(folder)
            .stderr(Stdio::null());
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let mut running = Self(child);
        let _ = running.0.stdin.as_mut().unwrap().write_all(b"x");
        running
            .0
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut [0])
            .ok()?;
        let mappings = file_mappings(running.tgid()).unwrap();
        let is_program = |mapping: &&Mapping| mapping.path().ends_with("merged/prog");
        let mapping = mappings
            .executable_files()
            .find(is_program)
            .unwrap()
            .clone();
        Some((running, mapping))
    }

    fn tgid(&self) -> Tgid {
        Tgid(self.0.id())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn by_path(tgid: Tgid, mapping: &Mapping) -> Option<OwnedFd> {
    locate_by_path(tgid, mapping).unwrap()
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

fn content(mut file: File) -> Vec<u8> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn the_file_behind_a_mapping_and_its_identity() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["plain", "a b", "line\nbreak", "x (deleted)"] {
        let program = folder.path().join(name);
        let (running, mapping) = Running::start(&program);
        let handle = by_path(running.tgid(), &mapping).expect(name);
        let file = MappedFile::new(handle.into())
            .unwrap()
            .unwrap()
            .open()
            .unwrap();
        let metadata = fs::metadata(&program).unwrap();
        let id = FileId::of(&file).unwrap();
        assert_eq!(
            (id.dev, id.ino, id.size),
            (metadata.dev(), metadata.ino(), metadata.len())
        );
        assert_eq!(content(file), fs::read(PROGRAM).unwrap());
        if is_root() {
            let file = open_mapped(running.tgid(), &mapping).unwrap();
            assert_eq!(FileId::of(&file).unwrap(), id);
        }
    }
}

#[test]
fn another_mount_namespace_and_an_overlay() {
    let folder = tempfile::tempdir().unwrap();
    let Some((running, mapping)) = Running::start_in_overlay(folder.path()) else {
        return;
    };
    let handle = by_path(running.tgid(), &mapping).unwrap();
    let file = MappedFile::new(handle.into()).unwrap().unwrap();
    assert_eq!(content(file.open().unwrap()), fs::read(PROGRAM).unwrap());
    let by_link = MappedFile::locate(running.tgid(), &mapping)
        .unwrap()
        .unwrap();
    assert_eq!(by_link.id(), file.id());
}

#[test]
fn the_device_of_a_mount() {
    let line = "36 35 98:1023 /mnt1 /mnt/\u{fffd} rw,noatime shared:1 - ext3 /dev/root rw";
    assert_eq!(
        parse_mount(line, "36"),
        Some(Device {
            major: 98,
            minor: 1023
        })
    );
    for other in ["3", "35", "360"] {
        assert_eq!(parse_mount(line, other), None);
    }
    assert_eq!(parse_mount("36 35 98", "36"), None);
}

#[test]
fn deleted_and_replaced_files() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("program");
    let (running, mapping) = Running::start(&program);
    fs::remove_file(&program).unwrap();
    fs::write(&program, "something else").unwrap();
    assert!(by_path(running.tgid(), &mapping).is_none());
    if is_root() {
        let file = open_mapped(running.tgid(), &mapping).unwrap();
        assert_eq!(content(file), fs::read(PROGRAM).unwrap());
    }
}

#[test]
fn a_link_or_a_fifo_in_place_of_the_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("program");
    let (running, mapping) = Running::start(&program);
    let moved = folder.path().join("moved");
    fs::rename(&program, &moved).unwrap();
    std::os::unix::fs::symlink(&moved, &program).unwrap();
    assert!(by_path(running.tgid(), &mapping).is_none());
    fs::remove_file(&program).unwrap();
    nix::unistd::mkfifo(&program, Mode::S_IRWXU).unwrap();
    assert!(by_path(running.tgid(), &mapping).is_none());
    let handle = open(&program, OFlag::O_PATH, Mode::empty()).unwrap();
    assert!(MappedFile::new(handle.into()).unwrap().is_none());
}

#[test]
fn a_process_that_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let (running, mapping) = Running::start(&folder.path().join("program"));
    let tgid = running.tgid();
    drop(running);
    assert!(open_mapped(tgid, &mapping).unwrap_err().is_gone());
}
