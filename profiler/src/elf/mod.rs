//! Is this ELF file a Python, and where is its `_PyRuntime`.
//!
//! Decided by content, never by name: a file is Python when it defines `_PyRuntime`, has a
//! `.PyRuntime` section, or carries the debug offsets' cookie in its writable data. Files are
//! read with pread, never mapped: whoever owns one may cut it short at any time. All of it is
//! hostile: every size, offset and count is bounded.
//!
//! [`python_module`] looks at one file, [`ModuleCache`] keeps the answers, [`find_python`] goes
//! through the mappings of a process.

mod cache;
mod error;
mod find;
mod image;
mod module;
mod python;
mod symbols;
mod version;

pub use cache::ModuleCache;
pub use error::ElfError;
pub use find::{FindError, FoundPython, find_python};
pub use module::{PythonModule, Segment};
pub use python::python_module;
pub use version::Version;
