//! Holds the result of one test while it is being judged.
//!
//! It keeps every verdict that applies; the most decisive one is reported. Figures are the sandbox's.

use crate::checker::{Grade, Opinion, Score};
use crate::judge::fault::Fault;
use crate::package::Test;
use crate::report::TestReport;
use crate::sandbox::{Exit, Outcome};
use crate::units::{Bytes, milliseconds};
use crate::verdict::Verdict;

/// One test's result.
#[derive(Debug, Clone)]
pub(crate) struct TestResult {
    pub(crate) report: TestReport,
    /// All verdicts that apply; the report has the most decisive one.
    pub(crate) applied: Vec<Verdict>,
    /// The checker's score.
    pub(crate) score: Option<Score>,
    /// Whether something outside of the box may have ended the program: the result counts only if it comes again.
    pub(crate) in_doubt: bool,
    /// Whether something outside of the box has ended the program for certain.
    pub(crate) ended_from_outside: bool,
}

impl TestResult {
    /// Returns the result of a run that has ended and is not judged yet.
    pub(crate) fn of(report: TestReport) -> Self {
        Self { report, applied: Vec::new(), score: None, in_doubt: false, ended_from_outside: false }
    }

    /// Returns the result of a test that did not run, or whose run does not count.
    pub(crate) fn without_run(test: &Test, verdict: Verdict) -> Self {
        Self { applied: vec![verdict], ..Self::of(blank(test, verdict)) }
    }

    /// Returns the result of a test that could not be judged.
    pub(crate) fn judging_error(test: &Test, fault: &Fault) -> Self {
        let mut report = blank(test, Verdict::JE);
        report.reason = Some(fault.reason());
        report.message = fault.to_string();
        Self { applied: vec![Verdict::JE], ..Self::of(report) }
    }

    /// Adds a verdict; its message is reported where it is the most decisive one.
    pub(crate) fn reject(&mut self, verdict: Verdict, message: String) {
        if self.applied.iter().all(|other| verdict.precedence() < other.precedence()) {
            self.report.reason = None;
            self.report.message = message;
        }
        self.applied.push(verdict);
    }
}

/// Returns a test's report without figures.
pub(crate) fn blank(test: &Test, verdict: Verdict) -> TestReport {
    TestReport {
        name: test.name.clone(),
        groups: test.groups.clone(),
        sample: test.sample,
        verdict,
        reason: None,
        score: None,
        cpu_ms: 0.0,
        wall_ms: 0.0,
        memory_kib: 0,
        memory_bound_kib: None,
        memory_source: None,
        output_bytes: 0,
        exit_code: None,
        signal: None,
        message: String::new(),
        judge_message: None,
        stderr: None,
        limits: None,
    }
}

/// Returns the report of an accepted test with the figures of its run.
pub(crate) fn figures(test: &Test, outcome: &Outcome) -> TestReport {
    let mut report = blank(test, Verdict::AC);
    report.cpu_ms = milliseconds(outcome.cpu);
    report.wall_ms = milliseconds(outcome.wall);
    report.memory_kib = outcome.memory.as_kib();
    report.memory_bound_kib = outcome.memory_bound.map(Bytes::as_kib);
    report.memory_source = Some(outcome.memory_source.id().to_owned());
    report.output_bytes = outcome.output_bytes;
    match outcome.exit {
        Exit::Code(code) => report.exit_code = Some(code),
        Exit::Signal(signal) => report.signal = Some(signal),
        Exit::NotStarted { .. } => {}
    }
    report
}

/// Adds a checker's opinion to a result. A partially correct output is a wrong answer: only scores know parts.
pub(crate) fn take_in(result: &mut TestResult, opinion: Opinion) {
    result.applied.push(match opinion.grade {
        Grade::Accepted => Verdict::AC,
        Grade::Partial | Grade::Wrong => Verdict::WA,
    });
    result.score = opinion.score;
    result.report.message = in_one_line(&opinion.team_message);
    result.report.judge_message = Some(opinion.judge_message).filter(|message| !message.is_empty());
}

/// Joins lines and truncates.
fn in_one_line(text: &str) -> String {
    const LONGEST: usize = 300;
    let line = text.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
