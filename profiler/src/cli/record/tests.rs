//! The control flow, with a session that needs no kernel. Signals concern a whole process, so
//! each test runs `child` below, in this same test binary, as a process of its own.

use std::{
    fs,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
};

use nix::{
    sys::signal::{SigHandler, Signal, kill, signal},
    unistd::Pid,
};

use super::*;
use crate::{
    aggregate::ProfileBuilder,
    cli::args::{self, Parsed},
    model::{Accounting, Function, Meta, ProcessId, ProcessInfo, SampleRow, Tid},
};

/// Behaves as the files in its folder (`FAKE`) say.
struct Fake {
    folder: PathBuf,
}

impl Fake {
    fn has(&self, name: &str) -> bool {
        self.folder.join(name).exists()
    }
}

impl Sampler for Fake {
    fn start(config: Config) -> Result<Self, StartError> {
        if let Some(&tgid) = config.pids.iter().find(|tgid| tgid.0 == 4_194_304) {
            return Err(StartError::NoSuchPid(tgid));
        }
        let fake = Self {
            folder: std::env::var_os("FAKE").unwrap().into(),
        };
        fs::write(fake.folder.join("started"), "").unwrap();
        Ok(fake)
    }

    fn progress(&self) -> Progress {
        Progress {
            samples: 1,
            lost: 0,
            processes: 1,
            matched: usize::from(!self.has("no-match")),
        }
    }

    fn add_pid(&self, tgid: Tgid) -> Result<(), StartError> {
        // Were the command running already, it would find no file.
        thread::sleep(Duration::from_millis(200));
        fs::write(self.folder.join("chosen"), tgid.to_string()).unwrap();
        Ok(())
    }

    fn stop(self, skip: &AtomicBool) -> Profile {
        fs::write(self.folder.join("stopping"), "").unwrap();
        while self.has("slow-look-ups")
            && (!skip.load(Ordering::Relaxed) || self.has("no-skipping"))
        {
            thread::sleep(Duration::from_millis(5));
        }
        let mut builder = ProfileBuilder::new(false);
        let name = if skip.load(Ordering::Relaxed) {
            "skipped"
        } else {
            "named"
        };
        let symbols = builder.symbols();
        let function = symbols.function(&Function {
            name: name.into(),
            file: "/x.py".into(),
            first_line: 1,
        });
        let frame = symbols.python(function, None);
        let stack = symbols.stack(&[frame]);
        let process = ProcessId {
            tgid: Tgid(1),
            epoch: 1,
        };
        if !self.has("no-match") {
            builder.add_sample(
                SampleRow {
                    time_ns: 1,
                    process,
                    tid: Tid(1),
                    cpu: 0,
                    gil: None,
                    stack,
                },
                3,
            );
        }
        let info = ProcessInfo {
            id: process,
            command: "python".into(),
            interpreter: None,
            refused: None,
        };
        let chosen = if self.has("no-match") {
            vec![]
        } else {
            vec![info]
        };
        builder.finish(
            Meta::default(),
            chosen,
            Accounting {
                captured: 3,
                ..Accounting::default()
            },
        )
    }
}

/// What the other tests run; the arguments are in `ARGS`.
#[test]
#[ignore = "run by the other tests"]
fn child() {
    let Ok(words) = std::env::var("ARGS") else {
        return;
    };
    // Under nohup it is ignored, and then it stays so.
    // SAFETY: no handler is installed, only the default restored.
    unsafe { signal(Signal::SIGHUP, SigHandler::SigDfl) }.unwrap();
    let Ok(Parsed::Record(plan)) = args::parse(words.split('\x1f').map(Into::into)) else {
        panic!("bad arguments: {words}");
    };
    let term = Term::of_stderr();
    let code = run::<Fake>(plan, &term).unwrap_or_else(|failure| {
        term.print_failure(&failure);
        failure.exit.code()
    });
    std::process::exit(code.into());
}

/// A folder for one recording, its output file in it.
struct Case {
    folder: tempfile::TempDir,
}

impl Case {
    fn new(files: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            fs::write(folder.path().join(file), "").unwrap();
        }
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn start(&self, words: &[&str]) -> Child {
        self.command(words).spawn().unwrap()
    }

    fn command(&self, words: &[&str]) -> Command {
        let output = self.path("out.folded");
        let mut line = vec!["profiler"];
        if !words.contains(&"-o") {
            line.extend(["-o", output.to_str().unwrap()]);
        }
        line.extend(words);
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args([
                "--exact",
                "cli::record::tests::child",
                "--ignored",
                "--nocapture",
            ])
            .env("ARGS", line.join("\x1f"))
            .env("FAKE", self.folder.path())
            .env_remove("SUDO_UID")
            .env("DIR", self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, words: &[&str]) -> Output {
        self.start(words).wait_with_output().unwrap()
    }

    fn profile(&self) -> Option<String> {
        fs::read_to_string(self.path("out.folded")).ok()
    }

    /// Waits for a file.
    fn wait_for(&self, name: &str) {
        wait_for(&self.path(name));
    }
}

fn wait_for(path: &Path) {
    let end = Instant::now() + Duration::from_secs(20);
    while !path.exists() {
        assert!(Instant::now() < end, "no {}", path.display());
        thread::sleep(Duration::from_millis(5));
    }
}

fn send(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().cast_signed()), signal).unwrap();
    // Two signals of one kind at once are one.
    thread::sleep(Duration::from_millis(100));
}

fn ended(child: Child) -> (i32, String) {
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.signal(), None);
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

const NAMED: &str = "process 1:\"python\";named (/x.py) 3\n";
const SKIPPED: &str = "process 1:\"python\";skipped (/x.py) 3\n";

#[test]
fn the_timer_ends_a_recording() {
    let case = Case::new(&[]);
    let output = case.run(&["-d", "0.2"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert_eq!(case.profile().unwrap(), NAMED);
    assert!(
        stderr.contains("3 captured = 3 delivered + 0 lost"),
        "{stderr}"
    );
    assert!(
        stderr.contains(&format!("written to {}", case.path("out.folded").display())),
        "{stderr}"
    );
    assert!(
        !stderr.contains("\x1b"),
        "a pipe gets no progress line and no colours: {stderr}"
    );
}

#[test]
fn the_first_signal_writes() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let case = Case::new(&[]);
        let child = case.start(&[]);
        case.wait_for("started");
        thread::sleep(Duration::from_millis(100));
        send(&child, signal);
        let (code, stderr) = ended(child);
        assert_eq!(
            (code, case.profile().as_deref()),
            (0, Some(NAMED)),
            "{signal}: {stderr}"
        );
    }
}

#[test]
fn the_second_signal_skips_look_ups_and_the_third_leaves() {
    let case = Case::new(&["slow-look-ups"]);
    let child = case.start(&[]);
    case.wait_for("started");
    thread::sleep(Duration::from_millis(100));
    send(&child, Signal::SIGINT);
    case.wait_for("stopping");
    assert_eq!(case.profile(), None);
    send(&child, Signal::SIGTERM);
    assert_eq!(
        (ended(child).0, case.profile().as_deref()),
        (0, Some(SKIPPED))
    );

    for (last, expected) in [
        (Signal::SIGINT, 130),
        (Signal::SIGTERM, 143),
        (Signal::SIGHUP, 129),
    ] {
        let case = Case::new(&["slow-look-ups", "no-skipping"]);
        let child = case.start(&[]);
        case.wait_for("started");
        thread::sleep(Duration::from_millis(100));
        send(&child, Signal::SIGINT);
        case.wait_for("stopping");
        send(&child, Signal::SIGINT);
        send(&child, last);
        assert_eq!((ended(child).0, case.profile()), (expected, None));
    }
}

#[test]
fn a_timed_recording_survives_one_late_signal() {
    let case = Case::new(&["slow-look-ups"]);
    let child = case.start(&["-d", "0.1"]);
    case.wait_for("stopping");
    send(&child, Signal::SIGINT);
    fs::remove_file(case.path("slow-look-ups")).unwrap();
    assert_eq!(
        (ended(child).0, case.profile().as_deref()),
        (0, Some(NAMED))
    );
}

#[test]
fn the_end_of_every_pid_ends_a_recording() {
    let case = Case::new(&[]);
    let mut targets = [0.2, 0.5].map(|seconds| {
        Command::new("sleep")
            .arg(seconds.to_string())
            .spawn()
            .unwrap()
    });
    let pids = targets.each_ref().map(|target| target.id().to_string());
    let began = Instant::now();
    let child = case.start(&["-p", &pids[0], "-p", &pids[1]]);
    let (code, stderr) = ended(child);
    assert!(
        began.elapsed() >= Duration::from_millis(400),
        "only one had ended"
    );
    assert_eq!(
        (code, case.profile().as_deref()),
        (0, Some(NAMED)),
        "{stderr}"
    );
    for target in &mut targets {
        target.wait().unwrap();
    }
}

#[test]
fn a_session_that_does_not_start_says_why() {
    let output = Case::new(&[]).run(&["-p", "4194304"]);
    assert_eq!(output.status.code(), Some(3));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr, "profiler: error: there is no process 4194304\n");
}

#[test]
fn without_a_match_it_waits_and_writes_nothing() {
    let case = Case::new(&["no-match"]);
    let output = case.run(&["--comm", "nosuch", "-d", "2.5"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), case.profile()), (Some(3), None));
    assert_eq!(
        stderr
            .matches("no Python process matches --comm nosuch yet, waiting for one")
            .count(),
        1,
        "{stderr}"
    );
    assert!(stderr.ends_with("profiler: error: no Python process was found for --comm nosuch, so nothing was written\n"), "{stderr}");
}

#[test]
fn a_full_disk_loses_nothing() {
    let output = Case::new(&[]).run(&["-d", "0.1", "-f", "folded", "-o", "/dev/full"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(6), "{stderr}");
    assert!(
        stderr
            .contains("error: the output cannot be written: /dev/full: No space left on device\n"),
        "{stderr}"
    );
    let saved = stderr
        .lines()
        .find_map(|line| line.strip_prefix("  hint: the profile was saved as "))
        .unwrap();
    assert_eq!(fs::read_to_string(saved).unwrap(), NAMED);
    fs::remove_file(saved).unwrap();
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let case = Case::new(&[]);
    let mut child = case.start(&["-d", "0.3", "-f", "folded", "-o", "-"]);
    // By then the test harness has written its own lines.
    case.wait_for("started");
    drop(child.stdout.take());
    let (code, stderr) = ended(child);
    assert_eq!(code, 0, "{stderr}");
    assert!(!stderr.contains("error"), "{stderr}");
}

#[test]
fn a_command_is_chosen_before_its_first_instruction() {
    let case = Case::new(&[]);
    let output = case.run(&[
        "--",
        "sh",
        "-c",
        "echo command: $$ $(cat \"$DIR/chosen\"); exit 42",
    ]);
    assert_eq!(output.status.code(), Some(42));
    let stdout = String::from_utf8(output.stdout).unwrap();
    let line = stdout
        .lines()
        .find_map(|line| line.split_once("command: "))
        .unwrap()
        .1;
    let (own, chosen) = line.split_once(' ').unwrap();
    assert_eq!(own, chosen);
    assert_eq!(case.profile().unwrap(), NAMED);
}

#[test]
fn a_command_ends_with_its_own_exit_code() {
    for (words, code, sentence) in [
        (&["true"][..], 0, ""),
        (&["false"], 1, ""),
        (&["sh", "-c", "kill -TERM $$"], 143, ""),
        (
            &["/nonexistent/x"],
            127,
            "the command was not found: /nonexistent/x",
        ),
        (
            &["nonexistent-command"],
            127,
            "the command was not found: nonexistent-command",
        ),
        (
            &["/etc/passwd"],
            126,
            "the command cannot be run: /etc/passwd: Permission denied",
        ),
    ] {
        let case = Case::new(&[]);
        let output = case.run(&[&["--"], words].concat());
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{words:?}: {stderr}");
        assert!(stderr.contains(sentence), "{stderr}");
        assert_eq!(case.profile().is_some(), sentence.is_empty());
    }
    // The profiler's own failure counts only where the command has none.
    for (command, code) in [("true", 3), ("false", 1)] {
        assert_eq!(
            Case::new(&["no-match"]).run(&["--", command]).status.code(),
            Some(code)
        );
    }
}

#[test]
fn the_timer_ends_the_recording_and_not_the_command() {
    let case = Case::new(&[]);
    let child = case.start(&[
        "-d",
        "0.2",
        "--",
        "sh",
        "-c",
        "while [ ! -e \"$DIR/go\" ]; do sleep 0.05; done; exit 9",
    ]);
    wait_for(&case.path("out.folded"));
    thread::sleep(Duration::from_millis(200));
    fs::write(case.path("go"), "").unwrap();
    assert_eq!(ended(child).0, 9);
}

#[test]
fn sigterm_is_passed_on_to_the_command_and_ctrl_c_is_not() {
    let script = "trap 'exit 7' TERM; trap 'echo > \"$DIR/interrupted\"' INT; echo > \"$DIR/ready\"; \
                  while [ ! -e \"$DIR/go\" ]; do sleep 0.05; done; exit 5";
    for (signal, expected) in [(Signal::SIGTERM, 7), (Signal::SIGINT, 5)] {
        let case = Case::new(&[]);
        let child = case.start(&["--", "sh", "-c", script]);
        case.wait_for("ready");
        send(&child, signal);
        wait_for(&case.path("out.folded"));
        // While it waits for the command, Ctrl-C is the command's own affair.
        if signal == Signal::SIGINT {
            for _ in 0..4 {
                send(&child, signal);
            }
            fs::write(case.path("go"), "").unwrap();
        }
        assert_eq!(ended(child).0, expected);
        assert!(!case.path("interrupted").exists());
    }
}

#[test]
fn under_sudo_a_command_has_the_users_rights() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    let case = Case::new(&[]);
    let output = case
        .command(&[
            "--",
            "sh",
            "-c",
            "echo command: $(id -u) $(id -ru) $(id -g) $(id -G) $HOME $USER $LOGNAME",
        ])
        .env("SUDO_UID", nobody.uid.to_string())
        .env("SUDO_GID", nobody.gid.to_string())
        .output()
        .unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let (uid, gid, home) = (nobody.uid, nobody.gid, nobody.dir.display());
    assert!(
        stdout.contains(&format!(
            "command: {uid} {uid} {gid} {gid} {home} nobody nobody\n"
        )),
        "{stdout}"
    );
}
