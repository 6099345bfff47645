use super::*;

/// Names of a process with this command name and command line; `'a b'` is one argument.
fn names(comm: &str, command: &[&str]) -> ProcessNames {
    let arguments: Vec<Vec<u8>> = command
        .iter()
        .map(|argument| argument.as_bytes().to_vec())
        .collect();
    ProcessNames::new(comm.as_bytes(), &arguments)
}

fn split(command: &str) -> Vec<&str> {
    command.split(' ').collect()
}

fn is_matched(pattern: &str, names: &ProcessNames) -> bool {
    Selector::new(false, &[], &[pattern])
        .unwrap()
        .matches(Tgid(1), names)
}

fn set(names: &ProcessNames) -> Vec<&str> {
    names.iter().collect()
}

#[test]
fn gunicorn_however_it_was_started() {
    for (comm, command) in [
        (
            "gunicorn",
            vec!["/venv/bin/python", "/venv/bin/gunicorn", "app:app"],
        ),
        (
            "python",
            vec!["python", "-m", "gunicorn", "app:app", "-w", "4"],
        ),
        (
            "python3",
            vec!["/usr/bin/python3", "-u", "-mgunicorn", "app:app"],
        ),
        // Renamed by setproctitle, which sets the command name too.
        ("gunicorn: maste", vec!["gunicorn: master [app:app]"]),
        ("gunicorn: worke", vec!["gunicorn: worker [app]"]),
        // Renamed by a library that leaves the command name.
        ("python3.12", vec!["gunicorn: worker [app]"]),
        // Started as a script of its own by pipx, poetry, uv.
        (
            "gunicorn",
            vec![
                "/root/.local/share/pipx/venvs/gunicorn/bin/python",
                "/root/.local/bin/gunicorn",
                "app:app",
            ],
        ),
    ] {
        assert!(
            is_matched("gunicorn", &names(comm, &command)),
            "{command:?}"
        );
        assert!(is_matched("guni*", &names(comm, &command)), "{command:?}");
        assert!(
            !is_matched("uvicorn", &names(comm, &command)),
            "{command:?}"
        );
    }
}

#[test]
fn the_whole_set_of_names() {
    let command = split("/venv/bin/python3.12 /srv/app/manage.py runserver");
    let expected = [
        "/venv/bin/pytho",
        "/venv/bin/python3.12",
        "manage",
        "manage.py",
        "python",
        "python3.12",
    ];
    assert_eq!(set(&names("python", &command)), expected);
}

#[test]
fn other_servers_and_tools() {
    for (comm, command, pattern) in [
        (
            "uvicorn",
            "/venv/bin/python /venv/bin/uvicorn app:app --reload",
            "uvicorn",
        ),
        ("python", "python -m uvicorn app:app", "uvicorn"),
        (
            "celery",
            "/venv/bin/python /venv/bin/celery -A proj worker",
            "celery",
        ),
        ("python", "python -m celery -A proj worker", "celery"),
        (
            "[celeryd: celer",
            "[celeryd: celery@host:MainProcess] -active- (worker)",
            "celeryd",
        ),
        ("uwsgi", "uwsgi --http :8080 --wsgi-file app.py", "uwsgi"),
        ("uwsgi", "/usr/bin/uwsgi-core --ini app.ini", "uwsgi-core"),
        (
            "python3",
            "python3 -u -X dev manage.py runserver",
            "manage.py",
        ),
        ("python3", "python3 -u -X dev manage.py runserver", "manage"),
        (
            "python3",
            "python3 -uX dev -W error::DeprecationWarning -Wdefault manage.py",
            "manage",
        ),
        (
            "python3",
            "python3 --check-hash-based-pycs always -B manage.py",
            "manage",
        ),
        ("python3", "python3 -E -s -- manage.py", "manage"),
        ("pytest", "/venv/bin/python3 /venv/bin/pytest -x", "pytest"),
        ("python3.13t", "python3.13t server.pyz", "server"),
        ("python3-dbg", "python3-dbg app.py", "app.py"),
        ("python", "python -m pkg.mod --flag", "pkg.mod"),
        ("python", "python -Im http.server 8000", "http.server"),
        ("python", "python /srv/app/", "app"),
        (
            "supervisord",
            "/usr/bin/python3 /usr/bin/supervisord -n",
            "supervisor?",
        ),
        (
            "ansible-playboo",
            "/usr/bin/python3 /usr/bin/ansible-playbook site.yml",
            "ansible-playbook",
        ),
        (
            "jupyter-noteboo",
            "/opt/conda/bin/python3.11 /opt/conda/bin/jupyter-notebook --port 1",
            "jupyter-[nl]*",
        ),
    ] {
        let command = if comm.starts_with('[') {
            vec![command]
        } else {
            split(command)
        };
        assert!(
            is_matched(pattern, &names(comm, &command)),
            "{command:?} {pattern}"
        );
    }
}

#[test]
fn values_and_arguments_are_no_names() {
    for (command, pattern) in [
        (split("python -c pass gunicorn"), "gunicorn"),
        (split("python -cpass gunicorn"), "gunicorn"),
        (split("python - gunicorn"), "gunicorn"),
        (split("python -W gunicorn app.py"), "gunicorn"),
        (split("python -X gunicorn app.py"), "gunicorn"),
        (split("python app.py gunicorn"), "gunicorn"),
        (split("python -m app gunicorn"), "gunicorn"),
        (split("python app.py -m gunicorn"), "gunicorn"),
        (split("vim gunicorn"), "gunicorn"),
        (split("uwsgi -m gunicorn"), "gunicorn"),
        (split("pythonic gunicorn"), "gunicorn"),
        (split("python -m"), ""),
        (split("python -c"), ""),
        (split("python -X"), ""),
        (split("python --"), ""),
    ] {
        assert!(
            !is_matched(pattern, &names("python", &command)),
            "{command:?}"
        );
    }
}

#[test]
fn names_longer_than_15_bytes() {
    let names = names("background-proc", &split("python background-processor.py"));
    for pattern in [
        "background-processor.py",
        "background-processor",
        "background-proc",
        "background-*",
    ] {
        assert!(is_matched(pattern, &names), "{pattern}");
    }
    for pattern in ["background-pro", "background-process"] {
        assert!(!is_matched(pattern, &names), "{pattern}");
    }
    // A cut within a letter of several bytes, as the kernel makes it, in both places alike.
    let script = "обработчик.py";
    let comm = &script.as_bytes()[..15];
    let arguments = [b"python".to_vec(), script.as_bytes().to_vec()];
    let names = ProcessNames::new(comm, &arguments);
    assert!(is_matched("обработ*", &names) && is_matched("обработчик", &names));
    assert_eq!(
        names
            .iter()
            .filter(|name| name.ends_with('\u{fffd}'))
            .count(),
        1
    );
}

#[test]
fn processes_without_arguments() {
    assert_eq!(
        set(&names("kworker/0:1", &[])),
        ["kworker/0", "kworker/0:1"]
    );
    assert_eq!(set(&names("", &[""])), [""; 0]);
    assert_eq!(set(&names("x", &["   "])), ["x"]);
}

#[test]
fn ids_and_names_add_up() {
    let gunicorn = names("gunicorn", &["gunicorn"]);
    let other = names("nginx", &["nginx"]);
    let all = Selector::new(true, &[], &["gunicorn"]).unwrap();
    assert!(all.matches(Tgid(5), &other) && !all.is_by_name());
    let mut none = Selector::default();
    assert!(!none.matches(Tgid(5), &other) && !none.is_by_name());
    none.add_pid(Tgid(5));
    assert!(none.matches(Tgid(5), &other) && none.has_pid(Tgid(5)));
    let selector = Selector::new(false, &[Tgid(7), Tgid(8)], &["gunicorn", "celery*"]).unwrap();
    assert!(selector.is_by_name());
    assert!(selector.matches(Tgid(8), &other));
    assert!(selector.matches(Tgid(5), &gunicorn));
    assert!(!selector.matches(Tgid(5), &other));
}

#[test]
fn patterns_are_case_sensitive_and_cross_slashes() {
    let names = names("python", &["/opt/App/bin/python"]);
    assert!(is_matched("/opt/*python", &names));
    assert!(is_matched("/opt/[A]pp*", &names));
    assert!(!is_matched("Python", &names));
}

#[test]
fn an_invalid_pattern_is_explained() {
    for pattern in ["[a", "a***", "x[!"] {
        let error = Selector::new(false, &[], &["fine", pattern]).unwrap_err();
        assert_eq!(error.pattern, pattern);
        let text = error.to_string();
        assert!(
            text.contains(pattern) && text.contains("no valid pattern"),
            "{text}"
        );
    }
}
