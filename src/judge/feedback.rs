//! Removes from events and reports what contestants may not see of secret tests.
//!
//! The lowest level that the submission, the package and the worker name applies; where none names one, output of programs
//! is left out. Samples are reported in full at every level, and so are the submission's source and the compiler's log. The
//! worker's own log keeps everything.

use crate::judge::settings::Readers;
use crate::judge::test::outcome;
use crate::package::Test;
use crate::report::{Report, TestReport};
use crate::submission::Feedback;
use crate::verdict::Verdict;

/// Levels of feedback on secret tests, the lowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// As [`Feedback::None`].
    None,
    /// As [`Feedback::Case`].
    Case,
    /// Everything but the programs' standard error: they can write their input there.
    WithoutWords,
    /// As [`Feedback::Full`].
    Full,
}

impl Level {
    /// Returns whether a test is reported at all.
    pub(crate) fn tells_of(self, test: &Test) -> bool {
        test.sample || self != Self::None
    }

    /// Returns the level of a judging, the lowest of all that are set.
    pub(crate) fn of(readers: Readers, package: Option<Feedback>, submission: Option<Feedback>) -> Self {
        let (allowed, otherwise) = match readers {
            Readers::Jury => ([None, None], Self::Full),
            Readers::Backend(most) => ([most, package], Self::WithoutWords),
        };
        match allowed.into_iter().flatten().chain(submission).min() {
            None => otherwise,
            Some(Feedback::None) => Self::None,
            Some(Feedback::Case) => Self::Case,
            Some(Feedback::Full) => Self::Full,
        }
    }
}

/// Returns the report of a test at that level; `None` where it is not reported at all.
pub(crate) fn of_test(level: Level, test: &TestReport) -> Option<TestReport> {
    match level {
        _ if test.sample => Some(test.clone()),
        Level::Full => Some(test.clone()),
        Level::WithoutWords => {
            Some(TestReport { message: outcome::message_without_words(test), stderr: None, ..test.clone() })
        }
        Level::None => None,
        Level::Case => Some(TestReport {
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

/// Bytes of standard error in all tests of a report.
const STDERR_IN_ALL: usize = 64 << 10;

/// Bounds the total standard error of a report's tests, in the order in which they are reported.
#[derive(Debug, Default)]
pub(crate) struct StderrBudget {
    used: usize,
}

impl StderrBudget {
    /// Counts the standard error of a test; returns the text that replaces it where the total is too large.
    pub(crate) fn spend(&mut self, told: &TestReport) -> Option<String> {
        let bytes = told.stderr.as_ref()?.len();
        if self.used + bytes > STDERR_IN_ALL {
            return Some(format!("[… left out: above {} KiB in all tests …]", STDERR_IN_ALL >> 10));
        }
        self.used += bytes;
        None
    }
}

/// Reduces a report whose tests are whole. `is_open` says whether a group, by its place in the report, has only samples.
pub(crate) fn reduce(level: Level, report: &mut Report, is_open: impl Fn(usize) -> bool) {
    if level >= Level::WithoutWords {
        report.tests = report.tests.iter().filter_map(|test| of_test(level, test)).collect();
        return;
    }
    let of_name = |name: &Option<String>| report.tests.iter().find(|test| Some(&test.name) == name.as_ref());
    let fails_on_sample = of_name(&report.first_failure).is_some_and(|test| test.sample);
    let has_failed_secret = report.tests.iter().any(|test| test.verdict == Verdict::JE && !test.sample);
    if report.verdict == Verdict::JE && has_failed_secret {
        tracing::warn!(submission = %report.id, error = ?report.error, "judging error on a secret test");
        report.error = Some(format!(
            "judging error on a secret test: the worker's log says more (feedback is '{}')",
            if level == Level::Case { "case" } else { "none" }
        ));
    }
    report.tests = report.tests.iter().filter_map(|test| of_test(level, test)).collect();
    if level == Level::None {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_raises_what_another_allows() {
        let choices = [None, Some(Feedback::None), Some(Feedback::Case), Some(Feedback::Full)];
        for most in choices {
            for package in choices {
                for submission in choices {
                    let level = Level::of(Readers::Backend(most), package, submission);
                    for said in [most, package, submission].into_iter().flatten() {
                        assert!(level <= Level::of(Readers::Backend(Some(said)), None, None));
                    }
                    let is_silent = [most, package, submission].iter().all(Option::is_none);
                    assert_eq!(level == Level::WithoutWords, is_silent);
                }
            }
        }
        assert_eq!(Level::of(Readers::Jury, Some(Feedback::None), None), Level::Full);
        assert_eq!(Level::of(Readers::Jury, None, Some(Feedback::Case)), Level::Case);
    }
}
