//! Whether a process is a target, as far as it can be told by now.

use std::time::{Duration, Instant};

/// A process may give itself another name (setproctitle) after it started. For this long one
/// whose name does not match is sampled all the same.
pub(super) const GRACE: Duration = Duration::from_secs(3);
/// After that its name is looked at this often.
pub(super) const RECHECK: Duration = Duration::from_secs(2);

/// The choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// It, or one of its ancestors, is a target.
    Yes,
    /// Not by now; sampled, and decided at this time at the latest.
    Open(Instant),
    /// It is none.
    No,
}

impl Choice {
    /// It is sampled.
    pub(super) fn is_sampled(self) -> bool {
        self != Self::No
    }
}
