//! Takes out of events and reports what people may not see of secret tests.
//!
//! One rule for everything that leaves a judging, whatever asked for it: the lowest level that the submission, the package
//! and the worker name holds. Samples are told whole at every level, and so are the submission's own source and the
//! compiler's log. Logs of the worker are for its operator, and keep everything.

use crate::report::{Report, TestReport};
use crate::submission::Feedback;
use crate::verdict::Verdict;

/// Returns a test as it may be told; `None` where it may not be told at all.
pub(super) fn of_test(level: Feedback, test: &TestReport) -> Option<TestReport> {
    match level {
        _ if test.sample => Some(test.clone()),
        Feedback::Full => Some(test.clone()),
        Feedback::None => None,
        Feedback::Case => Some(TestReport {
            output_bytes: 0,
            exit_code: None,
            signal: None,
            message: String::new(),
            judge_message: None,
            stderr: None,
            ..test.clone()
        }),
    }
}

/// Reduces a report whose tests are whole. `is_open` says whether a group, by its place in the report, has only samples.
pub(super) fn reduce(level: Feedback, report: &mut Report, is_open: impl Fn(usize) -> bool) {
    if level == Feedback::Full {
        return;
    }
    let of_name = |name: &Option<String>| report.tests.iter().find(|test| Some(&test.name) == name.as_ref());
    let fails_on_sample = of_name(&report.first_failure).is_some_and(|test| test.sample);
    let has_failed_secret = report.tests.iter().any(|test| test.verdict == Verdict::JE && !test.sample);
    if report.verdict == Verdict::JE && has_failed_secret {
        tracing::warn!(submission = %report.id, error = ?report.error, "judging error on a secret test");
        report.error = Some(format!(
            "judging error on a secret test: the worker's log says more (feedback is '{}')",
            if level == Feedback::Case { "case" } else { "none" }
        ));
    }
    report.tests = report.tests.iter().filter_map(|test| of_test(level, test)).collect();
    if level == Feedback::None {
        let groups = std::mem::take(&mut report.groups);
        report.groups = groups
            .into_iter()
            .enumerate()
            .filter(|(place, _)| is_open(*place))
            .map(|(_, group)| group)
            .collect();
        report.first_failure = report.first_failure.take().filter(|_| fails_on_sample);
        report.flags = vec![report.verdict];
        report.max_cpu_ms = report.tests.iter().map(|test| test.cpu_ms).fold(0.0, f64::max);
        report.max_memory_kib = report.tests.iter().map(|test| test.memory_kib).max().unwrap_or(0);
    }
}
