//! Judges one submission on one package: compile once, run every test in a box, check, decide.
//!
//! A judging is a function of the submission, the package, the language table and the machine. The command
//! line, the worker and the tests all call [`Judge::judge`] with a place for events and a token that
//! cancels; nothing here has heard of queues.
//!
//! What always holds:
//! - There is always a report. A failure of ours, of the host, of the package or of the language table is
//!   JE with its message in `error`; it is never charged to the contestant, and in doubt it is JE, never AC.
//! - The report does not depend on which test happened to finish first: tests run in parallel, and are
//!   decided and told in the package's order.
//! - When a judging is over nothing of it runs, also when it was cancelled.
//!
//! One file a step: `request` checks, `included` adds the package's files, `compile` makes the program (with `toolchain`
//! and `prepare` before it and `artifacts` after), `tool` the jury's programs (with `scripts`), `run_test` runs and checks
//! one test (`test_result` holds what it came to, `outcome` says what a run's end means; in a `work_directory`, with `check`
//! where a program decides and `interact` where one talks with it or it runs in several passes; `answers` are only
//! checked), `pipeline` runs them all (`equal_tests` once), `score` makes verdicts and scores of groups, `progress` tells.
//! `slots`, `boxes` and `cores` say how much runs at once and where;
//! `host_trial` tells a failing host from a submission that fails on it, and
//! `outside_kill` an end by the program's own doing from one that came from outside. `jury` runs the jury's programs outside any judging.

mod answers;
mod artifacts;
mod big_math;
mod boxes;
mod check;
mod compile;
mod cores;
mod equal_tests;
mod exec;
mod fault;
mod feedback;
mod files;
mod generate;
mod generation_budget;
mod host_memory;
mod host_trial;
mod included;
mod input_script;
mod interact;
mod jury;
mod last_words;
mod limits;
mod made;
mod outcome;
mod outside_kill;
mod pipeline;
mod prepare;
mod progress;
mod provenance;
mod request;
mod run_test;
mod score;
mod scripts;
mod settings;
mod slots;
mod supported;
mod test_result;
mod tool;
mod toolchain;
mod work_directory;

pub use host_trial::HostFault;
pub use jury::{Exhibit, Jury, JuryFault, Regenerated, Validation};
pub use limits::UNSET_TIME_LIMIT;
pub use made::NotMade;
pub use progress::EventSink;
pub use request::{MAX_FILES, RequestError};
pub use settings::{JudgeSettings, Readers, StartError};
pub use slots::CoreUse;
pub use toolchain::ToolchainState;

use std::collections::HashSet;
use std::fs::Metadata;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use feedback::Level;

use crate::cache::Store;
use crate::cancel::CancelToken;
use crate::language::{Language, Table};
use crate::package::Package;
use crate::report::{CompileReport, EventKind, LimitsReport, Phases, Report};
use crate::sandbox::{BoxHandle, Limits, Sandbox, SandboxError, Shape};
use crate::submission::{SCHEMA, Submission};
use crate::units::milliseconds;
use crate::verdict::{Reason, Verdict};
use answers::Answers;
use check::Checkers;
use fault::Fault;
use host_memory::HostMemory;
use interact::Counterpart;
use limits::LimitsByTest;
use pipeline::{Entrant, TestRun, Trial};
use progress::EventSender;
use request::Request;
use run_test::Runner;
use slots::Slots;
use work_directory::WorkDirectory;

/// Where a compiler works, as seen inside its box.
const SOURCE_DIRECTORY: &str = "/w/src";
/// Where it leaves the program.
const OUTPUT_DIRECTORY: &str = "/w/out";
/// Name of the program file below [`OUTPUT_DIRECTORY`] and below `/program`.
const EXECUTABLE: &str = "program";
/// Every program's environment; a language's own entries come after it.
const BASE_ENVIRONMENT: &[&str] =
    &["PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/w", "TMPDIR=/tmp", "LANG=C.UTF-8", "LC_ALL=C.UTF-8"];

/// Device, inode, size, and seconds and nanoseconds of the last change of a file's content.
type FileState = (u64, u64, u64, i64, i64);

/// Files remembered as read into the page cache; beyond that all are forgotten, and read once more.
const PRELOADED_REMEMBERED: usize = 100_000;

/// Why a judging came to nothing, without anybody's fault: it may be begun anew, here or elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Setback {
    /// The package was changed meanwhile.
    #[error("{0}")]
    Changed(String),
    /// This host has another version of the package than the submission asks for.
    #[error("{0}")]
    OtherPackage(String),
}

/// A judge: boxes, a cache and a language table, ready for any number of judgings at once.
#[derive(Debug)]
pub struct Judge {
    sandbox: Sandbox,
    slots: Slots,
    store: Store,
    /// Where captured outputs go that memory is too small for.
    spill: PathBuf,
    table: Table,
    host: provenance::Host,
    toolchains: toolchain::Toolchains,
    /// Files read into the page cache already.
    preloaded: Mutex<HashSet<FileState>>,
    digests: provenance::Digests,
    transcripts: Option<PathBuf>,
    may_raise_limits: bool,
    readers: Readers,
    host_memory: HostMemory,
}

/// What takes the rights a process is started with: leased cores, and the keeper of boxes.
#[derive(Debug)]
pub struct Prepared {
    slots: Slots,
    sandbox: Sandbox,
}

impl Prepared {
    /// The way to boxes.
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }
}

impl Judge {
    /// Starts the keeper of boxes and opens the cache.
    ///
    /// # Errors
    /// [`StartError`] when this host cannot run boxes or the cache cannot be opened.
    pub fn start(settings: JudgeSettings) -> Result<Self, StartError> {
        // The store looks first whether the place is ours alone.
        let store = Store::open(&settings.cache, settings.cache_capacity)?;
        let prepared = Self::prepare(&settings)?;
        Self::assemble(settings, store, prepared)
    }

    /// Leases cores and starts the sandbox of a judge with these settings, whose cache is there already: for callers that
    /// give up rights before they go on.
    ///
    /// # Errors
    /// When this host cannot run boxes, or has too few cores.
    pub fn prepare(settings: &JudgeSettings) -> Result<Prepared, StartError> {
        let slots = Slots::new(settings)?;
        let sandbox = Sandbox::start(&settings.sandbox())?;
        Ok(Prepared { slots, sandbox })
    }

    /// Starts a judge on what [`Judge::prepare`] has opened.
    ///
    /// # Errors
    /// [`StartError`] when the cache cannot be opened.
    pub fn start_on(settings: JudgeSettings, prepared: Prepared) -> Result<Self, StartError> {
        let store = Store::open(&settings.cache, settings.cache_capacity)?;
        Self::assemble(settings, store, prepared)
    }

    fn assemble(settings: JudgeSettings, store: Store, prepared: Prepared) -> Result<Self, StartError> {
        let Prepared { slots, sandbox } = prepared;
        let spill = settings.cache.join("spill");
        std::fs::create_dir_all(&spill)
            .map_err(|source| StartError::Directory { path: spill.clone(), source })?;
        interact::sweep(&spill);
        let control = sandbox.resource_control();
        let host = provenance::Host::read(settings.worker, control);
        Ok(Self {
            sandbox,
            slots,
            store,
            spill,
            table: settings.languages,
            host,
            toolchains: toolchain::Toolchains::default(),
            preloaded: Mutex::new(HashSet::new()),
            digests: provenance::Digests::default(),
            transcripts: settings.transcripts,
            may_raise_limits: settings.may_raise_limits,
            readers: settings.readers,
            host_memory: HostMemory::watch(control),
        })
    }

    /// The languages it knows.
    pub fn languages(&self) -> &Table {
        &self.table
    }

    /// How many programs run at once.
    pub fn slots(&self) -> usize {
        self.slots.count()
    }

    /// Which cores its programs run on.
    pub fn cores(&self) -> CoreUse {
        self.slots.core_use()
    }

    /// The way to boxes, for commands that run something other than a submission.
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// Whether a submission can be judged as it was sent; [`Judge::judge`] checks the same. A source that is too large or in a
    /// damaged encoding can be: it gets CE.
    ///
    /// # Errors
    /// [`RequestError`], one line saying what is wrong and what to do.
    pub fn check(&self, submission: &Submission, package: &Package) -> Result<(), RequestError> {
        match Request::new(submission, package, &self.table) {
            Err(error) if error.compile_reason().is_none() => Err(error),
            _ => Ok(()),
        }
    }

    /// What is found of a language's toolchain on this host.
    pub fn toolchain(&self, language: &Language, cancel: &CancelToken) -> ToolchainState {
        match toolchain::detect(self, language, cancel) {
            Ok(found) => ToolchainState::Found(found.version.clone()),
            Err(toolchain::ToolchainError::Missing(program)) => ToolchainState::Missing(program),
            Err(error) => ToolchainState::Broken(error.to_string()),
        }
    }

    /// Judges a submission. Never panics and always returns a report, whatever happens; see the module's
    /// documentation. Any number of threads may call it at once.
    pub fn judge(
        &self,
        submission: &Submission,
        package: &Package,
        events: &EventSink<'_>,
        cancel: &CancelToken,
    ) -> Report {
        self.judge_in_overtime(submission, package, 1.0, events, cancel)
    }

    /// As [`Judge::judge`], and with the same verdicts; but a program is let run to `overtime` times its CPU limit, so that
    /// its report says by how much it is too slow.
    pub fn judge_in_overtime(
        &self,
        submission: &Submission,
        package: &Package,
        overtime: f64,
        events: &EventSink<'_>,
        cancel: &CancelToken,
    ) -> Report {
        let events = EventSender::new(submission, &self.host.worker, events);
        let (report, judged) = self.try_to_judge(submission, package, overtime, &events, cancel);
        self.conclude(report, judged, &events, cancel)
    }

    /// As [`Judge::judge`], for who can begin anew: with another load of the package, or on another host.
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
        let events = EventSender::new(submission, &self.host.worker, events);
        let (report, judged) = self.try_to_judge(submission, package, 1.0, &events, cancel);
        match judged {
            Err(fault @ Fault::Changed(_)) if !cancel.is_cancelled() => {
                Err(Setback::Changed(fault.to_string()))
            }
            Err(fault @ Fault::OtherPackage(_)) if !cancel.is_cancelled() => {
                Err(Setback::OtherPackage(fault.to_string()))
            }
            judged => Ok(self.conclude(report, judged, &events, cancel)),
        }
    }

    /// The digest of a package as its files are now, as reports name it; `None` where it cannot be read.
    pub fn package_digest(&self, package: &Package, cancel: &CancelToken) -> Option<String> {
        if package.made.is_some() {
            let completed = made::complete(self, package, cancel).ok()?;
            return Some(provenance::package_digest(self, &completed).ok()?.0);
        }
        Some(provenance::package_digest(self, package).ok()?.0)
    }

    fn try_to_judge(
        &self,
        submission: &Submission,
        package: &Package,
        overtime: f64,
        events: &EventSender<'_>,
        cancel: &CancelToken,
    ) -> (Report, Result<(), Fault>) {
        let mut report = self.blank_report(submission);
        let judged = catch_unwind(AssertUnwindSafe(|| {
            self.judge_into(&mut report, submission, package, overtime, events, cancel)
        }))
        .unwrap_or_else(|panic| Err(Fault::Panic(panic_message(&*panic))));
        // A core that was lost on the way counts as never had.
        if !self.slots.are_exclusive() {
            provenance::SHARED.clone_into(&mut report.provenance.cores);
        }
        (report, judged)
    }

    /// Puts into the report what came of the judging, and tells it.
    fn conclude(
        &self,
        mut report: Report,
        judged: Result<(), Fault>,
        events: &EventSender<'_>,
        cancel: &CancelToken,
    ) -> Report {
        let submission = &report.id;
        match judged {
            Ok(()) => {}
            Err(_) if cancel.is_cancelled() => {
                report.verdict = Verdict::CX;
                report.flags = vec![Verdict::CX];
            }
            Err(fault) => {
                tracing::info!(%submission, %fault, "judging error");
                report.verdict = Verdict::JE;
                report.reason = Some(fault.reason());
                report.flags = vec![Verdict::JE];
                report.error = Some(fault.to_string());
            }
        }
        match (report.verdict, &report.error) {
            (Verdict::CX, _) => events.send(EventKind::Cancelled),
            (Verdict::JE, Some(message)) => events.send(EventKind::Error { message: message.clone() }),
            _ => {}
        }
        events.send(EventKind::Done(Box::new(report.clone())));
        report
    }

    /// The report of a submission that cannot be judged, JE with the message, told like any other: whoever
    /// waits for a verdict gets one. For what is wrong before there is a package to judge on.
    pub fn refuse(
        &self,
        submission: &Submission,
        reason: Reason,
        message: &str,
        events: &EventSink<'_>,
    ) -> Report {
        let events = EventSender::new(submission, &self.host.worker, events);
        let mut report = self.blank_report(submission);
        report.reason = Some(reason);
        report.flags = vec![Verdict::JE];
        report.error = Some(message.to_owned());
        events.send(EventKind::Error { message: message.to_owned() });
        events.send(EventKind::Done(Box::new(report.clone())));
        report
    }

    /// The report of a submission that was cancelled before there was a package to judge on, told like any other.
    pub fn cancelled(&self, submission: &Submission, events: &EventSink<'_>) -> Report {
        let events = EventSender::new(submission, &self.host.worker, events);
        let mut report = self.blank_report(submission);
        report.verdict = Verdict::CX;
        report.flags = vec![Verdict::CX];
        events.send(EventKind::Cancelled);
        events.send(EventKind::Done(Box::new(report.clone())));
        report
    }

    /// The name this worker goes by in events and reports.
    pub fn worker(&self) -> &str {
        &self.host.worker
    }

    /// The steps of a judging, each filling its part of the report.
    fn judge_into(
        &self,
        report: &mut Report,
        submission: &Submission,
        package: &Package,
        overtime: f64,
        events: &EventSender<'_>,
        cancel: &CancelToken,
    ) -> Result<(), Fault> {
        let completed;
        let package = if package.made.is_some() {
            completed = made::complete(self, package, cancel)?;
            &completed
        } else {
            package
        };
        let request = match Request::new(submission, package, &self.table) {
            Ok(request) => request,
            Err(error) => {
                return match error.compile_reason() {
                    Some(reason) => reject_compile(report, reason, format!("{error}\n")),
                    None => Err(error.into()),
                };
            }
        };
        supported::check(package)?;

        let started = Instant::now();
        let snapshot;
        (report.provenance.package, snapshot) = provenance::package_digest(self, package)?;
        if let Some(wanted) = &submission.problem.sha256
            && report.provenance.package.trim_start_matches("sha256:") != wanted.trim_start_matches("sha256:")
        {
            return Err(Fault::OtherPackage(format!(
                "problem '{}' is {} here, and the submission asks for {wanted}: update the package",
                package.name, report.provenance.package
            )));
        }
        if !self.may_raise_limits {
            let control = self.sandbox.resource_control();
            report.warnings.extend(limits::refused(submission, &package.limits, request.language, control));
        }
        let level = Level::of(self.readers, package.feedback, submission.feedback);
        let tests = request.tests.iter().filter(|test| level.tells_of(test)).count();
        events.send(EventKind::Accepted { tests, warnings: report.warnings.clone() });
        report.phases_ms.fetch = milliseconds(started.elapsed());
        let judged = self.judge_request(report, submission, package, &request, overtime, events, cancel);
        // Whatever came of it may be of two versions, a file that was not found for a moment included.
        if !cancel.is_cancelled() && !snapshot.holds(package) {
            return Err(Fault::Changed(package.name.clone()));
        }
        judged
    }

    /// The steps that read the package's files.
    #[expect(clippy::too_many_arguments, reason = "one caller, which has them apart")]
    fn judge_request(
        &self,
        report: &mut Report,
        submission: &Submission,
        package: &Package,
        request: &Request<'_>,
        overtime: f64,
        events: &EventSender<'_>,
        cancel: &CancelToken,
    ) -> Result<(), Fault> {
        let inputs = files::Inputs::of(&self.sandbox, package)?;
        let stop = submission.policy.stop;
        let feedback = Level::of(self.readers, package.feedback, submission.feedback);
        let trial = Trial { judge: self, package, inputs: &inputs, stop, feedback, overtime, cancel, events };
        match request.language {
            Some(language) => self.judge_program(report, submission, request, language, &trial),
            None => self.judge_answers(report, submission, request, &trial),
        }
    }

    /// Compiles a program and runs it on every test.
    fn judge_program(
        &self,
        report: &mut Report,
        submission: &Submission,
        request: &Request<'_>,
        language: &Language,
        trial: &Trial<'_>,
    ) -> Result<(), Fault> {
        let (package, cancel, events) = (trial.package, trial.cancel, trial.events);
        let started = Instant::now();
        if package.unbuffered && language.unbuffered.is_none() {
            report.warnings.push(format!(
                "problem '{}' asks for unbuffered output, which programs in language '{}' cannot be given: they must flush",
                package.name, language.id
            ));
        }
        let joined = included::join(package, &self.table, language, &request.sources)?;
        report.warnings.extend(joined.warnings.iter().cloned());
        let recipe = compile::Recipe {
            language,
            sources: &joined.sources,
            flags: &joined.flags,
            limits: compile::package_limits(language, package),
        };
        let compilation = compile::compile(self, &recipe, &|| events.send(EventKind::Compiling), cancel)?;
        report.phases_ms.compile = milliseconds(started.elapsed());
        report.provenance.toolchain = compilation.toolchain;
        report.compile = compilation.report;
        report.compile.log = joined.for_contestants(&report.compile.log);
        events.send(EventKind::Compiled { compile: report.compile.clone() });
        let Some(program) = compilation.program else {
            report.verdict = Verdict::CE;
            report.reason = report.compile.reason;
            report.flags = vec![Verdict::CE];
            return Ok(());
        };

        let control = self.sandbox.resource_control();
        let limits = LimitsByTest::new(package, &request.tests, |of_package| {
            limits::of_run(submission, of_package, language, self.may_raise_limits, control)
                .with_overtime(trial.overtime)
        });
        report.limits = Some(limits.usual.report());
        let output_limit = limits.usual.limits.output.unwrap_or(package.limits.output);
        let checkers = Checkers::make(self, package, &request.tests, output_limit, cancel)?;
        let counterpart = Counterpart::make(self, package, output_limit, cancel)?;
        report.phases_ms.compile = milliseconds(started.elapsed());

        let started = Instant::now();
        let directory = WorkDirectory::new(package, joined.data(language), joined.scripts(language))?;
        report.warnings.extend(directory.displaced(&request.sources, &request.tests));
        let mut runner = Runner::new(
            language,
            &program,
            &limits,
            counterpart,
            directory,
            &request.tests,
            package.unbuffered,
        )?;
        if package.no_big_math {
            runner.forbidden = big_math::used_by(&program)?;
        }
        let outputs = match Answers::new(package, &request.outputs) {
            Ok(outputs) => outputs,
            Err(error) => return reject_compile(report, Reason::Output, error.to_string()),
        };
        let mut run = TestRun::new(trial, Entrant::Program(&runner), &checkers, &request.sources);
        run.outputs = package.takes_output_files().then_some((&outputs, output_limit));
        pipeline::run_all(&run, &request.tests, report)?;
        report.phases_ms.tests = milliseconds(started.elapsed());
        Ok(())
    }

    /// Checks answers that were handed in.
    fn judge_answers(
        &self,
        report: &mut Report,
        submission: &Submission,
        request: &Request<'_>,
        trial: &Trial<'_>,
    ) -> Result<(), Fault> {
        let answers = match Answers::new(trial.package, &request.sources) {
            Ok(answers) => answers,
            Err(error) => return reject_compile(report, Reason::Output, error.to_string()),
        };
        report.compile = CompileReport { ok: true, ..CompileReport::default() };
        let limit = limits::output(submission, &trial.package.limits, self.may_raise_limits);
        report.limits = Some(LimitsReport { output_bytes: Some(limit.0), ..LimitsReport::default() });
        let started = Instant::now();
        let checkers = Checkers::make(self, trial.package, &request.tests, limit, trial.cancel)?;
        report.phases_ms.compile = milliseconds(started.elapsed());

        let started = Instant::now();
        let run =
            TestRun::new(trial, Entrant::Answers { answers: &answers, limit }, &checkers, &request.sources);
        pipeline::run_all(&run, &request.tests, report)?;
        report.phases_ms.tests = milliseconds(started.elapsed());
        Ok(())
    }

    fn blank_report(&self, submission: &Submission) -> Report {
        Report {
            schema: SCHEMA,
            kind: "done".to_owned(),
            id: submission.id.clone(),
            judging: submission.judging.clone(),
            verdict: Verdict::JE,
            reason: None,
            flags: Vec::new(),
            score: None,
            range: None,
            compile: CompileReport::default(),
            limits: None,
            tests: Vec::new(),
            groups: Vec::new(),
            first_failure: None,
            max_cpu_ms: 0.0,
            max_memory_kib: 0,
            phases_ms: Phases::default(),
            provenance: self.host.provenance(
                self.table.named(&submission.language).map_or(&submission.language, |language| &language.id),
                self.slots.are_exclusive(),
            ),
            error: None,
            warnings: submission.warnings.clone(),
            meta: submission.meta.clone(),
        }
    }

    /// Does work in a box of that shape on the next free slot. When the sandbox fails, the box is destroyed
    /// and the work done once more in a new one: a lost box must not cost a contestant anything.
    fn in_box<T>(
        &self,
        shape: &Shape,
        cancel: &[&CancelToken],
        mut work: impl FnMut(&mut BoxHandle) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.in_boxes(&[shape], cancel, |boxes| match boxes {
            [only] => work(only),
            _ => Err(Fault::Panic("one box was asked for".to_owned())),
        })
    }

    /// As [`Judge::in_box`], in several boxes of one slot: all on its core, and nobody ever waits for a second slot
    /// while holding one.
    fn in_boxes<T>(
        &self,
        shapes: &[&Shape],
        cancel: &[&CancelToken],
        mut work: impl FnMut(&mut [BoxHandle]) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let is_cancelled = || cancel.iter().any(|token| token.is_cancelled());
        let first = shapes.first().ok_or_else(|| Fault::Panic("no box was asked for".to_owned()))?;
        let slot = self.slots.acquire(first, &is_cancelled).ok_or(Fault::Cancelled)?;
        if let Some(refusal) = self.slots.refusal() {
            return Err(refusal.into());
        }
        let mut pool = slot.boxes();
        let mut is_second = false;
        loop {
            // Out of the pool while it works: a panic or a fault on the way destroys the boxes with whatever runs or
            // lies in them.
            let mut boxes =
                shapes.iter().map(|shape| pool.take(&self.sandbox, shape)).collect::<Result<Vec<_>, _>>()?;
            let error = match work(&mut boxes) {
                Err(Fault::Sandbox(error)) => error,
                Err(fault @ Fault::Cancelled) => {
                    boxes.into_iter().for_each(|sandbox_box| pool.put(sandbox_box));
                    return Err(fault);
                }
                Err(fault) => return Err(fault),
                done => {
                    boxes.into_iter().for_each(|sandbox_box| pool.put(sandbox_box));
                    return done;
                }
            };
            drop(boxes);
            if is_second || matches!(error, SandboxError::KeeperGone) || is_cancelled() {
                return Err(error.into());
            }
            tracing::warn!(%error, "a box failed; trying once more in a new one");
            is_second = true;
        }
    }

    /// Reads a file into the page cache, once per process: whoever touches a page first is charged for it,
    /// and that must be neither the first test's program nor its memory figure.
    fn preload(&self, path: &Path) {
        if let Err(error) = self.try_preload(path) {
            tracing::debug!(path = %path.display(), %error, "not preloaded");
        }
    }

    fn try_preload(&self, path: &Path) -> io::Result<()> {
        use std::os::unix::fs::MetadataExt;
        let identity = |metadata: &Metadata| {
            (metadata.dev(), metadata.ino(), metadata.len(), metadata.mtime(), metadata.mtime_nsec())
        };
        if slots::lock(&self.preloaded).contains(&identity(&path.metadata()?)) {
            return Ok(());
        }
        let mut file = files::open_regular(path)?;
        let identity = identity(&file.metadata()?);
        io::copy(&mut file, &mut io::sink())?;
        let mut preloaded = slots::lock(&self.preloaded);
        if preloaded.len() >= PRELOADED_REMEMBERED {
            preloaded.clear();
        }
        preloaded.insert(identity);
        Ok(())
    }
}

/// A CE that was decided before any compiler ran.
fn reject_compile(report: &mut Report, reason: Reason, log: String) -> Result<(), Fault> {
    report.verdict = Verdict::CE;
    report.reason = Some(reason);
    report.flags = vec![Verdict::CE];
    report.compile = CompileReport { reason: Some(reason), log, ..CompileReport::default() };
    Ok(())
}

/// What a caught panic said.
fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}

/// The whole environment of a language's boxes.
fn environment(language: &Language) -> Vec<String> {
    BASE_ENVIRONMENT.iter().map(|entry| (*entry).to_owned()).chain(language.env.iter().cloned()).collect()
}

/// The box compilers, preparations and version commands of a language run in.
fn compile_shape(language: &Language) -> Shape {
    Shape {
        profile: crate::sandbox::Profile::Compile,
        mounts: language.mounts.clone(),
        proc: language.proc,
        // What it may leave, and as much again for temporary files.
        workspace: crate::units::Bytes(language.compile_limits.output.0.saturating_mul(2)),
        workspace_inodes: 1 << 16,
        ..Shape::default()
    }
}

/// Limits of compilers, preparations and version commands.
fn compile_limits(language: &Language) -> Limits {
    let limits = &language.compile_limits;
    Limits {
        cpu: Some(limits.cpu),
        wall: Some(limits.wall),
        memory: Some(limits.memory),
        output: None,
        file_size: Some(limits.output),
        processes: Some(limits.processes),
        ..Limits::default()
    }
}

/// The longest a derived wall limit lags behind the CPU limit it stands for.
fn derived_wall(cpu: Duration) -> Duration {
    cpu.saturating_mul(3).saturating_add(Duration::from_secs(2))
}
