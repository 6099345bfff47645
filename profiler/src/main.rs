//! The command.

use std::process::ExitCode;

fn main() -> ExitCode {
    profiler::cli::run(std::env::args_os())
}
