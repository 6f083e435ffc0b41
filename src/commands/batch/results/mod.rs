//! Shows what came of every submission: one format a file.

mod csv;
mod human;
mod junit;

use std::path::Path;

use serde_json::{Value, json};

use super::super::start::shown;
use super::super::{CommandError, exit, output};
use super::entry::{Entry, Waiting};
use super::feedback;
use crate::cli::{ResultFlags, SubmitFormat};
use crate::report::{Report, TestReport};
use crate::submission::Feedback;
use crate::verdict::Verdict;

/// How results are written.
#[derive(Debug, Clone)]
pub(crate) struct Style {
    /// Command in the JUnit document.
    pub(crate) title: &'static str,
    /// Between the fields of a CSV.
    pub(crate) separator: u8,
    /// Whether a CSV begins with a byte order mark, by which Excel knows UTF-8.
    pub(crate) has_mark: bool,
    /// Points of a perfect submission; the problem's own where there is none.
    pub(crate) points: Option<f64>,
    /// Whether the table has them.
    pub(crate) shows_points: bool,
    /// What files for students tell of secret tests.
    pub(crate) feedback: Feedback,
}

impl Style {
    /// As the flags ask; `title` is the command.
    pub(crate) fn of(title: &'static str, flags: &ResultFlags) -> Self {
        let separator = if flags.semicolons { b';' } else { b',' };
        Self {
            title,
            separator,
            has_mark: flags.bom,
            points: flags.points,
            shows_points: flags.points.is_some(),
            feedback: flags.feedback.unwrap_or(Feedback::Case),
        }
    }
}

/// Writes feedback and results to where the flags say; `is_told` where people have seen the results.
///
/// # Errors
/// When something cannot be written.
pub(crate) fn show(
    entries: &[Entry],
    flags: &ResultFlags,
    waiting: Waiting,
    style: &Style,
    is_told: bool,
) -> Result<(), CommandError> {
    if let Some(directory) = &flags.feedback_files {
        feedback::write_all(directory, entries, style.feedback)?;
    }
    if is_told {
        return Ok(());
    }
    let text = text(entries, flags.format, waiting, style)?;
    match &flags.save {
        None => output::print(&text),
        Some(file) => save(file, &text),
    }
}

/// What a verdict is worth.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Grade {
    /// Of the highest score, or of the tests.
    percent: Option<f64>,
    points: Option<f64>,
}

impl Grade {
    /// With a score, its share of the highest; without, the share of accepted tests, unless tests were left out. Nothing is
    /// known of what was not judged.
    fn of(report: &Report, most: Option<f64>) -> Self {
        let highest = report.range.and_then(|range| range.max).filter(|highest| *highest > 0.0);
        let share = match (report.verdict, report.score) {
            (Verdict::JE | Verdict::CX, _) => return Self::default(),
            (Verdict::CE, _) => Some(0.0),
            (_, Some(score)) => highest.map(|highest| score / highest),
            (Verdict::AC, None) => Some(1.0),
            (_, None) if report.tests.iter().any(|test| test.verdict == Verdict::SK) => None,
            #[allow(clippy::cast_precision_loss)] // Nobody has 2^52 tests.
            (_, None) => Some(accepted(report) as f64 / report.tests.len().max(1) as f64),
        };
        let points = match (share, most.or(highest)) {
            (Some(share), most) => Some(share * most.unwrap_or(PERCENT)),
            // A score without a bound is worth itself.
            (None, _) => report.score,
        };
        Self { percent: share.map(|share| rounded(share * PERCENT)), points: points.map(rounded) }
    }
}

const PERCENT: f64 = 100.0;

fn rounded(value: f64) -> f64 {
    (value * PERCENT).round() / PERCENT
}

/// A time to the second: what is below it is the clock's, not the student's.
pub(super) fn seconds(time: jiff::Timestamp) -> String {
    jiff::Timestamp::from_second(time.as_second()).unwrap_or(time).to_string()
}

/// The results in a format, whole.
///
/// # Errors
/// When they cannot be written, which does not happen in memory.
fn text(
    entries: &[Entry],
    format: SubmitFormat,
    waiting: Waiting,
    style: &Style,
) -> Result<String, CommandError> {
    match format {
        SubmitFormat::Human => Ok(human::text(entries, waiting, style)),
        SubmitFormat::Csv => csv::text(entries, waiting, style),
        SubmitFormat::Junit => junit::text(entries, waiting, style),
        SubmitFormat::Json => {
            let rows: Vec<_> = entries.iter().map(|entry| as_json(entry, waiting, style)).collect();
            let text = serde_json::to_string_pretty(&json!({ "submissions": rows }));
            Ok(text.map_err(CommandError::judging)? + "\n")
        }
        // Told as they came.
        SubmitFormat::Ndjson => Ok(String::new()),
    }
}

/// The worst of all outcomes.
pub(crate) fn exit_code(entries: &[Entry], waiting: Waiting) -> u8 {
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

fn as_json(entry: &Entry, waiting: Waiting, style: &Style) -> Value {
    let grade = entry.report().map(|report| Grade::of(report, style.points)).unwrap_or_default();
    json!({
        "student": entry.draft.student,
        "name": entry.draft.name,
        "problem": entry.problem,
        "language": entry.language,
        "id": entry.key().id,
        "judging": entry.key().judging,
        "attempt": entry.attempt,
        "submitted": entry.draft.submitted.map(seconds),
        "late": entry.late,
        "state": state(entry, waiting),
        "percent": grade.percent,
        "points": grade.points,
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
        "not judged"
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

/// Writes a file whole or not at all.
///
/// # Errors
/// The system's, with the file's name.
pub(super) fn save(path: &Path, text: &str) -> Result<(), CommandError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let written = tempfile::NamedTempFile::new_in(folder).and_then(|mut file| {
        std::io::Write::write_all(&mut file, text.as_bytes())?;
        file.as_file().sync_all()?;
        // As a shell would have made it, not for this user alone.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        file.as_file().set_permissions(mode)?;
        file.persist(path).map(|_| ()).map_err(|error| error.error)
    });
    written.map_err(|error| CommandError::Judging(format!("cannot write '{}': {error}", shown(path))))
}
