//! A table, and a line that counts.

use std::collections::BTreeMap;

use super::super::super::fitted_table::{self, Column, Field};
use super::super::super::output;
use super::super::entry::{Entry, Waiting};
use super::{Grade, Style, accepted, message, verdict};

/// The table; columns that would be empty in every row are left out, and those of less interest where the terminal is
/// narrow.
pub(super) fn text(entries: &[Entry], waiting: Waiting, style: &Style) -> String {
    let has = |wanted: fn(&Entry) -> bool| entries.iter().any(wanted);
    let has_reports = has(|entry| entry.report().is_some());
    let optional = |is_there: bool, title: &'static str, rank| is_there.then_some(Column { title, rank });
    let columns = [
        optional(true, "student", 0),
        optional(has(|entry| entry.draft.name.is_some()), "name", 2),
        optional(entries.windows(2).any(|pair| pair[0].problem != pair[1].problem), "problem", 0),
        optional(has(|entry| entry.attempt > 1), ">attempt", 3),
        optional(has(|entry| entry.late.is_some()), "late", 0),
        optional(true, "language", 4),
        optional(true, "verdict", 0),
        optional(has(|entry| entry.report().is_some_and(|report| report.score.is_some())), ">score", 0),
        optional(style.shows_points, ">points", 0),
        optional(has_reports, ">tests", 0),
        optional(has_reports, ">CPU", 5),
        optional(has_reports, ">memory", 6),
        optional(!has_reports, "id", 0),
        optional(true, "message", 0),
    ];
    let is_there: Vec<bool> = columns.iter().map(Option::is_some).collect();
    let columns: Vec<_> = columns.into_iter().flatten().collect();
    let rows: Vec<Vec<Field>> = entries
        .iter()
        .map(|entry| {
            let fields = fields(entry, waiting, style).into_iter().zip(&is_there);
            fields.filter(|(_, is_there)| **is_there).map(|(field, _)| field).collect()
        })
        .collect();
    let table = fitted_table::text(&columns, &rows, fitted_table::width());
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in entries {
        *counts.entry(verdict(entry, waiting)).or_default() += 1;
    }
    let counts: Vec<_> = counts.iter().map(|(verdict, count)| format!("{count} {verdict}")).collect();
    let count = output::counted(entries.len(), "submission");
    format!("{table}\n\n{count}: {}\n", counts.join(", "))
}

/// Every column of a row, also those that are left out.
fn fields(entry: &Entry, waiting: Waiting, style: &Style) -> [Field; 14] {
    let report = entry.report();
    let plain = Field::plain;
    let figure = |text: Option<String>| plain(text.unwrap_or_else(|| "-".to_owned()));
    let verdict = match report {
        Some(report) => output::verdict_field(report.verdict),
        None => Field::plain(verdict(entry, waiting)),
    };
    let points = report.and_then(|report| Grade::of(report, style.points).points);
    [
        plain(output::one_line(&entry.draft.student)),
        plain(output::one_line(entry.draft.name.as_deref().unwrap_or("-"))),
        plain(output::one_line(&entry.problem)),
        plain(entry.attempt.to_string()),
        Field::plain(entry.late.map_or("-", |late| if late { "late" } else { "" })),
        plain(entry.language.clone()),
        verdict,
        figure(report.and_then(|report| report.score).map(|score| output::score(Some(score)))),
        figure(points.map(|points| points.to_string())),
        figure(report.map(|report| format!("{}/{}", accepted(report), report.tests.len()))),
        figure(report.map(|report| output::milliseconds(report.max_cpu_ms))),
        figure(report.map(|report| output::kibibytes(report.max_memory_kib))),
        plain(output::one_line(&entry.key().id)),
        plain(message(entry)),
    ]
}
