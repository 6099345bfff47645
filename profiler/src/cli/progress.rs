//! The progress line: rewritten in place on a terminal, nothing elsewhere.

use std::time::Duration;

use super::{summary::grouped, term::Term};
use crate::session::Progress;

/// Shows how far the recording is. A command that shares the terminal would be written over, so
/// there is no line while one runs.
pub(super) struct ProgressLine {
    term: Term,
    live: bool,
    shown: bool,
}

impl ProgressLine {
    pub(super) fn new(term: Term, wanted: bool) -> Self {
        Self {
            term,
            live: term.live && wanted,
            shown: false,
        }
    }

    /// Writes the line anew.
    pub(super) fn show(&mut self, progress: &Progress, elapsed: Duration) {
        if self.live {
            self.term
                .write(&format!("\r\x1b[K{}", text(progress, elapsed)));
            self.shown = true;
        }
    }

    /// Removes the line, so that other text can follow.
    pub(super) fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            self.term.write("\r\x1b[K");
        }
    }
}

fn text(progress: &Progress, elapsed: Duration) -> String {
    let processes = match progress.matched {
        1 => "1 process".to_owned(),
        n => format!("{n} processes"),
    };
    format!(
        "recording: {:.0} s, {} samples of {processes}, {} lost (Ctrl-C ends)",
        elapsed.as_secs_f64(),
        grouped(progress.samples),
        grouped(progress.lost)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_fits_a_terminal() {
        let progress = Progress {
            samples: 123_456_789,
            lost: 1_234_567,
            processes: 99_999,
            matched: 32_768,
        };
        let line = text(&progress, Duration::from_secs(86_400));
        assert_eq!(
            line,
            "recording: 86400 s, 123,456,789 samples of 32768 processes, 1,234,567 lost (Ctrl-C ends)"
        );
        let line = text(
            &Progress {
                samples: 1_000,
                matched: 1,
                ..Progress::default()
            },
            Duration::from_millis(2_400),
        );
        assert_eq!(
            line,
            "recording: 2 s, 1,000 samples of 1 process, 0 lost (Ctrl-C ends)"
        );
    }
}
