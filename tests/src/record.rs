//! A recording around a piece of work, in this process; and the profiler's binary as a command.

use std::{env, path::PathBuf, process::Command, sync::atomic::AtomicBool};

use anyhow::{Context, Result, bail};
use profiler::{
    model::{Profile, Tgid},
    session::{Config, Session},
};

use crate::{inventory::workspace, stacks::accounting_of};

/// A recording of these processes and their children at 1000 Hz that keeps every sample.
pub fn of(tgids: &[Tgid]) -> Config {
    Config {
        pids: tgids.to_vec(),
        rate_hz: 1000,
        keep_samples: true,
        ..Config::default()
    }
}

/// A recording of every Python process, like [`of`].
pub fn of_all() -> Config {
    Config {
        all: true,
        ..of(&[])
    }
}

/// A recording of what matches these globs, like [`of`].
pub fn of_comms(comms: &[&str]) -> Config {
    Config {
        comms: comms.iter().map(|&comm| comm.to_owned()).collect(),
        ..of(&[])
    }
}

/// Records while `work` is done. The processes it works with should still be there when it
/// returns: names are looked up afterwards.
///
/// # Errors
///
/// When the recording does not start, or the work fails.
pub fn record<T>(config: Config, work: impl FnOnce(&Session) -> Result<T>) -> Result<(Profile, T)> {
    let session = Session::start(config).context("the recording does not start")?;
    let done = work(&session);
    let profile = session.stop(&AtomicBool::new(false));
    Ok((profile, done?))
}

/// The law of samples: captured = delivered + lost, and the parts of a profile agree.
///
/// # Errors
///
/// When it does not hold.
pub fn check_law(profile: &Profile) -> Result<()> {
    let accounting = &profile.accounting;
    let lost = accounting.lost_total();
    if accounting.captured != accounting.delivered + lost {
        bail!(
            "captured is not delivered and lost: {}",
            accounting_of(profile)
        );
    }
    let rows = profile
        .samples
        .as_ref()
        .map_or(accounting.delivered, |rows| rows.len() as u64);
    let counted: u64 = profile.counts.values().sum();
    if rows != accounting.delivered || counted != accounting.delivered {
        bail!(
            "delivered {}, but {rows} rows and counts of {counted}",
            accounting.delivered
        );
    }
    Ok(())
}

/// Nothing was lost but for a torn stack now and then (3.11 and 3.12: 2 to 5 in 10,000 samples).
///
/// # Errors
///
/// When more was lost.
pub fn check_loss(profile: &Profile) -> Result<()> {
    let accounting = &profile.accounting;
    if accounting.lost_total() > 3 && accounting.lost_share() > 0.002 {
        bail!("too much was lost: {}", accounting_of(profile));
    }
    Ok(())
}

/// The profiler's binary: `PROFILER_BIN`, else the newer of target/release and target/debug.
///
/// # Errors
///
/// When there is none.
pub fn profiler() -> Result<Command> {
    if let Some(path) = env::var_os("PROFILER_BIN") {
        return Ok(Command::new(path));
    }
    let modified = |path: &PathBuf| path.metadata().and_then(|data| data.modified()).ok();
    ["target/release/profiler", "target/debug/profiler"]
        .map(|path| workspace().join(path))
        .into_iter()
        .filter(|path| path.exists())
        .max_by_key(modified)
        .map(Command::new)
        .context("no profiler binary, build it or name it in PROFILER_BIN")
}
