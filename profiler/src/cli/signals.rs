//! SIGINT, SIGTERM and SIGHUP, one after the other.

use std::io;

use tokio::signal::unix::{self, SignalKind};

use super::exit;

/// A request to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// SIGINT. From a terminal every process of the foreground group gets it, COMMAND too.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// SIGHUP.
    HangUp,
}

impl Signal {
    pub(super) const fn number(self) -> i32 {
        match self {
            Self::Interrupt => libc::SIGINT,
            Self::Terminate => libc::SIGTERM,
            Self::HangUp => libc::SIGHUP,
        }
    }

    /// The exit code of a profiler that leaves because of it.
    pub(super) const fn exit_code(self) -> u8 {
        exit::of_signal(self.number())
    }
}

/// The signals since [`Signals::listen`].
pub(super) struct Signals {
    interrupt: unix::Signal,
    terminate: unix::Signal,
    hang_up: Option<unix::Signal>,
}

impl Signals {
    /// Catches the signals from now on. Where SIGHUP is ignored (`nohup`), it stays ignored.
    pub(super) fn listen() -> io::Result<Self> {
        let hang_up = (!ignored(libc::SIGHUP))
            .then(|| unix::signal(SignalKind::hangup()))
            .transpose()?;
        Ok(Self {
            interrupt: unix::signal(SignalKind::interrupt())?,
            terminate: unix::signal(SignalKind::terminate())?,
            hang_up,
        })
    }

    /// Waits for the next one. May be dropped and called again without losing any.
    pub(super) async fn next(&mut self) -> Signal {
        let hang_up = async {
            match &mut self.hang_up {
                Some(stream) => stream.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.terminate.recv() => Signal::Terminate,
            _ = hang_up => Signal::HangUp,
        }
    }
}

/// Whether this process ignores a signal (`SigIgn` of proc_pid_status(5)).
fn ignored(number: i32) -> bool {
    let status = procfs::process::Process::myself().and_then(|process| process.status());
    status.is_ok_and(|status| status.sigign & (1 << (number - 1)) != 0)
}
