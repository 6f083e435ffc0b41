//! The tables of `gavel verify` for people.

use std::fmt::Write as _;

use comfy_table::Cell;

use super::finding::{Inspection, Severity};
use super::groups::GroupResult;
use super::selection::Selection;
use super::{Examined, Row, Summary, groups, limit};
use crate::cli::VerifyPart;
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
    let _ = writeln!(text, "{}", last_line(examined, summary));
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
        "{} {}({} tests, {limit}, {})",
        output::one_line(&package.name),
        if title.is_empty() { String::new() } else { format!("{} ", output::one_line(title)) },
        package.tests.len(),
        package.limits.memory
    );
    for warning in &package.warnings {
        let _ = writeln!(text, "  warning: {}", output::one_line(warning));
    }
    if !one.rows.is_empty() {
        submissions(text, package, &one.rows);
    } else if selection.has(VerifyPart::Submissions) {
        let _ = writeln!(text, "  no submissions: nothing to judge");
    }
    if let Some(timing) = &one.timing {
        let _ = writeln!(text, "{}", output::one_line(&timing.line()));
    }
    inspections(text, &one.inspections, selection);
    text.push('\n');
}

fn submissions(text: &mut String, package: &Package, rows: &[Row]) {
    let groups = groups::columns(package);
    // One group says no more than the verdict beside it.
    let groups = if (2..=COLUMNS).contains(&groups.len()) { groups } else { Vec::new() };
    let has_scores = rows.iter().any(|row| row.score.is_some());
    let mut columns = vec!["submission", "language", "expected", "got"];
    if has_scores {
        columns.push(">score");
    }
    let short = |name: &str| name.strip_prefix("secret/").unwrap_or(name).to_owned();
    let titles: Vec<String> = groups.iter().map(|name| output::one_line(&short(name))).collect();
    columns.extend(titles.iter().map(String::as_str));
    columns.extend([">worst CPU", "on test", ">memory", "first failing test", ""]);
    let mut table = output::table(&columns);
    for row in rows {
        table.add_row(cells(row, &groups, has_scores));
    }
    let _ = writeln!(text, "{}", table.trim_fmt());
}

fn cells(row: &Row, groups: &[&str], has_scores: bool) -> Vec<Cell> {
    let report = row.report.as_ref();
    let ran = report.filter(|report| !report.tests.is_empty());
    let dash = || "-".to_owned();
    let mut cells = vec![
        Cell::new(output::one_line(&row.name)),
        Cell::new(&row.language),
        Cell::new(output::one_line(&row.expected)),
        row.verdict.map_or_else(|| Cell::new("-"), output::verdict_cell),
    ];
    if has_scores {
        cells.push(Cell::new(row.score.map_or_else(dash, |score| score.to_string())));
    }
    for name in groups {
        let result = row.groups.iter().find(|group| group.report.name == *name);
        cells.push(Cell::new(result.map_or_else(dash, group_text)));
    }
    let worst =
        ran.and_then(|report| report.tests.iter().max_by(|left, right| left.cpu_ms.total_cmp(&right.cpu_ms)));
    cells.extend([
        Cell::new(ran.map_or_else(dash, |report| output::milliseconds(report.max_cpu_ms))),
        Cell::new(worst.map_or_else(dash, |test| output::one_line(&test.name))),
        Cell::new(ran.map_or_else(dash, |report| output::kibibytes(report.max_memory_kib))),
        Cell::new(
            report.and_then(|report| report.first_failure.as_deref()).map_or_else(dash, output::one_line),
        ),
        match (&row.problem, &row.remark) {
            (Some(problem), _) => {
                output::word_cell(&format!("UNEXPECTED: {}", output::one_line(problem)), false)
            }
            (None, Some(remark)) => output::word_cell(&format!("ok ({})", output::one_line(remark)), true),
            (None, None) => output::word_cell("ok", true),
        },
    ]);
    cells
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
    let mut table = output::table(&["part", "what", ">looked at", "result"]);
    for found in inspections {
        let part = match found.part {
            "fuzz" => format!("fuzz, seed {}", selection.seed),
            part => part.to_owned(),
        };
        table.add_row(vec![
            Cell::new(part),
            Cell::new(output::one_line(&found.name)),
            Cell::new(found.looked_at),
            result_cell(found),
        ]);
    }
    let _ = writeln!(text, "{}", table.trim_fmt());
    for found in inspections {
        let mut findings: Vec<_> = found.findings.iter().collect();
        // The sort is stable: in the package's order within each severity.
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        for finding in findings.iter().take(SHOWN) {
            let line = output::one_line(&finding.line());
            let _ = writeln!(text, "  {}: {}: {line}", finding.severity.name(), found.part);
        }
        if findings.len() > SHOWN {
            let more = findings.len() - SHOWN;
            let _ = writeln!(text, "  … and {more} more of {}: --format json has them all", found.part);
        }
    }
}

fn result_cell(found: &Inspection) -> Cell {
    if let Some(reason) = &found.skipped {
        return Cell::new(format!("left out: {}", output::one_line(reason)));
    }
    let Some(worst) = found.worst() else { return output::word_cell("ok", true) };
    let count = |severity| found.findings.iter().filter(|finding| finding.severity == severity).count();
    let counts = [Severity::Failure, Severity::Unchecked, Severity::Error, Severity::Warning, Severity::Note]
        .into_iter()
        .filter(|severity| count(*severity) > 0)
        .map(|severity| plural(count(severity), severity.name()))
        .collect::<Vec<_>>()
        .join(", ");
    if worst <= Severity::Warning { Cell::new(counts) } else { output::word_cell(&counts, false) }
}

fn plural(count: usize, word: &str) -> String {
    let ending = if count == 1 || word == "unchecked" { "" } else { "s" };
    format!("{count} {word}{ending}")
}

fn last_line(examined: &[Examined], summary: &Summary) -> String {
    let mut line = format!(
        "{} packages, {} submissions: {} as expected, {} not",
        summary.packages,
        summary.submissions,
        summary.as_expected,
        summary.submissions - summary.as_expected
    );
    if summary.broken_packages > 0 {
        let _ = write!(line, ", {} packages cannot be loaded", summary.broken_packages);
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
    line
}
