//! JUnit XML of `gavel verify`: a suite a package, a case a submission and a case for everything else that was looked at.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::finding::{Finding, Inspection, Severity};
use super::{Examined, Row};
use crate::commands::CommandError;
use crate::commands::start::shown;
use crate::verdict::Verdict;

/// The whole document.
///
/// # Errors
/// When it cannot be written, which does not happen in memory.
pub(super) fn text(examined: &[Examined]) -> Result<String, CommandError> {
    let mut document = Report::new("gavel verify");
    for one in examined {
        document.add_test_suite(suite(one));
    }
    document.to_string().map_err(CommandError::judging)
}

fn suite(one: &Examined) -> TestSuite {
    match &one.package {
        Ok(package) => {
            let mut suite = TestSuite::new(package.name.as_str());
            suite.add_test_cases(one.rows.iter().map(|row| case(&package.name, row)));
            suite.add_test_cases(one.inspections.iter().map(|found| inspection(&package.name, found)));
            suite
        }
        Err(problem) => {
            let name = shown(&one.path);
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_message(problem.as_str()).set_type("package");
            let mut suite = TestSuite::new(name);
            suite.add_test_case(TestCase::new("load", status));
            suite
        }
    }
}

/// What is not an error stands in the case's output.
fn inspection(package: &str, found: &Inspection) -> TestCase {
    let line = |finding: &Finding| format!("{}: {}", finding.severity.name(), finding.line());
    let bad: Vec<&Finding> =
        found.findings.iter().filter(|finding| finding.severity >= Severity::Error).collect();
    let status = match (&found.skipped, bad.first()) {
        (_, Some(first)) => {
            let kind = match found.worst() {
                Some(Severity::Error) => NonSuccessKind::Failure,
                _ => NonSuccessKind::Error,
            };
            let mut status = TestCaseStatus::non_success(kind);
            let message = match bad.len() {
                1 => first.line(),
                count => format!("{} (and {} more)", first.line(), count - 1),
            };
            let all = bad.iter().map(|finding| line(finding)).collect::<Vec<_>>().join("\n");
            status.set_message(message).set_type(first.severity.name()).set_description(all);
            status
        }
        (Some(reason), None) => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(reason.as_str());
            status
        }
        (None, None) => TestCaseStatus::success(),
    };
    let mut case = TestCase::new(format!("{}: {}", found.part, found.name), status);
    case.set_classname(package);
    case.set_time(found.took);
    let remarks: Vec<String> =
        found.findings.iter().filter(|finding| finding.severity < Severity::Error).map(line).collect();
    if !remarks.is_empty() {
        case.set_system_out(remarks.join("\n"));
    }
    case
}

fn case(package: &str, row: &Row) -> TestCase {
    let status = match &row.problem {
        None => TestCaseStatus::success(),
        Some(problem) => {
            let kind = match row.verdict {
                None | Some(Verdict::JE | Verdict::CX) => NonSuccessKind::Error,
                Some(_) => NonSuccessKind::Failure,
            };
            let mut status = TestCaseStatus::non_success(kind);
            status.set_message(problem.as_str()).set_type(row.verdict.map_or("not judged", Verdict::id));
            status
        }
    };
    let mut case = TestCase::new(row.name.as_str(), status);
    case.set_classname(package);
    if let Some(report) = &row.report {
        let phases = &report.phases_ms;
        let time = Duration::try_from_secs_f64((phases.compile + phases.tests) / 1e3).unwrap_or_default();
        case.set_time(time);
        if !report.compile.log.is_empty() {
            case.set_system_out(report.compile.log.as_str());
        }
    }
    case
}
