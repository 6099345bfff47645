//! What is not supported is refused with a reason and counted; what is no Python is left alone.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, ensure};
use integration::{
    inventory::{Interpreter, Inventory},
    process::Process,
    python::{Scripts, Workload, command},
    record::{self, record},
    stacks::{accounting_of, check_all},
};
use libtest_mimic::Trial;
use profiler::model::{LostReason, Profile, Tgid};
use profiler_common::status::Status;

use crate::{left_out, trial};

/// 3.7 has a `_PyRuntime`, but no layout of ours; 3.6 and 2.7 have none, nor has node.
const OTHERS: &[(&str, bool)] = &[
    ("python3.7", true),
    ("python3.6", false),
    ("python2.7", false),
    ("node", false),
];

pub(crate) fn trials(inventory: &Inventory) -> Vec<Trial> {
    let Ok(supported) = inventory.any().cloned() else {
        return Vec::new();
    };
    let trials = OTHERS.iter().map(|&(program, is_python)| {
        let name = format!("refused::{program}");
        let Some(path) = find(program) else {
            return left_out(name);
        };
        let supported = supported.clone();
        trial(name, move || {
            if is_python {
                is_refused(&path, &supported)
            } else {
                is_no_python(&path, &supported)
            }
        })
    });
    trials.collect()
}

/// In pyenv's folder, else on the PATH.
fn find(program: &str) -> Option<PathBuf> {
    let pyenv = env::var_os("PYENV_ROOT")
        .map(PathBuf::from)
        .or_else(|| Some(Path::new(&env::var_os("HOME")?).join(".pyenv")))?;
    let of_pyenv = fs::read_dir(pyenv.join("versions"))
        .into_iter()
        .flatten()
        .flatten();
    let of_path = env::var_os("PATH").unwrap_or_default();
    of_pyenv
        .map(|entry| entry.path().join("bin"))
        .chain(env::split_paths(&of_path))
        .map(|folder| folder.join(program))
        .find(|path| path.exists() && !path.to_string_lossy().contains("/shims/"))
}

fn is_refused(path: &Path, supported: &Interpreter) -> Result<()> {
    let mut old = Busy::start(path, supported)?;
    let mut good = Workload::start(supported, "nested.py")?;
    let config = record::of(&[old.process.tgid(), good.tgid()]);
    let rate_hz = config.rate_hz;
    let (profile, phases) = record(config, |_| {
        old.run()?;
        good.run()
    })?;
    check_all(&profile, &phases, rate_hz)?;
    ensure!(
        n_samples(&profile, old.process.tgid()) == 0,
        "a refused process has samples"
    );

    let numbers = accounting_of(&profile);
    let refused = profile
        .accounting
        .lost
        .get(&LostReason::Walk(Status::Refused));
    let refused = refused.copied().unwrap_or_default();
    let cpu = old.process.wait()?.cpu_ns as f64 * 1e-6;
    ensure!(
        (refused as f64) > cpu * 0.5,
        "{refused} of about {cpu:.0} are refused: {numbers}"
    );
    let lost = profile.accounting.lost_total();
    ensure!(lost - refused <= 3, "others were lost too: {numbers}");
    Ok(())
}

fn is_no_python(path: &Path, supported: &Interpreter) -> Result<()> {
    let mut other = Busy::start(path, supported)?;
    let mut good = Workload::start(supported, "nested.py")?;
    let config = record::of_all();
    let rate_hz = config.rate_hz;
    let (profile, phases) = record(config, |_| {
        other.run()?;
        good.run()
    })?;
    check_all(&profile, &phases, rate_hz)?;
    let tgid = other.process.tgid();
    ensure!(
        n_samples(&profile, tgid) == 0,
        "what is no Python has samples"
    );
    let is_listed = profile
        .processes
        .iter()
        .any(|process| process.id.tgid == tgid);
    ensure!(!is_listed, "what is no Python is among the processes");
    Ok(())
}

fn n_samples(profile: &Profile, tgid: Tgid) -> u64 {
    let of_process = profile
        .counts
        .iter()
        .filter(|((process, _), _)| process.tgid == tgid);
    of_process.map(|(_, count)| count).sum()
}

/// A process that is busy for a second when it is told to.
struct Busy {
    process: Process,
    _scripts: Scripts,
}

impl Busy {
    fn start(program: &Path, python: &Interpreter) -> Result<Self> {
        let scripts = Scripts::copy(python)?;
        let script = if program.ends_with("node") {
            "old.js"
        } else {
            "old.py"
        };
        let mut clean = Command::new(program);
        clean.envs(
            command(python)
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        let mut process = Process::start(clean.arg(scripts.path().join(script)))?;
        process.line()?;
        Ok(Self {
            process,
            _scripts: scripts,
        })
    }

    fn run(&mut self) -> Result<()> {
        self.process.say("go")?;
        self.process.line()?;
        Ok(())
    }
}
