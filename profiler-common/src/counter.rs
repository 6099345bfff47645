//! Counters of the kernel side, one list. The numbers are append-only.

macro_rules! counters {
    ($($(#[$meta:meta])* $name:ident = $id:literal, $text:literal;)*) => {
        /// Index into the per-CPU array `COUNTERS`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u32)]
        pub enum Counter { $($(#[$meta])* $name = $id,)* }

        impl Counter {
            /// Every counter, in the order of its number.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// What is counted, as the summary says it.
            pub const fn describe(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

counters! {
    /// Interrupts of a user process that is not in `PROCESSES`.
    UnknownProcess = 0, "samples of processes that are not in the table";
    /// Interrupts of processes with `VERDICT_SKIP`.
    Skipped = 1, "samples of processes that are no Python or not chosen";
    /// Lifecycle events that the full ring `EVENTS` did not take.
    EventsLost = 2, "lifecycle events lost";
    /// Processes that a full process map did not take.
    TableFull = 3, "processes that the full table did not take";
}

impl Counter {
    /// Something is amiss when it is not 0.
    pub const fn is_trouble(self) -> bool {
        !matches!(self, Self::Skipped)
    }
}
