//! Answers about files, kept by their identity.

use std::{collections::HashMap, fs::File, io, sync::Arc};

use super::{ElfError, PythonModule, python_module};
use crate::procfs::FileId;

/// Files remembered: a host runs some thousands of different programs and libraries. An answer
/// takes some 100 bytes, or 5 kB for the few that are Python.
const MAX_FILES: usize = 16_384;

/// What is known of a file.
#[derive(Clone, Debug)]
enum Answer {
    NotPython,
    Python(Arc<PythonModule>),
    Refused(Arc<ElfError>),
}

/// Which files are Python: yes, no, and why that cannot be told. A changed file has another
/// identity, so answers do not go stale. When it is full it starts again from nothing.
#[derive(Debug, Default)]
pub struct ModuleCache {
    answers: HashMap<FileId, Answer>,
}

impl ModuleCache {
    /// The Python in a file, which is opened and looked at only the first time.
    ///
    /// # Errors
    /// As [`python_module`]; also when opening fails, which is not remembered.
    pub fn module(
        &mut self,
        id: FileId,
        open: impl FnOnce() -> io::Result<File>,
    ) -> Result<Option<Arc<PythonModule>>, Arc<ElfError>> {
        if let Some(answer) = self.answers.get(&id) {
            return answer.clone().into_result();
        }
        let module = open()
            .map_err(ElfError::Read)
            .and_then(|file| python_module(&file));
        let answer = match module {
            Ok(Some(module)) => Answer::Python(Arc::new(module)),
            Ok(None) => Answer::NotPython,
            Err(error @ ElfError::Read(_)) => return Err(Arc::new(error)),
            Err(error) => Answer::Refused(Arc::new(error)),
        };
        if self.answers.len() >= MAX_FILES {
            self.answers.clear();
        }
        self.answers.insert(id, answer.clone());
        answer.into_result()
    }
}

impl Answer {
    fn into_result(self) -> Result<Option<Arc<PythonModule>>, Arc<ElfError>> {
        match self {
            Self::NotPython => Ok(None),
            Self::Python(module) => Ok(Some(module)),
            Self::Refused(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(ino: u64) -> FileId {
        FileId {
            dev: 1,
            ino,
            size: 0,
            mtime_ns: 0,
            ctime_ns: 0,
        }
    }

    #[test]
    fn a_file_is_opened_once() {
        let mut cache = ModuleCache::default();
        assert!(
            cache
                .module(id(1), || File::open("/dev/null"))
                .unwrap()
                .is_none()
        );
        assert!(
            cache
                .module(id(1), || panic!("opened again"))
                .unwrap()
                .is_none()
        );
        // What could not be opened is tried again.
        assert!(cache.module(id(2), || File::open("/nonexistent")).is_err());
        assert!(
            cache
                .module(id(2), || File::open("/dev/null"))
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn it_is_bounded() {
        let mut cache = ModuleCache::default();
        for ino in 0..2 * MAX_FILES as u64 + 2 {
            cache.module(id(ino), || File::open("/dev/null")).unwrap();
            assert!(cache.answers.len() <= MAX_FILES);
        }
    }
}
