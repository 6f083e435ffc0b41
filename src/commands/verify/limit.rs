//! The time limit against the times of the jury's submissions.
//!
//! A package that leaves its limit to its accepted submissions gets the time of their slowest run × its multiplier, rounded
//! up to a multiple of its resolution, at least one (2025-09, "limits", and problemtools). Of every limit there is to
//! say how near it is to what must be accepted and to what must be too slow.

use std::time::Duration;

use serde::Serialize;

use super::finding::{Inspection, Severity};
use super::submission::overtime;
use super::{Row, expected};
use crate::cli::VerifyPart;
use crate::judge::UNSET_TIME_LIMIT;
use crate::language::Table;
use crate::package::{Digest, Package, TimeLimit};
use crate::report::{Report, TestReport};
use crate::units::{format_duration, milliseconds};
use crate::verdict::Verdict;

/// The limit under which accepted submissions are timed when the package has none yet.
pub(super) const GENEROUS: Duration = Duration::from_secs(60);
/// A derived limit is never longer.
const LONGEST: Duration = Duration::from_secs(3600);

/// What the times of the submissions say of the time limit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Timing {
    /// The limit in force.
    limit_ms: f64,
    /// Whether it was derived from the submissions.
    derived: bool,
    /// The limit that the slowest accepted submission asks for.
    suggested_ms: Option<f64>,
    /// The longest time of an accepted submission that counts for the limit.
    slowest_accepted: Option<Extreme>,
    /// The shortest longest time of a submission that must be too slow, and was.
    fastest_rejected: Option<Extreme>,
}

/// A submission's longest time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Extreme {
    submission: String,
    test: String,
    /// CPU time as the problem's limit counts it: without what the language gets on top.
    cpu_ms: f64,
    /// Whether it was stopped there and would have taken longer.
    stopped: bool,
}

/// The CPU limit of a package, once known.
pub(super) fn time_limit(package: &Package) -> Option<Duration> {
    match package.limits.time {
        TimeLimit::Fixed(limit) => Some(limit),
        TimeLimit::FromSubmissions { .. } => None,
    }
}

pub(super) fn set_time_limit(package: &mut Package, limit: Duration) {
    package.limits.time = TimeLimit::Fixed(limit);
    // The limit is part of what a digest names.
    package.digest = Digest::default();
}

/// The limit that the submissions timed so far give to a package without one; `None` when none of them was accepted.
pub(super) fn derived(table: &Table, package: &Package, rows: &[(usize, Row)]) -> Option<Duration> {
    let (multiplier, resolution) = match package.limits.time {
        TimeLimit::FromSubmissions { multiplier, resolution } => (multiplier, resolution),
        TimeLimit::Fixed(limit) => return Some(limit),
    };
    let slowest = slowest_accepted(table, package, rows)?;
    Some(rounded_up(slowest.cpu_ms / 1e3 * multiplier, resolution))
}

/// The limit of a package that has none and no submission to derive it from.
pub(super) fn assumed(package: &Package) -> (Duration, String) {
    let message = format!(
        "problem '{}' has no time limit and no accepted submission to derive one from: {} assumed",
        package.name,
        format_duration(UNSET_TIME_LIMIT)
    );
    (UNSET_TIME_LIMIT, message)
}

fn rounded_up(seconds: f64, resolution: Duration) -> Duration {
    let step = resolution.max(Duration::from_millis(1)).as_secs_f64();
    // A hair above a multiple is the multiple: times are not that exact, and neither are their products.
    let steps = (seconds / step - 1e-9).ceil().max(1.0);
    Duration::try_from_secs_f64(steps * step).unwrap_or(LONGEST).min(LONGEST)
}

/// What there is to say once all submissions are judged; `limit` is the one they were judged under.
pub(super) fn timing(
    table: &Table,
    package: &Package,
    limit: Duration,
    rows: &[(usize, Row)],
) -> (Timing, Vec<(Severity, String)>) {
    let margins = package.verification.margins;
    let accepted = slowest_accepted(table, package, rows);
    let rejected = fastest_rejected(table, package, limit, rows);
    let derived = time_limit(package).is_none();
    let suggested = accepted
        .as_ref()
        .map(|slowest| rounded_up(slowest.cpu_ms / 1e3 * margins.accepted, margins.resolution));
    let mut findings = Vec::new();
    let limit_ms = milliseconds(limit);
    if let Some(slowest) = accepted.as_ref().filter(|slowest| slowest.cpu_ms * margins.accepted > limit_ms)
        && !derived
    {
        findings.push((
            Severity::Warning,
            format!(
                "the limit of {} is near what must be accepted: {} takes {:.3} s on {}, and {} times that does not fit",
                format_duration(limit),
                slowest.submission,
                slowest.cpu_ms / 1e3,
                slowest.test,
                margins.accepted
            ),
        ));
    }
    if let Some(fastest) = rejected.as_ref().filter(|fastest| {
        // What was stopped had used up the margin, but for what the clocks differ by.
        !fastest.stopped && fastest.cpu_ms < limit_ms * margins.rejected
    }) {
        findings.push((
            Severity::Warning,
            format!(
                "the limit of {} is near what must be too slow: {} takes {:.3} s at most, on {}, which would fit into {} \
                 times the limit",
                format_duration(limit),
                fastest.submission,
                fastest.cpu_ms / 1e3,
                fastest.test,
                margins.rejected
            ),
        ));
    }
    let timing = Timing {
        limit_ms,
        derived,
        suggested_ms: suggested.map(milliseconds),
        slowest_accepted: accepted,
        fastest_rejected: rejected,
    };
    (timing, findings)
}

/// The inspection that holds what is to be said about the limit and the choice of submissions.
pub(super) fn inspection(findings: Vec<(Severity, String)>) -> Inspection {
    let mut found = Inspection::new(VerifyPart::Submissions, "time limit");
    found.looked_at = 1;
    for (severity, message) in findings {
        found.find(severity, "", message);
    }
    found
}

fn slowest_accepted(table: &Table, package: &Package, rows: &[(usize, Row)]) -> Option<Extreme> {
    let counts = |place: &usize| package.submissions.get(*place).is_some_and(|jury| jury.sets_time_limit);
    rows.iter()
        .filter(|(place, row)| counts(place) && row.verdict == Some(Verdict::AC))
        .filter_map(|(_, row)| longest(table, row, |test| test.verdict == Verdict::AC))
        .max_by(|left, right| left.cpu_ms.total_cmp(&right.cpu_ms))
}

fn fastest_rejected(
    table: &Table,
    package: &Package,
    limit: Duration,
    rows: &[(usize, Row)],
) -> Option<Extreme> {
    let counts = |place: &usize| {
        let jury = package.submissions.get(*place);
        jury.is_some_and(|jury| expected::must_be_too_slow(&jury.expectation))
    };
    // Without overtime everything is stopped at the limit, and nothing is known beyond it.
    let margin_ms = milliseconds(limit) * overtime(package);
    rows.iter()
        .filter(|(place, row)| counts(place) && row.ok)
        .filter_map(|(_, row)| longest(table, row, |test| test.verdict == Verdict::TLE))
        .map(|extreme| Extreme { stopped: extreme.cpu_ms >= margin_ms, ..extreme })
        .min_by(|left, right| left.cpu_ms.total_cmp(&right.cpu_ms))
}

/// The longest of a submission's tests that count.
fn longest(table: &Table, row: &Row, counts: impl Fn(&TestReport) -> bool) -> Option<Extreme> {
    let report = row.report.as_ref()?;
    let tests = report.tests.iter().filter(|test| counts(test));
    let test = tests.max_by(|left, right| left.cpu_ms.total_cmp(&right.cpu_ms))?;
    Some(Extreme {
        submission: row.name.clone(),
        test: test.name.clone(),
        cpu_ms: problem_ms(test.cpu_ms, report, table),
        stopped: false,
    })
}

/// A time as the problem's limit counts: without what the language gets on top.
fn problem_ms(cpu_ms: f64, report: &Report, table: &Table) -> f64 {
    match table.get(&report.provenance.language) {
        Some(language) if language.limits.time_factor > 0.0 => {
            ((cpu_ms - milliseconds(language.limits.time_extra)) / language.limits.time_factor).max(0.0)
        }
        _ => cpu_ms,
    }
}

impl Timing {
    /// On one line, for people.
    pub(super) fn line(&self) -> String {
        let seconds = |ms: f64| format!("{:.3} s", ms / 1e3);
        let limit = Duration::from_secs_f64(self.limit_ms / 1e3);
        let mut line = format!(
            "time limit {}{}",
            format_duration(limit),
            if self.derived { " from the accepted submissions" } else { "" }
        );
        if let Some(suggested) = self.suggested_ms.filter(|_| !self.derived) {
            let suggested = Duration::from_secs_f64(suggested / 1e3);
            line.push_str(&format!(", {} suggested", format_duration(suggested)));
        }
        if let Some(slowest) = &self.slowest_accepted {
            line.push_str(&format!(
                "; slowest accepted {} ({} on {})",
                seconds(slowest.cpu_ms),
                slowest.submission,
                slowest.test
            ));
        }
        if let Some(fastest) = &self.fastest_rejected {
            let more = if fastest.stopped { "more than " } else { "" };
            line.push_str(&format!(
                "; fastest too slow {more}{} ({} on {})",
                seconds(fastest.cpu_ms),
                fastest.submission,
                fastest.test
            ));
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_multiples_of_the_resolution_and_at_least_one() {
        let whole = Duration::from_secs(1);
        assert_eq!(rounded_up(0.0, whole), Duration::from_secs(1));
        assert_eq!(rounded_up(1.0, whole), Duration::from_secs(1));
        assert_eq!(rounded_up(1.01, whole), Duration::from_secs(2));
        assert_eq!(rounded_up(1e12, whole), LONGEST);
        let tenths = Duration::from_millis(100);
        assert_eq!(rounded_up(0.3, tenths), Duration::from_millis(300));
        assert_eq!(rounded_up(0.31, tenths), Duration::from_millis(400));
    }
}
