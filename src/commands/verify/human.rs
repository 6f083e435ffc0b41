//! The tables of `gavel verify` for people.

use std::fmt::Write as _;

use comfy_table::Color;

use super::finding::{Inspection, Severity};
use super::groups::GroupResult;
use super::selection::Selection;
use super::{Examined, Row, Summary, groups, limit};
use crate::cli::VerifyPart;
use crate::commands::fitted_table::{self, Column, Field};
use crate::commands::output;
use crate::commands::start::shown;
use crate::package::Package;
use crate::units::format_duration;
use crate::verdict::Verdict;

/// Findings shown of one inspection; programs read them all.
const SHOWN: usize = 12;
/// Groups with a column of their own; more do not fit a screen.
const COLUMNS: usize = 8;

/// What was looked at package by package, then one line over everything.
pub(super) fn text(examined: &[Examined], summary: &Summary, selection: &Selection) -> String {
    let mut text = String::new();
    for one in examined {
        package(&mut text, one, selection);
    }
    line(&mut text, &last_line(examined, summary));
    text
}

// Writing to a String cannot fail; the results of `write!` below carry no information.
fn package(text: &mut String, one: &Examined, selection: &Selection) {
    let package = match &one.package {
        Ok(package) => package,
        Err(problem) => {
            let _ = writeln!(text, "{}: cannot be loaded: {}\n", shown(&one.path), output::one_line(problem));
            return;
        }
    };
    let limit = limit::time_limit(package).map_or_else(|| "no time limit".to_owned(), format_duration);
    let title = if package.title == package.name { "" } else { &package.title };
    let _ = writeln!(
        text,
        "{} {}({}, {limit}, {})",
        output::one_line(&package.name),
        if title.is_empty() { String::new() } else { format!("{} ", output::one_line(title)) },
        output::counted(package.tests.len(), "test"),
        package.limits.memory
    );
    for warning in &package.warnings {
        line(text, &format!("  warning: {}", output::one_line(warning)));
    }
    if !one.rows.is_empty() {
        submissions(text, package, &one.rows);
    } else if selection.has(VerifyPart::Submissions) {
        let _ = writeln!(text, "  no submissions: nothing to judge");
    }
    if let Some(timing) = &one.timing {
        let line = output::one_line(&timing.line());
        let _ = writeln!(text, "{}", fitted_table::wrapped(&line, 2, fitted_table::width()));
    }
    inspections(text, &one.inspections, selection);
    text.push('\n');
}

fn submissions(text: &mut String, package: &Package, rows: &[Row]) {
    let groups = groups::columns(package);
    // One group says no more than the verdict beside it.
    let groups = if (2..=COLUMNS).contains(&groups.len()) { groups } else { Vec::new() };
    let has_scores = rows.iter().any(|row| row.score.is_some());
    let short = |name: &str| name.strip_prefix("secret/").unwrap_or(name).to_owned();
    let titles: Vec<String> = groups.iter().map(|name| output::one_line(&short(name))).collect();
    let column = |title, rank| Column { title, rank };
    let mut columns =
        vec![column("submission", 0), column("language", 5), column("expected", 0), column("got", 0)];
    if has_scores {
        columns.push(column(">score", 0));
    }
    columns.extend(titles.iter().map(|title| column(title.as_str(), 3)));
    columns.extend([
        column(">worst CPU", 0),
        column("on test", 4),
        column(">memory", 6),
        column("first failing test", 2),
        column("", 0),
    ]);
    let fields: Vec<_> = rows.iter().map(|row| fields(row, &groups, has_scores)).collect();
    let _ = writeln!(text, "{}", fitted_table::text(&columns, &fields, fitted_table::width()));
    for row in rows {
        let name = output::one_line(&row.name);
        match (&row.problem, &row.remark) {
            (Some(problem), _) => line(text, &format!("  {name}: UNEXPECTED: {}", output::one_line(problem))),
            (None, Some(remark)) => line(text, &format!("  {name}: {}", output::one_line(remark))),
            (None, None) => {}
        }
    }
}

fn fields(row: &Row, groups: &[&str], has_scores: bool) -> Vec<Field> {
    let report = row.report.as_ref();
    let ran = report.filter(|report| !report.tests.is_empty());
    let dash = || "-".to_owned();
    // Red is for what is wrong with the package: a rejected program that must be rejected is as it should be.
    let color = match (row.ok, row.verdict) {
        (true, _) => Color::Green,
        (false, Some(Verdict::JE | Verdict::CX)) => Color::Magenta,
        (false, _) => Color::Red,
    };
    let mut fields = vec![
        Field::plain(output::one_line(&row.name)),
        Field::plain(&row.language),
        Field::plain(output::one_line(&row.expected)),
        row.verdict.map_or_else(|| Field::plain("-"), |verdict| Field::colored(verdict.id(), color)),
    ];
    if has_scores {
        fields.push(Field::plain(row.score.map_or_else(dash, |score| output::score(Some(score)))));
    }
    for name in groups {
        let result = row.groups.iter().find(|group| group.report.name == *name);
        fields.push(Field::plain(result.map_or_else(dash, group_text)));
    }
    let worst =
        ran.and_then(|report| report.tests.iter().max_by(|left, right| left.cpu_ms.total_cmp(&right.cpu_ms)));
    let first = report.and_then(|report| report.first_failure.as_deref());
    fields.extend([
        Field::plain(ran.map_or_else(dash, |report| output::milliseconds(report.max_cpu_ms))),
        Field::plain(worst.map_or_else(dash, |test| output::one_line(&test.name))),
        Field::plain(ran.map_or_else(dash, |report| output::kibibytes(report.max_memory_kib))),
        Field::plain(first.map_or_else(dash, output::one_line)),
        Field::colored(if row.ok { "ok" } else { "UNEXPECTED" }, color),
    ]);
    fields
}

/// `AC 30 12.1 ms`.
fn group_text(group: &GroupResult) -> String {
    let mut text = group.report.verdict.id().to_owned();
    if let Some(score) = group.report.score {
        let _ = write!(text, " {score}");
    }
    if group.max_cpu_ms > 0.0 {
        let _ = write!(text, " {}", output::milliseconds(group.max_cpu_ms));
    }
    text
}

fn inspections(text: &mut String, inspections: &[Inspection], selection: &Selection) {
    if inspections.is_empty() {
        return;
    }
    let columns = [("part", 1), ("what", 0), (">looked at", 2), ("result", 0)];
    let columns = columns.map(|(title, rank)| Column { title, rank });
    let fields: Vec<_> = inspections
        .iter()
        .map(|found| {
            let part = match found.part {
                "fuzz" => format!("fuzz, seed {}", selection.seed),
                part => part.to_owned(),
            };
            let name = Field::plain(output::one_line(&found.name));
            vec![Field::plain(part), name, Field::plain(found.looked_at.to_string()), result_field(found)]
        })
        .collect();
    let _ = writeln!(text, "{}", fitted_table::text(&columns, &fields, fitted_table::width()));
    for found in inspections {
        let mut findings: Vec<_> = found.findings.iter().collect();
        // The sort is stable: in the package's order within each severity.
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        for finding in findings.iter().take(SHOWN) {
            let line = output::one_line(&finding.line());
            self::line(text, &format!("  {}: {}: {line}", finding.severity.name(), found.part));
        }
        if findings.len() > SHOWN {
            let more = findings.len() - SHOWN;
            let _ = writeln!(text, "  … and {more} more of {}: --format json has them all", found.part);
        }
    }
}

fn result_field(found: &Inspection) -> Field {
    if let Some(reason) = &found.skipped {
        return Field::plain(format!("left out: {}", output::one_line(reason)));
    }
    let Some(worst) = found.worst() else { return Field::colored("ok", Color::Green) };
    let count = |severity| found.findings.iter().filter(|finding| finding.severity == severity).count();
    let counts = [Severity::Failure, Severity::Unchecked, Severity::Error, Severity::Warning, Severity::Note]
        .into_iter()
        .filter(|severity| count(*severity) > 0)
        .map(|severity| plural(count(severity), severity.name()))
        .collect::<Vec<_>>()
        .join(", ");
    if worst <= Severity::Warning { Field::plain(counts) } else { Field::colored(counts, Color::Red) }
}

/// Adds a line, broken where the terminal ends.
fn line(text: &mut String, line: &str) {
    let _ = writeln!(text, "{}", fitted_table::wrapped(line, 4, fitted_table::width()));
}

fn plural(count: usize, word: &str) -> String {
    if word == "unchecked" { format!("{count} {word}") } else { output::counted(count, word) }
}

fn last_line(examined: &[Examined], summary: &Summary) -> String {
    let mut line = format!(
        "{}, {}: {} as expected, {} not",
        plural(summary.packages, "package"),
        plural(summary.submissions, "submission"),
        summary.as_expected,
        summary.submissions - summary.as_expected
    );
    if summary.broken_packages > 0 {
        let _ = write!(line, ", {} cannot be loaded", plural(summary.broken_packages, "package"));
    }
    for (count, word) in [
        (summary.failures, "failure"),
        (summary.unchecked, "unchecked"),
        (summary.errors, "error"),
        (summary.warnings, "warning"),
    ] {
        if count > 0 {
            let _ = write!(line, ", {}", plural(count, word));
        }
    }
    let counts: Vec<String> = Verdict::ALL
        .iter()
        .filter_map(|verdict| {
            let count =
                examined.iter().flat_map(|one| &one.rows).filter(|row| row.verdict == Some(*verdict)).count();
            (count > 0).then(|| format!("{verdict} {count}"))
        })
        .collect();
    if !counts.is_empty() {
        let _ = write!(line, " ({})", counts.join(", "));
    }
    if !summary.complete {
        line.push_str("; stopped before everything was looked at");
    }
    line
}
