//! What the tests can run with, as a file: `target/test-inventory.json`. The `integration` crate
//! reads it; `PROFILER_TEST_INVENTORY` names it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::interpreters::Interpreter;

/// Something that the tests would use and that is not here.
#[derive(Clone, Debug)]
pub(crate) struct Missing {
    /// What it is.
    pub name: String,
    /// Whether the suite fails without it.
    pub required: bool,
    /// Why it is not here.
    pub why: String,
}

/// What there is, and what there is not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inventory {
    /// Every interpreter.
    pub interpreters: Vec<Interpreter>,
    /// The virtual environment with the Python packages.
    pub venv: Option<PathBuf>,
    /// What is not here.
    pub missing: Vec<Missing>,
}

impl Inventory {
    /// Where the file is.
    pub(crate) fn path(workspace: &Path) -> PathBuf {
        workspace.join("target/test-inventory.json")
    }

    pub(super) fn misses(&mut self, name: String, required: bool, why: &anyhow::Error) {
        self.missing.push(Missing {
            name,
            required,
            why: format!("{why:#}"),
        });
    }

    pub(super) fn write(&self, workspace: &Path) -> Result<()> {
        let path = Self::path(workspace);
        let text = format!("{:#}\n", self.json());
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    fn json(&self) -> Value {
        let interpreters = self.interpreters.iter().map(|interpreter| {
            json!({
                "version": interpreter.version,
                "minor": interpreter.minor,
                "origin": interpreter.origin,
                "argv": interpreter.argv,
                "root": interpreter.root,
            })
        });
        let missing = self.missing.iter().map(|missing| {
            json!({ "name": missing.name, "required": missing.required, "why": missing.why })
        });
        let venv = self
            .venv
            .as_deref()
            .map(Path::to_string_lossy)
            .unwrap_or_default();
        json!({
            "interpreters": interpreters.collect::<Vec<_>>(),
            "venv": venv,
            "missing": missing.collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn the_file_has_the_agreed_form() {
        let mut inventory = Inventory::default();
        inventory.interpreters.push(Interpreter {
            version: "3.14.2".into(),
            minor: 14,
            origin: "debian-forky".into(),
            argv: vec!["chroot".into(), "/r".into(), "/usr/bin/python3.14".into()],
            root: "/r".into(),
        });
        inventory.venv = Some("/w/target/venv".into());
        inventory.misses("pyenv 3.8".into(), true, &anyhow!("not there"));
        let expected: Value = serde_json::from_str(
            r#"{"interpreters":[{"version":"3.14.2","minor":14,"origin":"debian-forky",
                "argv":["chroot","/r","/usr/bin/python3.14"],"root":"/r"}],
                "venv":"/w/target/venv",
                "missing":[{"name":"pyenv 3.8","required":true,"why":"not there"}]}"#,
        )
        .unwrap();
        assert_eq!(inventory.json(), expected);
    }
}
