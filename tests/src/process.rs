//! Child processes that end with the test, and that can not keep it waiting for ever.

use std::{
    io::{self, BufRead, BufReader, Write},
    os::unix::process::ExitStatusExt,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use profiler::model::Tgid;

/// How long anything may take before the test gives up: far more than it takes.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// How a child ended.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// Its exit code or signal.
    pub status: ExitStatus,
    /// CPU time of all its threads, from its fork to its end, in nanoseconds; without its children.
    pub cpu_ns: u64,
}

/// A child with pipes; killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// Once it is reaped its id may be another's.
    ended: Option<Ended>,
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
            ended: None,
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
                let Ended { status, .. } = self.wait()?;
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

    /// Sends a signal, unless it was waited for.
    pub fn signal(&self, signal: libc::c_int) {
        if self.ended.is_none() {
            // SAFETY: kill takes two integers; the child is not reaped, so the id is its own.
            unsafe { libc::kill(self.child.id().cast_signed(), signal) };
        }
    }

    /// Whether it has ended; its end.
    ///
    /// # Errors
    ///
    /// When it cannot be waited for.
    pub fn try_wait(&mut self) -> Result<Option<Ended>> {
        if self.ended.is_none() {
            let mut status = 0;
            // SAFETY: `rusage` is a struct of integers, of which zero is a value.
            let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
            let id = self.child.id().cast_signed();
            // SAFETY: both pointers are to locals that outlive the call.
            let waited = unsafe { libc::wait4(id, &raw mut status, libc::WNOHANG, &raw mut usage) };
            if waited < 0 {
                return Err(io::Error::last_os_error()).context("cannot wait");
            }
            if waited == id {
                let status = ExitStatus::from_raw(status);
                let cpu_ns = nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime);
                self.ended = Some(Ended { status, cpu_ns });
            }
        }
        Ok(self.ended)
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
    pub fn wait(&mut self) -> Result<Ended> {
        self.stdin = None;
        let begin = Instant::now();
        loop {
            if let Some(ended) = self.try_wait()? {
                return Ok(ended);
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
        if self.ended.is_none() {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

fn nanoseconds(time: libc::timeval) -> u64 {
    // CPU times are not negative.
    time.tv_sec as u64 * 1_000_000_000 + time.tv_usec as u64 * 1_000
}

fn lines_of(pipe: impl io::Read + Send + 'static) -> Receiver<String> {
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
