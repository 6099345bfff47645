//! Perf events: bare ones of our own, and those of a session that runs in this process. Both can
//! be switched on and off within one run.

use std::{
    collections::BTreeSet,
    fs, io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
};

use anyhow::{Context, Result, bail};
use perf_event_open_sys::{bindings, ioctls, perf_event_open};
use profiler::session::{Config, Session};

/// Events, one a CPU, in the order of the CPUs.
pub(crate) struct Events {
    fds: Vec<RawFd>,
    _owned: Vec<OwnedFd>,
}

impl Events {
    /// cpu-clock events without a program, off: what every sampling profiler pays at least.
    pub(crate) fn bare(n_cpus: usize, rate_hz: u32) -> Result<Self> {
        let open = |cpu| open(cpu, rate_hz).context("cannot open a perf event");
        let owned: Vec<OwnedFd> = (0..n_cpus).map(open).collect::<Result<_>>()?;
        Ok(Self {
            fds: owned.iter().map(AsRawFd::as_raw_fd).collect(),
            _owned: owned,
        })
    }

    /// Starts a session, and finds and switches off its events. They are the session's: nothing
    /// may be done with them after it was stopped.
    pub(crate) fn of_session(config: Config, n_cpus: usize) -> Result<(Session, Self)> {
        let before = perf_fds()?;
        let session = Session::start(config).context("the recording does not start")?;
        // Opened one after the other, they have the lowest free numbers: ascending.
        let fds: Vec<RawFd> = perf_fds()?.difference(&before).copied().collect();
        if fds.len() != n_cpus {
            bail!("the session has {} events for {n_cpus} CPUs", fds.len());
        }
        let events = Self {
            fds,
            _owned: Vec::new(),
        };
        events.off()?;
        Ok((session, events))
    }

    pub(crate) fn on(&self) -> Result<()> {
        self.fds.iter().try_for_each(|&fd| switch(fd, true))
    }

    pub(crate) fn off(&self) -> Result<()> {
        self.fds.iter().try_for_each(|&fd| switch(fd, false))
    }

    /// Switches on the event of one CPU alone.
    pub(crate) fn on_cpu(&self, cpu: usize) -> Result<()> {
        self.off()?;
        switch(*self.fds.get(cpu).context("no event of that CPU")?, true)
    }
}

fn open(cpu: usize, rate_hz: u32) -> io::Result<OwnedFd> {
    let mut attr = bindings::perf_event_attr {
        size: size_of::<bindings::perf_event_attr>() as u32,
        type_: bindings::PERF_TYPE_SOFTWARE,
        config: u64::from(bindings::PERF_COUNT_SW_CPU_CLOCK),
        ..Default::default()
    };
    attr.set_freq(1);
    attr.__bindgen_anon_1.sample_freq = u64::from(rate_hz);
    attr.set_exclude_idle(1);
    attr.set_disabled(1);
    let flags = u64::from(bindings::PERF_FLAG_FD_CLOEXEC);
    // SAFETY: `attr` is valid for the call and states its own size.
    let fd = unsafe { perf_event_open(&mut attr, -1, cpu as i32, -1, flags) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call gave a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn switch(fd: RawFd, on: bool) -> Result<()> {
    let result = if on {
        // SAFETY: an ioctl without a pointer; on another kind of file it only fails.
        unsafe { ioctls::ENABLE(fd, 0) }
    } else {
        // SAFETY: as above.
        unsafe { ioctls::DISABLE(fd, 0) }
    };
    if result < 0 {
        return Err(io::Error::last_os_error()).context("cannot switch a perf event");
    }
    Ok(())
}

fn perf_fds() -> Result<BTreeSet<RawFd>> {
    let fds = fs::read_dir("/proc/self/fd")?
        .flatten()
        .filter_map(|entry| {
            let link = fs::read_link(entry.path()).ok()?;
            let is_event = link.as_os_str() == "anon_inode:[perf_event]";
            entry
                .file_name()
                .to_str()?
                .parse()
                .ok()
                .filter(|_| is_event)
        });
    Ok(fds.collect())
}
