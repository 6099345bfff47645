//! Typed handles of the maps that user space writes and reads.

use aya::{
    Ebpf,
    maps::{Array, HashMap, Map, MapData, MapError, PerCpuArray},
};
use profiler_common::{
    counter::Counter,
    layout::WalkLayout,
    limits::MAX_LAYOUTS,
    process::{ProcessCounts, ProcessEntry, ProcessKey, PyProcess},
};

use super::LoadError;
use crate::model::{ProcessId, Tgid};

/// `BPF_NOEXIST`: the kernel's own entry is never overwritten.
const BPF_NOEXIST: u64 = 1;

/// Counters of the kernel side, by [`Counter`], summed over the CPUs.
pub type KernelCounts = Vec<(Counter, u64)>;

/// The maps. The only way back to the kernel.
pub struct Maps {
    processes: HashMap<MapData, u32, ProcessEntry>,
    pythons: HashMap<MapData, ProcessKey, PyProcess>,
    layouts: Array<MapData, WalkLayout>,
    counters: PerCpuArray<MapData, u64>,
    n_layouts: u32,
    n_refused: u64,
}

impl Maps {
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, LoadError> {
        Ok(Self {
            processes: take(ebpf, "PROCESSES")?,
            pythons: take(ebpf, "PYTHONS")?,
            layouts: take(ebpf, "LAYOUTS")?,
            counters: take(ebpf, "COUNTERS")?,
            n_layouts: 0,
            n_refused: 0,
        })
    }

    /// Adds a process that ran before the start, unless the kernel knows the tgid. Returns the
    /// epoch that stands in the map, or `None` when the table is full.
    pub fn add_process(&mut self, id: ProcessId) -> Option<u64> {
        let entry = ProcessEntry {
            epoch: id.epoch,
            counts: ProcessCounts::ZERO,
        };
        match self.processes.insert(id.tgid.0, entry, BPF_NOEXIST) {
            Ok(()) => Some(id.epoch),
            Err(_) => self.process(id.tgid).map(|entry| entry.epoch),
        }
    }

    /// Takes back [`Self::add_process`] for a process that was gone by then.
    pub fn remove_process(&mut self, tgid: Tgid) {
        // An entry that is not there is what is wanted.
        let _ = self.processes.remove(&tgid.0);
    }

    /// The current epoch of a tgid and its counts.
    #[must_use]
    pub fn process(&self, tgid: Tgid) -> Option<ProcessEntry> {
        self.processes.get(&tgid.0, 0).ok()
    }

    /// Sets the verdict on one epoch of a process. Nothing stays behind when that epoch has
    /// ended meanwhile. A process that the full table does not take stays undecided: counted, as
    /// the kernel does.
    ///
    /// # Errors
    /// When the kernel refuses the write.
    pub fn set_verdict(&mut self, id: ProcessId, verdict: &PyProcess) -> Result<(), LoadError> {
        let key = key(id);
        match self.pythons.insert(key, verdict, 0) {
            Ok(()) => {}
            Err(source) if is_full(&source) => {
                self.n_refused += 1;
                return Ok(());
            }
            Err(source) => return Err(failed("PYTHONS", source)),
        }
        if self.process(id.tgid).map(|entry| entry.epoch) != Some(id.epoch) {
            let _ = self.pythons.remove(&key);
        }
        Ok(())
    }

    /// Adds a layout; returns its number, or `None` when there is no room for more.
    ///
    /// # Errors
    /// When the kernel refuses the write.
    pub fn add_layout(&mut self, layout: &WalkLayout) -> Result<Option<u32>, LoadError> {
        let index = self.n_layouts;
        if index >= MAX_LAYOUTS {
            return Ok(None);
        }
        self.layouts
            .set(index, layout, 0)
            .map_err(|source| failed("LAYOUTS", source))?;
        self.n_layouts += 1;
        Ok(Some(index))
    }

    /// The kernel side's counters.
    #[must_use]
    pub fn counters(&self) -> KernelCounts {
        let value = |counter: Counter| -> u64 {
            let values = self.counters.get(&(counter as u32), 0);
            let n: u64 = values.map_or(0, |values| values.iter().sum());
            match counter {
                Counter::TableFull => n + self.n_refused,
                _ => n,
            }
        };
        Counter::ALL
            .iter()
            .map(|&counter| (counter, value(counter)))
            .collect()
    }
}

fn key(id: ProcessId) -> ProcessKey {
    ProcessKey {
        epoch: id.epoch,
        tgid: id.tgid.0,
        reserved: 0,
    }
}

/// Whether a hash map has no room for one more.
fn is_full(error: &MapError) -> bool {
    matches!(error, MapError::SyscallError(error) if error.io_error.raw_os_error() == Some(libc::E2BIG))
}

fn failed(map: &'static str, source: MapError) -> LoadError {
    LoadError::Map {
        map,
        source: Box::new(source),
    }
}

/// Takes a map out of the object, as its type.
pub(super) fn take<M>(ebpf: &mut Ebpf, name: &'static str) -> Result<M, LoadError>
where
    M: TryFrom<Map, Error = MapError>,
{
    ebpf.take_map(name)
        .ok_or(LoadError::Missing { what: "map", name })?
        .try_into()
        .map_err(|source| failed(name, source))
}
