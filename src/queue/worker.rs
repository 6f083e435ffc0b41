//! Judges what a backlog holds, on as many threads as there are slots.
//!
//! Judging blocks, so each thread takes a submission, judges it and does not take the next before its
//! verdict is safely out: that bounds what could ever have to be repeated.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use super::backlog::{Backlog, Job, Tag};
use crate::instruments;
use crate::judge::{EventSink, Judge};
use crate::report::{Event, EventKind, Report};
use crate::units::milliseconds;
use crate::verdict::{Reason, Verdict};
use crate::workspace::Workspace;

/// What is to become of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// Its verdict is safely out.
    Done,
    /// It goes back to its queue.
    Return,
}

/// The way back to whoever sent the submissions.
pub trait Outlet: Sync {
    /// Tells progress; must be quick, and may drop it.
    fn progress(&self, event: &Event);

    /// Hands out a verdict. Returns when it is safe, or cannot be made so any more.
    fn verdict(&self, job: &Job, report: &Report) -> Settlement;

    /// Ends a job that was cut short because this process must end.
    fn cut_short(&self, job: &Job, report: &Report) -> Settlement;

    /// Settles the job's delivery, with all deliveries of the same judging that came in meanwhile: the judging is
    /// over by now, and whoever sends it again starts it again.
    fn settle(&self, report: &Report, tags: Vec<Tag>, settlement: Settlement);
}

/// What judging threads need.
#[derive(Debug, Clone, Copy)]
pub struct Worker<'a> {
    /// Judges.
    pub judge: &'a Judge,
    /// Finds packages.
    pub workspace: &'a Workspace,
    /// What is to be judged.
    pub backlog: &'a Backlog,
}

impl Worker<'_> {
    /// Judges until the backlog is closed and empty.
    ///
    /// # Errors
    /// When the kernel is out of threads; what runs is finished first.
    pub fn run(self, outlet: &dyn Outlet) -> io::Result<()> {
        std::thread::scope(|scope| {
            for index in 0..self.judge.slots() {
                let spawned = std::thread::Builder::new().name(format!("judging-{index}")).spawn_scoped(
                    scope,
                    move || {
                        let _alive = self.backlog.pulse().thread();
                        while let Some(job) = self.backlog.take() {
                            self.judge_one(&job, outlet);
                        }
                    },
                );
                if let Err(error) = spawned {
                    self.backlog.stop();
                    return Err(error);
                }
            }
            Ok(())
        })
    }

    fn judge_one(self, job: &Job, outlet: &dyn Outlet) {
        let queued = job.delivery.arrived.elapsed();
        instruments::judging_began(job.delivery.submission.priority, queued);
        let begun = Instant::now();
        let judging = self.backlog.pulse().judging();
        let events = |event: Event| {
            self.backlog.pulse().beat();
            // The final word goes its own way, as a verdict.
            if !matches!(event.kind, EventKind::Done(_)) {
                outlet.progress(&event);
            }
        };
        let mut report = self.report(job, &events);
        drop(judging);
        let judged = Instant::now();
        report.phases_ms.queue = milliseconds(queued);
        instruments::judging_ended(report.verdict, judged - begun);
        let settlement = if report.verdict == Verdict::CX && self.backlog.is_abandoned() {
            outlet.cut_short(job, &report)
        } else {
            outlet.verdict(job, &report)
        };
        instruments::verdict_is_out(judged.elapsed());
        if settlement == Settlement::Return {
            instruments::submission_returned();
        }
        outlet.settle(&report, self.backlog.finish(&job.key()), settlement);
    }

    fn report(self, job: &Job, events: &EventSink<'_>) -> Report {
        let submission = &*job.delivery.submission;
        let refuse = |reason, message: &str| self.judge.refuse(submission, reason, message, events);
        if let Some(refusal) = &job.delivery.refusal {
            return refuse(Reason::Sandbox, refusal);
        }
        match catch_unwind(AssertUnwindSafe(|| self.workspace.find(submission))) {
            Ok(Ok(problem)) => self.judge.judge(submission, &problem, events, &job.cancel),
            Ok(Err(error)) => {
                let reason = if error.is_ours() { Reason::Sandbox } else { Reason::Package };
                refuse(reason, &error.to_string())
            }
            Err(_) => refuse(Reason::Sandbox, "loading the package failed"),
        }
    }
}
