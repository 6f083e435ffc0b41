//! Judges one submission on one package: compiles once, runs every test in a box, checks, decides.
//!
//! A judging is a function of the submission, the package, the language table and the machine. The command line, the worker
//! and the tests all call [`Judge::judge`] with a sink for events and a token that cancels; nothing here knows of queues.
//!
//! Invariants:
//! - There is always a report. A failure of gavel, of the host, of the package or of the language table is JE with its
//!   message in `error`; it is never charged to the contestant, and in doubt it is JE, never AC.
//! - The report does not depend on which test finishes first: tests run in parallel, and are decided and reported in the
//!   package's order.
//! - When a judging is over, nothing of it runs, also when it was cancelled.
//!
//! | file or folder | contents |
//! |---|---|
//! | `judging`, `conclusion` | the steps of a judging in order; the report's beginning and end |
//! | `engine` | what every step shares; passed down |
//! | `exec`, `language_box` | runs commands in boxes; box shapes, limits and command lines of languages |
//! | `request`, `limits`, `feedback`, `events`, `provenance`, `files`, `fault`, `settings` | the submission's request, limits, what is reported, errors |
//! | `compile/` | programs, toolchains, precompiled files, the package's own files |
//! | `jury/` | the jury's programs, generated tests, verification |
//! | `test/` | one test: run, check, outcome, work directory |
//! | `interact/` | interactors, managers, several processes, several passes |
//! | `schedule/` | slots, cores, box pools, the order of tests |
//! | `score/` | verdicts and scores of groups |
//! | `host_check`, `external_kill` | tell failures of the host from failures of a submission |
//!
//! Files import each other in one direction only; `tests/architecture.rs` keeps it.

mod compile;
mod conclusion;
mod engine;
mod events;
mod exec;
mod external_kill;
mod fault;
mod feedback;
mod files;
mod host_check;
mod interact;
mod judging;
mod jury;
mod language_box;
mod limits;
mod provenance;
mod request;
mod schedule;
mod score;
mod settings;
mod test;

pub use compile::toolchain::ToolchainState;
pub use engine::Prepared;
pub use events::EventSink;
pub use host_check::HostFault;
pub use judging::Setback;
pub use jury::generated::NotGenerated;
pub use jury::verification::{Regenerated, TestData, Validation, VerificationFault, Verifier};
pub use limits::UNSET_TIME_LIMIT;
pub use request::{MAX_FILES, RequestError};
pub use schedule::slots::CoreUse;
pub use settings::{JudgeSettings, Readers, StartError};

use compile::toolchain;
use engine::Engine;
use events::EventSender;
use interact::processes;
use judging::Order;
use jury::generated;
use request::Request;

use crate::cache::Store;
use crate::cancel::CancelToken;
use crate::language::{Language, Table};
use crate::package::Package;
use crate::report::Report;
use crate::sandbox::Sandbox;
use crate::submission::Submission;
use crate::verdict::Reason;

/// A judge: boxes, a cache and a language table, ready for any number of judgings at once.
#[derive(Debug)]
pub struct Judge {
    engine: Engine,
}

impl Judge {
    /// Starts the sandbox and opens the cache.
    ///
    /// # Errors
    /// [`StartError`] when this host cannot run boxes or the cache cannot be opened.
    pub fn start(settings: JudgeSettings) -> Result<Self, StartError> {
        // First the store, which checks that its directory belongs to this user alone.
        let store = Store::open(&settings.cache, settings.cache_capacity)?;
        let prepared = Self::prepare(&settings)?;
        Self::assemble(settings, store, prepared)
    }

    /// Leases cores and starts the sandbox of a judge with these settings, whose cache exists: for callers that give up
    /// privileges before they go on.
    ///
    /// # Errors
    /// When this host cannot run boxes, or has too few cores.
    pub fn prepare(settings: &JudgeSettings) -> Result<Prepared, StartError> {
        Prepared::start(settings)
    }

    /// Starts a judge with what [`Judge::prepare`] has opened.
    ///
    /// # Errors
    /// [`StartError`] when the cache cannot be opened.
    pub fn start_on(settings: JudgeSettings, prepared: Prepared) -> Result<Self, StartError> {
        let store = Store::open(&settings.cache, settings.cache_capacity)?;
        Self::assemble(settings, store, prepared)
    }

    fn assemble(settings: JudgeSettings, store: Store, prepared: Prepared) -> Result<Self, StartError> {
        let engine = Engine::new(settings, store, prepared)?;
        processes::sweep(&engine.spill);
        Ok(Self { engine })
    }

    /// Returns the language table.
    pub fn languages(&self) -> &Table {
        &self.engine.table
    }

    /// Returns how many programs run at once.
    pub fn slots(&self) -> usize {
        self.engine.slots.count()
    }

    /// Returns which cores its programs run on.
    pub fn cores(&self) -> CoreUse {
        self.engine.slots.core_use()
    }

    /// Returns the sandbox, for commands that run something other than a submission.
    pub fn sandbox(&self) -> &Sandbox {
        &self.engine.sandbox
    }

    /// Returns the name of this worker in events and reports.
    pub fn worker(&self) -> &str {
        &self.engine.host.worker
    }

    /// Returns whether a language can be used on this host.
    pub fn toolchain(&self, language: &Language, cancel: &CancelToken) -> ToolchainState {
        toolchain::state(&self.engine, language, cancel)
    }

    /// Checks that a submission can be judged as it was sent; [`Judge::judge`] checks the same. A source that is too large or
    /// in a damaged encoding passes: it gets CE.
    ///
    /// # Errors
    /// [`RequestError`], one line saying what is wrong and what to do.
    pub fn check(&self, submission: &Submission, package: &Package) -> Result<(), RequestError> {
        match Request::new(submission, package, &self.engine.table) {
            Err(error) if error.compile_reason().is_none() => Err(error),
            _ => Ok(()),
        }
    }

    /// Judges a submission. Never panics and always returns a report; see the module's documentation. Any number of threads
    /// may call it at once.
    pub fn judge(
        &self,
        submission: &Submission,
        package: &Package,
        events: &EventSink<'_>,
        cancel: &CancelToken,
    ) -> Report {
        self.judge_in_overtime(submission, package, 1.0, events, cancel)
    }

    /// Judges with the same verdicts as [`Judge::judge`], but lets a program run to `overtime` times its CPU limit, so that
    /// its report tells by how much it is too slow.
    pub fn judge_in_overtime(
        &self,
        submission: &Submission,
        package: &Package,
        overtime: f64,
        events: &EventSink<'_>,
        cancel: &CancelToken,
    ) -> Report {
        judging::judge(&self.engine, &Order { submission, package, overtime }, events, cancel)
    }

    /// Judges as [`Judge::judge`] does, for callers that can begin anew: with another load of the package, or on another
    /// host.
    ///
    /// # Errors
    /// [`Setback`], after which no event ends the run.
    pub fn judge_or_set_back(
        &self,
        submission: &Submission,
        package: &Package,
        events: &EventSink<'_>,
        cancel: &CancelToken,
    ) -> Result<Report, Setback> {
        let order = Order { submission, package, overtime: 1.0 };
        judging::judge_or_set_back(&self.engine, &order, events, cancel)
    }

    /// Returns and sends the report of a submission that cannot be judged, for failures before there is a package: JE with
    /// the message.
    pub fn refuse(
        &self,
        submission: &Submission,
        reason: Reason,
        message: &str,
        events: &EventSink<'_>,
    ) -> Report {
        let events = EventSender::new(submission, self.worker(), events);
        let report = conclusion::blank_report(&self.engine, submission);
        conclusion::refuse(report, reason, message, &events)
    }

    /// Returns and sends the report of a submission that was cancelled before there was a package.
    pub fn cancelled(&self, submission: &Submission, events: &EventSink<'_>) -> Report {
        let events = EventSender::new(submission, self.worker(), events);
        conclusion::cancelled(conclusion::blank_report(&self.engine, submission), &events)
    }

    /// Returns the digest of a package's files as they are now, as in reports; `None` where they cannot be read.
    pub fn package_digest(&self, package: &Package, cancel: &CancelToken) -> Option<String> {
        let engine = &self.engine;
        let digest = |package: &Package| provenance::package_digest(&engine.store, &engine.digests, package);
        let found = match package.generated {
            Some(_) => digest(&generated::complete(engine, package, cancel).ok()?),
            None => digest(package),
        };
        Some(found.ok()?.0)
    }

    /// Returns the package with everything that its programs generate; a copy of the package where there is nothing to
    /// generate.
    ///
    /// # Errors
    /// When a program cannot be compiled or fails, or this host does.
    pub fn complete(&self, package: &Package, cancel: &CancelToken) -> Result<Package, NotGenerated> {
        generated::complete(&self.engine, package, cancel).map_err(NotGenerated::from)
    }

    /// Prepares the verification of a package.
    ///
    /// # Errors
    /// When the package's directory cannot be shown to boxes.
    pub fn verifier<'a>(
        &'a self,
        package: &'a Package,
        cancel: &'a CancelToken,
    ) -> Result<Verifier<'a>, VerificationFault> {
        Verifier::new(&self.engine, package, cancel)
    }

    /// Checks that this host can judge: its disk takes files, its cache takes an entry, and a command runs in a new box.
    /// Makes directories of gavel again that were removed.
    ///
    /// # Errors
    /// The first failure, on one line, and whether this process can recover from it.
    pub fn try_host(&self) -> Result<(), HostFault> {
        host_check::check(&self.engine)
    }

    /// Checks as [`Judge::try_host`] does, and that a known program of a language can be compiled, cached and run.
    ///
    /// # Errors
    /// As [`Judge::try_host`]. A language that the table or this host lacks is no failure.
    pub fn try_host_with(&self, language: &str) -> Result<(), HostFault> {
        host_check::check_with(&self.engine, language)
    }
}
