//! The stacks of a profile as lines of labels, merged and sorted: what `folded` and `flamegraph`
//! have in common.
//!
//! A label is stored once and a line is a list of their numbers, which are in the labels' order;
//! so 100,000 stacks of 60 frames take 24 MB, not 400.

use std::{
    collections::{BTreeMap, HashMap},
    io::{self, Write},
};

use super::label;
use crate::model::{ProcessId, Profile};

/// Numbers of labels, root first, and samples.
type Line = (Box<[u32]>, u64);

/// Lines of `process;root;...;leaf count`.
pub(super) struct Lines {
    /// Every label, sorted.
    labels: Vec<String>,
    /// Sorted, no two with the same labels.
    lines: Vec<Line>,
}

impl Lines {
    /// Folds `profile`. Counts of processes that it does not list are not in it.
    pub(super) fn new(profile: &Profile) -> Self {
        // Different frames can have one label (functions of one name on one line).
        let frames: Vec<String> = (0..profile.symbols.frames.len())
            .map(|index| label::frame(&profile.symbols, crate::model::FrameId(index as u32)))
            .collect();
        let processes: HashMap<ProcessId, String> = profile
            .processes
            .iter()
            .map(|info| (info.id, label::process(info)))
            .collect();
        let mut ranks: BTreeMap<String, u32> = BTreeMap::new();
        for label in frames.iter().chain(processes.values()) {
            if !ranks.contains_key(label) {
                ranks.insert(label.clone(), 0);
            }
        }
        for (rank, number) in ranks.values_mut().zip(0..) {
            *rank = number;
        }
        let rank = |label: &String| ranks.get(label).copied().unwrap_or_default();
        let frames: Vec<u32> = frames.iter().map(rank).collect();
        let processes: HashMap<ProcessId, u32> = processes
            .iter()
            .map(|(&id, label)| (id, rank(label)))
            .collect();

        let mut lines: Vec<Line> = profile
            .counts
            .iter()
            .filter_map(|(&(process, stack), &count)| {
                let root = *processes.get(&process)?;
                let stack = profile
                    .symbols
                    .stack(stack)
                    .iter()
                    .map(|frame| frames[frame.0 as usize]);
                Some((std::iter::once(root).chain(stack).collect(), count))
            })
            .collect();
        merge(&mut lines);
        lines.retain(|(_, count)| *count > 0);
        Self {
            labels: ranks.into_keys().collect(),
            lines,
        }
    }

    /// All samples.
    pub(super) fn total(&self) -> u64 {
        self.lines.iter().map(|(_, count)| count).sum()
    }

    /// Shortens every line where fewer than `min` samples share its beginning; the samples stay
    /// with the last label that is left, at least the process.
    pub(super) fn cut(&mut self, min: u64) {
        let mut lengths = vec![0; self.lines.len()];
        // Ranges of lines that agree in their first labels, and the number of these.
        let mut groups = vec![(0..self.lines.len(), 0)];
        while let Some((range, depth)) = groups.pop() {
            let mut start = range.start;
            while start < range.end {
                let label = self.lines[start].0.get(depth);
                let group = self.lines[start..range.end]
                    .iter()
                    .take_while(|(labels, _)| labels.get(depth) == label);
                let (n_lines, samples) =
                    group.fold((0, 0), |(n, sum), (_, count)| (n + 1, sum + count));
                let end = start + n_lines;
                if label.is_some() && (depth == 0 || samples >= min) {
                    lengths[start..end].fill(depth + 1);
                    groups.push((start..end, depth + 1));
                }
                start = end;
            }
        }
        for ((labels, _), length) in self.lines.iter_mut().zip(lengths) {
            if length < labels.len() {
                *labels = labels[..length].into();
            }
        }
        merge(&mut self.lines);
    }

    /// Writes one line for each stack.
    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        for (labels, count) in &self.lines {
            for (position, &label) in labels.iter().enumerate() {
                if position > 0 {
                    out.write_all(b";")?;
                }
                out.write_all(self.labels[label as usize].as_bytes())?;
            }
            writeln!(out, " {count}")?;
        }
        Ok(())
    }
}

/// Sorts, and makes one of lines with the same labels.
fn merge(lines: &mut Vec<Line>) {
    lines.sort_unstable();
    lines.dedup_by(|line, kept| {
        let same = line.0 == kept.0;
        if same {
            kept.1 = kept.1.saturating_add(line.1);
        }
        same
    });
}
