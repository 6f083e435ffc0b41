//! Checks that the sandbox still works: the keeper is alive, and no step has exceeded its deadline.
//!
//! A run ends at its wall limit because the worker ends it, and the keeper answers within moments. If either does not, the
//! thread that waits cannot report it itself; the health check of the process asks here.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use procfs::process::Process;

/// How much longer than its own time a step may take on a busy host.
const GRACE: Duration = Duration::from_secs(120);

/// Reports whether a sandbox works; keeps neither its boxes nor its keeper alive.
#[derive(Debug, Clone)]
pub struct Watchdog {
    deadlines: Arc<Deadlines>,
    keeper: u32,
}

impl Watchdog {
    /// Creates a watchdog for the keeper with that process id.
    pub(crate) fn new(deadlines: Arc<Deadlines>, keeper: u32) -> Self {
        Self { deadlines, keeper }
    }

    /// Returns a fault that will not pass, in words; `None` while the sandbox works.
    pub fn complaint(&self) -> Option<String> {
        // Only the sandbox reaps the keeper: until then it is a zombie, and its id is not used again.
        let keeper = i32::try_from(self.keeper).ok().and_then(|id| Process::new(id).ok());
        let lives =
            keeper.and_then(|keeper| keeper.stat().ok()).is_some_and(|stat| !matches!(stat.state, 'Z' | 'X'));
        if !lives {
            return Some("the box keeper has died".to_owned());
        }
        self.deadlines.overdue()
    }

    /// Returns whether a program runs or the keeper works on a request.
    pub fn is_busy(&self) -> bool {
        self.deadlines.is_busy()
    }
}

/// The steps in progress, with their deadlines.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    steps: Mutex<Steps>,
}

#[derive(Debug, Default)]
struct Steps {
    next: u64,
    in_progress: BTreeMap<u64, Step>,
}

#[derive(Debug)]
struct Step {
    name: &'static str,
    begun: Instant,
    /// When it is overdue; `None` for a step without a limit.
    deadline: Option<Instant>,
}

/// A step in progress, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct InProgress<'a> {
    deadlines: &'a Deadlines,
    number: u64,
}

impl Deadlines {
    /// Begins a step that takes at most that long by itself.
    pub(crate) fn begin(&self, name: &'static str, at_most: Option<Duration>) -> InProgress<'_> {
        let begun = Instant::now();
        let deadline =
            at_most.and_then(|time| time.checked_add(GRACE)).and_then(|time| begun.checked_add(time));
        let mut steps = self.lock();
        let number = steps.next;
        steps.next += 1;
        steps.in_progress.insert(number, Step { name, begun, deadline });
        InProgress { deadlines: self, number }
    }

    /// Returns the oldest overdue step, in words; `None` when there is none.
    pub(crate) fn overdue(&self) -> Option<String> {
        let now = Instant::now();
        let steps = self.lock();
        let late = |step: &&Step| step.deadline.is_some_and(|deadline| deadline < now);
        steps.in_progress.values().find(late).map(|step| {
            format!("{} has taken {} s and should be over", step.name, (now - step.begun).as_secs())
        })
    }

    /// Returns whether any step is in progress.
    pub(crate) fn is_busy(&self) -> bool {
        !self.lock().in_progress.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Steps> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for InProgress<'_> {
    fn drop(&mut self) {
        self.deadlines.lock().in_progress.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_overdue_only_past_its_time() {
        let deadlines = Deadlines::default();
        let endless = deadlines.begin("a run", None);
        let brief = deadlines.begin("a question", Some(Duration::ZERO));
        assert_eq!((deadlines.overdue(), deadlines.is_busy()), (None, true));
        for step in deadlines.lock().in_progress.values_mut() {
            step.deadline = step.deadline.map(|_| step.begun);
        }
        // The clock may not have moved since.
        let overdue = std::iter::repeat_with(|| deadlines.overdue()).find_map(|overdue| overdue).unwrap();
        assert!(overdue.starts_with("a question has taken 0 s"), "{overdue}");
        drop(brief);
        assert_eq!((deadlines.overdue(), deadlines.is_busy()), (None, true));
        drop(endless);
        assert!(!deadlines.is_busy());
    }
}
