//! Computes the verdict and the score of a group from its members.
//!
//! Kattis legacy groups are joined as problemtools' default grader joins them; the spelling of its modes is in
//! [`crate::package::Group`].

use crate::checker::Score;
use crate::package::{Aggregation, Group, GroupVerdict};
use crate::verdict::{Reason, Verdict};

/// How far a score may lie outside its range by rounding alone, relative to the range's end.
const SLACK: f64 = 1e-9;

/// Why a group cannot be judged, where no test says it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct GradingError {
    /// Whose fault it is.
    pub(crate) reason: Reason,
    /// One line.
    pub(crate) message: String,
}

/// The result of a group.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Value {
    /// Its verdict; SK where it was not run because of what it depends on.
    pub(crate) verdict: Verdict,
    /// Its score; 0 in pass-fail problems.
    pub(crate) score: f64,
    /// Whether every test in it was accepted, or right in part where that is enough for what depends on it.
    pub(crate) passed: bool,
    /// The first test in it, or in what it depends on, that was not accepted.
    pub(crate) failing: Option<Failure>,
    /// The test that the verdict comes from: its place among those asked for.
    pub(crate) cause: Option<usize>,
    /// Set with JE where the group itself is to blame.
    pub(crate) error: Option<GradingError>,
}

/// A test that was not accepted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Failure {
    pub(crate) verdict: Verdict,
    /// Its place among those asked for.
    pub(crate) test: usize,
}

impl Value {
    /// Returns the verdict that it counts as where it was not run.
    pub(crate) fn failing(&self) -> Verdict {
        self.failing.map_or(Verdict::JE, |failure| failure.verdict)
    }
}

/// A member as its group sees it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Part {
    /// Never SK.
    pub(crate) verdict: Verdict,
    pub(crate) score: f64,
    /// Whether it enters the result.
    pub(crate) counts: bool,
    /// Whether it ends a group that breaks on rejections.
    pub(crate) breaks: bool,
    pub(crate) passed: bool,
    pub(crate) failing: Option<Failure>,
    pub(crate) cause: Option<usize>,
    pub(crate) error: Option<GradingError>,
}

impl Part {
    /// A test; one that is right `in_part` ends no group, and where `parts_pass` it lets others be run.
    pub(crate) fn of_test(
        test: usize,
        verdict: Verdict,
        score: f64,
        in_part: bool,
        parts_pass: bool,
    ) -> Self {
        let passed = verdict == Verdict::AC || (in_part && parts_pass);
        Self {
            verdict,
            score,
            counts: true,
            breaks: !passed && !in_part,
            passed,
            failing: (!passed).then_some(Failure { verdict, test }),
            cause: Some(test),
            error: None,
        }
    }

    /// A group that was not run counts as what kept it from running.
    pub(crate) fn of_group(value: &Value, counts: bool) -> Self {
        let verdict = match value.verdict {
            Verdict::SK => value.failing(),
            verdict => verdict,
        };
        Self {
            verdict,
            score: value.score,
            counts,
            breaks: verdict != Verdict::AC,
            passed: value.passed,
            failing: value.failing,
            cause: value.cause,
            error: value.error.clone(),
        }
    }

    pub(crate) fn is_rejected(&self) -> bool {
        self.verdict != Verdict::AC
    }
}

/// The score of a test in a group (see [`crate::package::Group`], step 1).
pub(crate) fn test_score(group: &Group, points: Option<f64>, verdict: Verdict, given: Option<Score>) -> f64 {
    let worth = points.unwrap_or(group.accept_score);
    match (verdict, given) {
        (Verdict::AC | Verdict::WA, Some(Score::Points(points))) => points,
        (Verdict::AC | Verdict::WA, Some(Score::Fraction(fraction))) => fraction * worth,
        (Verdict::AC, None) => worth,
        _ => group.reject_score,
    }
}

/// Runs the package's own grader over verdicts and scores.
pub(crate) type Grade<'a> =
    dyn FnMut(&Group, &[String], &[(Verdict, f64)]) -> Result<(Verdict, f64), GradingError> + 'a;

/// Computes the value of a group whose members are folded.
pub(crate) fn conclude(group: &Group, scoring: bool, parts: &[Part], grade: &mut Grade<'_>) -> Value {
    let passed = parts.iter().all(|part| part.passed);
    let failing = parts.iter().find_map(|part| part.failing);
    let value = |verdict, score, cause, error| Value { verdict, score, passed, failing, cause, error };
    if let Some(broken) = parts.iter().find(|part| part.verdict == Verdict::JE) {
        return value(Verdict::JE, 0.0, broken.cause, broken.error.clone());
    }
    let mut counted: Vec<&Part> = parts.iter().filter(|part| part.counts).collect();
    if counted.is_empty() {
        // Only what does not count was run: then there is nothing else to say (problemtools' ignore_sample takes the
        // last result there is).
        counted = parts.iter().collect();
    }
    let broken = |error| value(Verdict::JE, 0.0, None, Some(error));
    let (verdict, score) = match &group.aggregation {
        Aggregation::Program(arguments) if !parts.is_empty() => {
            let lines: Vec<_> = parts.iter().map(|part| (part.verdict, part.score)).collect();
            match grade(group, arguments, &lines) {
                Ok((verdict, score)) => (verdict, score),
                Err(error) => return broken(error),
            }
        }
        aggregation => (joined(group.verdict, &counted), aggregated(aggregation, &counted)),
    };
    let cause = match verdict {
        Verdict::AC => None,
        _ => {
            let same = counted.iter().find(|part| part.verdict == verdict);
            same.or_else(|| counted.iter().find(|part| part.is_rejected())).and_then(|part| part.cause)
        }
    };
    if !scoring {
        return value(verdict, 0.0, cause, None);
    }
    let score = rounded(score * group.weight);
    // What was rejected has no score to speak of, nor has what never counts: a package may give them any.
    if verdict != Verdict::AC || !group.counts {
        let score = if score.is_finite() { score } else { 0.0 };
        return value(verdict, score, cause, None);
    }
    match within_range(group, score) {
        Ok(score) => value(verdict, score, cause, None),
        Err(message) => broken(GradingError { reason: Reason::Package, message }),
    }
}

/// The value of a group that is not run, because something it depends on did not pass.
pub(crate) fn not_run(group: &Group, failing: Option<Failure>) -> Value {
    let score = if group.range.min.is_finite() { group.range.min } else { 0.0 };
    let cause = failing.map(|failure| failure.test);
    Value { verdict: Verdict::SK, score, passed: false, failing, cause, error: None }
}

fn joined(mode: GroupVerdict, parts: &[&Part]) -> Verdict {
    let first = || parts.iter().map(|part| part.verdict).find(|verdict| *verdict != Verdict::AC);
    let worst = || parts.iter().map(|part| part.verdict).min_by_key(|verdict| severity(*verdict));
    let any = parts.iter().any(|part| part.verdict == Verdict::AC);
    let found = match mode {
        GroupVerdict::FirstError => first(),
        GroupVerdict::WorstError => worst(),
        GroupVerdict::AlwaysAccept => None,
        GroupVerdict::AnyAccepted | GroupVerdict::AnyAcceptedElseWorst if any => None,
        GroupVerdict::AnyAccepted => first(),
        GroupVerdict::AnyAcceptedElseWorst => worst(),
    };
    found.unwrap_or(Verdict::AC)
}

/// The order of `worst_error` (Kattis legacy, "Default Grader Specification"): JE, RTE, MLE, TLE, OLE, WA.
fn severity(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::JE | Verdict::CX | Verdict::CE => 0,
        Verdict::RTE | Verdict::SV => 1,
        Verdict::MLE => 2,
        Verdict::TLE | Verdict::WTL => 3,
        Verdict::OLE => 4,
        Verdict::WA => 5,
        Verdict::AC | Verdict::SK => 6,
    }
}

fn aggregated(aggregation: &Aggregation, parts: &[&Part]) -> f64 {
    let scores = || parts.iter().map(|part| part.score);
    let one = |holds: bool| if holds { 1.0 } else { 0.0 };
    if parts.is_empty() {
        return 0.0;
    }
    #[allow(clippy::cast_precision_loss, reason = "a package has at most fifty thousand tests")]
    let count = parts.len() as f64;
    match aggregation {
        Aggregation::Sum | Aggregation::Program(_) => scores().sum(),
        Aggregation::Average => scores().sum::<f64>() / count,
        Aggregation::Min => scores().fold(f64::INFINITY, f64::min),
        Aggregation::Max => scores().fold(f64::NEG_INFINITY, f64::max),
        Aggregation::Product => scores().product(),
        Aggregation::AllOrNothing => one(parts.iter().all(|part| part.passed)),
        Aggregation::Threshold(largest) => one(scores().all(|score| is_below(score, *largest))),
    }
}

/// CMS, `GroupThreshold`: from 0 to the threshold.
pub(crate) fn is_below(score: f64, largest: f64) -> bool {
    (0.0..=largest).contains(&score)
}

/// Ten times 0.1 is 1: nine decimal places are kept, more than any of the tools shows.
fn rounded(score: f64) -> f64 {
    const PLACES: f64 = 1e9;
    if score.abs() < 1e6 { (score * PLACES).round() / PLACES + 0.0 } else { score }
}

/// The score, moved into the range where only rounding put it outside.
fn within_range(group: &Group, score: f64) -> Result<f64, String> {
    let name = if group.name.is_empty() { "all tests".to_owned() } else { format!("group {}", group.name) };
    if !score.is_finite() {
        return Err(format!("{name}: the score is too large to be a number"));
    }
    let range = group.range;
    let nearest = score.max(range.min).min(range.max);
    if (nearest - score).abs() <= SLACK * score.abs().max(1.0) {
        return Ok(nearest);
    }
    Err(format!("{name}: the score {score} lies outside its range, {} to {}", range.min, range.max))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::ScoreRange;
    use Verdict::{AC, JE, MLE, RTE, TLE, WA};

    fn value_of(group: &Group, results: &[(Verdict, f64)]) -> Value {
        let parts: Vec<_> = results
            .iter()
            .enumerate()
            .map(|(test, (verdict, score))| Part::of_test(test, *verdict, *score, false, false))
            .collect();
        conclude(group, true, &parts, &mut |_, _, _| unreachable!())
    }

    #[test]
    fn scores_are_joined_as_the_tools_join_them() {
        let results = [(AC, 3.0), (WA, 0.0), (AC, 1.5)];
        for (aggregation, score) in [
            (Aggregation::Sum, 4.5),
            (Aggregation::Average, 1.5),
            (Aggregation::Min, 0.0),
            (Aggregation::Max, 3.0),
            (Aggregation::Product, 0.0),
            (Aggregation::AllOrNothing, 0.0),
            (Aggregation::Threshold(2.0), 0.0),
            (Aggregation::Threshold(3.0), 1.0),
        ] {
            let group = Group { aggregation: aggregation.clone(), weight: 2.0, ..Group::new("g") };
            assert_eq!(value_of(&group, &results).score, 2.0 * score, "{aggregation:?}");
            assert_eq!(value_of(&group, &[]).score, 0.0, "{aggregation:?}");
        }
        let all = Group { aggregation: Aggregation::AllOrNothing, weight: 40.0, ..Group::new("g") };
        assert_eq!(value_of(&all, &[(AC, 0.0), (AC, 0.0)]).score, 40.0);
        assert_eq!(value_of(&Group::new("g"), &[(AC, 0.1); 10]).score, 1.0);
    }

    #[test]
    fn verdicts_are_joined_as_the_tools_join_them() {
        let results = [(AC, 0.0), (WA, 0.0), (TLE, 0.0), (RTE, 0.0), (MLE, 0.0)];
        for (mode, verdict, cause) in [
            (GroupVerdict::FirstError, WA, Some(1)),
            (GroupVerdict::WorstError, RTE, Some(3)),
            (GroupVerdict::AlwaysAccept, AC, None),
            (GroupVerdict::AnyAccepted, AC, None),
            (GroupVerdict::AnyAcceptedElseWorst, AC, None),
        ] {
            let value = value_of(&Group { verdict: mode, ..Group::new("g") }, &results);
            assert_eq!((value.verdict, value.cause), (verdict, cause), "{mode:?}");
            assert!(!value.passed);
        }
        let any = |mode| value_of(&Group { verdict: mode, ..Group::new("g") }, &results[1..]).verdict;
        assert_eq!(any(GroupVerdict::AnyAccepted), WA);
        assert_eq!(any(GroupVerdict::AnyAcceptedElseWorst), RTE);
        let always = Group { verdict: GroupVerdict::AlwaysAccept, ..Group::new("g") };
        assert_eq!(value_of(&always, &[(AC, 1.0), (JE, 0.0)]).verdict, JE);
    }

    #[test]
    fn an_accepted_score_outside_its_range_is_a_judging_error() {
        let group = Group { range: ScoreRange { min: 0.0, max: 1.0 }, ..Group::new("g") };
        let broken = value_of(&group, &[(AC, 1.0), (AC, 0.25)]);
        assert_eq!((broken.verdict, broken.score), (JE, 0.0));
        let message = broken.error.unwrap().message;
        assert_eq!(message, "group g: the score 1.25 lies outside its range, 0 to 1");
        assert_eq!(value_of(&group, &[(AC, 1.0 + 1e-12)]).score, 1.0);
        let rejected = value_of(&group, &[(AC, 1.0), (WA, 3.0)]);
        assert_eq!((rejected.verdict, rejected.score), (WA, 4.0));
        let ignored = Group { counts: false, ..group };
        assert_eq!(value_of(&ignored, &[(AC, 3.0)]).verdict, AC);
        let huge = value_of(&Group::new(""), &[(AC, f64::MAX), (AC, f64::MAX)]);
        assert_eq!(huge.error.unwrap().message, "all tests: the score is too large to be a number");
    }

    #[test]
    fn a_checkers_word_comes_before_the_tests_points() {
        let group = Group { accept_score: 10.0, reject_score: -1.0, ..Group::new("g") };
        for (points, verdict, given, score) in [
            (None, AC, None, 10.0),
            (Some(4.0), AC, None, 4.0),
            (Some(4.0), AC, Some(Score::Points(7.0)), 7.0),
            (Some(4.0), AC, Some(Score::Fraction(0.5)), 2.0),
            (Some(4.0), WA, Some(Score::Fraction(0.25)), 1.0),
            (None, WA, Some(Score::Points(3.0)), 3.0),
            (Some(4.0), WA, None, -1.0),
            (Some(4.0), TLE, Some(Score::Points(3.0)), -1.0),
        ] {
            assert_eq!(test_score(&group, points, verdict, given), score, "{points:?} {verdict} {given:?}");
        }
    }
}
