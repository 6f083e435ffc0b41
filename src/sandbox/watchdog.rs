//! Whether the sandbox still works: the keeper lives, and no step takes longer than it can.
//!
//! A run ends at its wall limit because the worker ends it, and the keeper answers within moments. Should one of
//! them not, the thread that waits cannot say so itself; whoever watches the process asks here.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use procfs::process::Process;

/// Beyond its own time a step may take this long for what surrounds it, on a host that is busy.
const GRACE: Duration = Duration::from_secs(120);

/// Signs of life of a sandbox, for whoever watches the process; keeps neither boxes nor the keeper.
#[derive(Debug, Clone)]
pub struct Vitals {
    deadlines: Arc<Deadlines>,
    keeper: u32,
}

impl Vitals {
    pub(super) fn new(deadlines: Arc<Deadlines>, keeper: u32) -> Self {
        Self { deadlines, keeper }
    }

    /// What is wrong for good, in words; `None` is nothing.
    pub fn complaint(&self) -> Option<String> {
        // Nobody takes note of its end before the sandbox does: it stays a zombie, and its id its own.
        let keeper = i32::try_from(self.keeper).ok().and_then(|id| Process::new(id).ok());
        let lives =
            keeper.and_then(|keeper| keeper.stat().ok()).is_some_and(|stat| !matches!(stat.state, 'Z' | 'X'));
        if !lives {
            return Some("the box keeper has died".to_owned());
        }
        self.deadlines.overdue()
    }

    /// Whether a program runs, or the keeper is at work.
    pub fn is_busy(&self) -> bool {
        self.deadlines.is_busy()
    }
}

/// Steps under way.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    steps: Mutex<Steps>,
}

#[derive(Debug, Default)]
struct Steps {
    next: u64,
    under_way: BTreeMap<u64, Step>,
}

#[derive(Debug)]
struct Step {
    what: &'static str,
    begun: Instant,
    /// When it is overdue; `None` where it may take as long as it wants.
    deadline: Option<Instant>,
}

/// A step is under way until this is dropped.
#[derive(Debug)]
pub(super) struct UnderWay<'a> {
    deadlines: &'a Deadlines,
    number: u64,
}

impl Deadlines {
    /// Begins a step that takes at most so long by itself.
    pub(super) fn begin(&self, what: &'static str, at_most: Option<Duration>) -> UnderWay<'_> {
        let begun = Instant::now();
        let deadline =
            at_most.and_then(|time| time.checked_add(GRACE)).and_then(|time| begun.checked_add(time));
        let mut steps = self.lock();
        let number = steps.next;
        steps.next += 1;
        steps.under_way.insert(number, Step { what, begun, deadline });
        UnderWay { deadlines: self, number }
    }

    /// The oldest step that should be over; `None` when there is none.
    pub(super) fn overdue(&self) -> Option<String> {
        let now = Instant::now();
        let steps = self.lock();
        let late = |step: &&Step| step.deadline.is_some_and(|deadline| deadline < now);
        steps.under_way.values().find(late).map(|step| {
            format!("{} has taken {} s and should be over", step.what, (now - step.begun).as_secs())
        })
    }

    /// Whether anything is under way.
    pub(super) fn is_busy(&self) -> bool {
        !self.lock().under_way.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Steps> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.deadlines.lock().under_way.remove(&self.number);
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
        for step in deadlines.lock().under_way.values_mut() {
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
