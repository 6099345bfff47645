//! `flamegraph`: an SVG that a browser opens, drawn by inferno.
//!
//! The look is py-spy's: root at the top, warm colours, frames of under 0.1 % of the samples left
//! out. Colours come from the names, so that two pictures of one program agree. The title says
//! host, time, rate, samples and loss, the line below it what was recorded.

use std::io::{self, Write};

use inferno::flamegraph::{Direction, Options, TextTruncateDirection, from_lines};

use super::{Format, clock, lines::Lines};
use crate::model::Profile;

/// From this share of lost samples on the title says so in words.
const LOSS_TO_WARN: f64 = 0.01;

/// Characters of the host's name in the title; a whole one can have 64.
const MAX_HOST_CHARS: usize = 32;

/// Narrowest frame drawn, in percent of the width.
const MIN_WIDTH_PERCENT: f64 = 0.1;

pub(super) struct Flamegraph;

impl Format for Flamegraph {
    fn name(&self) -> &'static str {
        "flamegraph"
    }

    fn extension(&self) -> &'static str {
        "svg"
    }

    fn about(&self) -> &'static str {
        "interactive SVG"
    }

    fn opened_with(&self) -> &'static str {
        "a web browser"
    }

    fn write(&self, profile: &Profile, out: &mut dyn Write) -> io::Result<()> {
        let mut lines = Lines::new(profile);
        let total = lines.total();
        if total == 0 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "there are no samples to draw",
            ));
        }
        // inferno needs all lines as text at once. Most of it would be for frames too narrow to
        // be drawn: a host with 100,000 different stacks of 60 frames has 400 MB of it.
        lines.cut((MIN_WIDTH_PERCENT / 100.0 * total as f64) as u64);
        let mut text = Vec::new();
        lines.write(&mut text)?;
        drop(lines);
        let text = String::from_utf8(text).map_err(io::Error::other)?;
        from_lines(&mut options(profile), text.lines(), out)
    }
}

fn options(profile: &Profile) -> Options<'static> {
    let mut options = Options::default();
    options.title = title(profile);
    options.subtitle = Some(profile.meta.target.clone()).filter(|target| !target.is_empty());
    options.direction = Direction::Inverted;
    options.min_width = MIN_WIDTH_PERCENT;
    options.deterministic = true;
    options.text_truncate_direction = TextTruncateDirection::Right;
    options
}

/// One line that fits 1,200 pixels beside the search button.
fn title(profile: &Profile) -> String {
    let (meta, accounting) = (&profile.meta, &profile.accounting);
    let mut title = format!(
        "{}, {}, {:.1} s at {} Hz: {} samples, ",
        meta.host.chars().take(MAX_HOST_CHARS).collect::<String>(),
        clock::readable(meta.started),
        meta.duration.as_secs_f64(),
        meta.rate_hz,
        accounting.delivered
    );
    let lost = accounting.lost_total();
    if accounting.lost_share() > LOSS_TO_WARN {
        title.push_str(&format!(
            "{lost} LOST: {:.1} %",
            accounting.lost_share() * 100.0
        ));
    } else {
        title.push_str(&format!("{lost} lost"));
    }
    title
}
