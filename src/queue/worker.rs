//! Judges what a backlog holds, on as many threads as there are slots.
//!
//! Judging blocks, so each thread takes a submission, judges it and does not take the next before its
//! verdict is safely out: that bounds what could ever have to be repeated.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::backlog::{Backlog, Job, Tag};
use super::prefetch;
use crate::cancel::CancelToken;
use crate::instruments;
use crate::judge::{EventSink, HostFault, Judge, Setback};
use crate::report::{Event, EventKind, Report};
use crate::sandbox::allocator;
use crate::units::milliseconds;
use crate::verdict::{Reason, Verdict};
use crate::workspace::{Problem, Workspace, WorkspaceError};

/// What is to become of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// Its verdict is safely out.
    Done,
    /// It goes back to its queue.
    Return,
    /// It goes to a worker that has its package.
    PassOn,
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

    /// Whether a judging that this host failed at may go back, for another worker or a better time. Where
    /// there is nobody to take it, the failure is the verdict.
    fn may_try_elsewhere(&self, _job: &Job) -> bool {
        false
    }

    /// Whether a submission whose package this worker lacks can go to another worker that may have it; else why not, to be
    /// added to what is wrong. Where there is nobody to take it, that this worker lacks it is the verdict.
    fn may_pass_on(&self, _job: &Job) -> Result<(), String> {
        Err(String::new())
    }

    /// This host cannot judge now: nothing should come in. Followed by one [`Outlet::is_well`], unless it is not
    /// well again before the end.
    fn is_unwell(&self, _problem: &str) {}

    /// It works again.
    fn is_well(&self) {}
}

/// Between looks at whether the host works again: at first, and at most.
const RECOVERY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// How often a judging is begun on a package that changes meanwhile, and how long it is left alone before the second time;
/// twice as long each time after.
const MOST_STARTS: u32 = 5;
const REST: Duration = Duration::from_millis(200);

/// What came of a try at a judging.
enum Attempt {
    /// This.
    Report(Box<Report>),
    /// The package changed meanwhile.
    Changed(String),
    /// This worker lacks the package, or the version of it that is asked for.
    Lacking(String),
}
/// Characters of a judging error that its log line has.
const LONGEST_LOGGED: usize = 500;

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
    /// When the kernel is out of threads or descriptors; what runs is finished first.
    pub fn run(self, outlet: &dyn Outlet) -> io::Result<()> {
        let over = CancelToken::new().map_err(io::Error::other)?;
        std::thread::scope(|scope| {
            let prefetching = std::thread::Builder::new().name("prefetching".to_owned());
            let prefetching = prefetching.spawn_scoped(scope, || {
                prefetch::run(self.workspace, self.backlog, self.judge.slots(), &over);
            });
            let judged = prefetching.map(|_| ()).and_then(|()| self.judge_all(outlet));
            // What is still being fetched is for nobody any more.
            over.cancel();
            self.backlog.close();
            judged
        })
    }

    /// The same without fetching ahead.
    fn judge_all(self, outlet: &dyn Outlet) -> io::Result<()> {
        std::thread::scope(|scope| {
            for index in 0..self.judge.slots() {
                let spawned = std::thread::Builder::new().name(format!("judging-{index}")).spawn_scoped(
                    scope,
                    move || {
                        let _ended = EndWithPanic(self.backlog);
                        let _alive = self.backlog.pulse().thread();
                        let mut pause = RECOVERY.0;
                        while let Some(job) = self.backlog.take() {
                            self.judge_one(&job, outlet, &mut pause);
                            drop(job);
                            allocator::return_unused();
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

    /// Judges and tells. `pause` is how long the host is left alone should it fail: longer each time in a row,
    /// since every try here takes one from the submission.
    fn judge_one(self, job: &Job, outlet: &dyn Outlet, pause: &mut Duration) {
        let queued = job.delivery.arrived.elapsed();
        instruments::judging_began(job.delivery.class, queued);
        let begun = Instant::now();
        let judging = self.backlog.pulse().judging();
        let ending = Ending::default();
        let attempt = self.attempt(job, outlet, &ending);
        drop(judging);
        let Some((mut report, failure)) = attempt else {
            ending.tell_return(outlet, "this worker does not have the package; another may have it");
            instruments::submission_returned();
            let tags = self.backlog.return_job(&job.key());
            outlet.settle(&self.judge.cancelled(&job.delivery.submission, &|_| {}), tags, Settlement::PassOn);
            return;
        };
        let judged = Instant::now();
        report.phases_ms.queue = milliseconds(queued);
        if let Some(failure) = failure {
            if failure == Failure::Network && outlet.may_try_elsewhere(job) {
                // A server that does not answer is no reason to take in nothing else: whoever may send names it.
                let problem = report.error.as_deref().unwrap_or_default();
                tracing::warn!(id = %job.key().id, "given back: {problem}");
                ending.tell_return(outlet, problem);
                instruments::submission_returned();
                outlet.settle(&report, self.backlog.return_job(&job.key()), Settlement::Return);
                return;
            }
            if failure == Failure::Host && outlet.may_try_elsewhere(job) {
                let problem = report.error.as_deref().unwrap_or("an unknown failure of this host");
                tracing::error!(id = %job.key().id, "given back, because this host failed: {problem}");
                outlet.is_unwell(problem);
                ending.tell_return(outlet, problem);
                instruments::submission_returned();
                outlet.settle(&report, self.backlog.return_job(&job.key()), Settlement::Return);
                if self.wait_for_the_host(*pause) {
                    outlet.is_well();
                }
                *pause = (*pause * 2).min(RECOVERY.1);
                return;
            }
        } else {
            *pause = RECOVERY.0;
        }
        instruments::judging_ended(report.verdict, judged - begun);
        let settlement = if report.verdict == Verdict::CX && self.backlog.is_abandoned() {
            let settlement = outlet.cut_short(job, &report);
            if settlement == Settlement::Done {
                ending.tell(outlet);
            }
            settlement
        } else {
            log_judging_error(&report);
            ending.tell(outlet);
            outlet.verdict(job, &report)
        };
        instruments::verdict_is_out(judged.elapsed());
        let tags = match settlement {
            Settlement::Done => self.backlog.finish(&job.key()),
            Settlement::Return | Settlement::PassOn => {
                ending.tell_return(outlet, "this worker stops before the judging has a verdict");
                instruments::submission_returned();
                self.backlog.return_job(&job.key())
            }
        };
        outlet.settle(&report, tags, settlement);
    }

    /// Judges; once more where that failed as a failing host does and the host passes its own trial. What then fails
    /// again on a host that can judge is this submission's own: its report is its verdict, and nobody else waits for it.
    /// `None` where another worker is to judge it, which has its package.
    fn attempt(self, job: &Job, outlet: &dyn Outlet, ending: &Ending) -> Option<(Report, Option<Failure>)> {
        let events = |event: Event| {
            self.backlog.pulse().beat();
            if let Some(event) = ending.hold_back(event) {
                outlet.progress(&event);
            }
        };
        let mut is_network = false;
        let mut report = self.report(job, outlet, &events, &mut is_network)?;
        let mut failure = self.failure(job, &report, is_network, |judge| judge.try_host());
        if failure == Some(Failure::Submission) && !job.cancel.is_cancelled() {
            let problem = report.error.as_deref().unwrap_or_default();
            tracing::warn!(id = %job.key().id, "judged again, because the host passes its own trial after: {problem}");
            self.backlog.pulse().beat();
            report = self.report(job, outlet, &events, &mut is_network)?;
            let language = &job.delivery.submission.language;
            failure = self.failure(job, &report, is_network, |judge| judge.try_host_with(language));
        }
        if failure == Some(Failure::Submission) {
            let problem = report.error.as_deref().unwrap_or_default();
            tracing::warn!(id = %job.key().id, "the failure is this submission's own, and its verdict is JE: {problem}");
            failure = None;
        }
        Some((report, failure))
    }

    /// What failed, where it was neither the contestant, the package, the language table nor the message.
    fn failure(
        self,
        job: &Job,
        report: &Report,
        is_network: bool,
        trial: impl FnOnce(&Judge) -> Result<(), HostFault>,
    ) -> Option<Failure> {
        if !is_ours(job, report) {
            return None;
        }
        if is_network {
            return Some(Failure::Network);
        }
        Some(match trial(self.judge) {
            Ok(()) => Failure::Submission,
            Err(problem) => {
                tracing::error!("this host fails its own trial: {problem}");
                Failure::Host
            }
        })
    }

    /// Waits until the host can judge again, or nothing more is to be judged; whether it can.
    fn wait_for_the_host(self, mut pause: Duration) -> bool {
        while !self.backlog.wait_for_close(pause) {
            match self.judge.try_host() {
                Ok(()) => return true,
                Err(problem @ HostFault::Passing(_)) => {
                    tracing::debug!("this host cannot judge yet: {problem}")
                }
                Err(problem @ HostFault::Final(_)) => {
                    tracing::error!("this worker ends, to be started again: {problem}");
                    // Nothing waits: it went back when the trouble began.
                    self.backlog.stop();
                    return false;
                }
            }
            pause = (pause * 2).min(RECOVERY.1);
        }
        false
    }

    /// Judges, or says why not; `is_network` is set where a server did not answer. `None` where another worker is to
    /// judge it, which has its package.
    fn report(
        self,
        job: &Job,
        outlet: &dyn Outlet,
        events: &EventSink<'_>,
        is_network: &mut bool,
    ) -> Option<Report> {
        let submission = &*job.delivery.submission;
        *is_network = false;
        let refuse = |reason, message: &str| Some(self.judge.refuse(submission, reason, message, events));
        let mut rest = REST;
        for _ in 0..MOST_STARTS {
            if job.cancel.is_cancelled() {
                return Some(self.judge.cancelled(submission, events));
            }
            match self.load_and_judge(job, events, is_network) {
                Attempt::Report(report) => return Some(*report),
                Attempt::Changed(problem) => {
                    tracing::warn!(id = %submission.id, again_in = ?rest, "{problem}");
                    std::thread::sleep(rest);
                    rest *= 2;
                }
                Attempt::Lacking(problem) => {
                    return match outlet.may_pass_on(job) {
                        Ok(()) => {
                            tracing::info!(id = %submission.id, "passed on to another worker: {problem}");
                            None
                        }
                        Err(why_not) => refuse(Reason::Package, &format!("{problem}{why_not}")),
                    };
                }
            }
        }
        let problem = format!(
            "the package kept changing: it changed during each of {MOST_STARTS} judgings; let its files rest, and put \
             a new version in place by one rename"
        );
        refuse(Reason::Package, &problem)
    }

    /// Loads the package and judges, once.
    fn load_and_judge(self, job: &Job, events: &EventSink<'_>, is_network: &mut bool) -> Attempt {
        let submission = &*job.delivery.submission;
        let refuse = |reason, message: &str| {
            Attempt::Report(Box::new(self.judge.refuse(submission, reason, message, events)))
        };
        if let Some(refusal) = &job.delivery.refusal {
            return refuse(refusal.reason, &refusal.message);
        }
        let started = Instant::now();
        let fetched = catch_unwind(AssertUnwindSafe(|| {
            let problem = self.workspace.find(submission, &job.cancel)?;
            self.backlog.pulse().beat();
            let submission = self.workspace.with_files(submission, &job.cancel)?;
            self.backlog.pulse().beat();
            Ok((problem, submission))
        }));
        match fetched {
            Ok(Ok((problem, whole))) => {
                let took = milliseconds(started.elapsed());
                match self.judge.judge_or_set_back(&whole, &problem, events, &job.cancel) {
                    Ok(mut report) => {
                        if !self.is_of_one_version(job, &problem, &report) {
                            let name = &problem.name;
                            return Attempt::Changed(format!("problem '{name}' changed while it was judged"));
                        }
                        report.phases_ms.fetch += took;
                        Attempt::Report(Box::new(report))
                    }
                    Err(Setback::Changed(problem)) => Attempt::Changed(problem),
                    Err(Setback::OtherPackage(problem)) => Attempt::Lacking(problem),
                }
            }
            Ok(Err(WorkspaceError::Cancelled)) => {
                Attempt::Report(Box::new(self.judge.cancelled(submission, events)))
            }
            Ok(Err(error)) if error.is_lack() => Attempt::Lacking(error.to_string()),
            Ok(Err(error)) => {
                *is_network = error.is_network();
                refuse(error.reason(), &error.to_string())
            }
            Err(_) => refuse(Reason::Sandbox, "loading the package failed"),
        }
    }

    /// Whether what was loaded and what was judged are one version of the package. The judge compares the files that it
    /// reads; that the package was loaded from the same ones is known when nothing in its directory changed since, or
    /// when it still is what the report names.
    fn is_of_one_version(self, job: &Job, problem: &Problem, report: &Report) -> bool {
        if job.cancel.is_cancelled() || self.workspace.is_unchanged(problem) {
            return true;
        }
        let again = self.workspace.find(&job.delivery.submission, &job.cancel);
        let digest = again.ok().and_then(|again| self.judge.package_digest(&again, &job.cancel));
        digest.is_some_and(|digest| digest == report.provenance.package)
    }
}

/// Why a judging failed that should have come to a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    /// A server did not answer.
    Network,
    /// This host cannot judge: it fails its own trial as well.
    Host,
    /// This host can judge, and not this submission.
    Submission,
}

/// Holds back the events that end a run until it is known whether the run has a verdict: a submission that goes back
/// to its queue is neither cancelled nor failed.
#[derive(Debug, Default)]
struct Ending(Mutex<EndingState>);

#[derive(Debug, Default)]
struct EndingState {
    /// `cancelled` or `error`, to be told before the verdict.
    held: Option<Event>,
    /// `done`, which goes its own way, as a verdict.
    done: Option<Event>,
}

impl Ending {
    /// Returns the event unless it ends the run.
    fn hold_back(&self, event: Event) -> Option<Event> {
        let mut state = self.lock();
        if event.seq == 0 {
            // Another attempt begins: how the last one ended is not told.
            *state = EndingState::default();
        }
        match event.kind {
            EventKind::Cancelled | EventKind::Error { .. } => state.held = Some(event),
            EventKind::Done(_) => state.done = Some(event),
            _ => return Some(event),
        }
        None
    }

    /// Tells what was held back: the run has a verdict.
    fn tell(&self, outlet: &dyn Outlet) {
        let held = self.lock().held.take();
        if let Some(event) = held {
            outlet.progress(&event);
        }
    }

    /// Tells that the submission goes back to its queue, as the next event of the run.
    fn tell_return(&self, outlet: &dyn Outlet, problem: &str) {
        let last = {
            let mut state = self.lock();
            state.held.take().or_else(|| state.done.take())
        };
        if let Some(event) = last {
            outlet.progress(&Event { kind: EventKind::Returned { message: problem.to_owned() }, ..event });
        }
    }

    fn lock(&self) -> MutexGuard<'_, EndingState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Logs a judging error on one line.
fn log_judging_error(report: &Report) {
    if report.verdict != Verdict::JE {
        return;
    }
    let reason = report.reason.map_or("unknown", Reason::id);
    let one_line = |text: &str| -> String {
        text.chars().take(LONGEST_LOGGED).map(|c| if c.is_control() { ' ' } else { c }).collect()
    };
    let error = one_line(report.error.as_deref().unwrap_or("a test ended as JE"));
    let (id, judging) = (one_line(&report.id), one_line(&report.judging));
    tracing::warn!(id, judging, reason, error, "judging error");
}

/// Ends the worker with a judging thread that panics: what that one had is answered by nobody here, and goes to
/// others only with this process.
struct EndWithPanic<'a>(&'a Backlog);

impl Drop for EndWithPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("this worker ends, to be started again: a judging thread has died");
            self.0.stop();
        }
    }
}

/// Whether this host failed, and not the contestant, the package, the language table or the message.
fn is_ours(job: &Job, report: &Report) -> bool {
    job.delivery.refusal.is_none() && report.verdict == Verdict::JE && report.reason == Some(Reason::Sandbox)
}
