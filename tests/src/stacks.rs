//! Whether the samples of a thread between two marks are what the workload says.
//!
//! Strict: every sample must be one of the stacks that Python itself saw there, the whole of it,
//! with names, files and lines; nothing at the ends is left out.

use std::{
    collections::{BTreeMap, HashSet},
    fmt::Write,
};

use anyhow::{Result, bail};
use profiler::model::{Frame, Profile, SampleRow, Special, StackId, Tgid, Tid};

use crate::truth::{Gil, Phase, TrueFrame, TrueStack};

/// Samples on the lines that take the marks: one may be, two are bad luck.
const MAX_EDGE_SAMPLES: u64 = 2;

/// Of the expected samples there must be so many ..
const MIN_DELIVERED_SHARE: f64 = 0.8;

/// .. but for these: the timer does not tick at the marks.
const MISSING_AT_ENDS: f64 = 3.0;

/// What stands for a code object that was gone before it could be looked at.
const REPLACED: &str = "<code replaced>";

/// Checks the samples of every phase.
///
/// # Errors
///
/// With every difference.
pub fn check_all(profile: &Profile, phases: &[Phase], rate_hz: u32) -> Result<()> {
    check_windows(
        profile,
        phases.iter().map(|phase| (phase, Window::of(phase))),
        rate_hz,
    )
}

/// Like [`check_all`], for a process that started after the recording: until user space has told
/// the kernel what it is, its samples are `<start-up>`. On a busy machine it may be at work then.
/// And `<code replaced>` may stand for a frame: until the kernel sends code records, addresses
/// that code of the start-up had before cannot always be told apart.
///
/// # Errors
///
/// With every difference.
pub fn check_all_of_late(profile: &Profile, phases: &[Phase], rate_hz: u32) -> Result<()> {
    let late = |phase| Window {
        starts_late: true,
        ..Window::of(phase)
    };
    check_windows(
        profile,
        phases.iter().map(|phase| (phase, late(phase))),
        rate_hz,
    )
}

fn check_windows<'a>(
    profile: &Profile,
    phases: impl ExactSizeIterator<Item = (&'a Phase, Window)>,
    rate_hz: u32,
) -> Result<()> {
    if phases.len() == 0 {
        bail!("the workload had no phases");
    }
    let mut report = String::new();
    for (phase, window) in phases {
        if let Err(difference) = check(profile, phase, window, rate_hz) {
            writeln!(report, "{difference:#}")?;
        }
    }
    if report.is_empty() {
        Ok(())
    } else {
        bail!("{}{}", report, accounting_of(profile))
    }
}

/// Whose samples, and when.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// The process, in the host's ids.
    pub tgid: Tgid,
    /// The thread, in the host's ids.
    pub tid: Tid,
    /// First mark.
    pub t0: u64,
    /// Second mark.
    pub t1: u64,
    /// Samples before the first stack may be `<start-up>`.
    pub starts_late: bool,
}

impl Window {
    /// The phase's own, where it runs in the host's pid namespace.
    pub fn of(phase: &Phase) -> Self {
        Self {
            tgid: Tgid(phase.pid),
            tid: Tid(phase.tid),
            t0: phase.t0,
            t1: phase.t1,
            starts_late: false,
        }
    }

    /// Its samples.
    pub fn rows(self, profile: &Profile) -> impl Iterator<Item = &SampleRow> {
        profile.samples.iter().flatten().filter(move |row| {
            row.process.tgid == self.tgid
                && row.tid == self.tid
                && (self.t0..=self.t1).contains(&row.time_ns)
        })
    }
}

/// Checks the samples of one phase.
///
/// # Errors
///
/// With every difference.
pub fn check(profile: &Profile, phase: &Phase, window: Window, rate_hz: u32) -> Result<()> {
    let mut by_stack: BTreeMap<StackId, u64> = BTreeMap::new();
    let total = window.rows(profile).count();
    let is_early = |row: &&SampleRow| {
        window.starts_late && render(profile, row.stack) == [Err(Special::StartUp.label())]
    };
    for row in window.rows(profile).skip_while(is_early) {
        *by_stack.entry(row.stack).or_default() += 1;
    }
    let mut complaints = Vec::new();

    let expected = phase.thread_time_ns as f64 * 1e-9 * f64::from(rate_hz);
    if (total as f64) < expected * MIN_DELIVERED_SHARE - MISSING_AT_ENDS {
        complaints.push(format!("{total} samples, expected {expected:.0}"));
    }

    // While a program starts, the code of its modules dies, and other code takes the addresses.
    let may_be_replaced = phase.code_dies || window.starts_late;
    let mut n_edge = 0;
    let mut met = HashSet::new();
    for (&id, &count) in &by_stack {
        let stack = Rendered::new(profile, id);
        match &stack.truth {
            Some(frames) if phase.stacks.contains(frames) => met.extend(frames.iter().cloned()),
            Some(frames) if phase.edges.contains(frames) => n_edge += count,
            None if may_be_replaced && is_one_but_for_replaced(&stack, &phase.stacks) => {}
            None if may_be_replaced && is_one_but_for_replaced(&stack, &phase.edges) => {
                n_edge += count
            }
            _ => complaints.push(unexpected(count, &stack, phase)),
        }
    }
    if n_edge > MAX_EDGE_SAMPLES {
        complaints.push(format!("{n_edge} samples on the lines that take the marks"));
    }
    for frame in phase
        .seen
        .iter()
        .filter(|frame| !met.contains(frame) && !phase.code_dies)
    {
        complaints.push(format!("in no sample: {frame}"));
    }
    complaints.extend(check_gil(profile, phase, window));

    if complaints.is_empty() {
        return Ok(());
    }
    let n_more = complaints.len().saturating_sub(3);
    complaints.truncate(3);
    if n_more > 0 {
        complaints.push(format!("and {n_more} more"));
    }
    bail!(
        "phase {}, thread {}, {total} samples:\n  {}",
        phase.phase,
        window.tid,
        complaints.join("\n  ")
    )
}

fn check_gil(profile: &Profile, phase: &Phase, window: Window) -> Option<String> {
    let gil = phase.gil?;
    // A thread that takes or leaves the GIL is in between for a moment.
    let (is_held, min_share) = match gil {
        Gil::Held => (true, 0.97),
        Gil::Released => (false, 0.97),
        Gil::Contended => (true, 0.5),
    };
    let (mut n, mut n_right, mut n_unknown) = (0_u64, 0_u64, 0_u64);
    for row in window.rows(profile) {
        n += 1;
        n_right += u64::from(row.gil == Some(is_held));
        n_unknown += u64::from(row.gil.is_none());
    }
    let is_right = n_right as f64 >= n as f64 * min_share && n_unknown == 0;
    (!is_right).then(|| {
        format!("the GIL was {gil:?}, but of {n} samples {n_right} say so, {n_unknown} do not know")
    })
}

/// Whether a stack is one of these where `<code replaced>` may stand for any frame.
fn is_one_but_for_replaced(stack: &Rendered, stacks: &HashSet<TrueStack>) -> bool {
    stacks.iter().any(|truth| {
        truth.len() == stack.text.len()
            && truth
                .iter()
                .zip(&stack.text)
                .all(|(truth, text)| text == REPLACED || *text == truth.to_string())
    })
}

/// A stack of the profile beside what Python would say; `None` where a frame is no function's.
struct Rendered {
    text: Vec<String>,
    truth: Option<TrueStack>,
}

impl Rendered {
    fn new(profile: &Profile, id: StackId) -> Self {
        let frames: Vec<_> = render(profile, id);
        Self {
            text: frames
                .iter()
                .map(|frame| match frame {
                    Ok(frame) => frame.to_string(),
                    Err(special) => (*special).to_owned(),
                })
                .collect(),
            truth: frames.into_iter().collect::<Result<_, _>>().ok(),
        }
    }
}

/// The frames of a stack, root first; `Err` for the label of what is no Python function.
pub fn render(profile: &Profile, id: StackId) -> Vec<Result<TrueFrame, &'static str>> {
    let symbols = &profile.symbols;
    let frames = symbols
        .stack(id)
        .iter()
        .map(|&frame| match symbols.frame(frame) {
            Frame::Special(special) => Err(special.label()),
            Frame::Python { function, line } => {
                let function = symbols.function(function);
                let line = line.map(|line| line.get());
                Ok(TrueFrame(
                    function.name.to_string(),
                    function.file.to_string(),
                    line,
                ))
            }
        });
    frames.collect()
}

/// The law's numbers, for messages.
pub fn accounting_of(profile: &Profile) -> String {
    let accounting = &profile.accounting;
    let mut text = format!(
        "captured {}, delivered {}, expected {:.0}",
        accounting.captured, accounting.delivered, accounting.expected
    );
    for (reason, count) in &accounting.lost {
        // A String takes everything.
        let _ = write!(text, ", lost {count}: {}", reason.describe());
    }
    text
}

/// The stack beside the allowed one that is most like it.
fn unexpected(count: u64, stack: &Rendered, phase: &Phase) -> String {
    let allowed = phase.stacks.iter().chain(&phase.edges).map(|frames| {
        let text: Vec<_> = frames.iter().map(TrueFrame::to_string).collect();
        let head = alike(stack.text.iter(), text.iter());
        let tail = alike(stack.text.iter().rev(), text.iter().rev());
        (head + tail, head, tail, text)
    });
    let mut report = format!("{count} samples with a stack that Python did not have there:");
    let Some((_, head, tail, truth)) = allowed.max() else {
        return report + " it had none";
    };
    let tail = tail
        .min(truth.len() - head)
        .min(stack.text.len().saturating_sub(head));
    let _ = write!(report, "\n    {head} frames alike at the root");
    for (sign, text) in [("python ", &truth), ("sample ", &stack.text)] {
        let differing = &text[head..text.len() - tail];
        for frame in differing.iter().take(6) {
            let _ = write!(report, "\n    {sign} {frame}");
        }
        if differing.len() > 6 {
            let _ = write!(
                report,
                "\n    {sign} .. {} more frames",
                differing.len() - 6
            );
        }
        if differing.is_empty() {
            let _ = write!(report, "\n    {sign} (nothing)");
        }
    }
    let _ = write!(report, "\n    {tail} frames alike at the leaf");
    report
}

fn alike<'a>(
    one: impl Iterator<Item = &'a String>,
    other: impl Iterator<Item = &'a String>,
) -> usize {
    one.zip(other)
        .take_while(|(one, other)| one == other)
        .count()
}

#[cfg(test)]
mod tests;
