//! The line decoders, for every instruction of every code object of the interpreter's standard
//! library, against what the interpreter says itself (`programs/dump_lines.py`).

use std::{num::NonZeroU32, process::Stdio};

use anyhow::{Context, Result, ensure};
use integration::{
    inventory::{Interpreter, Inventory},
    python,
};
use libtest_mimic::Trial;
use profiler::{
    cpython::{
        LineTableKind,
        linetable::{line_of, ranges},
    },
    elf::Version,
};

const PROGRAM: &str = include_str!("../programs/dump_lines.py");

/// Fewer code objects would be no standard library: Debian's smallest has some 10,000.
const LEAST_CODES: u32 = 5_000;

/// Bytes of a table that line_of() may go through for one code object, about.
const MAX_STEPS: usize = 5_000;

/// Stands where a first line could: the end.
const END: u32 = u32::MAX;

pub(crate) fn trials(inventory: &Inventory) -> Vec<Trial> {
    let trial = |python: &Interpreter| {
        let name = format!("line_tables::every_instruction::{}", python.name());
        let python = python.clone();
        crate::trial(name, move || every_instruction(&python))
    };
    inventory.supported().map(trial).collect()
}

fn every_instruction(python: &Interpreter) -> Result<()> {
    let kind = kind(python)?;
    let output = python::command(python)
        .args(["-c", PROGRAM])
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(
        output.status.success(),
        "the script failed: {}",
        output.status
    );
    let mut rest = output.stdout.as_slice();
    let (mut n_codes, mut n_units) = (0, 0);
    loop {
        let first_line = number(&mut rest)?;
        if first_line == END {
            break;
        }
        n_units += check_code(kind, first_line, &mut rest)
            .with_context(|| format!("code object {n_codes}, at line {first_line} of its file"))?;
        n_codes += 1;
    }
    ensure!(number(&mut rest)? == n_codes, "not all of it came");
    ensure!(
        n_codes >= LEAST_CODES,
        "only {n_codes} code objects, {n_units} instructions"
    );
    Ok(())
}

/// Compares each instruction of one code object, and returns how many there were.
fn check_code(kind: LineTableKind, first_line: u32, rest: &mut &[u8]) -> Result<u64> {
    let n_units = number(rest)?;
    let table_bytes = number(rest)?;
    let table = rest
        .split_off(..table_bytes as usize)
        .context("the table is cut")?;
    // line_of() goes through the table each time: in long code for a part of the instructions,
    // spread over all of it.
    let stride = 1 + n_units as usize * table.len() / MAX_STEPS;
    let mut ranges = ranges(kind, table, first_line).peekable();
    let mut unit = 0;
    for _ in 0..number(rest)? {
        let (length, truth) = (number(rest)?, number(rest)?);
        let truth = NonZeroU32::new(truth);
        for _ in 0..length {
            while ranges.next_if(|range| range.end <= unit).is_some() {}
            let line = ranges.peek().and_then(|range| range.line);
            ensure!(
                line == truth,
                "code unit {unit} is at line {truth:?}, not {line:?}: {table:?}"
            );
            if unit % stride as u64 == 0 {
                let line = line_of(kind, table, first_line, unit.try_into()?);
                ensure!(
                    line == truth,
                    "line_of({unit}) should be {truth:?}, not {line:?}: {table:?}"
                );
            }
            unit += 1;
        }
    }
    ensure!(
        unit == u64::from(n_units),
        "the truth is about {unit} of {n_units} code units"
    );
    let after = line_of(kind, table, first_line, unit.try_into()?);
    ensure!(
        kind == LineTableKind::Lnotab || after.is_none(),
        "a line behind the end: {after:?}"
    );
    Ok(unit)
}

fn number(rest: &mut &[u8]) -> Result<u32> {
    let (bytes, tail) = rest.split_first_chunk().context("the output is cut")?;
    *rest = tail;
    Ok(u32::from_le_bytes(*bytes))
}

fn kind(python: &Interpreter) -> Result<LineTableKind> {
    let minor = u8::try_from(python.minor)?;
    let version = Version {
        major: 3,
        minor,
        micro: None,
        hex: None,
    };
    profiler::cpython::line_table_kind(version).context("this version is not known")
}
