//! /proc/PID/status, of which one line is needed. The `procfs` crate reads the file as UTF-8 and
//! so fails for a process whose name is not, such as one cut after 15 bytes within a letter.

use super::error::{self, ProcfsError};
use crate::model::Tgid;

/// The file has some 1,500 bytes; lists of many NUMA nodes make it a few times longer.
const MAX_BYTES: u64 = 64 * 1024;

/// The process's ids in its pid namespaces, from the one that /proc was mounted in (the host's)
/// to the innermost, in which the process itself knows its id. Never empty.
///
/// # Errors
/// When the process is gone or the file cannot be read.
pub fn ns_pids(tgid: Tgid) -> Result<Vec<u32>, ProcfsError> {
    let status = error::read(tgid, "status", MAX_BYTES)?;
    parse_ns_pids(&status).ok_or(ProcfsError::Refused {
        tgid,
        what: "status",
        problem: "no valid NSpid line",
    })
}

fn parse_ns_pids(status: &[u8]) -> Option<Vec<u32>> {
    let mut lines = status.split(|&byte| byte == b'\n');
    let line = lines.find_map(|line| line.strip_prefix(b"NSpid:"))?;
    let ids: Option<Vec<u32>> = str::from_utf8(line)
        .ok()?
        .split_ascii_whitespace()
        .map(|id| id.parse().ok())
        .collect();
    ids.filter(|ids| !ids.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_from_the_host_inwards() {
        // A name may hold any byte, but a line break is escaped by the kernel.
        let status = b"Name:\tNSpid:\xff\\n\nTgid:\t4026\nNSpid:\t4026\t17\t1\nThreads:\t1\n";
        assert_eq!(parse_ns_pids(status), Some(vec![4026, 17, 1]));
        assert_eq!(parse_ns_pids(b"Name:\tx\n"), None);
        assert_eq!(parse_ns_pids(b"NSpid:\t1\tx\n"), None);
        assert_eq!(parse_ns_pids(b"NSpid:\t\n"), None);
    }

    #[test]
    fn this_process() {
        let own = std::process::id();
        assert_eq!(ns_pids(Tgid(own)).unwrap().first(), Some(&own));
    }
}
