//! Reads folded lines back, by their description in the issue and not by the code that writes
//! them: `process PID:"COMMAND";name (file:line);... count`, root first.

use anyhow::{Context, Result, ensure};
use integration::truth::TrueFrame;

/// One line.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) tgid: u32,
    pub(crate) command: String,
    pub(crate) frames: Vec<String>,
    pub(crate) count: u64,
}

impl Line {
    /// Whether it is this stack, as labels show it.
    pub(crate) fn is(&self, stack: &[TrueFrame]) -> bool {
        self.frames.len() == stack.len()
            && self
                .frames
                .iter()
                .zip(stack)
                .all(|(label, frame)| *label == shown(frame))
    }
}

/// Reads all lines.
pub(crate) fn parse(text: &str) -> Result<Vec<Line>> {
    text.lines()
        .map(|line| parse_line(line).with_context(|| format!("line: {line}")))
        .collect()
}

fn parse_line(line: &str) -> Result<Line> {
    ensure!(!line.contains(char::is_control), "a control character");
    let (stack, count) = line.rsplit_once(' ').context("no count")?;
    let mut labels = stack.split(';');
    let process = labels.next().context("no process")?;
    let process = process
        .strip_prefix("process ")
        .context("it does not begin with a process")?;
    let (tgid, command) = process.split_once(':').context("no pid")?;
    let command = command
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    let frames: Vec<_> = labels.map(str::to_owned).collect();
    ensure!(!frames.is_empty(), "no frame");
    for frame in &frames {
        let is_special = frame.starts_with('<') && frame.ends_with('>');
        ensure!(
            is_special || frame.ends_with(')') && frame.contains(" ("),
            "no label: {frame}"
        );
    }
    Ok(Line {
        tgid: tgid.parse()?,
        command: command.context("the command is not quoted")?.to_owned(),
        frames,
        count: count.parse()?,
    })
}

/// What ends a frame or a line cannot stand in a label.
fn shown(frame: &TrueFrame) -> String {
    let replace = |c: char| match c {
        ';' => '\u{ff1b}',
        '\u{2028}' | '\u{2029}' => ' ',
        c if c.is_control() => ' ',
        c => c,
    };
    frame.to_string().chars().map(replace).collect()
}
