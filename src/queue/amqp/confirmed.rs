//! Judgings whose verdict the broker has, remembered for when it sends one of them again.
//!
//! Between a confirmation and the acknowledgement that follows it a connection can be lost; the broker then
//! gives the submission out again. Judging it again would only say the same twice.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use crate::queue::message::Key;

/// More than can be unacknowledged on any worker, many times over.
const REMEMBERED: usize = 10_000;

/// The latest judgings with a confirmed verdict.
#[derive(Debug, Default)]
pub(super) struct Confirmed(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    keys: HashSet<Key>,
    order: VecDeque<Key>,
}

impl Confirmed {
    pub(super) fn insert(&self, key: Key) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.keys.insert(key.clone()) {
            return;
        }
        state.order.push_back(key);
        if state.order.len() > REMEMBERED
            && let Some(oldest) = state.order.pop_front()
        {
            state.keys.remove(&oldest);
        }
    }

    pub(super) fn contains(&self, key: &Key) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).keys.contains(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_remembered_and_no_more() {
        let key = |number: usize| Key { id: number.to_string(), judging: "1".to_owned() };
        let confirmed = Confirmed::default();
        for number in 0..=REMEMBERED {
            confirmed.insert(key(number));
            confirmed.insert(key(number));
        }
        assert!(!confirmed.contains(&key(0)));
        assert!(confirmed.contains(&key(1)) && confirmed.contains(&key(REMEMBERED)));
    }
}
