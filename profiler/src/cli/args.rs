//! The command line. The only place that knows clap.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{
    Args, Parser, Subcommand,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser, ValueParser},
    error::{ContextKind, ContextValue, ErrorKind},
};

use super::{
    exit::{self, Exit, Failure},
    plan::Plan,
};
use crate::{
    model::Tgid,
    output::{self, FORMATS, Format},
};

/// Samples a second at most.
const MAX_RATE_HZ: u32 = 10_000;

/// The largest pid of any Linux (`PID_MAX_LIMIT`, include/linux/threads.h).
const MAX_PID: u32 = 4_194_304;

/// What the command line asks for.
pub(super) enum Parsed {
    Record(Plan),
    /// Help or version, to be printed.
    Text(String),
}

/// Shows where every Python process of a Linux host spends its time.
///
/// Without a verb it records: `profiler --comm gunicorn` is `profiler record --comm gunicorn`.
#[derive(Parser)]
#[command(name = "profiler", version, after_long_help = exit::help())]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
#[command(subcommand_value_name = "VERB", subcommand_help_heading = "Verbs")]
#[command(override_usage = "profiler [VERB] [OPTIONS] [-- COMMAND...]")]
struct Cli {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    record: RecordArgs,
}

#[derive(Subcommand)]
enum Verb {
    /// Sample Python processes and draw a flame graph (the default)
    #[command(after_long_help = exit::help(), override_usage = "profiler record [OPTIONS] [-- COMMAND...]")]
    Record(RecordArgs),
}

#[derive(Args)]
struct RecordArgs {
    /// Record this process and its children (repeatable)
    ///
    /// Targets can be mixed; without any, every Python process of the host is recorded.
    #[arg(short, long = "pid", value_name = "PID", value_parser = |text: &str| parse_number(text, MAX_PID))]
    #[arg(allow_negative_numbers = true)]
    pids: Vec<u32>,

    /// Record processes of this name and their children (glob, repeatable)
    ///
    /// The name is compared with the command name, its part before ':', the first word of the
    /// process title, and the script or module that Python runs.
    #[arg(long = "comm", value_name = "NAME", value_parser = parse_glob)]
    comms: Vec<String>,

    /// Samples a second of CPU time, 1 to 10000
    #[arg(
        short,
        long,
        value_name = "HZ",
        default_value_t = 100,
        allow_negative_numbers = true
    )]
    #[arg(value_parser = |text: &str| parse_number(text, MAX_RATE_HZ))]
    rate: u32,

    /// Stop after this many seconds (else on Ctrl-C, or when COMMAND or every --pid ends)
    #[arg(short, long, value_name = "SECONDS", value_parser = parse_duration, allow_negative_numbers = true)]
    duration: Option<Duration>,

    /// Write to this file, `-` for standard output (else a name from target and time)
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// What to write (else what the extension of FILE says, else flamegraph)
    #[arg(short, long, value_name = "FORMAT", value_parser = format_parser())]
    format: Option<&'static dyn Format>,

    /// Start COMMAND and record it and its children
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Reads the command line; `args` starts with the program's name.
pub(super) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Parsed, Failure> {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
            ) =>
        {
            return Ok(Parsed::Text(error.render().to_string()));
        }
        Err(error) => return Err(failure(&error)),
    };
    let RecordArgs {
        mut pids,
        mut comms,
        rate,
        duration,
        output,
        format,
        command,
    } = cli.verb.map_or(cli.record, |Verb::Record(args)| args);
    let mut seen = std::collections::HashSet::new();
    pids.retain(|pid| seen.insert(*pid));
    comms.dedup();
    let format = format.or_else(|| output::by_extension(output.as_deref()?.extension()?.to_str()?));
    Ok(Parsed::Record(Plan {
        pids: pids.into_iter().map(Tgid).collect(),
        comms,
        rate_hz: rate,
        duration,
        format: format.unwrap_or(FORMATS[0]),
        output,
        command,
    }))
}

/// clap's report as one sentence: its first paragraph in one line, its tips as hints.
fn failure(error: &clap::Error) -> Failure {
    if let (ErrorKind::UnknownArgument, Some(ContextValue::String(word))) =
        (error.kind(), error.get(ContextKind::InvalidArg))
        && !word.starts_with('-')
    {
        return Failure::new(Exit::Usage, format!("unexpected argument: {word}")).hint(format!(
            "`profiler -- {word}` records a command, `profiler --comm {word}` processes by name"
        ));
    }
    let text = error.render().to_string();
    let first: Vec<&str> = text
        .lines()
        .take_while(|line| !line.is_empty())
        .map(str::trim)
        .collect();
    let sentence = first.join(" ");
    let mut failure = Failure::new(
        Exit::Usage,
        sentence.strip_prefix("error: ").unwrap_or(&sentence),
    );
    for tip in text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("tip: "))
    {
        failure = failure.hint(tip);
    }
    if failure.hints.is_empty() {
        failure.hint("`profiler --help` lists the options")
    } else {
        failure
    }
}

fn parse_number(text: &str, max: u32) -> Result<u32, String> {
    match text.parse() {
        Ok(number) if (1..=max).contains(&number) => Ok(number),
        _ => Err(format!("a whole number from 1 to {max} is needed")),
    }
}

fn parse_glob(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("a name is needed".to_owned());
    }
    match glob::Pattern::new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!("not a valid pattern: {}", error.msg)),
    }
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let positive = || "a positive number of seconds is needed".to_owned();
    let seconds: f64 = text.parse().map_err(|_| positive())?;
    let duration = Duration::try_from_secs_f64(seconds).map_err(|_| positive())?;
    if duration.is_zero() {
        Err(positive())
    } else {
        Ok(duration)
    }
}

fn format_parser() -> ValueParser {
    let names = FORMATS
        .iter()
        .map(|format| PossibleValue::new(format.name()).help(format.about()));
    let known = |name: String| output::by_name(&name).ok_or("not a format");
    ValueParser::new(PossibleValuesParser::new(names).try_map(known))
}

#[cfg(test)]
mod tests;
