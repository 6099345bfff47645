//! `-- COMMAND`: started so that it is recorded from its first instruction.
//!
//! The child waits behind a barrier between fork and exec until the session knows its pid. It
//! stays in the terminal's foreground group, so Ctrl-C reaches it without the profiler's help.
//! Under sudo it runs as the user who called sudo.

use std::{
    ffi::{CString, OsString},
    io::{self, Read, Write},
    os::{
        fd::{AsRawFd, RawFd},
        unix::{
            net::UnixStream,
            process::{CommandExt, ExitStatusExt},
        },
    },
    process::{Child, Command, ExitStatus},
};

use nix::{
    sys::{
        signal::kill,
        wait::{Id, WaitPidFlag, waitid},
    },
    unistd::{Gid, Pid, Uid, User, geteuid, getgrouplist},
};
use tokio::task::{JoinHandle, spawn_blocking};

use super::{
    exit::{self, Exit, Failure},
    signals::Signal,
};
use crate::model::Tgid;

/// A started command.
pub(super) struct Running {
    child: Child,
    /// Ends with the child, which is not reaped by it: until [`Running::ended`] its pid is its own.
    exited: JoinHandle<()>,
    code: Option<u8>,
}

/// Starts `command` (not empty). `choose` is called with its pid before its first instruction.
pub(super) async fn start(
    words: &[OsString],
    choose: impl FnOnce(Tgid) -> Result<(), Failure>,
) -> Result<Running, Failure> {
    let [program, arguments @ ..] = words else {
        return Err(Failure::new(Exit::Usage, "no command was given"));
    };
    let internal = |error: io::Error| {
        Failure::new(
            Exit::Internal,
            format!("the command was not started: {error}"),
        )
    };
    let (mut ours, theirs) = UnixStream::pair().map_err(internal)?;
    let identity = Identity::of_invoker();
    let mut command = Command::new(program);
    command.args(arguments);
    if let Some(identity) = &identity {
        command.envs(identity.variables.iter().map(|(name, value)| (name, value)));
    }
    let ours_fd = ours.as_raw_fd();
    let before_exec = move || {
        wait_behind_barrier(ours_fd, theirs.as_raw_fd())?;
        identity.as_ref().map_or(Ok(()), Identity::take)
    };
    // SAFETY: the closure runs in the forked child, where only async-signal-safe functions may be
    // called: it makes system calls (getpid, close, read, write, setgroups, setgid, setuid) on
    // values prepared before the fork, and allocates nothing.
    unsafe { command.pre_exec(before_exec) };
    // `spawn` returns only after the exec, so it must not run on this thread. The child's end of
    // the barrier goes with `command`.
    let spawned = spawn_blocking(move || command.spawn());

    let mut pid = [0; size_of::<u32>()];
    // Without a pid the fork failed, and `spawned` says why.
    if ours.read_exact(&mut pid).is_ok() {
        choose(Tgid(u32::from_ne_bytes(pid)))?;
        // Should the child be gone, `spawned` says so.
        drop(ours.write_all(&[1]));
    }
    match spawned.await {
        Ok(Ok(child)) => Ok(Running::new(child)),
        Ok(Err(error)) => Err(not_started(program, &error)),
        Err(error) => Err(internal(error.into())),
    }
}

impl Running {
    fn new(child: Child) -> Self {
        let pid = Pid::from_raw(child.id().cast_signed());
        let exited = spawn_blocking(move || {
            let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
            while waitid(Id::Pid(pid), flags) == Err(nix::errno::Errno::EINTR) {}
        });
        Self {
            child,
            exited,
            code: None,
        }
    }

    /// Waits for its end; its exit code as a shell has it. May be dropped and called again.
    pub(super) async fn ended(&mut self) -> u8 {
        if let Some(code) = self.code {
            return code;
        }
        drop((&mut self.exited).await);
        let code = self.child.wait().map_or(Exit::Internal.code(), code_of);
        self.code = Some(code);
        code
    }

    /// Sends a signal on, unless the terminal has already sent it or the command has ended.
    pub(super) fn forward(&self, signal: Signal) {
        if self.code.is_none() && signal != Signal::Interrupt {
            let signal = nix::sys::signal::Signal::try_from(signal.number()).ok();
            let _ = kill(Pid::from_raw(self.child.id().cast_signed()), signal);
        }
    }
}

fn code_of(status: ExitStatus) -> u8 {
    let of_signal = || exit::of_signal(status.signal().unwrap_or(0));
    // Exit codes are 0 to 255.
    status.code().map_or_else(of_signal, |code| code as u8)
}

fn not_started(program: &OsString, error: &io::Error) -> Failure {
    let program = program.to_string_lossy();
    if error.kind() == io::ErrorKind::NotFound {
        Failure::new(
            Exit::CommandNotFound,
            format!("the command was not found: {program}"),
        )
    } else {
        Failure::new(
            Exit::CommandNotRunnable,
            format!("the command cannot be run: {program}: {error}"),
        )
    }
}

/// In the child: tells its pid and waits until it may go on.
fn wait_behind_barrier(ours: RawFd, theirs: RawFd) -> io::Result<()> {
    // SAFETY: getpid has no conditions.
    let pid = unsafe { libc::getpid() }.to_ne_bytes();
    // The parent's end is open in the child too; without this a parent's death would go unseen.
    // SAFETY: the descriptor is the child's copy, and nothing in the child uses it again.
    unsafe { libc::close(ours) };
    // SAFETY: the buffer is valid for its length, and the descriptor is open.
    if unsafe { libc::write(theirs, pid.as_ptr().cast(), pid.len()) } != pid.len() as isize {
        return Err(io::Error::last_os_error());
    }
    let mut go = [0_u8];
    loop {
        // SAFETY: the buffer is valid for its length, and the descriptor is open.
        match unsafe { libc::read(theirs, go.as_mut_ptr().cast(), go.len()) } {
            1 => return Ok(()),
            0 => return Err(io::Error::from_raw_os_error(libc::ECANCELED)),
            _ => {
                let error = io::Error::last_os_error();
                if error.raw_os_error() != Some(libc::EINTR) {
                    return Err(error);
                }
            }
        }
    }
}

/// The user who called sudo.
struct Identity {
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
    variables: Vec<(&'static str, OsString)>,
}

impl Identity {
    /// `None` when the profiler was not started by sudo, or by root through sudo.
    fn of_invoker() -> Option<Self> {
        let number = |name| std::env::var(name).ok()?.parse::<u32>().ok();
        let (uid, gid) = (
            Uid::from_raw(number("SUDO_UID")?),
            Gid::from_raw(number("SUDO_GID")?),
        );
        if !geteuid().is_root() || uid.is_root() {
            return None;
        }
        let user = User::from_uid(uid).ok().flatten();
        // What initgroups(3) would set; looked up here, since a forked child must not allocate.
        let groups = user
            .as_ref()
            .and_then(|user| CString::new(user.name.as_str()).ok())
            .and_then(|name| getgrouplist(&name, gid).ok())
            .unwrap_or_else(|| vec![gid]);
        let mut variables = Vec::new();
        if let Some(user) = user {
            variables.push(("HOME", user.dir.into_os_string()));
            variables.push(("USER", user.name.clone().into()));
            variables.push(("LOGNAME", user.name.into()));
        }
        Some(Self {
            uid,
            gid,
            groups,
            variables,
        })
    }

    /// In the child: becomes that user, for good.
    fn take(&self) -> io::Result<()> {
        nix::unistd::setgroups(&self.groups)?;
        nix::unistd::setgid(self.gid)?;
        nix::unistd::setuid(self.uid)?;
        Ok(())
    }
}
