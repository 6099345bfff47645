//! Counts samples by process and stack.

use hashbrown::HashMap;

use super::SymbolTable;
use crate::model::{Accounting, Meta, ProcessId, ProcessInfo, Profile, SampleRow, StackId};

/// Collects the samples of one recording.
///
/// A sample costs one lookup of (process, stack); with `keep_samples` its row of 48 bytes is
/// kept too.
#[derive(Debug, Default)]
pub struct ProfileBuilder {
    symbols: SymbolTable,
    counts: HashMap<(ProcessId, StackId), u64>,
    rows: Option<Vec<SampleRow>>,
}

impl ProfileBuilder {
    /// Nothing yet. `keep_samples`: for formats that need every sample, not counts alone.
    pub fn new(keep_samples: bool) -> Self {
        Self {
            rows: keep_samples.then(Vec::new),
            ..Self::default()
        }
    }

    /// Where the stacks of the samples are interned.
    pub fn symbols(&mut self) -> &mut SymbolTable {
        &mut self.symbols
    }

    /// Counts `row` `weight` times (1 but for units other than samples); its stack must be a
    /// handle from [`Self::symbols`]. A kept row is kept once.
    pub fn add_sample(&mut self, row: SampleRow, weight: u64) {
        let count = self.counts.entry((row.process, row.stack)).or_insert(0);
        *count = count.saturating_add(weight);
        if let Some(rows) = &mut self.rows {
            rows.push(row);
        }
    }

    /// The profile of the `chosen` processes; samples of all others are dropped.
    /// `accounting.delivered` is set to what the profile holds.
    pub fn finish(
        self,
        meta: Meta,
        chosen: Vec<ProcessInfo>,
        mut accounting: Accounting,
    ) -> Profile {
        let ids: hashbrown::HashSet<ProcessId> = chosen.iter().map(|process| process.id).collect();
        let counts: std::collections::HashMap<_, _> = self
            .counts
            .into_iter()
            .filter(|((process, _), _)| ids.contains(process))
            .collect();
        accounting.delivered = counts.values().sum();
        let samples = self.rows.map(|mut rows| {
            rows.retain(|row| ids.contains(&row.process));
            // Each CPU's rows come in order, the CPUs' do not.
            rows.sort_by_key(|row| row.time_ns);
            rows
        });
        Profile {
            meta,
            symbols: self.symbols.into_symbols(),
            processes: chosen,
            counts,
            samples,
            accounting,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Special, Tgid, Tid};

    fn id(tgid: u32, epoch: u64) -> ProcessId {
        ProcessId {
            tgid: Tgid(tgid),
            epoch,
        }
    }

    fn row(time_ns: u64, process: ProcessId, stack: StackId) -> SampleRow {
        SampleRow {
            time_ns,
            process,
            tid: Tid(process.tgid.0),
            cpu: 0,
            gil: None,
            stack,
        }
    }

    fn info(id: ProcessId) -> ProcessInfo {
        ProcessInfo {
            id,
            command: "python".into(),
            interpreter: None,
            refused: None,
        }
    }

    #[test]
    fn only_chosen_processes_remain_and_are_counted() {
        let mut builder = ProfileBuilder::new(true);
        let frame = builder.symbols().special(Special::NativeThread);
        let (short, long) = (
            builder.symbols().stack(&[frame]),
            builder.symbols().stack(&[frame, frame]),
        );
        let (kept, other, same_tgid) = (id(1, 10), id(2, 10), id(1, 11));
        for (time, process, stack) in [
            (5, kept, short),
            (3, other, short),
            (4, kept, long),
            (9, same_tgid, short),
            (1, kept, short),
        ] {
            builder.add_sample(row(time, process, stack), 1);
        }
        let accounting = Accounting {
            captured: 3,
            delivered: 99,
            ..Accounting::default()
        };
        let profile = builder.finish(Meta::default(), vec![info(kept)], accounting);
        assert_eq!(profile.counts.len(), 2);
        assert_eq!(profile.counts[&(kept, short)], 2);
        assert_eq!(profile.counts[&(kept, long)], 1);
        assert_eq!(profile.accounting.delivered, 3);
        let times: Vec<u64> = profile
            .samples
            .unwrap()
            .iter()
            .map(|row| row.time_ns)
            .collect();
        assert_eq!(times, [1, 4, 5]);
    }

    #[test]
    fn rows_are_kept_only_on_demand() {
        let mut builder = ProfileBuilder::new(false);
        let stack = builder.symbols().stack(&[]);
        builder.add_sample(row(1, id(1, 1), stack), 7);
        let profile = builder.finish(Meta::default(), vec![info(id(1, 1))], Accounting::default());
        assert_eq!(profile.samples, None);
        assert_eq!(profile.accounting.delivered, 7);
    }
}
