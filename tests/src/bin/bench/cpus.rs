//! Who runs where: the target alone on the last CPU, everything of the benchmark's on the first.

use std::{fs, io, os::unix::process::CommandExt, process::Command};

use anyhow::{Context, Result, bail};
use profiler::model::Tgid;

/// The CPU of the benchmark, the profiler and py-spy, and the CPU of the target.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cpus {
    pub(crate) ours: usize,
    pub(crate) target: usize,
    /// Online CPUs.
    pub(crate) n: usize,
}

impl Cpus {
    /// # Errors
    /// With one CPU, or numbers that have gaps: there is then nothing to measure with.
    pub(crate) fn find() -> Result<Self> {
        let online = fs::read_to_string("/sys/devices/system/cpu/online")?;
        let (first, last) = online
            .trim()
            .split_once('-')
            .with_context(|| format!("the benchmark needs two CPUs, online: {}", online.trim()))?;
        if first != "0" {
            bail!("the benchmark does not know how to use these CPUs: {online}");
        }
        let last: usize = last
            .parse()
            .with_context(|| format!("CPUs with gaps: {online}"))?;
        Ok(Self {
            ours: 0,
            target: last,
            n: last + 1,
        })
    }
}

/// Ties a process's first thread, and what it starts, to one CPU.
pub(crate) fn pin(tgid: Tgid, cpu: usize) -> Result<()> {
    // SAFETY: `cpu_set_t` is an array of integers, of which zero is a value.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    if cpu >= 8 * size_of::<libc::cpu_set_t>() {
        bail!("CPU number out of range: {cpu}");
    }
    // SAFETY: the number is in range.
    unsafe { libc::CPU_SET(cpu, &mut set) };
    let id = tgid.0.cast_signed();
    // SAFETY: the pointer is to a local of the stated size.
    let result = unsafe { libc::sched_setaffinity(id, size_of_val(&set), &raw const set) };
    check(result).with_context(|| format!("cannot pin {tgid} to CPU {cpu}"))
}

/// Starts it in a session of its own: where the scheduler groups by session, a priority counts
/// within the group only, and the group's own can then be set: [`set_nice`]. It ends with
/// this process, whatever ends that.
pub(crate) fn own_session(command: &mut Command) -> &mut Command {
    let enter = || {
        // SAFETY: setsid is async-signal-safe and takes nothing.
        check(unsafe { libc::setsid() })?;
        // SAFETY: prctl is async-signal-safe, and this option takes one integer.
        check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) })
    };
    // SAFETY: the closure only makes these two calls.
    unsafe { command.pre_exec(enter) }
}

/// The highest ordinary priority: others on the machine displace such a process seldom.
pub(crate) const FIRST: i32 = -20;

/// Gives a process of [`own_session`] this priority.
pub(crate) fn set_nice(tgid: Tgid, nice: i32) -> Result<()> {
    // SAFETY: the call takes three integers.
    check(unsafe { libc::setpriority(libc::PRIO_PROCESS, tgid.0, nice) })
        .with_context(|| format!("cannot set the priority of {tgid}"))?;
    // A kernel without groups by session has no such file.
    let _ = fs::write(format!("/proc/{tgid}/autogroup"), nice.to_string());
    Ok(())
}

fn check(result: i32) -> io::Result<()> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
