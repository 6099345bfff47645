//! One cpu-clock perf event a CPU.
//!
//! Opened here and not by aya, whose attach sets neither `exclude_idle` nor close-on-exec.

use std::{
    collections::BTreeMap,
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

use perf_event_open_sys::{bindings, ioctls, perf_event_open};

use super::{LoadError, cpus};

/// The events of all online CPUs; dropping it ends the sampling.
#[derive(Debug)]
pub(super) struct PerfEvents {
    rate_hz: u32,
    events: BTreeMap<u32, OwnedFd>,
}

impl PerfEvents {
    /// No event yet; [`Self::sync`] opens them.
    pub(super) fn new(rate_hz: u32) -> Self {
        Self {
            rate_hz,
            events: BTreeMap::new(),
        }
    }

    /// Opens an event on every CPU that came online, and closes those of CPUs that went.
    pub(super) fn sync(&mut self, program: BorrowedFd<'_>) -> Result<(), LoadError> {
        let online = cpus::online()?;
        self.events.retain(|cpu, _| online.contains(cpu));
        for cpu in online {
            if self.events.contains_key(&cpu) {
                continue;
            }
            let event = open(cpu, self.rate_hz)
                .and_then(|event| start(&event, program).map(|()| event))
                .map_err(|source| LoadError::PerfEvent {
                    cpu,
                    rate_hz: self.rate_hz,
                    source,
                });
            match event {
                Ok(event) => self.events.insert(cpu, event),
                // It went offline between the list and the call.
                Err(LoadError::PerfEvent { ref source, .. })
                    if source.raw_os_error() == Some(libc::ENODEV) =>
                {
                    continue;
                }
                Err(error) => return Err(error),
            };
        }
        Ok(())
    }
}

fn open(cpu: u32, rate_hz: u32) -> io::Result<OwnedFd> {
    let mut attr = bindings::perf_event_attr {
        size: u32::try_from(size_of::<bindings::perf_event_attr>()).unwrap_or(0),
        type_: bindings::PERF_TYPE_SOFTWARE,
        config: u64::from(bindings::PERF_COUNT_SW_CPU_CLOCK),
        ..Default::default()
    };
    // The kernel turns the frequency of a cpu-clock event into a fixed period.
    attr.set_freq(1);
    attr.__bindgen_anon_1.sample_freq = u64::from(rate_hz);
    attr.set_exclude_idle(1);
    attr.set_disabled(1);
    let (every_process, no_group) = (-1, -1);
    let cpu = i32::try_from(cpu).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: `attr` is valid for the call and states its own size.
    let fd = unsafe {
        perf_event_open(
            &mut attr,
            every_process,
            cpu,
            no_group,
            u64::from(bindings::PERF_FLAG_FD_CLOEXEC),
        )
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call gave a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn start(event: &OwnedFd, program: BorrowedFd<'_>) -> io::Result<()> {
    let (event, program) = (event.as_fd().as_raw_fd(), program.as_raw_fd());
    // SAFETY: both descriptors are open for the duration of the call.
    check(unsafe { ioctls::SET_BPF(event, program as u32) })?;
    // SAFETY: as above.
    check(unsafe { ioctls::ENABLE(event, 0) })
}

fn check(result: i32) -> io::Result<()> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
