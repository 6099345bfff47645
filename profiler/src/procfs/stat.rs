//! /proc/PID/stat and CPU clocks: parent, start, life, CPU time.

use std::{io::Read, time::Duration};

use nix::{time, unistd::Pid};
use procfs::{FromRead, process::Stat as StatLine};

use super::error::{self, ProcfsError};
use crate::model::Tgid;

/// 52 numbers and a name.
const MAX_BYTES: u64 = 4096;

/// What is used of /proc/PID/stat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Thread group id of the parent, 0 for init and kthreadd.
    pub parent: Tgid,
    /// Start of the process since boot, in ticks of [`Self::TICKS_PER_SECOND`]. Unlike a tgid it
    /// is not used twice by what ran at another time.
    pub start_ticks: u64,
    /// CPU time in user mode and in the kernel, of all its threads, in ticks.
    pub cpu_ticks: u64,
    /// The process has ended; its parent has not waited for it yet.
    pub is_zombie: bool,
}

impl Stat {
    /// `USER_HZ`: 100 on every x86-64 kernel (include/asm-generic/param.h).
    pub const TICKS_PER_SECOND: u64 = 100;
}

/// Parent, start, CPU time and state of a process.
///
/// # Errors
/// When the process is gone.
pub fn stat(tgid: Tgid) -> Result<Stat, ProcfsError> {
    let line = StatLine::from_read(error::open(tgid, "stat")?.take(MAX_BYTES));
    let line = line.map_err(|error| refused(tgid, error))?;
    Ok(Stat {
        parent: Tgid(u32::try_from(line.ppid).unwrap_or(0)),
        start_ticks: line.starttime,
        cpu_ticks: line.utime.saturating_add(line.stime),
        is_zombie: matches!(line.state, 'Z' | 'X' | 'x'),
    })
}

fn refused(tgid: Tgid, error: procfs::ProcError) -> ProcfsError {
    match error {
        procfs::ProcError::Io(source, _) => ProcfsError::new(tgid, "stat", source),
        procfs::ProcError::NotFound(_) => ProcfsError::Gone { tgid },
        _ => ProcfsError::Refused {
            tgid,
            what: "stat",
            problem: "not of the form that is known",
        },
    }
}

/// Whether the process exists and has not ended.
pub fn is_alive(tgid: Tgid) -> bool {
    stat(tgid).is_ok_and(|stat| !stat.is_zombie)
}

/// CPU time that a process has used so far with all its threads, those that ended included.
/// To the nanosecond from its CPU clock, else in steps of 10 ms from /proc/PID/stat (a zombie
/// has no CPU clock any more).
///
/// # Errors
/// When the process is gone.
pub fn cpu_time(tgid: Tgid) -> Result<Duration, ProcfsError> {
    let clock = i32::try_from(tgid.0).ok().and_then(|pid| {
        let clock = time::clock_getcpuclockid(Pid::from_raw(pid)).ok()?;
        time::clock_gettime(clock).ok()
    });
    match clock {
        Some(time) => Ok(time.into()),
        None => {
            let ticks = stat(tgid)?.cpu_ticks;
            Ok(Duration::from_millis(
                ticks.saturating_mul(1000 / Stat::TICKS_PER_SECOND),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{process::Command, time::Instant};

    use super::*;

    #[test]
    fn a_child_lives_and_dies() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let tgid = Tgid(child.id());
        let before = stat(tgid).unwrap();
        assert_eq!(before.parent, Tgid(std::process::id()));
        assert!(is_alive(tgid));
        child.kill().unwrap();
        // Dead, but not waited for.
        while is_alive(tgid) {
            std::thread::yield_now();
        }
        let zombie = stat(tgid).unwrap();
        assert_eq!(
            (zombie.start_ticks, zombie.is_zombie),
            (before.start_ticks, true)
        );
        assert!(cpu_time(tgid).is_ok());
        child.wait().unwrap();
        assert!(stat(tgid).unwrap_err().is_gone());
        assert!(cpu_time(tgid).unwrap_err().is_gone());
    }

    #[test]
    fn start_is_after_boot_and_before_now() {
        let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
        let uptime: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
        let start = stat(Tgid(std::process::id())).unwrap().start_ticks as f64;
        let age = uptime - start / Stat::TICKS_PER_SECOND as f64;
        assert!((-0.02..600.0).contains(&age), "{age}");
    }

    #[test]
    fn cpu_time_grows_by_what_is_used() {
        let tgid = Tgid(std::process::id());
        let before = cpu_time(tgid).unwrap();
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(20) {
            std::hint::spin_loop();
        }
        let own = time::clock_gettime(time::ClockId::CLOCK_PROCESS_CPUTIME_ID).unwrap();
        let after = cpu_time(tgid).unwrap();
        assert!(after > before && after >= Duration::from(own));
        assert!(after - Duration::from(own) < Duration::from_millis(100));
    }
}
