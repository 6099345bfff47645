use super::*;

fn render(text: &'static str) -> impl Fn(&mut dyn Write) -> io::Result<()> {
    move |out| out.write_all(text.as_bytes())
}

fn failing(out: &mut dyn Write) -> io::Result<()> {
    out.write_all(b"half")?;
    Err(io::ErrorKind::StorageFull.into())
}

fn at(path: &Path) -> Result<Destination, Failure> {
    Destination::check(Some(path), "stem".into(), "svg")
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_check_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join("old.svg");
    fs::write(&old, "old").unwrap();
    at(&old).unwrap();
    at(&folder.path().join("new.svg")).unwrap();
    assert_eq!(fs::read_to_string(&old).unwrap(), "old");
    assert_eq!(names(folder.path()), ["old.svg"]);
}

#[test]
fn a_file_is_replaced_whole_and_keeps_its_mode_and_links() {
    let folder = tempfile::tempdir().unwrap();
    let (old, link) = (
        folder.path().join("old.svg"),
        folder.path().join("link.svg"),
    );
    fs::write(&old, "a longer old text").unwrap();
    fs::set_permissions(&old, fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink("old.svg", &link).unwrap();
    at(&link)
        .unwrap()
        .write(SystemTime::UNIX_EPOCH, &render("new"))
        .unwrap();
    assert_eq!(fs::read_to_string(&old).unwrap(), "new");
    assert_eq!(fs::metadata(&old).unwrap().mode() & 0o777, 0o640);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(names(folder.path()), ["link.svg", "old.svg"]);
}

#[test]
fn a_failing_write_keeps_the_old_file_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join("old.svg");
    fs::write(&old, "old").unwrap();
    let failure = at(&old)
        .unwrap()
        .write(SystemTime::UNIX_EPOCH, &failing)
        .unwrap_err();
    assert_eq!(failure.exit, Exit::Output);
    assert!(
        failure.sentence.ends_with("old.svg: no storage space"),
        "{}",
        failure.sentence
    );
    assert_eq!(fs::read_to_string(&old).unwrap(), "old");
    assert_eq!(names(folder.path()), ["old.svg"]);
}

#[test]
fn what_cannot_be_written_is_saved_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let gone = folder.path().join("gone");
    fs::create_dir(&gone).unwrap();
    let destination = at(&gone.join("x.svg")).unwrap();
    fs::remove_dir(&gone).unwrap();
    let failure = destination
        .write(SystemTime::UNIX_EPOCH, &render("kept"))
        .unwrap_err();
    let saved = failure.hints[0]
        .strip_prefix("the profile was saved as ")
        .unwrap();
    assert_eq!(fs::read_to_string(saved).unwrap(), "kept");
    assert!(saved.ends_with(".svg"));
    fs::remove_file(saved).unwrap();
}

#[test]
fn a_new_name_never_overwrites() {
    let folder = tempfile::tempdir().unwrap();
    let destination = Destination {
        place: Place::Folder(folder.path().to_owned()),
        stem: "gunicorn".into(),
        extension: "svg",
        unfinished: Arc::default(),
    };
    for text in ["one", "two"] {
        destination
            .write(SystemTime::UNIX_EPOCH, &render(text))
            .unwrap();
    }
    let name = format!("gunicorn-{}", clock::for_file_name(SystemTime::UNIX_EPOCH));
    assert_eq!(
        names(folder.path()),
        [format!("{name}-2.svg"), format!("{name}.svg")]
    );
    assert_eq!(
        fs::read_to_string(folder.path().join(format!("{name}.svg"))).unwrap(),
        "one"
    );
}

#[test]
fn devices_are_written_and_folders_are_not() {
    let written = at(Path::new("/dev/null"))
        .unwrap()
        .write(SystemTime::UNIX_EPOCH, &render("x"));
    assert_eq!(written, Ok(Written::File("/dev/null".into())));
    for (path, reason) in [
        ("/tmp", "is a directory"),
        ("/nonexistent/x.svg", "No such file or directory"),
        ("/dev/null/x.svg", "Not a directory"),
        ("/tmp/nonexistent/", "No such file or directory"),
    ] {
        let failure = at(Path::new(path)).unwrap_err();
        assert_eq!(
            failure.sentence,
            format!("the output cannot be written: {path}: {reason}")
        );
        assert_eq!(failure.exit, Exit::Output);
    }
}
