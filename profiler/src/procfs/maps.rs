//! /proc/PID/maps: which files a process has mapped, and where.
//!
//! An own parser: the `procfs` crate needs names in UTF-8 and panics on some. The owner of the
//! process chooses names and number of the mappings: lines, bytes and paths are bounded.

use std::{
    collections::HashSet,
    ffi::OsStr,
    io::{BufRead, BufReader, Read},
    os::unix::ffi::OsStrExt,
    path::Path,
};

use super::error::{self, ProcfsError};
use crate::model::Tgid;

/// Text read of one process. A large Java or Chrome process has some 300 kB; the kernel's
/// default of 65,530 mappings with long paths stays below.
const MAX_BYTES: u64 = 16 * 1024 * 1024;
/// A path has at most 4,096 bytes, of which each line break shows as four.
const MAX_LINE_BYTES: usize = 4 * 4096 + 256;
/// Ending of the paths of files that have no name any more. A file's own name may end so too.
const DELETED: &[u8] = b" (deleted)";

/// A file system's device, as the kernel numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Device {
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
}

/// A part of a file in a process's address space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// First address.
    pub start: u64,
    /// Behind the last address: greater than `start`.
    pub end: u64,
    /// Position of `start` in the file, in bytes.
    pub offset: u64,
    /// May be executed.
    pub executable: bool,
    /// May be written.
    pub writable: bool,
    /// The file's device. On overlayfs, btrfs and the like it is not what stat says.
    pub device: Device,
    /// The file's inode number there: never 0.
    pub inode: u64,
    /// The path as the kernel shows it: from the root of the process's mount namespace,
    /// line breaks as they are in the file's name, ` (deleted)` left out if `deleted`.
    path: Vec<u8>,
    /// The kernel says that the file has no name any more, or its name says so: whether it has
    /// is not known before it is opened.
    pub deleted: bool,
}

impl Mapping {
    /// The path, from the root of the process's mount namespace, without ` (deleted)`.
    pub fn path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.path))
    }

    /// The path with ` (deleted)` where the kernel shows it.
    pub(super) fn path_as_shown(&self) -> Vec<u8> {
        let mut path = self.path.clone();
        if self.deleted {
            path.extend_from_slice(DELETED);
        }
        path
    }

    /// An executable mapping of a file at `/x`.
    #[cfg(test)]
    pub(crate) fn for_test(start: u64, end: u64, offset: u64, device: Device, inode: u64) -> Self {
        let path = b"/x".to_vec();
        Self {
            start,
            end,
            offset,
            executable: true,
            writable: false,
            device,
            inode,
            path,
            deleted: false,
        }
    }

    fn is_of_same_file(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

/// The file mappings of a process at one time, by address.
#[derive(Clone, Debug, Default)]
pub struct Mappings(Vec<Mapping>);

impl Mappings {
    /// The first executable mapping of each file, by address: one look at a file is enough.
    pub fn executable_files(&self) -> impl Iterator<Item = &Mapping> {
        let mut seen = HashSet::new();
        let executable = self.0.iter().filter(|mapping| mapping.executable);
        executable.filter(move |mapping| seen.insert((mapping.device, mapping.inode)))
    }

    /// All mappings of the file that `mapping` is of.
    pub fn of_file(&self, mapping: &Mapping) -> impl Iterator<Item = &Mapping> {
        self.0
            .iter()
            .filter(move |other| other.is_of_same_file(mapping))
    }

    /// All of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Mapping> {
        self.0.iter()
    }
}

/// The mappings of files in a process, by address. Empty for kernel threads and zombies.
/// Lines that the kernel does not write are passed over.
///
/// # Errors
/// When the process is gone, may not be read, or has more mappings than are read of one.
pub fn file_mappings(tgid: Tgid) -> Result<Mappings, ProcfsError> {
    let mut reader =
        BufReader::with_capacity(64 * 1024, error::open(tgid, "maps")?.take(MAX_BYTES));
    let mut mappings = Vec::new();
    let mut line = Vec::with_capacity(256);
    loop {
        line.clear();
        let mut bounded = (&mut reader).take(MAX_LINE_BYTES as u64);
        bounded
            .read_until(b'\n', &mut line)
            .map_err(|error| ProcfsError::new(tgid, "maps", error))?;
        if line.is_empty() {
            break;
        }
        mappings.extend(line.strip_suffix(b"\n").and_then(parse_line));
    }
    if reader.get_ref().limit() == 0 {
        return Err(ProcfsError::Refused {
            tgid,
            what: "maps",
            problem: "more than 16 MB of mappings",
        });
    }
    Ok(Mappings(mappings))
}

/// One line without its line break; `None` for mappings of no file.
fn parse_line(line: &[u8]) -> Option<Mapping> {
    // Five fields with one space between them, then spaces, then the path with any of its own.
    let mut fields = line.splitn(6, |&byte| byte == b' ');
    let (start, end) = split_once(fields.next()?, b'-')?;
    let permissions = fields.next()?;
    let offset = hex(fields.next()?)?;
    let (major, minor) = split_once(fields.next()?, b':')?;
    let inode: u64 = str::from_utf8(fields.next()?).ok()?.parse().ok()?;
    let shown = fields.next().unwrap_or_default().trim_ascii_start();
    let (start, end) = (hex(start)?, hex(end)?);
    if inode == 0 || start >= end || !shown.starts_with(b"/") {
        return None;
    }
    let (path, deleted) = match shown.strip_suffix(DELETED) {
        Some(path) => (path, true),
        None => (shown, false),
    };
    Some(Mapping {
        start,
        end,
        offset,
        executable: permissions.get(2) == Some(&b'x'),
        writable: permissions.get(1) == Some(&b'w'),
        device: Device {
            major: u32::try_from(hex(major)?).ok()?,
            minor: u32::try_from(hex(minor)?).ok()?,
        },
        inode,
        path: unescape(path),
        deleted,
    })
}

fn split_once(bytes: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|&byte| byte == separator)?;
    Some((bytes.get(..at)?, bytes.get(at + 1..)?))
}

fn hex(digits: &[u8]) -> Option<u64> {
    // from_str_radix takes a sign.
    let digits = digits
        .first()
        .filter(|first| first.is_ascii_hexdigit())
        .map(|_| digits)?;
    u64::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()
}

/// The kernel writes a line break as `\012`, and a backslash as it is.
fn unescape(shown: &[u8]) -> Vec<u8> {
    const ESCAPED: &[u8] = b"\\012";
    let mut path = Vec::with_capacity(shown.len());
    let mut rest = shown;
    while let Some((&first, tail)) = rest.split_first() {
        if let Some(tail) = rest.strip_prefix(ESCAPED) {
            path.push(b'\n');
            rest = tail;
        } else {
            path.push(first);
            rest = tail;
        }
    }
    path
}

#[cfg(test)]
mod tests;
