//! What this host failed at, and how often a submission may be left to others for it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::queue::health::Health;
use crate::queue::message::Key;

/// How often this worker fails at one submission before it says so in a verdict.
const MOST_FAILURES: u32 = 3;
/// Submissions whose failures are remembered.
const REMEMBERED: usize = 1000;
/// What health knows this by.
const PART: &str = "host";

/// Failures of this host, of all judging threads.
#[derive(Debug)]
pub(super) struct Troubles {
    health: Health,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    failures: HashMap<Key, u32>,
    order: VecDeque<Key>,
    /// Threads that wait for the host to be well again.
    unwell: usize,
}

impl Troubles {
    pub(super) fn new(health: Health) -> Self {
        Self { health, state: Mutex::default() }
    }

    /// Counts a failure at this judging; whether it is to be left to others, or to a later time.
    pub(super) fn may_return(&self, key: &Key) -> bool {
        let mut state = self.lock();
        if !state.failures.contains_key(key) {
            state.order.push_back(key.clone());
            if state.order.len() > REMEMBERED
                && let Some(oldest) = state.order.pop_front()
            {
                state.failures.remove(&oldest);
            }
        }
        let failures = state.failures.entry(key.clone()).or_insert(0);
        *failures += 1;
        *failures < MOST_FAILURES
    }

    /// It has its verdict.
    pub(super) fn are_over_for(&self, key: &Key) {
        let mut state = self.lock();
        if state.failures.remove(key).is_some() {
            state.order.retain(|other| other != key);
        }
    }

    /// One more thread waits; the first of them calls `pause`, before any other can begin or end.
    pub(super) fn begin(&self, problem: &str, pause: impl FnOnce()) {
        let mut state = self.lock();
        self.health.complain(PART, problem);
        state.unwell += 1;
        if state.unwell == 1 {
            pause();
        }
    }

    /// One thread less waits; the last of them calls `resume`, before any other can begin.
    pub(super) fn end(&self, resume: impl FnOnce()) {
        let mut state = self.lock();
        state.unwell = state.unwell.saturating_sub(1);
        if state.unwell == 0 {
            self.health.recover(PART);
            resume();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str) -> Key {
        Key { id: id.to_owned(), judging: "1".to_owned() }
    }

    #[test]
    fn a_submission_is_left_to_others_so_often_and_then_answered() {
        let troubles = Troubles::new(Health::default());
        assert!(troubles.may_return(&key("a")));
        assert!(troubles.may_return(&key("a")));
        assert!(troubles.may_return(&key("b")));
        assert!(!troubles.may_return(&key("a")));
        troubles.are_over_for(&key("a"));
        assert!(troubles.may_return(&key("a")));
    }

    #[test]
    fn the_host_is_well_when_nobody_waits_for_it() {
        let health = Health::default();
        let troubles = Troubles::new(health.clone());
        let said = Mutex::new(Vec::new());
        let say = |word: &'static str| said.lock().unwrap().push(word);
        troubles.begin("disk full", || say("pause"));
        troubles.begin("disk full", || say("pause"));
        troubles.end(|| say("resume"));
        assert_eq!(health.complaints(), [("host", "disk full".to_owned())]);
        assert_eq!(*said.lock().unwrap(), ["pause"]);
        troubles.end(|| say("resume"));
        assert!(health.complaints().is_empty());
        assert_eq!(*said.lock().unwrap(), ["pause", "resume"]);
    }
}
