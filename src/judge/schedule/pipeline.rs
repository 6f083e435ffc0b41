//! Runs a submission's tests over the slots and decides them in judging order.
//!
//! Threads take tests in that order, one slot each. A result that decides groups makes other tests moot: those that run are
//! cancelled, the others are skipped. A test is decided only after all before it, and moot results are dropped even when they
//! came early, so verdicts and scores do not depend on which test was faster. [`crate::judge::score`] decides which tests
//! matter.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};

use parking_lot::Mutex;

use crate::cancel::CancelToken;
use crate::judge::fault::Fault;
use crate::judge::feedback::{self, Level, StderrBudget};
use crate::judge::schedule::dedupe::{Action, DuplicateTests, renamed};
use crate::judge::score::aggregate::{GradingError, Value};
use crate::judge::score::grader::Grader;
use crate::judge::score::group_state::{GroupState, Outcome, View};
use crate::judge::test::context::TestRun;
use crate::judge::test::result::TestResult;
use crate::judge::test::run::run_test;
use crate::package::{ScoreRange, Scoring, Test};
use crate::report::{EventKind, GroupReport, RangeReport, Report};
use crate::sandbox::SandboxError;
use crate::verdict::{Reason, Verdict};

/// Runs all tests and fills the report's verdict, score, tests, groups and figures.
///
/// # Errors
/// When the package's groups or its grader are broken.
pub(crate) fn run_all(run: &TestRun<'_>, tests: &[&Test], report: &mut Report) -> Result<(), Fault> {
    let grader = Grader::of(run.judging.engine, run.judging.package, run.judging.cancel)?;
    let group_state = GroupState::new(run.judging.package, tests, run.judging.stop)?;
    let pipeline = Pipeline {
        run,
        tests,
        order: group_state.order().to_vec(),
        state: Mutex::new(State {
            tests,
            group_state,
            grader,
            equal: DuplicateTests::among(tests),
            again: VecDeque::new(),
            next: 0,
            results: vec![None; tests.len()],
            told: 0,
            running: HashMap::new(),
            stderr: StderrBudget::default(),
        }),
    };
    let workers = run.judging.engine.slots.count().min(tests.len());
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
    pipeline.state.lock().flush(run, &pipeline.order);
    let state = pipeline.state.into_inner();
    let open: Vec<bool> = state.group_state.told_groups().map(|(place, _)| state.is_open(place)).collect();
    conclude(report, state, run.judging.package.scoring, run.judging.cancel.is_cancelled());
    feedback::reduce(run.judging.feedback, report, |place| open.get(place) == Some(&true));
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
    group_state: GroupState<'a>,
    grader: Option<Grader<'a>>,
    equal: DuplicateTests,
    /// Tests that were taken and came back, because the equal one they waited for was stopped.
    again: VecDeque<usize>,
    /// The next turn that no thread has taken.
    next: usize,
    /// By test.
    results: Vec<Option<TestResult>>,
    /// Tests before this turn are decided and their events sent.
    told: usize,
    /// Tokens of running tests.
    running: HashMap<usize, CancelToken>,
    /// Bounds the standard error that reports keep of those tests.
    stderr: StderrBudget,
}

impl Pipeline<'_> {
    /// Takes and runs tests until none is left.
    fn work(&self) {
        while let Some((index, token)) = self.take() {
            let test = self.tests[index];
            let tokens = [self.run.judging.cancel, &token];
            let result = catch_unwind(AssertUnwindSafe(|| run_test(self.run, test, &tokens)))
                .unwrap_or_else(|panic| Err(Fault::of_panic(&*panic)));
            let result = match result {
                Ok(result) => result,
                // Moot or cancelled; `flush` tells them apart.
                Err(_) if tokens.iter().any(|token| token.is_cancelled()) => {
                    TestResult::without_run(test, Verdict::CX)
                }
                Err(fault) => {
                    tracing::info!(test = %test.name, %fault, "judging error");
                    TestResult::judging_error(test, &fault)
                }
            };
            self.state.lock().finish(index, result, self.run, &self.order);
        }
    }

    fn take(&self) -> Option<(usize, CancelToken)> {
        let mut state = self.state.lock();
        while !self.run.judging.cancel.is_cancelled() {
            let Some(index) = state.next_untaken(&self.order) else { break };
            if !state.group_state.is_needed(index, View::Known) {
                continue;
            }
            match state.equal.start(index) {
                Action::Run => {}
                Action::Wait => continue,
                Action::Known(result) => {
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

    /// Records a result, also for equal tests, stops tests that became moot, and reports tests that are decided now.
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
        if self.group_state.turn(index) < self.told {
            // It was moot and told as skipped while it was being stopped.
            return;
        }
        if result.report.verdict != Verdict::CX {
            self.group_state.know(index, outcome_of(&result));
        }
        self.results[index] = Some(result);
        self.stop_moot();
        if !run.judging.cancel.is_cancelled() {
            self.flush(run, order);
            self.stop_moot();
        }
    }

    fn stop_moot(&self) {
        let is_needed = |test: &usize| self.group_state.is_needed(*test, View::Known);
        for (running, token) in &self.running {
            if !is_needed(running) && !self.equal.waiting_for(*running).iter().any(is_needed) {
                token.cancel();
            }
        }
    }

    /// Reports every test whose predecessors are all reported.
    fn flush(&mut self, run: &TestRun<'_>, order: &[usize]) {
        while let Some(&index) = order.get(self.told) {
            let test = self.tests[index];
            let mut outcome = None;
            if !self.group_state.is_needed(index, View::Told) {
                self.results[index] = Some(TestResult::without_run(test, Verdict::SK));
            } else {
                match &mut self.results[index] {
                    None if !run.judging.cancel.is_cancelled() => return,
                    None => self.results[index] = Some(TestResult::without_run(test, Verdict::CX)),
                    Some(result) if result.report.verdict == Verdict::CX => {
                        if !run.judging.cancel.is_cancelled() {
                            let bug = "a test was stopped that its groups needed".to_owned();
                            *result = TestResult::judging_error(test, &Fault::Panic(bug));
                            outcome = Some(outcome_of(result));
                        }
                    }
                    Some(result) => {
                        let found = outcome_of(result);
                        result.report.score = self.group_state.score(index, found);
                        outcome = Some(found);
                    }
                }
            }
            self.told += 1;
            self.tell(index, run);
            let complete =
                self.group_state.tell(index, outcome, &mut |_, arguments, results| match &self.grader {
                    Some(grader) => grader.grade(arguments, results),
                    None => Err(GradingError {
                        reason: Reason::Package,
                        message: "a group has a grader of its own, and the package has none".to_owned(),
                    }),
                });
            let is_told = |group: &usize| run.judging.feedback != Level::None || self.is_open(*group);
            for group in complete.into_iter().filter(|group| *group > 0 && is_told(group)) {
                let GroupReport { name, verdict, score, range } = self.group(group);
                run.judging.events.send(EventKind::Group { name, verdict, score, range });
            }
        }
    }

    /// Sends the event of a decided test, as far as the feedback level allows.
    fn tell(&mut self, index: usize, run: &TestRun<'_>) {
        let Some(result) = &mut self.results[index] else { return };
        let Some(mut test) = feedback::of_test(run.judging.feedback, &result.report) else { return };
        if let Some(note) = self.stderr.spend(&test) {
            test.stderr = Some(note.clone());
            result.report.stderr = Some(note);
        }
        // Its place among those that are told.
        let index = self.tests[..index].iter().filter(|test| run.judging.feedback.tells_of(test)).count();
        run.judging.events.send(EventKind::Test { index, test: Box::new(test) });
    }

    /// Returns whether a group has only samples.
    fn is_open(&self, place: usize) -> bool {
        self.tests
            .iter()
            .enumerate()
            .all(|(test, known)| known.sample || !self.group_state.holds(place, test))
    }

    /// Returns the report of a group.
    fn group(&self, place: usize) -> GroupReport {
        let group = self.group_state.group(place);
        let value = self.group_state.value(place);
        let verdict = match value {
            Some(value) => value.verdict,
            // Not reached: its tests ran because others wanted them, or not at all.
            None => verdict_of(self.results.iter().enumerate().filter_map(|(test, result)| {
                result.as_ref().filter(|_| self.group_state.holds(place, test))
            })),
        };
        let is_scored = self.group_state.is_scoring() && verdict != Verdict::JE;
        GroupReport {
            name: group.name.clone(),
            verdict,
            score: value.filter(|_| is_scored).map(|value| value.score),
            range: if self.group_state.is_scoring() { range_report(group.range) } else { None },
        }
    }
}

fn outcome_of(result: &TestResult) -> Outcome {
    Outcome { verdict: result.report.verdict, score: result.score }
}

/// Returns a range's finite ends; `None` where there is none.
fn range_report(range: ScoreRange) -> Option<RangeReport> {
    let finite = |end: f64| end.is_finite().then_some(end);
    let report = RangeReport { min: finite(range.min), max: finite(range.max) };
    (report.min.is_some() || report.max.is_some()).then_some(report)
}

/// Returns the first verdict that is not AC or SK; SK when nothing ran, else AC.
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
    report.groups = state.group_state.told_groups().map(|(place, _)| state.group(place)).collect();
    let whole = state.group_state.value(0).cloned();
    let range = state.group_state.group(0).range;
    let results: Vec<TestResult> = state.results.into_iter().flatten().collect();
    let first = results.iter().find(|result| !matches!(result.report.verdict, Verdict::AC | Verdict::SK));
    report.first_failure = first.map(|result| result.report.name.clone());
    // The package's grader is broken off too, and has then said nothing about its groups.
    let is_broken_off = is_cancelled
        && (whole.as_ref().is_some_and(|whole| whole.error.is_some())
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

/// Fills in the verdict and the score of all tests.
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
        if let Some(error) = whole.error {
            report.reason = Some(error.reason);
            report.error = Some(error.message);
        }
    }
}

/// Rounds to decimal places, half away from zero.
fn to_places(score: f64, places: Option<u32>) -> f64 {
    let Some(places) = places else { return score };
    let scale = 10f64.powi(i32::try_from(places).unwrap_or(i32::MAX));
    let rounded = (score * scale).round() / scale;
    if rounded.is_finite() { rounded } else { score }
}
