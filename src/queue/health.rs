//! Why this worker would not take work now, for whoever asks from outside.
//!
//! Each part that can be unwell says so under a name of its own, and takes it back under the same name; the
//! worker is ready while nobody complains. Nothing here decides anything: what is unwell holds back by itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is called once a worker is ready for the first time.
type Announcement = Box<dyn FnOnce() + Send>;

/// The complaints of all parts, shared by whoever has a clone.
#[derive(Clone, Default)]
pub struct Health {
    complaints: Arc<Mutex<BTreeMap<&'static str, String>>>,
    first_ready: Arc<Mutex<Option<Announcement>>>,
}

impl std::fmt::Debug for Health {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Health").field("complaints", &self.complaints).finish_non_exhaustive()
    }
}

impl Health {
    /// The part cannot do its work; replaces what it said before. Returns whether that is news.
    pub fn complain(&self, part: &'static str, problem: impl Into<String>) -> bool {
        let problem = problem.into();
        let mut complaints = self.lock();
        if complaints.get(part) == Some(&problem) {
            return false;
        }
        complaints.insert(part, problem);
        true
    }

    /// The part works (again). Returns whether that is news.
    pub fn recover(&self, part: &'static str) -> bool {
        let mut complaints = self.lock();
        let is_news = complaints.remove(part).is_some();
        let is_ready = is_news && complaints.is_empty();
        drop(complaints);
        if is_ready {
            let tell = self.first_ready.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(tell) = tell {
                tell();
            }
        }
        is_news
    }

    /// Calls this once, when the last complaint there is first goes away.
    pub fn when_first_ready(&self, tell: impl FnOnce() + Send + 'static) {
        *self.first_ready.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(tell));
    }

    /// What is wrong, by part; empty when the worker is ready.
    pub fn complaints(&self) -> Vec<(&'static str, String)> {
        self.lock().iter().map(|(part, problem)| (*part, problem.clone())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, String>> {
        self.complaints.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_ready_while_nobody_complains() {
        let health = Health::default();
        let other = health.clone();
        assert!(health.complain("broker", "away"));
        assert!(!health.complain("broker", "away"), "said twice is no news");
        assert!(health.complain("disk", "full"));
        assert_eq!(other.complaints(), [("broker", "away".to_owned()), ("disk", "full".to_owned())]);
        assert!(other.recover("broker"));
        assert!(!other.recover("broker"));
        assert_eq!(health.complaints(), [("disk", "full".to_owned())]);
        let (tell, told) = std::sync::mpsc::channel();
        health.when_first_ready(move || tell.send(()).unwrap());
        assert!(health.complain("broker", "away") && health.recover("broker"));
        assert!(told.try_recv().is_err(), "another part is unwell");
        assert!(health.recover("disk") && health.complain("disk", "full") && health.recover("disk"));
        assert_eq!(told.try_iter().count(), 1, "said once");
    }
}
