//! Clocks, and what /proc counts.

use std::{fs, io, time::Duration};

use anyhow::{Context, Result};
use profiler::model::Tgid;

/// CLOCK_MONOTONIC, in nanoseconds: the clock of the samples.
pub(crate) fn monotonic_ns() -> u64 {
    read(libc::CLOCK_MONOTONIC).map_or(0, |time| time.as_nanos() as u64)
}

/// CPU time of a process until this moment, to the nanosecond. (What /proc says is as old as
/// the last tick.)
pub(crate) fn cpu_time(tgid: Tgid) -> Result<Duration> {
    let mut clock = 0;
    // SAFETY: the pointer is to a local.
    let error = unsafe { libc::clock_getcpuclockid(tgid.0.cast_signed(), &raw mut clock) };
    if error != 0 {
        return Err(io::Error::from_raw_os_error(error)).context("no CPU clock of the process");
    }
    read(clock).context("cannot read the CPU clock of the process")
}

fn read(clock: libc::clockid_t) -> io::Result<Duration> {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a local.
    if unsafe { libc::clock_gettime(clock, &raw mut time) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // Neither is negative.
    Ok(Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
}

/// A field of /proc/PID/status in KiB: `RssAnon`, `VmHWM`.
pub(crate) fn status_kib(tgid: Tgid, field: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{tgid}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
        .with_context(|| format!("/proc/{tgid}/status has no {field}"))?;
    let number = line.split_whitespace().next().unwrap_or_default();
    number
        .parse()
        .with_context(|| format!("{field} is no number: {line}"))
}

/// Processes and threads that the host has started since it booted.
pub(crate) fn process_starts() -> Result<u64> {
    let stat = fs::read_to_string("/proc/stat")?;
    let number = stat
        .lines()
        .find_map(|line| line.strip_prefix("processes "));
    let number = number.context("/proc/stat does not count processes")?;
    Ok(number.trim().parse()?)
}
