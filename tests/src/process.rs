//! Child processes that end with the test, and that can not keep it waiting for ever.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use profiler::model::Tgid;

/// How long anything may take before the test gives up: far more than it takes.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A child with pipes; killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    errors: Receiver<String>,
}

impl Process {
    /// Starts a command with stdin, stdout and stderr as pipes.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub fn start(command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start: {command:?}"))?;
        let stdin = child.stdin.take();
        let lines = lines_of(child.stdout.take().context("no stdout")?);
        let errors = lines_of(child.stderr.take().context("no stderr")?);
        Ok(Self {
            child,
            stdin,
            lines,
            errors,
        })
    }

    /// Its thread group.
    pub fn tgid(&self) -> Tgid {
        Tgid(self.child.id())
    }

    /// The next line of stdout, without its end.
    ///
    /// # Errors
    ///
    /// When none comes: with what it wrote to stderr.
    pub fn line(&mut self) -> Result<String> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => Ok(line),
            Err(RecvTimeoutError::Timeout) => bail!("nothing came within {PATIENCE:?}"),
            Err(RecvTimeoutError::Disconnected) => {
                let status = self.wait()?;
                bail!("it ended early, {status}: {}", self.errors());
            }
        }
    }

    /// The rest of stdout, once it ends.
    pub fn rest(&mut self) -> String {
        collect(&self.lines)
    }

    /// All of stderr, once it ends.
    pub fn errors(&mut self) -> String {
        collect(&self.errors)
    }

    /// The next line of stderr.
    ///
    /// # Errors
    ///
    /// When none comes.
    pub fn error_line(&mut self) -> Result<String> {
        self.errors
            .recv_timeout(PATIENCE)
            .context("nothing came on stderr")
    }

    /// Writes a line to its stdin.
    ///
    /// # Errors
    ///
    /// When it does not read any more.
    pub fn say(&mut self, line: &str) -> Result<()> {
        let stdin = self.stdin.as_mut().context("stdin is closed")?;
        writeln!(stdin, "{line}")
            .and_then(|()| stdin.flush())
            .context("cannot write to stdin")
    }

    /// Sends a signal.
    pub fn signal(&self, signal: libc::c_int) {
        // SAFETY: kill takes two integers; the child is not reaped yet (wait takes `&mut self`
        // and `drop` consumes it), so its id is still its own.
        unsafe { libc::kill(self.child.id() as libc::pid_t, signal) };
    }

    /// Closes its stdin.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Closes its stdin and waits for its end.
    ///
    /// # Errors
    ///
    /// When it does not end in time.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        self.stdin = None;
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().context("cannot wait")? {
                return Ok(status);
            }
            if begin.elapsed() > PATIENCE {
                bail!("it does not end within {PATIENCE:?}");
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn lines_of(pipe: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while pipe.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            if line.last() == Some(&b'\n') {
                line.pop();
            }
            if sender
                .send(String::from_utf8_lossy(&line).into_owned())
                .is_err()
            {
                break;
            }
            line.clear();
        }
    });
    receiver
}

fn collect(lines: &Receiver<String>) -> String {
    let mut text = String::new();
    while let Ok(line) = lines.recv_timeout(PATIENCE) {
        text.push_str(&line);
        text.push('\n');
    }
    text
}
