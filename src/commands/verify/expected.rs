//! Whether a submission got what it must.

use crate::package::Expectation;
use crate::report::Report;
use crate::verdict::Verdict;

/// What is wrong with a report, if anything; one line.
pub(super) fn deviation(expectation: &Expectation, report: &Report) -> Option<String> {
    if matches!(report.verdict, Verdict::JE | Verdict::CX) {
        return Some(report.error.clone().unwrap_or_else(|| "cancelled".to_owned()));
    }
    if !expectation.verdicts.is_empty() && !expectation.verdicts.contains(&report.verdict) {
        return Some(format!("got {}, must get {}", report.verdict, names(&expectation.verdicts)));
    }
    let verdicts = test_verdicts(report);
    if !expectation.permitted.is_empty()
        && let Some((name, verdict)) =
            verdicts.iter().find(|(_, verdict)| !expectation.permitted.contains(verdict))
    {
        return Some(format!("{name} got {verdict}, permitted are only {}", names(&expectation.permitted)));
    }
    if !expectation.required.is_empty()
        && !verdicts.iter().any(|(_, verdict)| expectation.required.contains(verdict))
    {
        return Some(format!("no test got {}", names(&expectation.required)));
    }
    None
}

/// Every test that ran, with what it got; the compilation in their place when there are none.
fn test_verdicts(report: &Report) -> Vec<(&str, Verdict)> {
    if report.tests.is_empty() {
        return vec![("compiling", report.verdict)];
    }
    report
        .tests
        .iter()
        .filter(|test| test.verdict != Verdict::SK)
        .map(|test| (test.name.as_str(), test.verdict))
        .collect()
}

/// What a submission must get, for a column of a table.
pub(super) fn shown(expectation: &Expectation) -> String {
    let mut parts = Vec::new();
    if !expectation.verdicts.is_empty() {
        parts.push(names(&expectation.verdicts));
    }
    if !expectation.permitted.is_empty() {
        parts.push(format!("each of {}", names(&expectation.permitted)));
    }
    if !expectation.required.is_empty() {
        parts.push(format!("some of {}", names(&expectation.required)));
    }
    if parts.is_empty() { "anything".to_owned() } else { parts.join(", ") }
}

fn names(verdicts: &[Verdict]) -> String {
    verdicts.iter().map(|verdict| verdict.id()).collect::<Vec<_>>().join("|")
}
