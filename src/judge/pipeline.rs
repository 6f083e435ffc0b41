//! Runs a submission's tests over the slots and decides them in the package's order.
//!
//! Workers take tests in order, one slot each. A failure at one place makes everything after it (in the
//! whole package, or in its group) moot: what runs there is cancelled and what has not begun is skipped.
//! Since a test is decided only when all before it are, and moot results are dropped even when they came
//! in early, the same verdicts come out whatever ran faster.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use super::check::Checkers;
use super::compile::Program;
use super::fault::Fault;
use super::files::Inputs;
use super::interact::Counterpart;
use super::limits::RunLimits;
use super::progress::EventSender;
use super::run_test::{TestResult, run_argv, run_shape, run_test};
use super::slots::lock;
use super::{Judge, panic_message};
use crate::language::Language;
use crate::package::{MultiPass, Test};
use crate::report::{EventKind, Report};
use crate::sandbox::{CancelToken, Shape};
use crate::submission::Stop;
use crate::verdict::Verdict;

/// Everything the runs of one submission have in common.
pub(super) struct TestRun<'a> {
    pub(super) judge: &'a Judge,
    pub(super) language: &'a Language,
    pub(super) program: &'a Program,
    pub(super) checkers: &'a Checkers<'a>,
    pub(super) counterpart: &'a Counterpart<'a>,
    pub(super) passes: Option<MultiPass>,
    pub(super) limits: &'a RunLimits,
    pub(super) stop: Stop,
    pub(super) cancel: &'a CancelToken,
    pub(super) events: &'a EventSender<'a>,
    pub(super) inputs: &'a Inputs,
}

impl TestRun<'_> {
    /// Whether a test takes more than one program at a time, or more than one pass.
    pub(super) fn is_staged(&self) -> bool {
        self.passes.is_some() || !matches!(self.counterpart, Counterpart::None)
    }
}

/// Runs all tests and fills the report's verdict, tests and figures.
pub(super) fn run_all(run: &TestRun<'_>, tests: &[&Test], report: &mut Report) {
    let pipeline = Pipeline {
        run,
        tests,
        argv: run_argv(run.language, run.program, run.limits.memory_mib),
        shape: run_shape(run.language),
        state: Mutex::new(State::new(tests, run.stop)),
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
    lock(&pipeline.state).flush(run);
    let state = pipeline.state.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    conclude(report, state, run.cancel.is_cancelled());
}

struct Pipeline<'a> {
    run: &'a TestRun<'a>,
    tests: &'a [&'a Test],
    argv: Vec<String>,
    shape: Shape,
    state: Mutex<State<'a>>,
}

struct State<'a> {
    tests: &'a [&'a Test],
    stop: Stop,
    /// The next test nobody has taken.
    next: usize,
    results: Vec<Option<TestResult>>,
    /// Tests before this are decided and told.
    told: usize,
    /// Per scope of the policy, the first failing test known so far: everything after it is moot.
    failed: HashMap<String, usize>,
    /// Tokens of running tests.
    running: HashMap<usize, CancelToken>,
    /// How many tests of each group are still undecided.
    group_left: HashMap<String, usize>,
}

impl Pipeline<'_> {
    /// Takes and runs tests until none is left.
    fn work(&self) {
        while let Some((index, token)) = self.take() {
            let test = self.tests[index];
            let tokens = [self.run.cancel, &token];
            let result =
                catch_unwind(AssertUnwindSafe(|| run_test(self.run, &self.argv, &self.shape, test, &tokens)))
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
            lock(&self.state).finish(index, result, self.run);
        }
    }

    fn take(&self) -> Option<(usize, CancelToken)> {
        let mut state = lock(&self.state);
        while state.next < self.tests.len() && !self.run.cancel.is_cancelled() {
            let index = state.next;
            state.next += 1;
            if state.is_moot(index) {
                continue;
            }
            match CancelToken::new() {
                Ok(token) => {
                    state.running.insert(index, token.clone());
                    return Some((index, token));
                }
                Err(error) => {
                    let result = TestResult::judging_error(self.tests[index], &error.into());
                    state.finish(index, result, self.run);
                }
            }
        }
        None
    }
}

impl<'a> State<'a> {
    fn new(tests: &'a [&'a Test], stop: Stop) -> Self {
        let mut group_left = HashMap::new();
        for group in tests.iter().flat_map(|test| &test.groups) {
            *group_left.entry(group.clone()).or_insert(0) += 1;
        }
        Self {
            tests,
            stop,
            next: 0,
            results: vec![None; tests.len()],
            told: 0,
            failed: HashMap::new(),
            running: HashMap::new(),
            group_left,
        }
    }

    /// What a failure of this test ends; `None` is nothing.
    fn scope(&self, index: usize) -> Option<&str> {
        match self.stop {
            Stop::FirstFailure => Some(""),
            Stop::Group => Some(self.tests[index].groups.last().map_or("", String::as_str)),
            Stop::Full => None,
        }
    }

    /// Whether a test before this one has decided its scope.
    fn is_moot(&self, index: usize) -> bool {
        self.scope(index).and_then(|scope| self.failed.get(scope)).is_some_and(|failed| *failed < index)
    }

    /// Takes in a result, stops what it made moot, and tells what is decided now.
    fn finish(&mut self, index: usize, result: TestResult, run: &TestRun<'_>) {
        self.running.remove(&index);
        if index < self.told {
            // It was moot and told as skipped while it was being stopped.
            return;
        }
        let failed = !matches!(result.report.verdict, Verdict::AC | Verdict::CX);
        self.results[index] = Some(result);
        if failed && let Some(scope) = self.scope(index).map(str::to_owned) {
            let first = self.failed.entry(scope).or_insert(index);
            *first = index.min(*first);
        }
        for (running, token) in &self.running {
            if self.is_moot(*running) {
                token.cancel();
            }
        }
        if !run.cancel.is_cancelled() {
            self.flush(run);
        }
    }

    /// Tells every test whose predecessors are all told.
    fn flush(&mut self, run: &TestRun<'_>) {
        while self.told < self.tests.len() {
            let index = self.told;
            let test = self.tests[index];
            if self.is_moot(index) {
                self.results[index] = Some(TestResult::without_run(test, Verdict::SK));
            } else if self.results[index].is_none() {
                if !run.cancel.is_cancelled() {
                    return;
                }
                self.results[index] = Some(TestResult::without_run(test, Verdict::CX));
            }
            self.told += 1;
            if let Some(result) = &self.results[index] {
                run.events.send(EventKind::Test { index, test: Box::new(result.report.clone()) });
            }
            self.tell_groups(test, run);
        }
    }

    /// Tells the groups whose last test this was, the innermost first.
    fn tell_groups(&mut self, test: &Test, run: &TestRun<'_>) {
        for group in test.groups.iter().rev() {
            let Some(left) = self.group_left.get_mut(group) else { continue };
            *left -= 1;
            if *left == 0 {
                let members = self
                    .tests
                    .iter()
                    .zip(&self.results)
                    .filter(|(member, _)| member.groups.contains(group))
                    .filter_map(|(_, result)| result.as_ref());
                let verdict = verdict_of(members);
                run.events.send(EventKind::Group { name: group.clone(), verdict, score: None });
            }
        }
    }
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
fn conclude(report: &mut Report, state: State<'_>, cancelled: bool) {
    let results: Vec<TestResult> = state.results.into_iter().flatten().collect();
    let first = results.iter().find(|result| !matches!(result.report.verdict, Verdict::AC | Verdict::SK));
    report.first_failure = first.map(|result| result.report.name.clone());
    report.verdict = first.map_or(Verdict::AC, |result| result.report.verdict);
    report.reason = first.and_then(|result| result.report.reason);
    if report.verdict == Verdict::JE {
        report.error = first.map(|result| format!("test {}: {}", result.report.name, result.report.message));
    }
    if cancelled && results.iter().any(|result| result.report.verdict == Verdict::CX) {
        report.verdict = Verdict::CX;
        report.reason = None;
        report.error = None;
        report.first_failure = None;
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
