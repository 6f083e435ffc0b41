//! What a package's submissions do not cover: what nobody tried, nobody knows.

use std::collections::BTreeSet;

use super::finding::{Inspection, Severity, some_of};
use super::{Row, expected};
use crate::cli::VerifyPart;
use crate::package::{Format, Objective, Package};
use crate::verdict::Verdict;

/// Looks at all rows of a package.
pub(super) fn inspect(package: &Package, rows: &[(usize, Row)]) -> Option<Inspection> {
    // A bare folder of tests says nothing about submissions.
    if package.submissions.is_empty() && package.format == Format::Folder {
        return None;
    }
    let mut found = Inspection::new(VerifyPart::Submissions, "coverage");
    found.looked_at = package.submissions.len();
    let accepted: Vec<&Row> = rows
        .iter()
        .filter(|(place, _)| {
            let jury = package.submissions.get(*place);
            jury.is_some_and(|jury| expected::must_be_accepted(&jury.expectation))
        })
        .map(|(_, row)| row)
        .collect();
    if accepted.is_empty() {
        found.find(Severity::Warning, "", "no submission must be accepted");
    } else {
        let languages: BTreeSet<&str> = accepted.iter().map(|row| row.language.as_str()).collect();
        if languages.len() == 1 {
            let language = some_of(languages);
            let message = format!("all submissions that must be accepted are in one language, {language}");
            found.find(Severity::Note, "", message);
        }
    }
    let wrong = |verdict: Verdict| rows.iter().any(|(_, row)| row.verdict == Some(verdict));
    if !wrong(Verdict::WA) {
        found.find(Severity::Note, "", "no submission gets WA: nothing shows that wrong answers are found");
    }
    if !wrong(Verdict::TLE) && !wrong(Verdict::WTL) {
        found.find(Severity::Note, "", "no submission gets TLE: nothing shows that slow programs are found");
    }
    idle_tests(package, rows, &mut found);
    scores(package, rows, &mut found);
    Some(found)
}

/// Submissions whose score or samples are not what their folder lets one expect (problemtools warns of the same).
fn scores(package: &Package, rows: &[(usize, Row)], found: &mut Inspection) {
    for (place, row) in rows.iter().filter(|(_, row)| row.ok && row.verdict == Some(Verdict::AC)) {
        let Some(report) = &row.report else { continue };
        let jury = package.submissions.get(*place);
        let is_partial = row.name.starts_with("partially_accepted/");
        let must_be_accepted =
            !is_partial && jury.is_some_and(|jury| expected::must_be_accepted(&jury.expectation));
        let best = package.scoring.as_ref().and_then(|scoring| match scoring.objective {
            Objective::Maximise => report.range?.max,
            Objective::Minimise => report.range?.min,
        });
        if let (Some(best), Some(score)) = (best, report.score) {
            let is_best = (score - best).abs() <= f64::EPSILON * best.abs().max(1.0);
            if is_partial && is_best {
                found.find(Severity::Warning, &row.name, format!("it gets the full score of {best}"));
            } else if must_be_accepted && !is_best {
                let message = format!("it gets {score} of {best}: is it only partially accepted?");
                found.find(Severity::Warning, &row.name, message);
            }
        }
        let is_sample = |name: &str| package.tests.iter().any(|test| test.sample && test.name == name);
        let failed = report.tests.iter().find(|test| test.verdict.is_rejection() && is_sample(&test.name));
        if let Some(test) = failed.filter(|_| must_be_accepted) {
            let message = format!("it is accepted and gets {} on {}", test.verdict, test.name);
            found.find(Severity::Warning, &row.name, message);
        }
    }
}

/// Tests that nothing failed, where every rejected submission has run on all tests.
fn idle_tests(package: &Package, rows: &[(usize, Row)], found: &mut Inspection) {
    let rejected: Vec<_> = rows
        .iter()
        .filter_map(|(_, row)| row.report.as_ref())
        .filter(|report| report.verdict.is_rejection() && !report.tests.is_empty())
        .collect();
    let all_ran = rejected.iter().all(|report| report.tests.iter().all(|test| test.verdict != Verdict::SK));
    if rejected.is_empty() || !all_ran {
        return;
    }
    let fails = |name: &str| {
        rejected
            .iter()
            .flat_map(|report| &report.tests)
            .any(|test| test.name == name && test.verdict != Verdict::AC)
    };
    let idle: Vec<&str> = package
        .tests
        .iter()
        .filter(|test| !test.sample)
        .map(|test| test.name.as_str())
        .filter(|name| !fails(name))
        .collect();
    if !idle.is_empty() {
        let message =
            format!("no rejected submission fails on {} of the secret tests: {}", idle.len(), some_of(idle));
        found.find(Severity::Note, "", message);
    }
}
