//! JUnit XML: a suite a problem, a case a submission.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::super::super::CommandError;
use super::super::entry::{Entry, Waiting};
use super::{Style, message, verdict};
use crate::verdict::Verdict;

/// The whole document.
///
/// # Errors
/// When it cannot be written, which does not happen in memory.
pub(super) fn text(entries: &[Entry], waiting: Waiting, style: &Style) -> Result<String, CommandError> {
    let mut suites: Vec<(&str, TestSuite)> = Vec::new();
    for entry in entries {
        let place = match suites.iter().position(|(problem, _)| *problem == entry.problem) {
            Some(place) => place,
            None => {
                suites.push((&entry.problem, TestSuite::new(entry.problem.as_str())));
                suites.len() - 1
            }
        };
        suites[place].1.add_test_case(case(entry, waiting));
    }
    let mut document = Report::new(style.title);
    for (_, suite) in suites {
        document.add_test_suite(suite);
    }
    document.to_string().map_err(CommandError::judging)
}

fn case(entry: &Entry, waiting: Waiting) -> TestCase {
    let report = entry.report();
    let status = match report.map(|report| report.verdict) {
        Some(Verdict::AC) => TestCaseStatus::success(),
        None if entry.unusable().is_none() && entry.is_settled(waiting) => TestCaseStatus::skipped(),
        got => {
            let kind = match got {
                None | Some(Verdict::JE | Verdict::CX) => NonSuccessKind::Error,
                Some(_) => NonSuccessKind::Failure,
            };
            let mut status = TestCaseStatus::non_success(kind);
            status.set_message(message(entry)).set_type(verdict(entry, waiting));
            status
        }
    };
    let name = if entry.attempt > 1 {
        format!("{} (attempt {})", entry.draft.student, entry.attempt)
    } else {
        entry.draft.student.clone()
    };
    let mut case = TestCase::new(name, status);
    case.set_classname(entry.problem.as_str());
    if let Some(report) = report {
        let phases = &report.phases_ms;
        case.set_time(Duration::try_from_secs_f64((phases.compile + phases.tests) / 1e3).unwrap_or_default());
        if !report.compile.log.is_empty() {
            case.set_system_out(report.compile.log.as_str());
        }
    }
    case
}
