//! What is said at the end: what was seen, what became of every sample, what it cost.

use std::{collections::BTreeMap, fmt::Write, time::Duration};

use nix::sys::resource::{UsageWho, getrusage};

use crate::model::Profile;

/// The summary's lines, the last without a line break. `cpu`: the profiler's own CPU time.
pub(super) fn summary(profile: &Profile, cpu: Duration) -> String {
    let (meta, accounting) = (&profile.meta, &profile.accounting);
    let seconds = meta.duration.as_secs_f64();
    let mut text = String::new();
    let mut row = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<10} {value}");
    };

    row(
        "recorded",
        format!("{} for {seconds:.1} s at {} Hz", meta.target, meta.rate_hz),
    );
    row("processes", processes(profile));
    for (refused, count) in refusals(profile) {
        row("", format!("{count} refused: {refused}"));
    }
    row(
        "samples",
        format!(
            "{} captured = {} delivered + {} lost{}",
            grouped(accounting.captured),
            grouped(accounting.delivered),
            grouped(accounting.lost_total()),
            share(accounting.lost_total() as f64, accounting.captured as f64)
        ),
    );
    let unaccounted = accounting
        .captured
        .abs_diff(accounting.delivered.saturating_add(accounting.lost_total()));
    if unaccounted > 0 {
        row(
            "",
            format!(
                "{} not accounted for: please report it",
                grouped(unaccounted)
            ),
        );
    }
    for (reason, &count) in &accounting.lost {
        if count > 0 {
            row(
                "",
                format!("{} lost: {}", grouped(count), reason.describe()),
            );
        }
    }
    for &(counter, count) in &meta.kernel_counts {
        if count > 0 && counter.is_trouble() {
            row("", format!("{} {}", grouped(count), counter.describe()));
        }
    }
    // Whole samples, as they are printed: a part of one is no share worth a word.
    let missing = (accounting.expected - accounting.captured as f64)
        .max(0.0)
        .round();
    row(
        "expected",
        format!(
            "{} (CPU time x rate); not delivered by the kernel: {}{}",
            grouped(accounting.expected.round() as u64),
            grouped(missing as u64),
            share(missing, accounting.expected)
        ),
    );
    let core = if seconds > 0.0 {
        cpu.as_secs_f64() / seconds * 100.0
    } else {
        0.0
    };
    row(
        "profiler",
        format!(
            "{:.2} s of CPU time ({core:.1} % of a core)",
            cpu.as_secs_f64()
        ),
    );
    text.truncate(text.trim_end().len());
    text
}

/// `4: 3 CPython 3.12.1, 1 CPython 3.9.2`.
fn processes(profile: &Profile) -> String {
    let mut versions: BTreeMap<&str, usize> = BTreeMap::new();
    for process in &profile.processes {
        *versions
            .entry(
                process
                    .interpreter
                    .as_deref()
                    .unwrap_or("of unknown version"),
            )
            .or_default() += 1;
    }
    let mut text = profile.processes.len().to_string();
    for (position, (version, count)) in versions.iter().enumerate() {
        let separator = if position == 0 { ": " } else { ", " };
        let _ = write!(text, "{separator}{count} {version}");
    }
    text
}

/// Why interpreters cannot be walked, and how many processes run such a one.
fn refusals(profile: &Profile) -> BTreeMap<&str, usize> {
    let mut reasons = BTreeMap::new();
    for reason in profile
        .processes
        .iter()
        .filter_map(|process| process.refused.as_deref())
    {
        *reasons.entry(reason).or_default() += 1;
    }
    reasons
}

fn share(part: f64, whole: f64) -> String {
    if part > 0.0 && whole > 0.0 {
        format!(" ({:.2} %)", part / whole * 100.0)
    } else {
        String::new()
    }
}

/// `1234567` as `1,234,567`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// CPU time of this process so far, without that of a command it started.
pub(super) fn own_cpu() -> Duration {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else {
        return Duration::ZERO;
    };
    [usage.user_time(), usage.system_time()]
        .iter()
        .map(|time| {
            let micros = u32::try_from(time.tv_usec()).unwrap_or(0);
            Duration::new(u64::try_from(time.tv_sec()).unwrap_or(0), 0)
                + Duration::from_micros(micros.into())
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Accounting, LostReason, Meta, ProcessId, ProcessInfo, Tgid};

    fn process(tgid: u32, interpreter: Option<&str>) -> ProcessInfo {
        ProcessInfo {
            id: ProcessId {
                tgid: Tgid(tgid),
                epoch: 1,
            },
            command: "python".into(),
            interpreter: interpreter.map(str::to_owned),
            refused: None,
        }
    }

    #[test]
    fn every_sample_is_accounted_for() {
        let profile = Profile {
            meta: Meta {
                target: "--comm x".into(),
                duration: Duration::from_secs(10),
                ..Meta::default()
            },
            processes: vec![
                process(1, Some("CPython 3.9.2")),
                process(2, Some("CPython 3.12.1")),
                process(3, Some("CPython 3.12.1")),
                process(4, None),
            ],
            accounting: Accounting {
                captured: 4_000,
                delivered: 3_990,
                lost: [
                    (LostReason::RingFull, 7),
                    (LostReason::NotCode, 3),
                    (LostReason::QueueFull, 0),
                ]
                .into(),
                expected: 4_004.0,
            },
            ..Profile::default()
        };
        assert_eq!(
            summary(&profile, Duration::from_millis(50)),
            "  recorded   --comm x for 10.0 s at 100 Hz\n  \
               processes  4: 2 CPython 3.12.1, 1 CPython 3.9.2, 1 of unknown version\n  \
               samples    4,000 captured = 3,990 delivered + 10 lost (0.25 %)\n             \
               7 lost: ring buffer full\n             \
               3 lost: a code object that died before it was read, or a torn stack\n  \
               expected   4,004 (CPU time x rate); not delivered by the kernel: 4 (0.10 %)\n  \
               profiler   0.05 s of CPU time (0.5 % of a core)"
        );
    }

    #[test]
    fn a_broken_law_is_said() {
        let accounting = Accounting {
            captured: 10,
            delivered: 4,
            ..Accounting::default()
        };
        let text = summary(
            &Profile {
                accounting,
                ..Profile::default()
            },
            Duration::ZERO,
        );
        assert!(text.contains("6 not accounted for"), "{text}");
    }

    #[test]
    fn numbers_are_grouped() {
        let texts = [0, 999, 1_000, 1_234_567, u64::MAX].map(grouped);
        assert_eq!(
            texts,
            [
                "0",
                "999",
                "1,000",
                "1,234,567",
                "18,446,744,073,709,551,615"
            ]
        );
    }
}
