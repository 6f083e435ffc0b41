//! What came of it: one format a file.

mod csv;
mod human;
mod junit;

use serde_json::{Value, json};

use super::super::{CommandError, exit, output};
use super::entry::Entry;
use super::talk::Waiting;
use crate::cli::SubmitFormat;
use crate::report::{Report, TestReport};
use crate::verdict::Verdict;

/// The results in a format, whole.
///
/// # Errors
/// When they cannot be written, which does not happen in memory.
pub(super) fn text(
    entries: &[Entry],
    format: SubmitFormat,
    waiting: Waiting,
) -> Result<String, CommandError> {
    match format {
        SubmitFormat::Human => Ok(human::text(entries, waiting)),
        SubmitFormat::Csv => csv::text(entries, waiting),
        SubmitFormat::Junit => junit::text(entries, waiting),
        SubmitFormat::Json => {
            let rows: Vec<_> = entries.iter().map(|entry| as_json(entry, waiting)).collect();
            let text = serde_json::to_string_pretty(&json!({ "submissions": rows }));
            Ok(text.map_err(CommandError::judging)? + "\n")
        }
        // Told as they came.
        SubmitFormat::Ndjson => Ok(String::new()),
    }
}

/// The worst of all outcomes.
pub(super) fn exit_code(entries: &[Entry], waiting: Waiting) -> u8 {
    let code = |entry: &Entry| match entry.report().map(|report| report.verdict) {
        Some(Verdict::AC) => exit::ACCEPTED,
        Some(Verdict::JE | Verdict::CX) => exit::JUDGING_ERROR,
        Some(_) => exit::REJECTED,
        None if entry.unusable().is_some() => exit::USAGE,
        None if entry.is_settled(waiting) => exit::ACCEPTED,
        None => exit::JUDGING_ERROR,
    };
    entries.iter().map(code).max().unwrap_or(exit::ACCEPTED)
}

fn as_json(entry: &Entry, waiting: Waiting) -> Value {
    json!({
        "student": entry.draft.student,
        "name": entry.draft.name,
        "problem": entry.problem,
        "language": entry.language,
        "id": entry.key().id,
        "judging": entry.key().judging,
        "attempt": entry.attempt,
        "submitted": entry.draft.submitted.map(|time| time.to_string()),
        "late": entry.late,
        "state": state(entry, waiting),
        "problem_with_row": entry.unusable(),
        "meta": entry.draft.meta,
        "report": entry.report(),
    })
}

/// One word for how far it got.
fn state(entry: &Entry, waiting: Waiting) -> &'static str {
    if entry.report().is_some() {
        "judged"
    } else if entry.unusable().is_some() {
        "not sent"
    } else if entry.is_settled(waiting) {
        "sent"
    } else {
        "missing"
    }
}

/// The verdict, or why there is none.
fn verdict(entry: &Entry, waiting: Waiting) -> &'static str {
    entry.report().map_or_else(|| state(entry, waiting), |report| report.verdict.id())
}

/// How many tests were accepted.
fn accepted(report: &Report) -> usize {
    report.tests.iter().filter(|test| test.verdict == Verdict::AC).count()
}

/// The one thing to say about it, on one line.
fn message(entry: &Entry) -> String {
    let Some(report) = entry.report() else {
        return output::one_line(entry.unusable().unwrap_or_default());
    };
    if let Some(error) = &report.error {
        return output::one_line(error);
    }
    if report.verdict == Verdict::CX {
        return "cancelled".to_owned();
    }
    if !report.compile.ok {
        // The first line with an error in it says more than the compiler's greeting.
        let lines = || report.compile.log.lines().map(str::trim).filter(|line| !line.is_empty());
        let telling =
            lines().find(|line| line.to_ascii_lowercase().contains("error")).or_else(|| lines().next());
        return output::one_line(telling.unwrap_or("does not compile"));
    }
    output::one_line(first_failure(report).map(|test| test.message.as_str()).unwrap_or_default())
}

fn first_failure(report: &Report) -> Option<&TestReport> {
    report.tests.iter().find(|test| Some(&test.name) == report.first_failure.as_ref())
}
