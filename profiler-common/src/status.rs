//! Stop codes: why a sample has the stack it has, or none. The numbers are append-only.

macro_rules! statuses {
    ($($(#[$meta:meta])* $name:ident = $id:literal, $text:literal;)*) => {
        /// How the walk of one sample ended.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u32)]
        pub enum Status { $($(#[$meta])* $name = $id,)* }

        impl Status {
            /// Every status, in the order of its number.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The status with this number.
            pub const fn from_id(id: u32) -> Option<Self> {
                match id { $($id => Some(Self::$name),)* _ => None }
            }

            /// What happened, as the summary says it.
            pub const fn describe(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

statuses! {
    /// The walk reached the outermost frame.
    Complete = 0, "complete";
    /// [`crate::limits::MAX_FRAMES`] were reached; the leaf side is kept.
    Truncated = 1, "truncated";
    /// User space has not said yet what the process is.
    Undecided = 2, "not decided yet";
    /// The interpreter's layout is not known.
    Refused = 3, "unsupported interpreter";
    /// The thread has no TP: not started yet, or no user thread.
    NoTp = 4, "no thread pointer";
    /// The thread has no PyThreadState: the slot is empty or not there.
    NoTstate = 5, "no PyThreadState";
    /// The tstate is not this thread's.
    ThreadIdMismatch = 6, "the PyThreadState belongs to another thread";
    /// The tstate could not be read.
    TstateFault = 7, "PyThreadState not readable";
    /// A frame could not be read.
    FrameFault = 8, "frame not readable";
    /// A frame pointer is not 8-aligned, or points to itself.
    BadFrame = 9, "bad frame pointer";
    /// A code pointer that no code object can have.
    BadCode = 10, "bad code pointer";
    /// The process has a layout number that is not in the map.
    NoLayout = 11, "layout not loaded";
    /// The walk was torn, and so was the second one.
    Torn = 12, "torn stack";
    /// The walker's loop could not be run.
    LoopFailed = 13, "bpf_loop failed";
}

impl Status {
    /// The frames are a stack that the program had.
    pub const fn has_stack(self) -> bool {
        matches!(self, Self::Complete | Self::Truncated)
    }
}

#[cfg(test)]
mod tests {
    use super::Status;

    #[test]
    fn numbers_lead_back() {
        for &status in Status::ALL {
            assert_eq!(Status::from_id(status as u32), Some(status));
        }
        assert_eq!(Status::from_id(9_999), None);
    }
}
