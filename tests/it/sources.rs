//! The tests' own sources.

use std::fs;

use anyhow::{Context, Result, bail};

/// `#[test]` does nothing under a harness of our own: such a test would never run.
pub(crate) fn every_test_is_listed() -> Result<()> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/it");
    for entry in fs::read_dir(folder).context("no sources")? {
        let path = entry?.path();
        let source = fs::read_to_string(&path)?;
        if source.lines().any(|line| line.trim() == "#[test]") {
            bail!(
                "#[test] is not run here, list it in trials(): {}",
                path.display()
            );
        }
    }
    Ok(())
}
