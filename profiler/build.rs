//! Builds the eBPF object that the binary embeds.
//!
//! The object goes to `OUT_DIR/profiler-ebpf`; how it is built stands in `xtask::build_ebpf`, the
//! only place that knows. Without the tool chain the build fails with the sentence that says what
//! to run.

use std::{
    env,
    path::{Path, PathBuf},
};

fn main() {
    let manifest = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let workspace = manifest.as_deref().and_then(Path::parent);
    let out = env::var_os("OUT_DIR").map(PathBuf::from);
    let (Some(workspace), Some(out)) = (workspace, out) else {
        println!("cargo::error=this build script is run by cargo only");
        return;
    };
    for input in xtask::build_ebpf::inputs(workspace) {
        println!("cargo::rerun-if-changed={}", input.display());
    }
    // Another tool chain may be there after set-up, or after an upgrade of the packages.
    if let Some(toolchain) = xtask::toolchain::Toolchain::find() {
        println!("cargo::rerun-if-changed={}", toolchain.rustc.display());
        println!("cargo::rerun-if-changed={}", toolchain.linker.display());
    }
    if let Err(error) = xtask::build_ebpf::build_ebpf(workspace, &out.join("profiler-ebpf")) {
        println!("cargo::error={error}");
    }
}
