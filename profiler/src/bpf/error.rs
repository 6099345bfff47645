//! What can go wrong between user space and the kernel.

use std::io;

use super::btf::BtfError;

/// Why the programs are not loaded, attached or spoken to.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The kernel's type information does not hold what is needed.
    #[error(transparent)]
    Btf(#[from] BtfError),
    /// The kernel did not take the object.
    #[error("the kernel refused the eBPF object: {}", chain(.0))]
    Object(#[source] Box<aya::EbpfError>),
    /// The kernel did not take one program.
    #[error("the kernel refused the eBPF program {program}: {}", chain(.source))]
    Program {
        /// Its name in the object.
        program: &'static str,
        /// aya's error, with the verifier's log.
        source: Box<aya::programs::ProgramError>,
    },
    /// The object lacks a program or map that this binary expects of it.
    #[error("the embedded eBPF object has no {what} {name:?}: this binary was built wrong")]
    Missing {
        /// `program` or `map`.
        what: &'static str,
        /// Its name.
        name: &'static str,
    },
    /// A map call failed.
    #[error("the map {map} cannot be used: {}", chain(.source))]
    Map {
        /// Its name.
        map: &'static str,
        /// aya's error.
        source: Box<aya::maps::MapError>,
    },
    /// A perf event could not be opened or started.
    #[error("cannot open a cpu-clock perf event at {rate_hz} Hz on CPU {cpu}: {source}")]
    PerfEvent {
        /// The CPU.
        cpu: u32,
        /// Asked rate.
        rate_hz: u32,
        /// The system's reason.
        source: io::Error,
    },
    /// The list of CPUs could not be read.
    #[error("cannot read the list of online CPUs from {path}: {source}")]
    Cpus {
        /// The file.
        path: &'static str,
        /// The system's reason.
        source: io::Error,
    },
}

/// An error and its sources, in one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let part = error.to_string();
        if !text.contains(&part) {
            text.push_str(": ");
            text.push_str(&part);
        }
        source = error.source();
    }
    text
}
