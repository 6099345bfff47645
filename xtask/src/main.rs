//! Build, set-up, test, run and benchmark.
fn main() {}
