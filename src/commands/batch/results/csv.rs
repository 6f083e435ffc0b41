//! A line a submission, for a spreadsheet.

use std::collections::BTreeSet;

use csv::{Terminator, WriterBuilder};

use super::super::super::CommandError;
use super::super::entry::{Entry, Waiting};
use super::{Grade, Style, accepted, message, seconds, verdict};

/// Columns before those a roster brought along.
const COLUMNS: [&str; 20] = [
    "student",
    "name",
    "problem",
    "attempt",
    "submitted",
    "late",
    "language",
    "verdict",
    "reason",
    "score",
    "percent",
    "points",
    "tests_accepted",
    "tests",
    "first_failure",
    "max_cpu_ms",
    "max_memory_kib",
    "message",
    "id",
    "judging",
];

/// All rows under a header.
///
/// # Errors
/// When they cannot be written, which does not happen in memory.
pub(super) fn text(entries: &[Entry], waiting: Waiting, style: &Style) -> Result<String, CommandError> {
    let extra: BTreeSet<&String> = entries.iter().flat_map(|entry| entry.draft.meta.keys()).collect();
    let mark: &[u8] = if style.has_mark { b"\xef\xbb\xbf" } else { b"" };
    let mut builder = WriterBuilder::new();
    builder.delimiter(style.separator);
    if style.has_mark {
        // What knows files by the mark expects its system's ends of lines.
        builder.terminator(Terminator::CRLF);
    }
    let mut writer = builder.from_writer(mark.to_vec());
    let header = COLUMNS.iter().map(|name| (*name).to_owned()).chain(extra.iter().map(|name| harmless(name)));
    writer.write_record(header).map_err(CommandError::judging)?;
    for entry in entries {
        let report = entry.report();
        let figure = |text: Option<String>| text.unwrap_or_default();
        let grade = report.map(|report| Grade::of(report, style.points)).unwrap_or_default();
        // Where semicolons separate, a comma is the decimal point.
        let number = |value: f64| {
            let text = value.to_string();
            if style.separator == b';' { text.replace('.', ",") } else { text }
        };
        let mut row = vec![
            harmless(&entry.draft.student),
            harmless(entry.draft.name.as_deref().unwrap_or_default()),
            harmless(&entry.problem),
            entry.attempt.to_string(),
            figure(entry.draft.submitted.map(seconds)),
            figure(entry.late.map(|late| if late { "yes" } else { "no" }.to_owned())),
            entry.language.clone(),
            verdict(entry, waiting).to_owned(),
            figure(report.and_then(|report| report.reason).map(|reason| reason.id().to_owned())),
            figure(report.and_then(|report| report.score).map(number)),
            figure(grade.percent.map(number)),
            figure(grade.points.map(number)),
            figure(report.map(|report| accepted(report).to_string())),
            figure(report.map(|report| report.tests.len().to_string())),
            harmless(report.and_then(|report| report.first_failure.as_deref()).unwrap_or_default()),
            figure(report.map(|report| number(rounded_to_tenths(report.max_cpu_ms)))),
            figure(report.map(|report| report.max_memory_kib.to_string())),
            harmless(&message(entry)),
            harmless(&entry.key().id),
            harmless(&entry.key().judging),
        ];
        row.extend(extra.iter().map(|name| {
            harmless(entry.draft.meta.get(*name).and_then(|value| value.as_str()).unwrap_or_default())
        }));
        writer.write_record(row).map_err(CommandError::judging)?;
    }
    let bytes = writer.into_inner().map_err(CommandError::judging)?;
    String::from_utf8(bytes).map_err(CommandError::judging)
}

fn rounded_to_tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// Text that a spreadsheet takes for text: students choose their names and what their programs print.
fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_become_text() {
        assert_eq!(harmless("=HYPERLINK(\"http://x\")"), "'=HYPERLINK(\"http://x\")");
        assert_eq!(harmless("-1"), "'-1");
        assert_eq!(harmless("Anna-Lena"), "Anna-Lena");
    }
}
