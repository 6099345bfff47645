//! Opens the file behind a mapping, whatever mount namespace or chroot the process is in, and
//! also when the file was deleted or replaced since.
//!
//! Only regular files are opened for reading, after a look that opens nothing (O_PATH): a
//! process can map a device, and put a FIFO where its library was.

use std::{
    ffi::OsStr,
    fs::{self, File, Metadata},
    io,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::{ffi::OsStrExt, fs::MetadataExt},
    },
    path::{Path, PathBuf},
};

use nix::{
    fcntl::{OFlag, OpenHow, ResolveFlag, open, openat2},
    sys::stat::{Mode, major, minor},
};

use super::{Device, Mapping, ProcfsError, error};
use crate::model::Tgid;

/// What tells one state of one file from all others. After the device and the inode number
/// there are size and times, since an inode number is used again and a file can be rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId {
    /// `st_dev`.
    pub dev: u64,
    /// `st_ino`.
    pub ino: u64,
    /// In bytes.
    pub size: u64,
    /// Last change of the content, in nanoseconds since 1970.
    pub mtime_ns: i128,
    /// Last change of content or attributes, in nanoseconds since 1970.
    pub ctime_ns: i128,
}

impl FileId {
    /// The identity of an open file.
    ///
    /// # Errors
    /// When fstat fails.
    pub fn of(file: &File) -> io::Result<Self> {
        Ok(Self::from_metadata(&file.metadata()?))
    }

    fn from_metadata(metadata: &Metadata) -> Self {
        let ns = |seconds: i64, ns: i64| i128::from(seconds) * 1_000_000_000 + i128::from(ns);
        Self {
            dev: metadata.dev(),
            ino: metadata.ino(),
            size: metadata.size(),
            mtime_ns: ns(metadata.mtime(), metadata.mtime_nsec()),
            ctime_ns: ns(metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// A host with thousands of containers has some 10,000 mounts, of 200 bytes each.
const MAX_MOUNTINFO_BYTES: u64 = 16 * 1024 * 1024;

const WHAT: &str = "a mapped file";
const NOT_BY_PATH: &str = "it is not found by its path, and /proc/PID/map_files needs CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE";

/// A regular file that a process has mapped: identified, not opened yet.
#[derive(Debug)]
pub struct MappedFile {
    handle: File,
    id: FileId,
}

impl MappedFile {
    /// The file behind a mapping, or `None` if it is no regular one. First by
    /// /proc/PID/map_files, which leads to the file itself but needs CAP_SYS_ADMIN or
    /// CAP_CHECKPOINT_RESTORE; where that is denied by its path, if the file there is the one
    /// mapped (device and inode number).
    ///
    /// # Errors
    /// When the process or the mapping is gone, rights are missing, or another file stands
    /// where the mapped one was.
    pub fn locate(tgid: Tgid, mapping: &Mapping) -> Result<Option<Self>, ProcfsError> {
        let failed = |source| ProcfsError::new(tgid, WHAT, source);
        let handle = match locate_by_link(tgid, mapping) {
            Err(nix::Error::EPERM | nix::Error::EACCES) => locate_by_path(tgid, mapping),
            result => result.map(Some),
        };
        match handle {
            Ok(Some(handle)) => Self::new(handle.into()).map_err(failed),
            Err(errno) if errno != nix::Error::ENOENT => Err(failed(errno.into())),
            _ if !exists(tgid) => Err(ProcfsError::Gone { tgid }),
            Ok(None) => Err(ProcfsError::Refused {
                tgid,
                what: WHAT,
                problem: NOT_BY_PATH,
            }),
            Err(_) => Err(ProcfsError::Refused {
                tgid,
                what: WHAT,
                problem: "it was unmapped meanwhile",
            }),
        }
    }

    fn new(handle: File) -> io::Result<Option<Self>> {
        let metadata = handle.metadata()?;
        let id = FileId::from_metadata(&metadata);
        Ok(metadata.is_file().then_some(Self { handle, id }))
    }

    /// Its identity at the time it was located.
    pub fn id(&self) -> FileId {
        self.id
    }

    /// Opens it for reading.
    ///
    /// # Errors
    /// When the user may not read it.
    pub fn open(&self) -> io::Result<File> {
        File::open(format!("/proc/self/fd/{}", self.handle.as_raw_fd()))
    }
}

/// The identity of a process's executable.
///
/// # Errors
/// When the process is gone, may not be looked at, or is a kernel thread (`Gone`, too).
pub fn exe_id(tgid: Tgid) -> Result<FileId, ProcfsError> {
    let link = format!("/proc/{tgid}/exe");
    let metadata = fs::metadata(link).map_err(|source| ProcfsError::new(tgid, "exe", source))?;
    Ok(FileId::from_metadata(&metadata))
}

fn exists(tgid: Tgid) -> bool {
    Path::new(&format!("/proc/{tgid}")).exists()
}

fn locate_by_link(tgid: Tgid, mapping: &Mapping) -> nix::Result<OwnedFd> {
    // The kernel writes and wants these names without leading zeros, unlike those in maps.
    let link = format!(
        "/proc/{tgid}/map_files/{:x}-{:x}",
        mapping.start, mapping.end
    );
    open(
        Path::new(&link),
        OFlag::O_PATH | OFlag::O_CLOEXEC,
        Mode::empty(),
    )
}

/// A handle of the mapped file, found by its path.
fn locate_by_path(tgid: Tgid, mapping: &Mapping) -> nix::Result<Option<OwnedFd>> {
    let mut candidates = candidates(tgid, mapping);
    Ok(candidates.find_map(|(root, path)| open_if_same(tgid, &root, &path, mapping)))
}

/// Where the mapped file may be found, as a root and a path below it: a name may really end in
/// ` (deleted)`, and the path of a process in a chroot is shown from the real root.
fn candidates(tgid: Tgid, mapping: &Mapping) -> impl Iterator<Item = (PathBuf, PathBuf)> {
    let shown = PathBuf::from(OsStr::from_bytes(&mapping.path_as_shown()));
    let paths = [shown, mapping.path().to_path_buf()];
    let roots = [
        PathBuf::from(format!("/proc/{tgid}/root")),
        PathBuf::from("/"),
    ];
    roots
        .into_iter()
        .flat_map(move |root| paths.clone().map(|path| (root.clone(), path)))
}

/// A handle of the file at `path` below `root` if it is the mapped one. Symbolic links would be
/// followed from our root, not the process's; the paths that the kernel shows have none.
fn open_if_same(tgid: Tgid, root: &Path, path: &Path, mapping: &Mapping) -> Option<OwnedFd> {
    let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
    let root = open(root, flags | OFlag::O_DIRECTORY, Mode::empty()).ok()?;
    let how = OpenHow::new()
        .flags(flags)
        .resolve(ResolveFlag::RESOLVE_NO_SYMLINKS);
    let handle = openat2(root, path.strip_prefix("/").ok()?, how).ok()?;
    let metadata = File::from(handle.try_clone().ok()?).metadata().ok()?;
    let is_on = |device: Device| metadata.ino() == mapping.inode && device == mapping.device;
    let is_same = is_on(stat_device(&metadata)) || mount_device(tgid, &handle).is_some_and(is_on);
    is_same.then_some(handle)
}

fn stat_device(metadata: &Metadata) -> Device {
    // Linux has 12 bits of major and 20 of minor numbers.
    Device {
        major: major(metadata.dev()) as u32,
        minor: minor(metadata.dev()) as u32,
    }
}

/// The device of the file system that a file is reached through. On overlayfs over several file
/// systems and on btrfs it is this one, not stat's, that the kernel shows in maps.
fn mount_device(tgid: Tgid, handle: &OwnedFd) -> Option<Device> {
    let fd_info = fs::read_to_string(format!("/proc/self/fdinfo/{}", handle.as_raw_fd())).ok()?;
    let mount = fd_info
        .lines()
        .find_map(|line| line.strip_prefix("mnt_id:"))?
        .trim()
        .to_owned();
    // Paths in it need not be UTF-8; what is looked at is digits.
    let of_process = error::read(tgid, "mountinfo", MAX_MOUNTINFO_BYTES).ok();
    let mounts = String::from_utf8_lossy(of_process.as_deref()?).into_owned();
    mounts.lines().find_map(|line| parse_mount(line, &mount))
}

/// The device of this mount, if the line is the mount's (proc(5): id, parent, major:minor).
fn parse_mount(line: &str, mount: &str) -> Option<Device> {
    let mut fields = line.split(' ');
    fields.next().filter(|&id| id == mount)?;
    let (major, minor) = fields.nth(1)?.split_once(':')?;
    Some(Device {
        major: major.parse().ok()?,
        minor: minor.parse().ok()?,
    })
}

#[cfg(test)]
mod tests;
