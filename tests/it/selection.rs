//! Which processes are recorded: by name in all its forms, by parent, wherever they run.
//!
//! Each test starts the chosen process and a bystander that is just as busy; the samples of the
//! first are the truth, the second has none.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use integration::{
    inventory::{Interpreter, Inventory},
    python::{Scripts, Workload, command},
    record::{self, record},
    stacks::{Window, check, check_all, check_all_of_late},
    truth::Phase,
};
use libtest_mimic::Trial;
use profiler::{
    model::{Profile, Tgid, Tid},
    session::Config,
};

use crate::{left_out, trial};

type Test = fn(&Interpreter) -> Result<()>;

pub(crate) fn trials(inventory: &Inventory) -> Vec<Trial> {
    let Ok(python) = inventory.any() else {
        return Vec::new();
    };
    let tests: &[(&str, Test)] = &[
        ("script", by_script),
        ("script_cut_to_15_bytes", by_script_cut),
        ("module", by_module),
        ("glob", by_glob),
        ("command_name", by_command_name),
        ("all", everything),
        ("forked_child", |python| child(python, "fork")),
        ("child_of_exec", |python| child(python, "exec")),
        ("grandchild_of_spawn", |python| child(python, "spawn")),
        ("venv", in_a_venv),
        ("other_namespaces", in_other_namespaces),
        ("pid_started_later", started_later),
    ];
    let mut trials: Vec<_> = tests
        .iter()
        .map(|&(name, test)| {
            let python = python.clone();
            trial(format!("selection::{name}"), move || test(&python))
        })
        .collect();
    let executable = inventory.venv.join("bin/python3");
    trials.push(if executable.exists() {
        let python = python.clone();
        trial("selection::process_title", move || {
            by_title(&python, &executable)
        })
    } else {
        left_out("selection::process_title")
    });
    trials
}

/// Records `work` with a bystander at its side.
fn beside_a_bystander(
    python: &Interpreter,
    config: Config,
    work: impl FnOnce() -> Result<(Workload, Vec<Phase>)>,
) -> Result<(Profile, Vec<Phase>)> {
    let mut bystander = Workload::start(python, "recursion.py")?;
    let is_chosen = config.all;
    let rate_hz = config.rate_hz;
    let (profile, (workload, phases, others)) = record(config, |_| {
        bystander.go()?;
        let (workload, phases) = work()?;
        Ok((workload, phases, bystander.phases()?))
    })?;
    workload.finish()?;
    let n = Window::of(others.first().context("no bystander")?)
        .rows(&profile)
        .count();
    ensure!(
        is_chosen || n == 0,
        "{n} samples of a process that was not chosen"
    );
    if is_chosen {
        check_all(&profile, &others, rate_hz)?;
    }
    Ok((profile, phases))
}

/// The process starts after the recording, and its phases are the truth.
fn chosen_by_name(python: &Interpreter, comm: &str, command: &mut Command) -> Result<()> {
    let config = record::of_comms(&[comm]);
    let (profile, phases) = beside_a_bystander(python, config, || start_and_run(command))?;
    check_all_of_late(&profile, &phases, 1000)
}

fn start_and_run(command: &mut Command) -> Result<(Workload, Vec<Phase>)> {
    let mut workload = Workload::spawn(command)?;
    let phases = workload.run()?;
    Ok((workload, phases))
}

fn by_script(python: &Interpreter) -> Result<()> {
    let scripts = Scripts::copy(python)?;
    let script = scripts.unique("nested.py")?;
    chosen_by_name(
        python,
        &script,
        command(python).arg(scripts.inside(&script)),
    )
}

fn by_script_cut(python: &Interpreter) -> Result<()> {
    let scripts = Scripts::copy(python)?;
    let script = scripts.unique("nested.py")?;
    ensure!(
        script.len() > 15,
        "the name is too short for this test: {script}"
    );
    chosen_by_name(
        python,
        &script[..15],
        command(python).arg(scripts.inside(&script)),
    )
}

fn by_module(python: &Interpreter) -> Result<()> {
    let scripts = Scripts::copy(python)?;
    let script = scripts.unique("nested.py")?;
    let module = script.trim_end_matches(".py");
    // Options with and without values stand before it.
    let mut command = command(python);
    command
        .current_dir(scripts.path())
        .args(["-X", "dev", "-uB", "-W", "ignore", "-m", module]);
    chosen_by_name(python, module, &mut command)
}

fn by_glob(python: &Interpreter) -> Result<()> {
    let scripts = Scripts::copy(python)?;
    let script = scripts.unique("nested.py")?;
    let glob = format!("{}*[.]p?", &script[..6]);
    chosen_by_name(python, &glob, command(python).arg(scripts.inside(&script)))
}

/// A process that renamed itself matches by the part before the colon.
fn by_command_name(python: &Interpreter) -> Result<()> {
    let scripts = Scripts::copy(python)?;
    let name = format!("r{}", std::process::id());
    let mut command = command(python);
    command
        .arg(scripts.inside("titled.py"))
        .args(["comm", &format!("{name}: x")]);
    chosen_once_renamed(python, &name, &mut command)
}

/// As gunicorn's workers do: `gunicorn: worker [app:app]`.
fn by_title(python: &Interpreter, executable: &Path) -> Result<()> {
    let scripts = Scripts::copy(python)?;
    let name = format!("titled-{}", std::process::id());
    let mut command = Command::new(executable);
    command
        .env("PYTHONUTF8", "1")
        .arg(scripts.path().join("titled.py"));
    command.args(["title", &format!("{name}: worker [app:app]")]);
    chosen_once_renamed(python, &name, &mut command)
}

/// The process has its name before the recording starts.
fn chosen_once_renamed(python: &Interpreter, comm: &str, command: &mut Command) -> Result<()> {
    let mut workload = Workload::spawn(command)?;
    let config = record::of_comms(&[comm]);
    let (profile, phases) = beside_a_bystander(python, config, || {
        let phases = workload.run()?;
        Ok((workload, phases))
    })?;
    check_all(&profile, &phases, 1000)
}

fn everything(python: &Interpreter) -> Result<()> {
    let scripts = Scripts::copy(python)?;
    let config = record::of_all();
    let mut command = command(python);
    command.arg(scripts.inside("nested.py"));
    let (profile, phases) = beside_a_bystander(python, config, || start_and_run(&mut command))?;
    check_all_of_late(&profile, &phases, 1000)
}

/// The parent is chosen by its pid, before it has a child.
fn child(python: &Interpreter, how: &str) -> Result<()> {
    let scripts = Scripts::copy(python)?;
    let script = scripts.unique("family.py")?;
    let mut command = command(python);
    command.arg(scripts.inside(&script)).arg(how);
    let config = record::of_comms(&[&script]);
    let (profile, phases) = beside_a_bystander(python, config, || {
        let mut workload = Workload::spawn(&mut command)?;
        ensure!(
            workload.ready().pid != workload.tgid().0,
            "the parent did the work itself"
        );
        let phases = workload.run()?;
        Ok((workload, phases))
    })?;
    check_all_of_late(&profile, &phases, 1000)
}

fn in_a_venv(python: &Interpreter) -> Result<()> {
    let scripts = Scripts::copy(python)?;
    let venv = scripts.path().join("venv");
    let made = command(python)
        .args(["-m", "venv", "--without-pip"])
        .arg(&venv)
        .output()?;
    ensure!(
        made.status.success(),
        "no venv: {}",
        String::from_utf8_lossy(&made.stderr)
    );
    let script = scripts.unique("nested.py")?;
    let mut command = Command::new(venv.join("bin/python3"));
    command
        .env("PYTHONUTF8", "1")
        .arg(scripts.path().join(&script));
    chosen_by_name(python, &script, &mut command)
}

/// In mount and pid namespaces of its own, where it is process 1 and the interpreter's file has
/// another path.
fn in_other_namespaces(python: &Interpreter) -> Result<()> {
    let scripts = Scripts::copy(python)?;
    let script = scripts.unique("nested.py")?;
    let mut unshare = Command::new("unshare");
    unshare.args(["--pid", "--mount", "--mount-proc", "--fork", "--kill-child"]);
    unshare
        .args(&python.argv)
        .arg(scripts.inside(&script))
        .env("PYTHONUTF8", "1");
    let config = record::of_comms(&[&script]);
    let mut host_tgid = Tgid(0);
    let (profile, phases) = beside_a_bystander(python, config, || {
        let mut workload = Workload::spawn(&mut unshare)?;
        ensure!(
            workload.ready().pid == 1,
            "not in a pid namespace of its own"
        );
        host_tgid = only_child(workload.tgid())?;
        let phases = workload.run()?;
        Ok((workload, phases))
    })?;
    for phase in &phases {
        let window = Window {
            tgid: host_tgid,
            tid: Tid(host_tgid.0),
            starts_late: true,
            ..Window::of(phase)
        };
        check(&profile, phase, window, 1000)?;
    }
    Ok(())
}

fn only_child(parent: Tgid) -> Result<Tgid> {
    let path = format!("/proc/{parent}/task/{parent}/children");
    let children = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let child = children
        .split_whitespace()
        .next()
        .context("unshare has no child")?;
    Ok(Tgid(child.parse()?))
}

/// `-- COMMAND` chooses a process that is not Python yet.
fn started_later(python: &Interpreter) -> Result<()> {
    let scripts = Scripts::copy(python)?;
    let mut shell = Command::new("/bin/sh");
    // The shell waits for a line, so that it is chosen before it becomes Python.
    shell.args([
        "-c",
        "echo '{\"ready\": {\"pid\": 0, \"tid\": 0}}'; read line; exec \"$@\"",
        "sh",
    ]);
    shell
        .args(&python.argv)
        .arg(scripts.inside("nested.py"))
        .env("PYTHONUTF8", "1");
    let mut workload = Workload::spawn(&mut shell)?;
    let (profile, phases) = record(record::of_comms(&["no such name"]), |session| {
        session.add_pid(workload.tgid())?;
        workload.process().say("become Python")?;
        workload.wait_until_ready()?;
        workload.run()
    })?;
    workload.finish()?;
    check_all_of_late(&profile, &phases, 1000)
}
