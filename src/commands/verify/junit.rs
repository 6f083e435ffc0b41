//! JUnit XML of `gavel verify`: a suite a package, a case a submission.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

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
