//! The tables of `gavel verify` for people.

use std::fmt::Write as _;

use comfy_table::Cell;

use super::{Examined, Row, Summary, plan};
use crate::commands::output;
use crate::commands::start::shown;
use crate::units::format_duration;
use crate::verdict::Verdict;

/// A table a package, then one line over everything.
pub(super) fn text(examined: &[Examined], summary: &Summary) -> String {
    let mut text = String::new();
    for one in examined {
        package(&mut text, one);
    }
    let _ = writeln!(text, "{}", last_line(examined, summary));
    text
}

// Writing to a String cannot fail; the results of `write!` below carry no information.
fn package(text: &mut String, one: &Examined) {
    let package = match &one.package {
        Ok(package) => package,
        Err(problem) => {
            let _ = writeln!(text, "{}: cannot be loaded: {}\n", shown(&one.path), output::one_line(problem));
            return;
        }
    };
    let limit = plan::time_limit(package).map_or_else(|| "no time limit".to_owned(), format_duration);
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
    if one.rows.is_empty() {
        let _ = writeln!(text, "  no submissions: nothing to verify\n");
        return;
    }
    let mut table = output::table(&[
        "submission",
        "language",
        "expected",
        "got",
        ">worst CPU",
        ">memory",
        "first failing test",
        "",
    ]);
    for row in &one.rows {
        table.add_row(cells(row));
    }
    let _ = writeln!(text, "{}\n", table.trim_fmt());
}

fn cells(row: &Row) -> Vec<Cell> {
    let report = row.report.as_ref();
    let ran = report.filter(|report| !report.tests.is_empty());
    let dash = || "-".to_owned();
    vec![
        Cell::new(output::one_line(&row.name)),
        Cell::new(&row.language),
        Cell::new(&row.expected),
        row.verdict.map_or_else(|| Cell::new("-"), output::verdict_cell),
        Cell::new(ran.map_or_else(dash, |report| output::milliseconds(report.max_cpu_ms))),
        Cell::new(ran.map_or_else(dash, |report| output::kibibytes(report.max_memory_kib))),
        Cell::new(
            report.and_then(|report| report.first_failure.as_deref()).map_or_else(dash, output::one_line),
        ),
        match &row.problem {
            None => output::word_cell("ok", true),
            Some(problem) => output::word_cell(&format!("UNEXPECTED: {}", output::one_line(problem)), false),
        },
    ]
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
