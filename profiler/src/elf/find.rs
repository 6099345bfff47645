//! The Python in a process: goes through the files that it has mapped executable.

use std::{path::PathBuf, sync::Arc};

use super::{ElfError, ModuleCache, PythonModule};
use crate::{
    model::Tgid,
    procfs::{self, FileId, MappedFile, Mapping, ProcfsError},
};

/// Why it cannot be told whether a process is a Python, or which one.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// The process is gone, or cannot be read.
    #[error(transparent)]
    Process(#[from] ProcfsError),
    /// A file that it has mapped.
    #[error("{} of process {tgid}: {source}", path.display())]
    File {
        /// The process.
        tgid: Tgid,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Arc<ElfError>,
    },
    /// A Python is mapped in another way than a program or library is.
    #[error("{} of process {tgid} is a Python, but is not mapped where its program headers say", path.display())]
    NotLoaded {
        /// The process.
        tgid: Tgid,
        /// The file.
        path: PathBuf,
    },
}

/// The Python that a process runs.
#[derive(Clone, Debug)]
pub struct FoundPython {
    /// What its file says.
    pub module: Arc<PythonModule>,
    /// Added to an svma of the module it gives the address in the process.
    pub bias: u64,
    /// Address of `_PyRuntime` in the process.
    pub runtime_avma: u64,
    /// The process's executable: the module itself, or a program that uses a library.
    pub exe: FileId,
    /// The module's file.
    pub module_file: FileId,
    /// The module's path, as the process sees it.
    pub path: PathBuf,
}

/// The Python that a process runs, or `None` if none of its files is one. It stops at the first.
///
/// # Errors
/// When the process is gone or cannot be read, and when no file is a Python but there is one of
/// which that cannot be told.
pub fn find_python(tgid: Tgid, cache: &mut ModuleCache) -> Result<Option<FoundPython>, FindError> {
    let mappings = procfs::file_mappings(tgid)?;
    let mut problem = None;
    for mapping in mappings.executable_files() {
        match look_at(tgid, mapping, cache) {
            Ok(None) => {}
            Ok(Some(found)) => return Ok(Some(found)),
            Err(FindError::Process(error)) if error.is_gone() => return Err(error.into()),
            // A later file may be the Python.
            Err(error) => problem = problem.or(Some(error)),
        }
    }
    problem.map_or(Ok(None), Err)
}

fn look_at(
    tgid: Tgid,
    mapping: &Mapping,
    cache: &mut ModuleCache,
) -> Result<Option<FoundPython>, FindError> {
    let path = || mapping.path().to_path_buf();
    let Some(mapped) = MappedFile::locate(tgid, mapping)? else {
        return Ok(None);
    };
    let module = cache.module(mapped.id(), || mapped.open());
    let Some(module) = module.map_err(|source| FindError::File {
        tgid,
        path: path(),
        source,
    })?
    else {
        return Ok(None);
    };
    let bias = module
        .bias(mapping)
        .ok_or_else(|| FindError::NotLoaded { tgid, path: path() })?;
    Ok(Some(FoundPython {
        bias,
        runtime_avma: bias.wrapping_add(module.runtime_svma),
        exe: procfs::exe_id(tgid)?,
        module_file: mapped.id(),
        path: path(),
        module,
    }))
}

#[cfg(test)]
mod tests;
