//! The command as people use it: the binary, its exit codes, its files.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::Path,
    process::{Command, Output},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use integration::{
    inventory::{Interpreter, Inventory},
    process::Process,
    python::{Scripts, Workload, command},
    record::profiler,
};
use libtest_mimic::Trial;

use crate::{folded, trial};

type Test = fn(&Interpreter) -> Result<()>;

/// Exit codes of docs/exit-codes.md.
mod exit {
    pub(super) const USAGE: i32 = 2;
    pub(super) const NOT_FOUND: i32 = 3;
    pub(super) const PERMISSION: i32 = 4;
    pub(super) const UNSUPPORTED: i32 = 5;
    pub(super) const OUTPUT: i32 = 6;
}

pub(crate) fn trials(inventory: &Inventory) -> Vec<Trial> {
    let Ok(python) = inventory.any() else {
        return Vec::new();
    };
    let tests: &[(&str, Test)] = &[
        ("no_such_pid", no_such_pid),
        ("nothing_matches", nothing_matches),
        ("bad_arguments", bad_arguments),
        ("unwritable_output", unwritable_output),
        ("exit_code_of_the_command", exit_code_of_the_command),
        ("interrupt_writes_the_file", interrupt_writes_the_file),
        ("third_signal_leaves", third_signal_leaves),
        (
            "ctrl_c_reaches_the_command_once",
            ctrl_c_reaches_the_command_once,
        ),
        (
            "duration_ends_the_sampling_only",
            duration_ends_the_sampling_only,
        ),
        ("folded_lines", folded_lines),
        ("flame_graph_is_xml", flame_graph_is_xml),
        ("file_name_of_its_own", file_name_of_its_own),
        ("silent_in_a_pipe", silent_in_a_pipe),
        ("not_root", not_root),
        ("pid_namespace", pid_namespace),
    ];
    let trials = tests.iter().map(|&(name, test)| {
        let python = python.clone();
        trial(format!("cli::{name}"), move || test(&python))
    });
    trials.collect()
}

fn no_such_pid(_: &Interpreter) -> Result<()> {
    // A process that has ended and is reaped.
    let mut gone = Command::new("true").spawn()?;
    let pid = gone.id().to_string();
    gone.wait()?;
    let output = profiler()?.args(["--pid", &pid, "-d", "1"]).output()?;
    is_refused(&output, exit::NOT_FOUND, &pid)
}

fn nothing_matches(_: &Interpreter) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut profiler = profiler()?;
    profiler
        .args(["--comm", "no-such-name", "-d", "0.2"])
        .current_dir(folder.path());
    is_refused(&profiler.output()?, exit::NOT_FOUND, "no-such-name")?;
    is_empty(folder.path())
}

fn bad_arguments(_: &Interpreter) -> Result<()> {
    for (arguments, named) in [
        (["-r", "0"], "'0'"),
        (["-r", "10001"], "10001"),
        (["-d", "0"], "'0'"),
        (["-d", "-1"], "-1"),
        (["-f", "pdf"], "pdf"),
        (["--pid", "x"], "'x'"),
        (["--comm", ""], "--comm"),
        (["--comm", "["], "["),
        (["--no-such", "x"], "--no-such"),
    ] {
        let output = profiler()?.args(arguments).args(["-d", "0.1"]).output()?;
        is_refused(&output, exit::USAGE, named).with_context(|| format!("{arguments:?}"))?;
    }
    Ok(())
}

/// Found out before the command starts.
fn unwritable_output(_: &Interpreter) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mark = folder.path().join("mark");
    for output in ["/nonexistent/x.svg", "/tmp", "/dev/null/x.svg"] {
        let mut profiler = profiler()?;
        profiler.args(["-o", output, "--", "touch"]).arg(&mark);
        is_refused(&profiler.output()?, exit::OUTPUT, output)?;
        ensure!(
            !mark.exists(),
            "the command ran although {output} cannot be written"
        );
    }
    Ok(())
}

fn exit_code_of_the_command(python: &Interpreter) -> Result<()> {
    let spin = "import sys, time\nwhile time.process_time() < 0.2: pass\n";
    for (end, code) in [
        ("sys.exit(7)", 7),
        ("sys.exit(0)", 0),
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
            128 + libc::SIGTERM,
        ),
    ] {
        let folder = tempfile::tempdir()?;
        let mut profiler = profiler()?;
        profiler
            .arg("-o")
            .arg(folder.path().join("x.svg"))
            .arg("--")
            .args(&python.argv);
        let output = profiler.args(["-c", &format!("{spin}{end}")]).output()?;
        has_code(&output, code)?;
        is_flame_graph(&folder.path().join("x.svg"))?;
    }
    let not_there = profiler()?
        .args(["-o", "-", "--", "/no/such/command"])
        .output()?;
    is_refused(&not_there, 127, "/no/such/command")?;
    let no_program = profiler()?
        .args(["-o", "-", "--", "/etc/passwd"])
        .output()?;
    is_refused(&no_program, 126, "/etc/passwd")
}

fn interrupt_writes_the_file(python: &Interpreter) -> Result<()> {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        let mut run = Recorded::start(python, &[], "x.svg")?;
        run.workload.run()?;
        // To the profiler alone. With its stdin closed, the command ends by itself.
        run.workload.process().signal(signal);
        let ended = run.workload.process().wait()?;
        let errors = run.workload.process().errors();
        // SIGTERM and SIGHUP are passed on to the command, whose end counts then.
        let code = if signal == libc::SIGINT {
            0
        } else {
            128 + signal
        };
        ensure!(
            ended.status.code() == Some(code),
            "{}, not {code}: {errors}",
            ended.status
        );
        is_flame_graph(&run.folder.path().join("x.svg"))?;
    }
    Ok(())
}

/// The output is a pipe that nobody reads, so that only the third signal ends it.
fn third_signal_leaves(python: &Interpreter) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let pipe = folder.path().join("pipe");
    ensure!(
        Command::new("mkfifo").arg(&pipe).status()?.success(),
        "no mkfifo"
    );
    let mut workload = Workload::start(python, "nested.py")?;
    let mut command = profiler()?;
    command.args([
        "-f",
        "folded",
        "-d",
        "0.3",
        "--pid",
        &workload.tgid().to_string(),
    ]);
    let mut profiler = Process::start(command.arg("-o").arg(&pipe))?;
    workload.run()?;
    let mut n_signals = 0;
    let ended = loop {
        if let Some(ended) = profiler.try_wait()? {
            break ended;
        }
        ensure!(n_signals < 1_000, "it does not end");
        profiler.signal(libc::SIGINT);
        n_signals += 1;
        // Signals that come faster than they are taken are one.
        thread::sleep(Duration::from_millis(20));
    };
    ensure!(
        ended.status.code() == Some(130),
        "{}: {}",
        ended.status,
        profiler.errors()
    );
    Ok(())
}

/// A terminal sends SIGINT to the whole foreground group.
fn ctrl_c_reaches_the_command_once(python: &Interpreter) -> Result<()> {
    let scripts = Scripts::copy(python)?;
    let folder = tempfile::tempdir()?;
    let mut profiler = profiler()?;
    profiler
        .process_group(0)
        .arg("-o")
        .arg(folder.path().join("x.svg"))
        .arg("--");
    profiler
        .args(&python.argv)
        .arg(scripts.inside("interrupted.py"));
    let mut workload = Workload::spawn(&mut profiler)?;
    let group = workload.tgid().0.cast_signed();
    // SAFETY: kill takes two integers; the group is that of a child that is not reaped.
    unsafe { libc::kill(-group, libc::SIGINT) };
    // It says so when it was interrupted.
    workload.phases()?;
    let ended = workload.process().wait()?;
    let errors = workload.process().errors();
    ensure!(
        ended.status.code() == Some(41),
        "{}: {errors}",
        ended.status
    );
    Ok(())
}

fn duration_ends_the_sampling_only(python: &Interpreter) -> Result<()> {
    let mut run = Recorded::start(python, &["-d", "0.2"], "x.svg")?;
    run.workload.run()?;
    // It goes on, and writes what it has while the command still waits for its stdin to end.
    let svg = run.folder.path().join("x.svg");
    let mut errors = String::new();
    while !errors.contains("the command goes on") {
        errors = run.workload.process().error_line()?;
    }
    is_flame_graph(&svg)?;
    let ended = run.workload.process().wait()?;
    ensure!(ended.status.success(), "{}", ended.status);
    Ok(())
}

fn folded_lines(python: &Interpreter) -> Result<()> {
    for script in [
        "nested.py",
        "executed.py",
        "unicode_names.py",
        "released_gil.py",
    ] {
        let mut run = Recorded::of(python, script, &["-r", "1000"], "x.folded")?;
        let tgid = run.child()?;
        let phases = run.workload.run()?;
        ensure!(run.workload.process().wait()?.status.success(), "it failed");
        let text = fs::read_to_string(run.folder.path().join("x.folded"))?;
        let lines = folded::parse(&text)?;
        for phase in &phases {
            let mut n = 0;
            for line in lines.iter().filter(|line| line.tgid == tgid) {
                ensure!(
                    line.command.contains(script),
                    "not its command: {}",
                    line.command
                );
                if phase.stacks.iter().any(|stack| line.is(stack)) {
                    n += line.count;
                }
            }
            let expected = phase.thread_time_ns as f64 * 1e-6;
            let name = &phase.phase;
            ensure!(
                n as f64 > expected * 0.8,
                "{name}: {n} of {expected:.0} samples:\n{text}"
            );
        }
    }
    Ok(())
}

fn flame_graph_is_xml(python: &Interpreter) -> Result<()> {
    for script in [
        "nested.py",
        "executed.py",
        "unicode_names.py",
        "recursion.py",
    ] {
        let mut run = Recorded::of(python, script, &["-r", "1000"], "x.svg")?;
        run.workload.run()?;
        ensure!(run.workload.process().wait()?.status.success(), "it failed");
        is_flame_graph(&run.folder.path().join("x.svg"))?;
    }
    Ok(())
}

fn file_name_of_its_own(python: &Interpreter) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut profiler = profiler()?;
    profiler
        .current_dir(folder.path())
        .arg("--")
        .args(&python.argv);
    profiler.args(["-c", "import time\nwhile time.process_time() < 0.3: pass"]);
    let output = profiler.output()?;
    has_code(&output, 0)?;
    let entry = fs::read_dir(folder.path())?
        .next()
        .context("no file was written")??;
    let name = entry.file_name().to_string_lossy().into_owned();
    ensure!(name.ends_with(".svg"), "its name is {name}");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(
        errors.contains(&name),
        "its name, {name}, was not printed: {errors}"
    );
    is_flame_graph(&entry.path())
}

/// No progress line: neither carriage returns nor escape sequences; stdout is the profile's alone.
fn silent_in_a_pipe(python: &Interpreter) -> Result<()> {
    let mut profiler = profiler()?;
    profiler
        .args(["-f", "folded", "-o", "-", "--"])
        .args(&python.argv);
    profiler.args(["-c", "import time\nwhile time.process_time() < 1.5: pass"]);
    let output = profiler.output()?;
    has_code(&output, 0)?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(
        !errors.contains(['\r', '\x1b']),
        "not for a pipe: {errors:?}"
    );
    folded::parse(std::str::from_utf8(&output.stdout)?)?;
    Ok(())
}

fn not_root(_: &Interpreter) -> Result<()> {
    // Where nobody may read it.
    let folder = tempfile::tempdir()?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777))?;
    let copy = folder.path().join("profiler");
    fs::copy(profiler()?.get_program(), &copy)?;
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755))?;
    let output = Command::new(&copy)
        .args(["-d", "0.1"])
        .current_dir(folder.path())
        .uid(65_534)
        .gid(65_534)
        .output()?;
    is_refused(&output, exit::PERMISSION, "root")
}

fn pid_namespace(_: &Interpreter) -> Result<()> {
    let mut unshare = Command::new("unshare");
    unshare.args(["--pid", "--fork", "--mount-proc", "--kill-child"]);
    unshare.arg(profiler()?.get_program()).args(["-d", "0.1"]);
    is_refused(&unshare.output()?, exit::UNSUPPORTED, "--pid=host")
}

/// `profiler ... -- python SCRIPT`, where the script is a workload and waits for the word to go.
struct Recorded {
    workload: Workload,
    folder: tempfile::TempDir,
    _scripts: Scripts,
}

impl Recorded {
    fn start(python: &Interpreter, options: &[&str], output: &str) -> Result<Self> {
        Self::of(python, "nested.py", options, output)
    }

    fn of(python: &Interpreter, script: &str, options: &[&str], output: &str) -> Result<Self> {
        let scripts = Scripts::copy(python)?;
        let folder = tempfile::tempdir()?;
        let mut profiler = profiler()?;
        for (name, value) in command(python).get_envs() {
            match value {
                Some(value) => profiler.env(name, value),
                None => profiler.env_remove(name),
            };
        }
        profiler
            .args(options)
            .arg("-o")
            .arg(folder.path().join(output))
            .arg("--");
        profiler.args(&python.argv).arg(scripts.inside(script));
        Ok(Self {
            workload: Workload::spawn(&mut profiler)?,
            folder,
            _scripts: scripts,
        })
    }

    /// The command's pid: it told it itself.
    fn child(&self) -> Result<u32> {
        let pid = self.workload.ready().pid;
        ensure!(
            pid != self.workload.tgid().0,
            "the profiler is not its own child"
        );
        Ok(pid)
    }
}

/// One sentence on stderr that names what is wrong, and this exit code.
fn is_refused(output: &Output, code: i32, named: &str) -> Result<()> {
    has_code(output, code)?;
    let errors = String::from_utf8_lossy(&output.stderr);
    let first = errors.lines().next().context("nothing was said")?;
    ensure!(errors.contains(named), "{named} is not named: {errors}");
    ensure!(
        !errors.contains("panicked") && !errors.contains("RUST_BACKTRACE"),
        "{errors}"
    );
    ensure!(first.len() < 300, "that is no sentence: {errors}");
    ensure!(output.stdout.is_empty(), "it said something on stdout");
    Ok(())
}

fn has_code(output: &Output, code: i32) -> Result<()> {
    if output.status.code() != Some(code) {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("{}, not {code}: {errors}", output.status);
    }
    Ok(())
}

fn is_empty(folder: &Path) -> Result<()> {
    match fs::read_dir(folder)?.next() {
        None => Ok(()),
        Some(entry) => bail!("a file was written: {:?}", entry?.file_name()),
    }
}

/// XML through and through, and it has frames.
fn is_flame_graph(path: &Path) -> Result<()> {
    let picture = crate::svg::FlameGraph::read(path)?;
    ensure!(
        !picture.frames.is_empty(),
        "there is nothing in the picture"
    );
    Ok(())
}
