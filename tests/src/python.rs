//! Starts a workload under one of the interpreters and talks to it.
//!
//! The scripts are copied to a folder below the interpreter's root, so that one that runs in a
//! chroot can read them. The protocol stands in `workloads/truth.py`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};
use profiler::model::Tgid;
use tempfile::TempDir;

use crate::{
    inventory::{Interpreter, workloads},
    process::Process,
    truth::{Message, Phase, Ready},
};

/// The workloads, in a folder that an interpreter can see.
#[derive(Debug)]
pub struct Scripts {
    folder: TempDir,
    inside: PathBuf,
}

impl Scripts {
    /// Copies all of them.
    ///
    /// # Errors
    ///
    /// When that fails.
    pub fn copy(python: &Interpreter) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("profiler-test-")
            .tempdir_in(python.root().join("tmp"))
            .context("cannot make a folder for the workloads")?;
        for entry in fs::read_dir(workloads()).context("no workloads")? {
            let path = entry?.path();
            if let (true, Some(name)) = (path.is_file(), path.file_name()) {
                fs::copy(&path, folder.path().join(name))?;
            }
        }
        let inside = python.inside(folder.path())?;
        Ok(Self { folder, inside })
    }

    /// The folder on this host.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A script's path as the interpreter sees it.
    pub fn inside(&self, name: &str) -> PathBuf {
        self.inside.join(name)
    }
}

/// A command that runs an interpreter, clean of the test's own environment.
pub fn command(python: &Interpreter) -> Command {
    let mut command = Command::new(&python.argv[0]);
    command.args(&python.argv[1..]);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PYTHON") {
            command.env_remove(name);
        }
    }
    command
        .env("PYTHONUTF8", "1")
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// A workload that runs.
#[derive(Debug)]
pub struct Workload {
    process: Process,
    ready: Ready,
    _scripts: Option<Scripts>,
}

impl Workload {
    /// Starts a script of the workloads and waits until it is ready.
    ///
    /// # Errors
    ///
    /// When it does not start, or ends early.
    pub fn start(python: &Interpreter, script: &str) -> Result<Self> {
        let scripts = Scripts::copy(python)?;
        let mut workload = Self::spawn(command(python).arg(scripts.inside(script)))?;
        workload._scripts = Some(scripts);
        Ok(workload)
    }

    /// Starts a command that ends in a workload and waits until that is ready.
    ///
    /// # Errors
    ///
    /// When it does not start, or ends early.
    pub fn spawn(command: &mut Command) -> Result<Self> {
        let mut process = Process::start(command)?;
        match message(&mut process)? {
            Message::Ready(ready) => Ok(Self {
                process,
                ready,
                _scripts: None,
            }),
            other => bail!("the workload said something else than ready: {other:?}"),
        }
    }

    /// Its thread group, in the host's ids.
    pub fn tgid(&self) -> Tgid {
        self.process.tgid()
    }

    /// What it said when it was ready.
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// The process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Lets it go, and returns its account of what it did. It then waits, so that it can be
    /// looked at, until it is dropped or [`Self::finish`]ed.
    ///
    /// # Errors
    ///
    /// When it ends early.
    pub fn run(&mut self) -> Result<Vec<Phase>> {
        self.process.say("go")?;
        self.phases()
    }

    /// The account of what it does, until it is done.
    ///
    /// # Errors
    ///
    /// When it ends early.
    pub fn phases(&mut self) -> Result<Vec<Phase>> {
        let mut phases = Vec::new();
        loop {
            match message(&mut self.process)? {
                Message::Phase(phase) => phases.push(phase),
                Message::Done => return Ok(phases),
                Message::Ready(_) => bail!("the workload was ready twice"),
            }
        }
    }

    /// Ends it in good order.
    ///
    /// # Errors
    ///
    /// When its exit status is not 0.
    pub fn finish(mut self) -> Result<()> {
        let status = self.process.wait()?;
        if !status.success() {
            bail!("the workload failed, {status}: {}", self.process.errors());
        }
        Ok(())
    }
}

fn message(process: &mut Process) -> Result<Message> {
    let line = process.line()?;
    Message::parse(&line)
}
