//! Checks before anything is loaded: what is missing is said in words, with what to do about it,
//! not as an errno of the bpf system call.
//!
//! [`check`] gathers the facts of this machine and hands each to a function of its own, which
//! needs no rights and no kernel and is tested so.

use std::{fmt, fs, io, os::unix::fs::MetadataExt};

use nix::sys::utsname;

use super::btf;

/// The first kernel with all that is used: `bpf_loop`, added in 5.17.
const OLDEST_KERNEL: (u32, u32) = (5, 17);
/// Inode number of the first pid namespace, `PROC_PID_INIT_INO` (include/linux/proc_ns.h).
const HOST_PID_NAMESPACE: u64 = 0xeffffffc;
/// Inode number of the first user namespace, `PROC_USER_INIT_INO`.
const HOST_USER_NAMESPACE: u64 = 0xeffffffd;

/// What a failed check means for the caller: each class has an exit code of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PreflightClass {
    /// Rights are missing.
    Permission,
    /// This kernel, or machine, is not supported.
    Kernel,
    /// A setting, or the place where the profiler was started.
    Environment,
}

/// Why sampling cannot work here, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum PreflightError {
    /// Another kind of processor.
    #[error(
        "this machine is {machine}, and only x86_64 is supported; run the profiler on an x86_64 host"
    )]
    Machine {
        /// As uname says.
        machine: String,
    },
    /// The kernel has no type information.
    #[error(
        "this kernel (Linux {release}) has no type information: {} does not exist; use a kernel built with CONFIG_DEBUG_INFO_BTF=y, as those of all large distributions are",
        btf::VMLINUX
    )]
    NoBtf {
        /// As uname says.
        release: String,
    },
    /// The kernel is too old.
    #[error("this kernel is Linux {release}, and {}.{} or later is needed; upgrade the kernel", OLDEST_KERNEL.0, OLDEST_KERNEL.1)]
    OldKernel {
        /// As uname says.
        release: String,
    },
    /// Started in a container's pid namespace.
    #[error(
        "the profiler was started in a container with process ids of its own, where it cannot tell the host's processes apart; start the container with --pid=host (Docker, Podman) or hostPID: true (Kubernetes)"
    )]
    PidNamespace,
    /// Started in a user namespace, as in a rootless container.
    #[error(
        "the profiler was started in a user namespace, where root has no rights over the host; start it as the host's root (Docker, Podman: --userns=host, and not rootless)"
    )]
    UserNamespace,
    /// Rights are missing.
    #[error("missing {}: {missing}; run as root (sudo), or give the file the rights: setcap cap_bpf,cap_perfmon,cap_sys_ptrace=ep FILE{lockdown}", if missing.0.len() == 1 { "capability" } else { "capabilities" })]
    Capabilities {
        /// Which.
        missing: Missing,
        /// Whether the kernel is locked down, too.
        lockdown: LockdownHint,
    },
    /// The rate is above what the kernel allows.
    #[error(
        "a rate of {rate_hz} Hz is above this kernel's limit of {limit_hz} Hz; ask for less, or raise the limit: sysctl -w kernel.perf_event_max_sample_rate={rate_hz}"
    )]
    Rate {
        /// What was asked for.
        rate_hz: u32,
        /// The kernel's limit.
        limit_hz: u32,
    },
    /// A fact about this machine could not be read.
    #[error("cannot read {path}: {source}; mount /proc as usual")]
    Read {
        /// The file.
        path: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

impl PreflightError {
    /// What kind of problem it is.
    pub fn class(&self) -> PreflightClass {
        match self {
            Self::Capabilities { .. } | Self::UserNamespace => PreflightClass::Permission,
            Self::Machine { .. } | Self::NoBtf { .. } | Self::OldKernel { .. } => {
                PreflightClass::Kernel
            }
            Self::PidNamespace | Self::Rate { .. } | Self::Read { .. } => {
                PreflightClass::Environment
            }
        }
    }
}

/// Names of missing capabilities, joined as in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing(Vec<&'static str>);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0[..] {
            [] => Ok(()),
            [only] => f.write_str(only),
            [first @ .., last] => write!(f, "{} and {last}", first.join(", ")),
        }
    }
}

/// Said after a missing right when the kernel is locked down: rights alone may then not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockdownHint {
    /// The kernel keeps user space, root included, from reading kernel memory.
    pub is_confidential: bool,
}

impl LockdownHint {
    /// Of this kernel; says nothing where there is no lockdown. Also worth adding to an error of
    /// loading a program.
    pub fn read() -> Self {
        Self::parse(&lockdown())
    }

    fn parse(lockdown: &str) -> Self {
        Self {
            is_confidential: lockdown.contains("[confidentiality]"),
        }
    }
}

impl fmt::Display for LockdownHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_confidential {
            f.write_str("; moreover this kernel is locked down (/sys/kernel/security/lockdown says confidentiality), which keeps BPF programs from reading memory: boot it without lockdown=confidentiality")?;
        }
        Ok(())
    }
}

/// Checks that this machine can be sampled at this rate by this process.
///
/// # Errors
/// The first thing that is in the way: what cannot be changed before what can.
pub fn check(rate_hz: u32) -> Result<(), PreflightError> {
    let name = utsname::uname().map_err(|errno| read_error("uname", errno.into()))?;
    let release = name.release().to_string_lossy();
    check_machine(&name.machine().to_string_lossy())?;
    check_kernel(&release)?;
    check_btf(fs::exists(btf::VMLINUX).unwrap_or(false), &release)?;
    check_pid_namespace(namespace("/proc/self/ns/pid")?)?;
    check_user_namespace(namespace("/proc/self/ns/user")?)?;
    check_capabilities(effective_capabilities()?, &lockdown())?;
    check_rate(rate_hz, rate_limit())
}

/// x86-64 only.
///
/// # Errors
/// For any other machine.
pub fn check_machine(machine: &str) -> Result<(), PreflightError> {
    if machine == "x86_64" {
        Ok(())
    } else {
        Err(PreflightError::Machine {
            machine: machine.to_owned(),
        })
    }
}

/// The kernel's version, from its release such as `6.1.0-18-amd64`. A release that starts with
/// no version is let through: loading will tell.
///
/// # Errors
/// When it is older than 5.17.
pub fn check_kernel(release: &str) -> Result<(), PreflightError> {
    match parse_release(release) {
        Some(version) if version < OLDEST_KERNEL => Err(PreflightError::OldKernel {
            release: release.to_owned(),
        }),
        _ => Ok(()),
    }
}

fn parse_release(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|character: char| !character.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// The kernel's type information must be there.
///
/// # Errors
/// When it is not.
pub fn check_btf(exists: bool, release: &str) -> Result<(), PreflightError> {
    if exists {
        Ok(())
    } else {
        Err(PreflightError::NoBtf {
            release: release.to_owned(),
        })
    }
}

/// Process ids must be the host's, from the inode number of /proc/self/ns/pid.
///
/// # Errors
/// When the namespace is not the first one.
pub fn check_pid_namespace(inode: u64) -> Result<(), PreflightError> {
    if inode == HOST_PID_NAMESPACE {
        Ok(())
    } else {
        Err(PreflightError::PidNamespace)
    }
}

/// Capabilities must be the host's, from the inode number of /proc/self/ns/user.
///
/// # Errors
/// When the namespace is not the first one.
pub fn check_user_namespace(inode: u64) -> Result<(), PreflightError> {
    if inode == HOST_USER_NAMESPACE {
        Ok(())
    } else {
        Err(PreflightError::UserNamespace)
    }
}

/// Capabilities, from the effective set in /proc/self/status; `lockdown` is the content of
/// /sys/kernel/security/lockdown, empty if there is none.
///
/// # Errors
/// Names each that is missing.
pub fn check_capabilities(effective: u64, lockdown: &str) -> Result<(), PreflightError> {
    // Numbers of include/uapi/linux/capability.h.
    const SYS_PTRACE: u32 = 19;
    const SYS_ADMIN: u32 = 21;
    const PERFMON: u32 = 38;
    const BPF: u32 = 39;
    let has = |number: u32| effective >> number & 1 != 0;
    let needed = [
        ("CAP_BPF", has(BPF) || has(SYS_ADMIN)),
        ("CAP_PERFMON", has(PERFMON) || has(SYS_ADMIN)),
        ("CAP_SYS_PTRACE", has(SYS_PTRACE)),
    ];
    let missing: Vec<&str> = needed
        .iter()
        .filter(|(_, has)| !has)
        .map(|&(name, _)| name)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let lockdown = LockdownHint::parse(lockdown);
    Err(PreflightError::Capabilities {
        missing: Missing(missing),
        lockdown,
    })
}

/// The rate, against the kernel's limit if that could be read.
///
/// # Errors
/// When it is above.
pub fn check_rate(rate_hz: u32, limit_hz: Option<u32>) -> Result<(), PreflightError> {
    match limit_hz {
        Some(limit_hz) if rate_hz > limit_hz => Err(PreflightError::Rate { rate_hz, limit_hz }),
        _ => Ok(()),
    }
}

fn namespace(path: &'static str) -> Result<u64, PreflightError> {
    fs::metadata(path)
        .map(|metadata| metadata.ino())
        .map_err(|error| read_error(path, error))
}

fn effective_capabilities() -> Result<u64, PreflightError> {
    const PATH: &str = "/proc/self/status";
    let status = fs::read_to_string(PATH).map_err(|error| read_error(PATH, error))?;
    parse_effective(&status).ok_or_else(|| read_error(PATH, io::ErrorKind::InvalidData.into()))
}

fn parse_effective(status: &str) -> Option<u64> {
    let digits = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(digits.trim(), 16).ok()
}

fn rate_limit() -> Option<u32> {
    fs::read_to_string("/proc/sys/kernel/perf_event_max_sample_rate")
        .ok()?
        .trim()
        .parse()
        .ok()
}

fn lockdown() -> String {
    fs::read_to_string("/sys/kernel/security/lockdown").unwrap_or_default()
}

fn read_error(path: &'static str, source: io::Error) -> PreflightError {
    PreflightError::Read { path, source }
}

#[cfg(test)]
mod tests;
