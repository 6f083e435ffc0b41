//! A queue inside one process: whoever owns it offers submissions and is called with each verdict.

use super::backlog::{Job, Tag};
use super::worker::{Outlet, Settlement};
use crate::report::{Event, Report};

/// Hands verdicts to a function; progress is not told.
pub struct Memory<F>(F);

impl<F: Fn(&Job, &Report) + Sync> Memory<F> {
    /// Calls `take` with each verdict, from the thread that judged.
    pub const fn new(take: F) -> Self {
        Self(take)
    }
}

impl<F: Fn(&Job, &Report) + Sync> Outlet for Memory<F> {
    fn progress(&self, _event: &Event) {}

    fn verdict(&self, job: &Job, report: &Report) -> Settlement {
        (self.0)(job, report);
        Settlement::Done
    }

    fn cut_short(&self, _job: &Job, _report: &Report) -> Settlement {
        Settlement::Return
    }

    fn settle(&self, _report: &Report, _tags: Vec<Tag>, _settlement: Settlement) {}
}
