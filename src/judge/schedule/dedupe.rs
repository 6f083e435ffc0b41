//! Runs equal tests once: the same files checked in the same way, under several names.
//!
//! Packages put one test into several groups by links; problemtools runs such a test once, too. The first that is needed
//! runs, and the others get its result under their own names.

use std::collections::HashMap;

use crate::judge::test::result::TestResult;
use crate::package::{OutputFile, Test};
use crate::verdict::Verdict;

/// The sets of equal tests of one judging, each with its state.
pub(crate) struct DuplicateTests {
    /// By test: its set, where there is another in it.
    sets: Vec<Option<usize>>,
    states: Vec<State>,
}

struct State {
    run: Run,
    /// Tests that want the result of the one running.
    waiting: Vec<usize>,
}

enum Run {
    Unknown,
    Running(usize),
    Done(Box<TestResult>),
}

/// What to do with a test.
pub(crate) enum Action {
    /// Run it.
    Run,
    /// Wait for an equal test that runs; [`DuplicateTests::finished`] returns it.
    Wait,
    /// Use this result of an equal test.
    Known(Box<TestResult>),
}

impl DuplicateTests {
    pub(crate) fn among(tests: &[&Test]) -> Self {
        let mut by_input: HashMap<_, Vec<usize>> = HashMap::new();
        let mut members: Vec<Vec<usize>> = Vec::new();
        for (number, test) in tests.iter().enumerate() {
            let sets = by_input.entry((&test.input, &test.answer)).or_default();
            match sets
                .iter()
                .find(|set| members[**set].first().is_some_and(|first| is_equal(tests[*first], test)))
            {
                Some(set) => members[*set].push(number),
                None => {
                    sets.push(members.len());
                    members.push(vec![number]);
                }
            }
        }
        let mut sets = vec![None; tests.len()];
        let mut states = Vec::new();
        for members in members.iter().filter(|members| members.len() > 1) {
            for member in members {
                sets[*member] = Some(states.len());
            }
            states.push(State { run: Run::Unknown, waiting: Vec::new() });
        }
        Self { sets, states }
    }

    /// Returns what to do with a test that is needed now.
    pub(crate) fn start(&mut self, test: usize) -> Action {
        let Some(state) = self.sets[test].and_then(|set| self.states.get_mut(set)) else {
            return Action::Run;
        };
        match &state.run {
            Run::Done(result) => Action::Known(result.clone()),
            Run::Running(_) => {
                state.waiting.push(test);
                Action::Wait
            }
            Run::Unknown => {
                state.run = Run::Running(test);
                Action::Run
            }
        }
    }

    /// Tests that want the result of this one, which is running.
    pub(crate) fn waiting_for(&self, test: usize) -> &[usize] {
        match self.sets[test].and_then(|set| self.states.get(set)) {
            Some(State { run: Run::Running(running), waiting }) if *running == test => waiting,
            _ => &[],
        }
    }

    /// Takes in what a run came to; tests that waited for it come back: with this result, or to be looked at again
    /// where it was stopped.
    pub(crate) fn finished(&mut self, test: usize, result: &TestResult) -> Vec<usize> {
        let Some(state) = self.sets[test].and_then(|set| self.states.get_mut(set)) else { return Vec::new() };
        if !matches!(state.run, Run::Running(running) if running == test) {
            return Vec::new();
        }
        state.run = match result.report.verdict {
            Verdict::CX => Run::Unknown,
            _ => Run::Done(Box::new(result.clone())),
        };
        std::mem::take(&mut state.waiting)
    }
}

/// Returns whether two tests on the same files are equal.
fn is_equal(one: &Test, other: &Test) -> bool {
    one.check == other.check
        && one.custom_score == other.custom_score
        && one.arguments == other.arguments
        && one.files == other.files
        && one.links == other.links
        && one.limits == other.limits
        // A file that is handed in for one is not the other's.
        && [one, other].iter().all(|test| test.output_file == OutputFile::Refused)
}

/// Returns the result of an equal test under this test's name.
pub(crate) fn renamed(mut result: TestResult, test: &Test) -> TestResult {
    result.report.name.clone_from(&test.name);
    result.report.groups.clone_from(&test.groups);
    result
}
