//! Where the profile goes: checked before sampling, written whole or not at all.
//!
//! A file is written under another name in its folder and renamed, so a full disk never costs an
//! older file. Standard output, devices, pipes, and files in folders that cannot be written are
//! written directly. What cannot be written at the end is saved elsewhere.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write},
    os::{
        fd::AsFd,
        unix::fs::{MetadataExt, PermissionsExt, fchown},
    },
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use tempfile::{Builder, NamedTempFile};

use super::exit::{Exit, Failure};
use crate::output::clock;

/// Writes the profile.
pub(super) type Render<'a> = dyn Fn(&mut dyn Write) -> io::Result<()> + 'a;

/// A place that could be written when it was checked.
#[derive(Clone, Debug)]
pub(super) struct Destination {
    place: Place,
    stem: String,
    extension: &'static str,
    /// A file under a temporary name, while there is one.
    unfinished: Arc<Mutex<Option<PathBuf>>>,
}

#[derive(Clone, Debug)]
enum Place {
    Stdout,
    /// Opened and written: a device, a pipe, a file whose folder cannot be written.
    Direct(PathBuf),
    /// A file, new or to be replaced.
    File(PathBuf),
    /// A new file in this folder; its name has the time of the recording.
    Folder(PathBuf),
}

/// What became of a profile.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// It is in this file.
    File(PathBuf),
    /// It went to standard output.
    Stdout,
    /// The reader of standard output left early, which is its right.
    ReaderLeft,
}

impl Destination {
    /// Checks that `output` can be written, without changing it; without one, a new file in the
    /// current folder, called `STEM-TIME.EXTENSION`.
    pub(super) fn check(
        output: Option<&Path>,
        stem: String,
        extension: &'static str,
    ) -> Result<Self, Failure> {
        let place = match output {
            None => check_folder(Path::new(".")).map(|()| Place::Folder(PathBuf::new())),
            Some(path) if path == Path::new("-") || path == Path::new("/dev/stdout") => {
                Ok(Place::Stdout)
            }
            Some(path) => check_file(path),
        };
        let shown = output.unwrap_or(Path::new("the current folder"));
        match place {
            Ok(place) => Ok(Self {
                place,
                stem,
                extension,
                unfinished: Arc::default(),
            }),
            Err(error) => {
                Err(unwritable(shown, &error).hint("name another file with --output FILE"))
            }
        }
    }

    /// Writes what `render` gives. `started` goes into the name of a new file.
    ///
    /// # Errors
    /// The hint says where the profile is instead, if it could be saved anywhere.
    pub(super) fn write(
        &self,
        started: SystemTime,
        render: &Render<'_>,
    ) -> Result<Written, Failure> {
        let error = match self.write_there(started, render) {
            Ok(written) => return Ok(written),
            Err(error)
                if matches!(self.place, Place::Stdout)
                    && error.kind() == io::ErrorKind::BrokenPipe =>
            {
                return Ok(Written::ReaderLeft);
            }
            Err(error) => error,
        };
        let shown = match &self.place {
            Place::Stdout => Path::new("standard output"),
            Place::Direct(path) | Place::File(path) => path,
            Place::Folder(_) => Path::new("the current folder"),
        };
        let failure = unwritable(shown, &error);
        Err(match self.save_elsewhere(render) {
            Some(saved) => failure.hint(format!("the profile was saved as {}", saved.display())),
            None => failure.hint("it could not be saved in another folder either"),
        })
    }

    /// Removes a file that is not finished; for a profiler that leaves at once.
    pub(super) fn abandon(&self) {
        if let Some(path) = self
            .unfinished
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
        {
            drop(fs::remove_file(path));
        }
    }

    fn write_there(&self, started: SystemTime, render: &Render<'_>) -> io::Result<Written> {
        match &self.place {
            Place::Stdout => {
                fill(
                    &File::from(io::stdout().as_fd().try_clone_to_owned()?),
                    render,
                )?;
                Ok(Written::Stdout)
            }
            Place::Direct(path) => {
                fill(
                    &OpenOptions::new().write(true).truncate(true).open(path)?,
                    render,
                )?;
                Ok(Written::File(path.clone()))
            }
            Place::File(path) => {
                let file = self.written_beside(parent(path), render)?;
                adopt(file.as_file(), path);
                file.persist(path).map_err(|error| error.error)?;
                self.finished();
                Ok(Written::File(path.clone()))
            }
            Place::Folder(folder) => {
                let file = self.written_beside(parent(&folder.join("x")), render)?;
                let path = self.persist_new(file, folder, started)?;
                self.finished();
                Ok(Written::File(path))
            }
        }
    }

    fn written_beside(&self, folder: &Path, render: &Render<'_>) -> io::Result<NamedTempFile> {
        // What the umask leaves, as for any new file; tempfile's own default is 0600.
        let file = Builder::new()
            .prefix(".profiler-")
            .permissions(fs::Permissions::from_mode(0o666))
            .tempfile_in(folder)?;
        *self
            .unfinished
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(file.path().to_owned());
        fill(file.as_file(), render)?;
        // Some file systems say only now that the disk is full.
        file.as_file().sync_all()?;
        Ok(file)
    }

    fn finished(&self) {
        *self
            .unfinished
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Gives `file` the first free name.
    fn persist_new(
        &self,
        mut file: NamedTempFile,
        folder: &Path,
        started: SystemTime,
    ) -> io::Result<PathBuf> {
        let name = format!("{}-{}", self.stem, clock::for_file_name(started));
        let mut number = 1_u32;
        loop {
            let suffix = if number == 1 {
                String::new()
            } else {
                format!("-{number}")
            };
            let path = folder.join(format!("{name}{suffix}.{}", self.extension));
            match file.persist_noclobber(&path) {
                Ok(_) => return Ok(path),
                Err(error)
                    if error.error.kind() == io::ErrorKind::AlreadyExists && number < 1_000 =>
                {
                    file = error.file;
                    number += 1;
                }
                Err(error) => return Err(error.error),
            }
        }
    }

    /// A last try in the folders that can be written when others cannot.
    fn save_elsewhere(&self, render: &Render<'_>) -> Option<PathBuf> {
        let folders = [std::env::temp_dir(), "/var/tmp".into(), "/dev/shm".into()];
        folders.iter().find_map(|folder| {
            let file = Builder::new()
                .prefix(&format!("{}-", self.stem))
                .suffix(&format!(".{}", self.extension))
                .tempfile_in(folder)
                .ok()?;
            fill(file.as_file(), render).ok()?;
            Some(file.keep().ok()?.1)
        })
    }
}

fn fill(file: &File, render: &Render<'_>) -> io::Result<()> {
    let mut writer = BufWriter::with_capacity(128 * 1024, file);
    render(&mut writer)?;
    writer.flush()
}

fn check_file(path: &Path) -> io::Result<Place> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(metadata) if metadata.is_file() => {
            // A link stays a link: what it points to is replaced.
            let path = fs::canonicalize(path)?;
            OpenOptions::new().write(true).open(&path)?;
            match check_folder(parent(&path)) {
                Ok(()) => Ok(Place::File(path)),
                Err(_) => Ok(Place::Direct(path)),
            }
        }
        // Opening a pipe would wait for its reader.
        Ok(_) => {
            nix::unistd::access(path, nix::unistd::AccessFlags::W_OK)?;
            Ok(Place::Direct(path.to_owned()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if path.file_name().is_none() || path.as_os_str().as_encoded_bytes().ends_with(b"/") {
                return Err(error);
            }
            check_folder(parent(path)).map(|()| Place::File(path.to_owned()))
        }
        Err(error) => Err(error),
    }
}

/// Makes a file in the folder, and removes it again.
fn check_folder(folder: &Path) -> io::Result<()> {
    Builder::new()
        .prefix(".profiler-")
        .tempfile_in(folder)?
        .close()
}

/// The folder of a file, `.` for a bare name.
fn parent(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Gives the new file the old one's mode and owner, as far as that is allowed.
fn adopt(file: &File, old: &Path) {
    if let Ok(old) = fs::metadata(old) {
        drop(fchown(file, Some(old.uid()), Some(old.gid())));
        drop(file.set_permissions(fs::Permissions::from_mode(old.mode() & 0o777)));
    }
}

fn unwritable(shown: &Path, error: &io::Error) -> Failure {
    Failure::new(
        Exit::Output,
        format!(
            "the output cannot be written: {}: {}",
            shown.display(),
            reason(error)
        ),
    )
}

/// The system's words alone: tempfile adds a path of its own, std a number.
fn reason(error: &io::Error) -> String {
    let inner = error
        .get_ref()
        .and_then(|error| error.source()?.downcast_ref::<io::Error>());
    let text = inner.unwrap_or(error).to_string();
    text.split(" (os error")
        .next()
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
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
}
