//! Labels: a frame or a process as one piece of a line.
//!
//! They are py-spy's: `name (file:line)`, `name (file)` where no line is known, and
//! `process PID:"COMMAND"`. In the folded format `;` ends a frame and a line break ends a stack,
//! and names, paths and commands may hold both (`python -c "import x; x.run()"`). So in a label
//! `;` becomes U+FF1B (`；`, the full-width semicolon), and every control character and line or
//! paragraph separator becomes a space. py-spy writes them raw.

use crate::model::{Frame, FrameId, ProcessInfo, Symbols};

/// What stands for `;` within a label.
pub(super) const SEMICOLON: char = '\u{ff1b}';

/// The label of a frame.
pub(super) fn frame(symbols: &Symbols, id: FrameId) -> String {
    match symbols.frame(id) {
        Frame::Special(special) => special.label().to_owned(),
        Frame::Python { function, line } => {
            let function = symbols.function(function);
            let mut label = String::with_capacity(function.name.len() + function.file.len() + 10);
            push_clean(&mut label, &function.name);
            label.push_str(" (");
            push_clean(&mut label, &function.file);
            if let Some(line) = line {
                label.push(':');
                label.push_str(&line.to_string());
            }
            label.push(')');
            label
        }
    }
}

/// The label of a process.
pub(super) fn process(process: &ProcessInfo) -> String {
    let mut label = format!("process {}:\"", process.id.tgid);
    push_clean(&mut label, &process.command);
    label.push('"');
    label
}

fn push_clean(label: &mut String, text: &str) {
    label.extend(text.chars().map(|c| match c {
        ';' => SEMICOLON,
        '\u{2028}' | '\u{2029}' => ' ',
        c if c.is_control() => ' ',
        c => c,
    }));
}
