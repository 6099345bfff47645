//! The end of a recording: the file, the summary, and the sentence where there is nothing to
//! write.

use super::{
    destination::{Destination, Written},
    exit::{Exit, Failure},
    plan::Plan,
    summary,
    term::Term,
};
use crate::model::Profile;

/// Writes the profile and says what is in it. Without samples nothing is written.
pub(super) fn save(
    plan: &Plan,
    profile: &Profile,
    destination: &Destination,
    term: &Term,
) -> Result<(), Failure> {
    let written = match nothing_to_write(plan, profile) {
        None => destination.write(profile.meta.started, &|out| plan.format.write(profile, out)),
        Some(failure) => Err(failure),
    };
    term.line(&summary::summary(profile, summary::own_cpu()));
    let opened_with = plan.format.opened_with();
    match written? {
        Written::File(path) => {
            term.line(&format!(
                "  written to {} (open it with {opened_with})",
                term.bold(&path.display().to_string())
            ));
        }
        Written::Stdout | Written::ReaderLeft => {}
    }
    Ok(())
}

fn nothing_to_write(plan: &Plan, profile: &Profile) -> Option<Failure> {
    if profile.accounting.delivered > 0 {
        return None;
    }
    let target = plan.target();
    let sentence = match (profile.processes.len(), profile.accounting.lost_total()) {
        (0, _) if plan.records_all() => {
            "no Python process was found, so nothing was written".to_owned()
        }
        (0, _) => format!("no Python process was found for {target}, so nothing was written"),
        (n, 0) => format!(
            "{n} Python processes were found for {target}, but none used CPU time, so nothing was written"
        ),
        (_, lost) => format!("all {lost} samples of {target} were lost, so nothing was written"),
    };
    Some(Failure::new(Exit::NotFound, sentence))
}

/// Said once when nothing is there to be recorded yet.
pub(super) fn waiting(plan: &Plan) -> String {
    let end = if plan.duration.is_some() {
        ""
    } else {
        " (Ctrl-C ends)"
    };
    if plan.records_all() {
        format!("no Python process runs yet, waiting for one{end}")
    } else {
        format!(
            "no Python process matches {} yet, waiting for one{end}",
            plan.target()
        )
    }
}
