//! What the kernel says of eBPF programs and maps that a process holds, in /proc/PID/fdinfo.

use std::{
    collections::BTreeMap,
    fs, io,
    os::fd::{FromRawFd, OwnedFd},
};

use anyhow::{Context, Result};
use profiler::model::Tgid;

/// `BPF_PROG_TYPE_PERF_EVENT`.
const PERF_EVENT: u64 = 7;
/// `BPF_MAP_TYPE_RINGBUF`.
const RINGBUF: u64 = 27;
/// `BPF_ENABLE_STATS`, a command of bpf(2).
const BPF_ENABLE_STATS: libc::c_int = 32;

/// The kernel measures each run of a program as long as this lives. That itself costs some
/// 20 to 50 ns a run, a part of which is in the figures.
pub(crate) struct RunTimes {
    _on: OwnedFd,
}

/// Runs of the `sample` program, and what they took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Runs {
    pub(crate) n: u64,
    pub(crate) ns: u64,
}

impl RunTimes {
    pub(crate) fn enable() -> Result<Self> {
        // The kind of statistics: BPF_STATS_RUN_TIME.
        let attributes = 0u32;
        let size = size_of_val(&attributes);
        // SAFETY: the attribute is valid for the call and has the stated size.
        let fd =
            unsafe { libc::syscall(libc::SYS_bpf, BPF_ENABLE_STATS, &raw const attributes, size) };
        if fd < 0 {
            return Err(io::Error::last_os_error()).context("no BPF run-time statistics");
        }
        // SAFETY: the call gave a new descriptor that nobody else owns.
        let on = unsafe { OwnedFd::from_raw_fd(fd as i32) };
        Ok(Self { _on: on })
    }

    /// Runs so far of this process's `sample` program.
    pub(crate) fn read(&self) -> Result<Runs> {
        let programs = fdinfo(Tgid(std::process::id()))?;
        let program = programs
            .iter()
            .find(|info| info.get("prog_type") == Some(&PERF_EVENT));
        let program = program.context("this process has no perf event program")?;
        Ok(Runs {
            n: *program.get("run_cnt").context("no run_cnt")?,
            ns: *program.get("run_time_ns").context("no run_time_ns")?,
        })
    }
}

/// Bytes of all ring buffers of a process.
pub(crate) fn ring_bytes(tgid: Tgid) -> Result<u64> {
    let maps: BTreeMap<u64, u64> = fdinfo(tgid)?
        .iter()
        .filter(|info| info.get("map_type") == Some(&RINGBUF))
        .filter_map(|info| Some((*info.get("map_id")?, *info.get("max_entries")?)))
        .collect();
    Ok(maps.values().sum())
}

/// The numbers that the kernel tells of each open file.
fn fdinfo(tgid: Tgid) -> Result<Vec<BTreeMap<String, u64>>> {
    let folder = format!("/proc/{tgid}/fdinfo");
    let texts = fs::read_dir(&folder)
        .with_context(|| format!("cannot read {folder}"))?
        .flatten()
        .filter_map(|entry| fs::read_to_string(entry.path()).ok());
    let numbers = texts.map(|text| {
        let fields = text.lines().filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_owned(), value.trim().parse().ok()?))
        });
        fields.collect()
    });
    Ok(numbers.collect())
}
