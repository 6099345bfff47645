//! The end of the processes that `--pid` names.

use std::os::fd::{AsFd, OwnedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::model::Tgid;

/// Ends when all of `tgids` have ended; never, where that cannot be told or nothing is named.
pub(super) async fn all_gone(tgids: &[Tgid]) {
    let pidfds = open(tgids);
    if let Some(pidfds) = pidfds {
        let waited = tokio::task::spawn_blocking(move || pidfds.iter().all(wait)).await;
        if matches!(waited, Ok(true)) {
            return;
        }
    }
    std::future::pending().await
}

/// Handles of those that are still there.
fn open(tgids: &[Tgid]) -> Option<Vec<OwnedFd>> {
    if tgids.is_empty() {
        return None;
    }
    let mut pidfds = Vec::with_capacity(tgids.len());
    for tgid in tgids {
        let pid = i32::try_from(tgid.0).ok().and_then(Pid::from_raw)?;
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => pidfds.push(pidfd),
            Err(rustix::io::Errno::SRCH) => {}
            Err(_) => return None,
        }
    }
    Some(pidfds)
}

/// Blocks until the process has ended; false when that cannot be waited for.
fn wait(pidfd: &OwnedFd) -> bool {
    loop {
        match poll(
            &mut [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)],
            PollTimeout::NONE,
        ) {
            Ok(_) => return true,
            Err(nix::errno::Errno::EINTR) => {}
            Err(_) => return false,
        }
    }
}
