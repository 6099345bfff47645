//! str, bytes and code objects, from their raw bytes.
//!
//! [`strings`] decodes one str; [`code`] reads code objects in batches, with a handful of system
//! calls for as many as there are; `types` proves that an object is what it should be.

pub mod code;
mod spans;
pub mod strings;
mod types;

pub use code::{Code, CodeReader};

/// Why an object could not be read. A sentence about one object, so the address is the caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ObjectError {
    /// The code object's memory is gone, or was never there.
    #[error("the code object cannot be read")]
    CodeUnreadable,
    /// `ob_type` is not `code`, or a field is one that no code object has.
    #[error("there is no code object at this address")]
    NotCode,
    /// A name, file name or line table is not readable.
    #[error("the code object's {0} cannot be read")]
    FieldUnreadable(&'static str),
    /// A name, file name or line table has another type than code objects have.
    #[error("the code object's {0} is no {1}")]
    FieldType(&'static str, &'static str),
    /// A str that is not compact, or whose kind or length no str has.
    #[error("the code object's {0} is no compact str")]
    NotCompact(&'static str),
}
