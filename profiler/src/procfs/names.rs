//! What a process is called: command name, arguments, a line for people.

use std::borrow::Cow;

use super::error::{self, ProcfsError};
use crate::model::Tgid;

/// `TASK_COMM_LEN` is 16; kernel threads show more.
const MAX_COMM_BYTES: u64 = 256;
/// Arguments may take megabytes; names and options stand at the front.
const MAX_CMDLINE_BYTES: u64 = 64 * 1024;
/// Characters of a command line that are shown.
const MAX_DISPLAY_CHARS: usize = 256;

/// The command name of a process's group leader: at most 15 bytes, any but 0. A program may
/// change it.
///
/// # Errors
/// When the process is gone.
pub fn comm(tgid: Tgid) -> Result<Vec<u8>, ProcfsError> {
    let mut comm = error::read(tgid, "comm", MAX_COMM_BYTES)?;
    if comm.last() == Some(&b'\n') {
        comm.pop();
    }
    Ok(comm)
}

/// The arguments of a process, from the program's name on; cut after 64 KiB. Empty for kernel
/// threads and zombies.
///
/// A process that wrote a title over its arguments (`setproctitle`) has the whole title as the
/// first and only argument. Empty arguments at the end are dropped, since such a title is
/// padded with zeros.
///
/// # Errors
/// When the process is gone or may not be read.
pub fn cmdline(tgid: Tgid) -> Result<Vec<Vec<u8>>, ProcfsError> {
    Ok(split_arguments(&error::read(
        tgid,
        "cmdline",
        MAX_CMDLINE_BYTES,
    )?))
}

fn split_arguments(bytes: &[u8]) -> Vec<Vec<u8>> {
    let end = bytes
        .iter()
        .rposition(|&byte| byte != 0)
        .map_or(0, |last| last + 1);
    match bytes.get(..end) {
        None | Some([]) => Vec::new(),
        Some(bytes) => bytes.split(|&byte| byte == 0).map(<[u8]>::to_vec).collect(),
    }
}

/// A process's command line in one line of at most 256 characters: arguments joined by a space,
/// else the command name in brackets, as ps does.
pub fn display_command(comm: &[u8], arguments: &[Vec<u8>]) -> String {
    if arguments.is_empty() {
        format!("[{}]", printable(comm, MAX_DISPLAY_CHARS - 2))
    } else {
        printable(&arguments.join(&b' '), MAX_DISPLAY_CHARS)
    }
}

/// The bytes as text of at most `max_chars` characters, the last of them `…` if it was cut.
/// What is no UTF-8, a control character or forbidden in XML 1.0 becomes U+FFFD.
pub fn printable(bytes: &[u8], max_chars: usize) -> String {
    // No character has more than 4 bytes: the rest need not be decoded.
    let enough = max_chars.saturating_add(1).saturating_mul(4);
    let text: Cow<'_, str> = String::from_utf8_lossy(bytes.get(..enough).unwrap_or(bytes));
    let mut shown: String = text
        .chars()
        .take(max_chars)
        .map(replace_unprintable)
        .collect();
    if text.chars().nth(max_chars).is_some() {
        shown.pop();
        shown.push('…');
    }
    shown
}

fn replace_unprintable(character: char) -> char {
    match character {
        '\u{fffe}' | '\u{ffff}' => char::REPLACEMENT_CHARACTER,
        control if control.is_control() => char::REPLACEMENT_CHARACTER,
        _ => character,
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::Read,
        process::{Command, Stdio},
    };

    use super::*;

    fn arguments(arguments: &[&str]) -> Vec<Vec<u8>> {
        arguments
            .iter()
            .map(|argument| argument.as_bytes().to_vec())
            .collect()
    }

    #[test]
    fn arguments_end_with_a_zero_each() {
        assert_eq!(
            split_arguments(b"python3\0-c\0pass\0"),
            arguments(&["python3", "-c", "pass"])
        );
        assert_eq!(split_arguments(b"a\0\0b\0"), arguments(&["a", "", "b"]));
        assert_eq!(split_arguments(b""), arguments(&[]));
        assert_eq!(split_arguments(b"\0\0"), arguments(&[]));
    }

    #[test]
    fn a_title_is_one_argument() {
        let padded = b"gunicorn: worker [app]\0\0\0\0\0\0";
        assert_eq!(
            split_arguments(padded),
            arguments(&["gunicorn: worker [app]"])
        );
        let unterminated = b"nginx: master";
        assert_eq!(split_arguments(unterminated), arguments(&["nginx: master"]));
    }

    #[test]
    fn one_safe_line() {
        assert_eq!(display_command(b"kworker/0:1", &[]), "[kworker/0:1]");
        assert_eq!(
            display_command(b"x", &arguments(&["python", "a b.py"])),
            "python a b.py"
        );
        let hostile = [
            b"a\nb\x1b[31m\x7f".to_vec(),
            b"\xff\xc3".to_vec(),
            "é<&\u{ffff}\u{85}".into(),
        ];
        assert_eq!(
            display_command(b"x", &hostile),
            "a\u{fffd}b\u{fffd}[31m\u{fffd} \u{fffd}\u{fffd} é<&\u{fffd}\u{fffd}"
        );
    }

    #[test]
    fn long_lines_are_cut_with_a_mark() {
        assert_eq!(printable(&[b'a'; 256], 256), "a".repeat(256));
        let cut = printable("😀".repeat(5_000).as_bytes(), 256);
        assert_eq!(cut, "😀".repeat(255) + "…");
        assert_eq!(printable(b"abc", 0), "…");
    }

    #[test]
    fn of_a_live_process() {
        let script = ["-c", "echo; read line", ""];
        let mut command = Command::new("sh");
        command
            .args(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Once it answers, exec is done.
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        let tgid = Tgid(child.id());
        let names = (comm(tgid), cmdline(tgid));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(names.0.unwrap(), b"sh");
        assert_eq!(
            names.1.unwrap(),
            arguments(&["sh", "-c", "echo; read line"])
        );
        assert!(comm(tgid).unwrap_err().is_gone());
    }
}
