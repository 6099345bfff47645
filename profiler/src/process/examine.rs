//! What a process is: no Python, one that is not ready, one that can be walked, or one that
//! cannot be.

use std::{collections::HashMap, sync::Arc};

use crate::{
    bpf::{LoadError, Maps},
    cpython::{
        Layout,
        calibrate::{CalibrationError, Slots, calibrate},
        interpreters::thread_states,
        layout,
        verify::{Verdict, verify},
    },
    elf::{FindError, FoundPython, ModuleCache, find_python},
    model::Tgid,
    procfs::{FileId, ProcessMemory},
};

/// One CPython build.
#[derive(Debug)]
pub struct Interpreter {
    /// Its layout.
    pub layout: Layout,
    /// The number of the layout in the kernel's map.
    pub number: u32,
    /// `CPython 3.12.1`.
    pub name: String,
}

/// A Python that cannot be walked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// `CPython 3.7`.
    pub name: String,
    /// A sentence: why.
    pub reason: String,
}

/// A Python in a process.
#[derive(Clone, Debug)]
pub(super) struct Located {
    pub(super) interpreter: Arc<Interpreter>,
    /// Address of its `_PyRuntime`.
    pub(super) runtime: u64,
    pub(super) program: Program,
}

/// An executable and the Python that it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Program {
    exe: FileId,
    module: FileId,
}

/// What is known of files, whichever processes use them.
pub(super) struct Files {
    modules: ModuleCache,
    interpreters: HashMap<FileId, Result<Arc<Interpreter>, Refused>>,
    slots: HashMap<Program, Slots>,
}

/// Files that are remembered at most, of each kind.
const MAX_FILES: usize = 4_096;

/// What [`Files::look`] saw.
pub(super) enum Look {
    /// No Python is mapped (yet).
    Nothing,
    /// It is gone, or cannot be read.
    Gone,
    /// A Python.
    Python(Located),
    /// A Python that cannot be walked.
    Refused(Refused),
}

/// What [`Files::slots`] saw.
pub(super) enum Ready {
    /// No thread has a tstate yet.
    NotYet,
    /// It can be walked by these slots.
    Yes(Slots),
    /// It cannot.
    Refused(Refused),
}

impl Files {
    pub(super) fn new() -> Self {
        Self {
            modules: ModuleCache::default(),
            interpreters: HashMap::new(),
            slots: HashMap::new(),
        }
    }

    /// Looks for a Python among the files that the process has mapped.
    pub(super) fn look(&mut self, tgid: Tgid, maps: &mut Maps) -> Result<Look, LoadError> {
        let found = match find_python(tgid, &mut self.modules) {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(Look::Nothing),
            // A file that is a broken ELF says nothing about its process.
            Err(FindError::File { source, .. }) if !source.is_python() => return Ok(Look::Nothing),
            // A process that ends or execs at this moment, or one that may not be looked at.
            Err(FindError::Process(error)) if error.is_gone() => return Ok(Look::Gone),
            Err(FindError::Process(_)) => return Ok(Look::Nothing),
            Err(error @ (FindError::File { .. } | FindError::NotLoaded { .. })) => {
                let name = "CPython".to_owned();
                let reason = error.to_string();
                return Ok(Look::Refused(Refused { name, reason }));
            }
        };
        let interpreter = match self.interpreter(&found, maps)? {
            Ok(interpreter) => interpreter,
            Err(refused) => return Ok(Look::Refused(refused)),
        };
        let program = Program {
            exe: found.exe,
            module: found.module_file,
        };
        Ok(Look::Python(Located {
            interpreter,
            runtime: found.runtime_avma,
            program,
        }))
    }

    fn interpreter(
        &mut self,
        found: &FoundPython,
        maps: &mut Maps,
    ) -> Result<Result<Arc<Interpreter>, Refused>, LoadError> {
        if let Some(known) = self.interpreters.get(&found.module_file) {
            return Ok(known.clone());
        }
        let name = format!("CPython {}", found.module.version);
        let interpreter = match layout(found.module.version, found.module.debug_offsets.as_deref())
        {
            Err(refusal) => Err(Refused {
                name,
                reason: refusal.to_string(),
            }),
            Ok(layout) => match maps.add_layout(&layout.walk)? {
                Some(number) => Ok(Arc::new(Interpreter {
                    layout,
                    number,
                    name,
                })),
                None => Err(Refused {
                    name,
                    reason: "there are too many different interpreters on this host".to_owned(),
                }),
            },
        };
        bound(&mut self.interpreters);
        self.interpreters
            .insert(found.module_file, interpreter.clone());
        Ok(interpreter)
    }

    /// The way to the tstates of a process, found on this one or on an earlier one of the same
    /// program; and whether the layout fits the process. `is_new`: it has not been looked at
    /// often; a thread that is just starting has a tstate that no slot leads to yet.
    pub(super) fn slots(&mut self, tgid: Tgid, located: &Located, is_new: bool) -> Ready {
        let memory = ProcessMemory::new(tgid);
        let layout = &located.interpreter.layout;
        let refused = |reason: String| {
            Ready::Refused(Refused {
                name: located.interpreter.name.clone(),
                reason,
            })
        };
        match thread_states(&memory, layout, located.runtime) {
            Ok(states) if states.iter().any(|state| state.thread_id != 0) => {}
            // Before `_PyRuntime` is filled in, its lists may be empty or garbage.
            Ok(_) | Err(_) => return Ready::NotYet,
        }
        if let Verdict::Refused(refusal) = verify(&memory, layout, located.runtime) {
            return refused(refusal.to_string());
        }
        let known = self.slots.get(&located.program);
        if let Some(slots) = known.filter(|slots| slots.fit(&memory, layout, located.runtime)) {
            return Ready::Yes(slots.clone());
        }
        let slots = match (calibrate(&memory, layout, located.runtime), known) {
            (Ok(slots), _) => slots,
            (Err(CalibrationError::NotYet | CalibrationError::List(_)), _) => return Ready::NotYet,
            (Err(CalibrationError::NotFound { .. }), _) if is_new => return Ready::NotYet,
            (Err(CalibrationError::NotFound { .. }), Some(slots)) => {
                return Ready::Yes(slots.clone());
            }
            (Err(error), None) => return refused(error.to_string()),
        };
        bound(&mut self.slots);
        self.slots.insert(located.program, slots.clone());
        Ready::Yes(slots)
    }
}

/// Forgets everything when there is too much of it: it is only found out again.
fn bound<K, V>(map: &mut HashMap<K, V>) {
    if map.len() >= MAX_FILES {
        map.clear();
    }
}
