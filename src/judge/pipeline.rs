//! Runs a submission's tests over the slots and decides them in judging order.
//!
//! Workers take tests in that order, one slot each. What groups are decided by a result makes other tests moot: what
//! runs of them is cancelled and what has not begun is skipped. Since a test is decided only when all before it are,
//! and moot results are dropped even when they came in early, the same verdicts and scores come out whatever ran
//! faster. What matters, and what comes of it, is [`super::score`]'s.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use super::answers::Answers;
use super::check::Checkers;
use super::equal_tests::{EqualTests, Way, renamed};
use super::fault::Fault;
use super::feedback::{self, Level, StderrBudget};
use super::files::Inputs;
use super::progress::EventSender;
use super::request::Source;
use super::run_test::{Runner, run_test};
use super::score::{Grader, Outcome, Standing, Trouble, Value, View};
use super::slots::lock;
use super::test_result::TestResult;
use super::{Judge, panic_message};
use crate::cancel::CancelToken;
use crate::package::{Package, ScoreRange, Scoring, Test};
use crate::report::{EventKind, GroupReport, RangeReport, Report};
use crate::sandbox::SandboxError;
use crate::submission::Stop;
use crate::units::Bytes;
use crate::verdict::{Reason, Verdict};

/// What is judged, and for whom.
pub(super) struct Trial<'a> {
    pub(super) judge: &'a Judge,
    pub(super) package: &'a Package,
    pub(super) inputs: &'a Inputs,
    pub(super) stop: Stop,
    pub(super) feedback: Level,
    /// How many times its CPU limit a program may run, so that its time can be told; 1 outside verification.
    pub(super) overtime: f64,
    pub(super) cancel: &'a CancelToken,
    pub(super) events: &'a EventSender<'a>,
}

/// What was handed in, ready to be tested.
pub(super) enum Entrant<'a> {
    /// A program to run.
    Program(&'a Runner<'a>),
    /// Outputs to check, and what one may have.
    Answers { answers: &'a Answers<'a>, limit: Bytes },
}

/// Everything the runs of one submission have in common.
pub(super) struct TestRun<'a> {
    pub(super) judge: &'a Judge,
    pub(super) package: &'a Package,
    pub(super) entrant: Entrant<'a>,
    pub(super) checkers: &'a Checkers<'a>,
    pub(super) stop: Stop,
    pub(super) feedback: Level,
    pub(super) cancel: &'a CancelToken,
    pub(super) events: &'a EventSender<'a>,
    pub(super) inputs: &'a Inputs,
    /// What was handed in, the entry point first.
    pub(super) submitted: &'a [Source],
    /// Outputs that were handed in beside a program, and what one may have.
    pub(super) outputs: Option<(&'a Answers<'a>, Bytes)>,
}

impl<'a> TestRun<'a> {
    pub(super) fn new(
        trial: &Trial<'a>,
        entrant: Entrant<'a>,
        checkers: &'a Checkers<'a>,
        submitted: &'a [Source],
    ) -> Self {
        let Trial { judge, package, inputs, stop, feedback, cancel, events, .. } = *trial;
        let outputs = None;
        Self { judge, package, entrant, checkers, stop, feedback, cancel, events, inputs, submitted, outputs }
    }
}

/// Runs all tests and fills the report's verdict, score, tests, groups and figures.
///
/// # Errors
/// When the package's groups or its grader are broken.
pub(super) fn run_all(run: &TestRun<'_>, tests: &[&Test], report: &mut Report) -> Result<(), Fault> {
    let grader = Grader::of(run.judge, run.package, run.cancel)?;
    let standing = Standing::new(run.package, tests, run.stop)?;
    let pipeline = Pipeline {
        run,
        tests,
        order: standing.order().to_vec(),
        state: Mutex::new(State {
            tests,
            standing,
            grader,
            equal: EqualTests::among(tests),
            again: VecDeque::new(),
            next: 0,
            results: vec![None; tests.len()],
            told: 0,
            running: HashMap::new(),
            stderr: StderrBudget::default(),
        }),
    };
    let workers = run.judge.slots().min(tests.len());
    std::thread::scope(|scope| {
        for _ in 1..workers {
            let spawned =
                std::thread::Builder::new().name("test".to_owned()).spawn_scoped(scope, || pipeline.work());
            if let Err(error) = spawned {
                // The other workers, this thread at least, do its share.
                tracing::warn!(%error, "cannot start a thread; fewer tests run at once");
            }
        }
        pipeline.work();
    });
    lock(&pipeline.state).flush(run, &pipeline.order);
    let state = pipeline.state.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let open: Vec<bool> = state.standing.told_groups().map(|(place, _)| state.is_open(place)).collect();
    conclude(report, state, run.package.scoring, run.cancel.is_cancelled());
    feedback::reduce(run.feedback, report, |place| open.get(place) == Some(&true));
    Ok(())
}

struct Pipeline<'a> {
    run: &'a TestRun<'a>,
    tests: &'a [&'a Test],
    /// Tests in judging order.
    order: Vec<usize>,
    state: Mutex<State<'a>>,
}

struct State<'a> {
    tests: &'a [&'a Test],
    standing: Standing<'a>,
    grader: Option<Grader<'a>>,
    equal: EqualTests,
    /// Tests that were taken and came back, because the equal one they waited for was stopped.
    again: VecDeque<usize>,
    /// The next turn nobody has taken.
    next: usize,
    /// By test.
    results: Vec<Option<TestResult>>,
    /// Turns before this are decided and told.
    told: usize,
    /// Tokens of running tests.
    running: HashMap<usize, CancelToken>,
    /// Of the tests that are told.
    stderr: StderrBudget,
}

impl Pipeline<'_> {
    /// Takes and runs tests until none is left.
    fn work(&self) {
        while let Some((index, token)) = self.take() {
            let test = self.tests[index];
            let tokens = [self.run.cancel, &token];
            let result = catch_unwind(AssertUnwindSafe(|| run_test(self.run, test, &tokens)))
                .unwrap_or_else(|panic| Err(Fault::Panic(panic_message(&*panic))));
            let result = match result {
                Ok(result) => result,
                // Moot or cancelled; which of the two is told apart when it is decided.
                Err(_) if tokens.iter().any(|token| token.is_cancelled()) => {
                    TestResult::without_run(test, Verdict::CX)
                }
                Err(fault) => {
                    tracing::info!(test = %test.name, %fault, "judging error");
                    TestResult::judging_error(test, &fault)
                }
            };
            lock(&self.state).finish(index, result, self.run, &self.order);
        }
    }

    fn take(&self) -> Option<(usize, CancelToken)> {
        let mut state = lock(&self.state);
        while !self.run.cancel.is_cancelled() {
            let Some(index) = state.next_untaken(&self.order) else { break };
            if !state.standing.is_needed(index, View::Known) {
                continue;
            }
            match state.equal.start(index) {
                Way::Run => {}
                Way::Wait => continue,
                Way::Known(result) => {
                    let result = renamed(*result, self.tests[index]);
                    state.finish(index, result, self.run, &self.order);
                    continue;
                }
            }
            match CancelToken::new() {
                Ok(token) => {
                    state.running.insert(index, token.clone());
                    return Some((index, token));
                }
                Err(error) => {
                    let result =
                        TestResult::judging_error(self.tests[index], &SandboxError::from(error).into());
                    state.finish(index, result, self.run, &self.order);
                }
            }
        }
        None
    }
}

impl State<'_> {
    fn next_untaken(&mut self, order: &[usize]) -> Option<usize> {
        self.again.pop_front().or_else(|| {
            let index = *order.get(self.next)?;
            self.next += 1;
            Some(index)
        })
    }

    /// Takes in a result, also for the tests that are equal, stops what it made moot, and tells what is decided now.
    fn finish(&mut self, index: usize, result: TestResult, run: &TestRun<'_>, order: &[usize]) {
        self.running.remove(&index);
        for waiting in self.equal.finished(index, &result) {
            if result.report.verdict == Verdict::CX {
                self.again.push_back(waiting);
            } else {
                let result = renamed(result.clone(), self.tests[waiting]);
                self.take_in(waiting, result, run, order);
            }
        }
        self.take_in(index, result, run, order);
    }

    fn take_in(&mut self, index: usize, result: TestResult, run: &TestRun<'_>, order: &[usize]) {
        if self.standing.turn(index) < self.told {
            // It was moot and told as skipped while it was being stopped.
            return;
        }
        if result.report.verdict != Verdict::CX {
            self.standing.know(index, outcome_of(&result));
        }
        self.results[index] = Some(result);
        self.stop_moot();
        if !run.cancel.is_cancelled() {
            self.flush(run, order);
            self.stop_moot();
        }
    }

    fn stop_moot(&self) {
        let is_needed = |test: &usize| self.standing.is_needed(*test, View::Known);
        for (running, token) in &self.running {
            if !is_needed(running) && !self.equal.waiting_for(*running).iter().any(is_needed) {
                token.cancel();
            }
        }
    }

    /// Tells every test whose predecessors are all told.
    fn flush(&mut self, run: &TestRun<'_>, order: &[usize]) {
        while let Some(&index) = order.get(self.told) {
            let test = self.tests[index];
            let mut outcome = None;
            if !self.standing.is_needed(index, View::Told) {
                self.results[index] = Some(TestResult::without_run(test, Verdict::SK));
            } else {
                match &mut self.results[index] {
                    None if !run.cancel.is_cancelled() => return,
                    None => self.results[index] = Some(TestResult::without_run(test, Verdict::CX)),
                    Some(result) if result.report.verdict == Verdict::CX => {
                        if !run.cancel.is_cancelled() {
                            let bug = "a test was stopped that its groups needed".to_owned();
                            *result = TestResult::judging_error(test, &Fault::Panic(bug));
                            outcome = Some(outcome_of(result));
                        }
                    }
                    Some(result) => {
                        let found = outcome_of(result);
                        result.report.score = self.standing.score(index, found);
                        outcome = Some(found);
                    }
                }
            }
            self.told += 1;
            self.tell(index, run);
            let complete =
                self.standing.tell(index, outcome, &mut |_, arguments, results| match &self.grader {
                    Some(grader) => grader.grade(arguments, results),
                    None => Err(Trouble {
                        reason: Reason::Package,
                        message: "a group has a grader of its own, and the package has none".to_owned(),
                    }),
                });
            let is_told = |group: &usize| run.feedback != Level::None || self.is_open(*group);
            for group in complete.into_iter().filter(|group| *group > 0 && is_told(group)) {
                let GroupReport { name, verdict, score, range } = self.group(group);
                run.events.send(EventKind::Group { name, verdict, score, range });
            }
        }
    }

    /// Sends a decided test as far as it may be told.
    fn tell(&mut self, index: usize, run: &TestRun<'_>) {
        let Some(result) = &mut self.results[index] else { return };
        let Some(mut test) = feedback::of_test(run.feedback, &result.report) else { return };
        if let Some(note) = self.stderr.spend(&test) {
            test.stderr = Some(note.clone());
            result.report.stderr = Some(note);
        }
        // Its place among those that are told.
        let index = self.tests[..index].iter().filter(|test| run.feedback.tells_of(test)).count();
        run.events.send(EventKind::Test { index, test: Box::new(test) });
    }

    /// Whether a group has only samples.
    fn is_open(&self, place: usize) -> bool {
        self.tests.iter().enumerate().all(|(test, known)| known.sample || !self.standing.holds(place, test))
    }

    /// What there is to say of a group.
    fn group(&self, place: usize) -> GroupReport {
        let group = self.standing.group(place);
        let value = self.standing.value(place);
        let verdict =
            match value {
                Some(value) => value.verdict,
                // Not reached: its tests ran because others wanted them, or not at all.
                None => verdict_of(self.results.iter().enumerate().filter_map(|(test, result)| {
                    result.as_ref().filter(|_| self.standing.holds(place, test))
                })),
            };
        let is_scored = self.standing.is_scoring() && verdict != Verdict::JE;
        GroupReport {
            name: group.name.clone(),
            verdict,
            score: value.filter(|_| is_scored).map(|value| value.score),
            range: if self.standing.is_scoring() { range_report(group.range) } else { None },
        }
    }
}

fn outcome_of(result: &TestResult) -> Outcome {
    Outcome { verdict: result.report.verdict, score: result.score }
}

/// Both ends where they are known; `None` where neither is.
fn range_report(range: ScoreRange) -> Option<RangeReport> {
    let finite = |end: f64| end.is_finite().then_some(end);
    let report = RangeReport { min: finite(range.min), max: finite(range.max) };
    (report.min.is_some() || report.max.is_some()).then_some(report)
}

/// The first verdict that is not AC or SK; SK when nothing ran, else AC.
fn verdict_of<'a>(results: impl Iterator<Item = &'a TestResult>) -> Verdict {
    let mut verdict = Verdict::SK;
    for result in results {
        match result.report.verdict {
            Verdict::SK => {}
            Verdict::AC => verdict = Verdict::AC,
            failure => return failure,
        }
    }
    verdict
}

/// Fills the report from the decided tests.
fn conclude(report: &mut Report, state: State<'_>, scoring: Option<Scoring>, is_cancelled: bool) {
    report.groups = state.standing.told_groups().map(|(place, _)| state.group(place)).collect();
    let whole = state.standing.value(0).cloned();
    let range = state.standing.group(0).range;
    let results: Vec<TestResult> = state.results.into_iter().flatten().collect();
    let first = results.iter().find(|result| !matches!(result.report.verdict, Verdict::AC | Verdict::SK));
    report.first_failure = first.map(|result| result.report.name.clone());
    // The package's grader is broken off too, and has then said nothing about its groups.
    let is_broken_off = is_cancelled
        && (whole.as_ref().is_some_and(|whole| whole.trouble.is_some())
            || results.iter().any(|result| result.report.verdict == Verdict::CX));
    decide(report, whole, &results);
    if let (Some(scoring), false) = (scoring, report.verdict == Verdict::JE) {
        report.score = report.score.map(|score| to_places(score, scoring.precision));
        report.range = range_report(range);
    } else {
        report.score = None;
    }
    if is_broken_off {
        report.verdict = Verdict::CX;
        report.reason = None;
        report.error = None;
        report.first_failure = None;
        report.score = None;
    }
    for verdict in results.iter().flat_map(|result| &result.applied) {
        if !matches!(verdict, Verdict::AC | Verdict::SK) && !report.flags.contains(verdict) {
            report.flags.push(*verdict);
        }
    }
    if report.flags.is_empty() {
        report.flags.push(report.verdict);
    }
    report.max_cpu_ms = results.iter().map(|result| result.report.cpu_ms).fold(0.0, f64::max);
    report.max_memory_kib = results.iter().map(|result| result.report.memory_kib).max().unwrap_or(0);
    report.tests = results.into_iter().map(|result| result.report).collect();
}

/// The verdict and the score of all tests.
fn decide(report: &mut Report, whole: Option<Value>, results: &[TestResult]) {
    let Some(whole) = whole else {
        // Only a cancelled judging ends before its last group is decided.
        report.verdict = Verdict::JE;
        report.reason = Some(Reason::Sandbox);
        report.error = Some("internal error: the groups were not decided".to_owned());
        return;
    };
    let cause = whole.cause.and_then(|test| results.get(test));
    // Everything depends on something that did not pass.
    report.verdict = if whole.verdict == Verdict::SK { whole.failing() } else { whole.verdict };
    report.reason = cause.and_then(|result| result.report.reason);
    report.score = Some(whole.score);
    if report.verdict == Verdict::JE {
        report.error = cause.map(|result| format!("test {}: {}", result.report.name, result.report.message));
        if let Some(trouble) = whole.trouble {
            report.reason = Some(trouble.reason);
            report.error = Some(trouble.message);
        }
    }
}

/// Rounded to decimal places, half away from zero.
fn to_places(score: f64, places: Option<u32>) -> f64 {
    let Some(places) = places else { return score };
    let scale = 10f64.powi(i32::try_from(places).unwrap_or(i32::MAX));
    let rounded = (score * scale).round() / scale;
    if rounded.is_finite() { rounded } else { score }
}
