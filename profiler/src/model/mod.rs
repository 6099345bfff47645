//! The words of the profiler as types. No IO, no aya, no serde: everybody may use it.

mod frame;
mod ids;
mod profile;

pub use frame::{Frame, FrameId, Function, FunctionId, Special, StackId};
pub use ids::{ProcessId, Tgid, Tid};
pub use profile::{Accounting, LostReason, Meta, ProcessInfo, Profile, SampleRow, Symbols};
