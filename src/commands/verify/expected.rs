//! Whether a submission got what it must.

use crate::package::{self, Expectation, PartialExpectation, ScoreRange};
use crate::report::{Report, TestReport};
use crate::verdict::{Reason, Verdict};

/// What is wrong with a report, if anything; one line.
pub(super) fn deviation(expectation: &Expectation, report: &Report) -> Option<String> {
    if matches!(report.verdict, Verdict::JE | Verdict::CX) && !is_expected_error(expectation, report) {
        return Some(report.error.clone().unwrap_or_else(|| "cancelled".to_owned()));
    }
    if !expectation.verdicts.is_empty() && !is_among(report.verdict, &expectation.verdicts) {
        return Some(format!("got {}, must get {}", report.verdict, names(&expectation.verdicts)));
    }
    let demands = Demands {
        permitted: &expectation.permitted,
        required: &expectation.required,
        message: expectation.message.as_deref(),
        among: "",
    };
    let tests: Vec<&TestReport> = report.tests.iter().collect();
    if let Some(problem) = demands.unmet(report, &tests) {
        return Some(problem);
    }
    if let Some(range) = expectation.score
        && let Some(problem) = outside("the score", range, report.score)
    {
        return Some(problem);
    }
    expectation.parts.iter().find_map(|part| part_deviation(part, report))
}

/// Whether the package's own failure is what must happen (DMOJ: `expect: IE`). A failure of this host never is.
fn is_expected_error(expectation: &Expectation, report: &Report) -> bool {
    let lists = [&expectation.verdicts, &expectation.permitted].into_iter();
    let wanted = lists.chain(expectation.parts.iter().map(|part| &part.permitted));
    report.verdict == Verdict::JE
        && matches!(report.reason, Some(Reason::Package | Reason::Checker))
        && wanted.flatten().any(|verdict| *verdict == Verdict::JE)
}

/// Whether a verdict is one of these. To tools that cut output off in silence a program that prints without end is too
/// slow, and authors say so of it.
fn is_among(verdict: Verdict, verdicts: &[Verdict]) -> bool {
    verdicts.contains(&verdict) || verdict == Verdict::OLE && verdicts.contains(&Verdict::TLE)
}

/// Demands on some tests.
struct Demands<'a> {
    permitted: &'a [Verdict],
    required: &'a [Verdict],
    message: Option<&'a str>,
    /// Which tests, for messages: ` in secret/*`.
    among: &'a str,
}

impl Demands<'_> {
    fn unmet(&self, report: &Report, tests: &[&TestReport]) -> Option<String> {
        let verdicts = test_verdicts(report, tests);
        let Self { permitted, required, message, among } = self;
        if !permitted.is_empty()
            && let Some((name, verdict)) = verdicts.iter().find(|(_, verdict)| !is_among(*verdict, permitted))
        {
            return Some(format!("{name} got {verdict}, permitted{among} are only {}", names(permitted)));
        }
        if !required.is_empty() && !verdicts.iter().any(|(_, verdict)| is_among(*verdict, required)) {
            return Some(format!("no test{among} got {}", names(required)));
        }
        // The specification compares without regard to case.
        let message = message.map(str::to_lowercase)?;
        let says = |test: &&&TestReport| {
            let of_jury = test.judge_message.as_deref().unwrap_or_default();
            of_jury.to_lowercase().contains(&message) || test.message.to_lowercase().contains(&message)
        };
        if tests.iter().any(|test| says(&test)) {
            return None;
        }
        Some(format!("no checker's message{among} has the words '{}'", message.escape_debug()))
    }
}

fn part_deviation(part: &PartialExpectation, report: &Report) -> Option<String> {
    let pattern = match package::name_pattern(&part.pattern) {
        Ok(pattern) => pattern.compile_matcher(),
        Err(error) => return Some(format!("'{}' is no pattern of tests: {error}", part.pattern)),
    };
    let tests: Vec<&TestReport> = report
        .tests
        .iter()
        .filter(|test| {
            pattern.is_match(&test.name) || test.groups.iter().any(|group| pattern.is_match(group))
        })
        .collect();
    let among = format!(" in {}", part.pattern);
    if tests.is_empty() && !report.tests.is_empty() {
        return Some(format!("no test matches '{}'", part.pattern));
    }
    let demands = Demands {
        permitted: &part.permitted,
        required: &part.required,
        message: part.message.as_deref(),
        among: &among,
    };
    if let Some(problem) = demands.unmet(report, &tests) {
        return Some(problem);
    }
    let range = part.score?;
    report
        .groups
        .iter()
        .filter(|group| pattern.is_match(&group.name))
        .find_map(|group| outside(&format!("the score of {}", group.name), range, group.score))
}

/// Every test that ran, with what it got; the compilation in their place when there are none.
fn test_verdicts<'a>(report: &Report, tests: &[&'a TestReport]) -> Vec<(&'a str, Verdict)> {
    if report.tests.is_empty() {
        return vec![("compiling", report.verdict)];
    }
    tests
        .iter()
        .filter(|test| test.verdict != Verdict::SK)
        .map(|test| (test.name.as_str(), test.verdict))
        .collect()
}

fn outside(what: &str, range: ScoreRange, score: Option<f64>) -> Option<String> {
    match score {
        Some(score) if range.contains(score) => None,
        Some(score) => Some(format!("{what} is {score}, must be {}", range_name(range))),
        None => Some(format!("{what} is none, must be {}", range_name(range))),
    }
}

fn range_name(range: ScoreRange) -> String {
    #[allow(clippy::float_cmp, reason = "both ends are the same number as it was read")]
    let is_one = range.min == range.max;
    match (is_one, range.min.is_finite(), range.max.is_finite()) {
        (true, ..) => range.min.to_string(),
        (_, true, true) => format!("{} to {}", range.min, range.max),
        (_, true, false) => format!("at least {}", range.min),
        (_, false, true) => format!("at most {}", range.max),
        (_, false, false) => "any".to_owned(),
    }
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
    if let Some(range) = expectation.score {
        parts.push(format!("score {}", range_name(range)));
    }
    if let Some(message) = &expectation.message {
        parts.push(format!("message '{message}'"));
    }
    for part in &expectation.parts {
        let mut of_part = Vec::new();
        if !part.permitted.is_empty() {
            of_part.push(format!("each of {}", names(&part.permitted)));
        }
        if !part.required.is_empty() {
            of_part.push(format!("some of {}", names(&part.required)));
        }
        of_part.extend(part.score.map(|range| format!("score {}", range_name(range))));
        of_part.extend(part.message.as_ref().map(|message| format!("message '{message}'")));
        parts.push(format!("{} {}", part.pattern, of_part.join(", ")));
    }
    if parts.is_empty() { "anything".to_owned() } else { parts.join("; ") }
}

/// Whether it demands that the submission is too slow.
pub(super) fn must_be_too_slow(expectation: &Expectation) -> bool {
    let slow = |verdicts: &[Verdict]| {
        !verdicts.is_empty() && verdicts.iter().all(|verdict| matches!(verdict, Verdict::TLE | Verdict::WTL))
    };
    slow(&expectation.verdicts) || slow(&expectation.required)
}

/// Whether it lets the submission be accepted and nothing else.
pub(super) fn must_be_accepted(expectation: &Expectation) -> bool {
    expectation.verdicts == [Verdict::AC] || expectation.permitted == [Verdict::AC]
}

/// Whether whole results are needed to tell: what stops at the first failure has not seen all tests.
pub(super) fn needs_all_tests(expectation: &Expectation) -> bool {
    !expectation.required.is_empty() || !expectation.parts.is_empty() || expectation.message.is_some()
}

/// Whether the first test that is not accepted says all about a submission that must be too slow: what it gets there is the
/// verdict it must have, or one it must not.
pub(super) fn is_shown_by_first_failure(expectation: &Expectation) -> bool {
    let is_slow = |verdict: &Verdict| matches!(verdict, Verdict::TLE | Verdict::WTL | Verdict::OLE);
    let Expectation { permitted, required, parts, message, score, .. } = expectation;
    let has_more = !parts.is_empty() || message.is_some() || score.is_some();
    let is_harmless = |verdict: &Verdict| is_slow(verdict) || *verdict == Verdict::AC;
    !has_more
        && required.contains(&Verdict::TLE)
        && required.iter().all(is_slow)
        && !permitted.is_empty()
        && permitted.iter().all(is_harmless)
}

fn names(verdicts: &[Verdict]) -> String {
    verdicts.iter().map(|verdict| verdict.id()).collect::<Vec<_>>().join("|")
}
