//! Frames and stacks as handles into [`super::Symbols`].

use std::{num::NonZeroU32, sync::Arc};

/// Handle of a [`Function`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FunctionId(pub u32);

/// Handle of a [`Frame`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FrameId(pub u32);

/// Handle of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StackId(pub u32);

/// A Python function, as its code object describes it. The strings hold no character that
/// XML 1.0 forbids (U+FFFD stands for each): that is done once, where names are decoded.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Function {
    /// `co_qualname` (3.11+) or `co_name`.
    pub name: Arc<str>,
    /// `co_filename`.
    pub file: Arc<str>,
    /// `co_firstlineno`.
    pub first_line: u32,
}

/// One entry of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Frame {
    /// A Python function at the line it executes; no line where `co_lines()` says None.
    Python {
        /// The function.
        function: FunctionId,
        /// The line, 1-based.
        line: Option<NonZeroU32>,
    },
    /// No Python function.
    Special(Special),
}

/// Entries of a stack that are no Python function. None of them is loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Special {
    /// A thread without a PyThreadState.
    NativeThread,
    /// The time before the process's first tstate.
    StartUp,
    /// The time after its last.
    Shutdown,
    /// A code object that could not be read.
    Unreadable,
    /// A code object whose address was another one's a moment ago: which of the two it was when
    /// the sample was taken cannot be told.
    CodeReplaced,
    /// The outer part of the stack is missing: deeper than the walker goes.
    Truncated,
}

impl Special {
    /// The label, as every output shows it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::NativeThread => "<native thread>",
            Self::StartUp => "<start-up>",
            Self::Shutdown => "<shutdown>",
            Self::Unreadable => "<unreadable>",
            Self::CodeReplaced => "<code replaced>",
            Self::Truncated => "<truncated>",
        }
    }
}
