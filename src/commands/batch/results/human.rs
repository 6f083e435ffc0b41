//! A table, and a line that counts.

use std::collections::BTreeMap;

use comfy_table::Cell;

use super::super::super::output;
use super::super::entry::{Entry, Waiting};
use super::{Grade, Style, accepted, message, verdict};

/// The table; columns that would be empty in every row are left out.
pub(super) fn text(entries: &[Entry], waiting: Waiting, style: &Style) -> String {
    let has = |wanted: fn(&Entry) -> bool| entries.iter().any(wanted);
    let has_names = has(|entry| entry.draft.name.is_some());
    let has_problems = entries.windows(2).any(|pair| pair[0].problem != pair[1].problem);
    let has_scores = has(|entry| entry.report().is_some_and(|report| report.score.is_some()));
    let has_attempts = has(|entry| entry.attempt > 1);
    let has_late = has(|entry| entry.late.is_some());
    let has_reports = has(|entry| entry.report().is_some());
    let optional = |is_there: bool, name: &'static str| is_there.then_some(name);
    let columns: Vec<_> = [
        Some("student"),
        optional(has_names, "name"),
        optional(has_problems, "problem"),
        optional(has_attempts, ">attempt"),
        optional(has_late, "late"),
        Some("language"),
        Some("verdict"),
        optional(has_scores, ">score"),
        optional(style.shows_points, ">points"),
        optional(has_reports, ">tests"),
        optional(has_reports, ">CPU"),
        optional(has_reports, ">memory"),
        optional(!has_reports, "id"),
        Some("message"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let mut table = output::table(&columns);
    for entry in entries {
        let report = entry.report();
        let mut row = vec![Cell::new(output::one_line(&entry.draft.student))];
        let mut add = |is_there: bool, text: String| {
            if is_there {
                row.push(Cell::new(text));
            }
        };
        add(has_names, output::one_line(entry.draft.name.as_deref().unwrap_or("-")));
        add(has_problems, output::one_line(&entry.problem));
        add(has_attempts, entry.attempt.to_string());
        add(has_late, entry.late.map_or("-", |late| if late { "late" } else { "" }).to_owned());
        add(true, entry.language.clone());
        row.push(match report {
            Some(report) => output::verdict_cell(report.verdict),
            None => Cell::new(verdict(entry, waiting)),
        });
        let figure = |text: Option<String>| Cell::new(text.unwrap_or_else(|| "-".to_owned()));
        if has_scores {
            row.push(figure(report.and_then(|report| report.score).map(|score| output::score(Some(score)))));
        }
        if style.shows_points {
            let points = report.and_then(|report| Grade::of(report, style.points).points);
            row.push(figure(points.map(|points| points.to_string())));
        }
        if has_reports {
            row.push(figure(report.map(|report| format!("{}/{}", accepted(report), report.tests.len()))));
            row.push(figure(report.map(|report| output::milliseconds(report.max_cpu_ms))));
            row.push(figure(report.map(|report| output::kibibytes(report.max_memory_kib))));
        } else {
            row.push(Cell::new(output::one_line(&entry.key().id)));
        }
        row.push(Cell::new(message(entry)));
        table.add_row(row);
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in entries {
        *counts.entry(verdict(entry, waiting)).or_default() += 1;
    }
    let counts: Vec<_> = counts.iter().map(|(verdict, count)| format!("{count} {verdict}")).collect();
    let count = output::counted(entries.len(), "submission");
    format!("{}\n\n{count}: {}\n", table.trim_fmt(), counts.join(", "))
}
