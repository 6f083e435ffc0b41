//! The steps of one judging, in order: check the request, compile, run the tests, fill the report.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use crate::cancel::CancelToken;
use crate::judge::compile::big_math;
use crate::judge::compile::included;
use crate::judge::compile::program::{self, Recipe};
use crate::judge::conclusion::{blank_report, conclude, reject_compile};
use crate::judge::engine::Engine;
use crate::judge::events::{EventSender, EventSink};
use crate::judge::fault::Fault;
use crate::judge::feedback::Level;
use crate::judge::files::Inputs;
use crate::judge::interact::counterpart::Counterpart;
use crate::judge::jury::generated;
use crate::judge::limits::{self, LimitsByTest};
use crate::judge::provenance;
use crate::judge::request::Request;
use crate::judge::schedule::pipeline;
use crate::judge::test::check::Checkers;
use crate::judge::test::context::{Judging, Subject, TestRun};
use crate::judge::test::output_only::Answers;
use crate::judge::test::runner::Runner;
use crate::judge::test::work_directory::WorkDirectory;
use crate::language::Language;
use crate::package::{Interaction, Package, SubmissionKind};
use crate::report::{CompileReport, EventKind, LimitsReport, Report};
use crate::submission::Submission;
use crate::units::milliseconds;
use crate::verdict::{Reason, Verdict};

/// Why a judging was given up though nothing is wrong with the submission: it may begin anew, here or elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Setback {
    /// The package changed during the judging.
    #[error("{0}")]
    Changed(String),
    /// This host has another version of the package than the submission asks for.
    #[error("{0}")]
    OtherPackage(String),
}

/// One submission and how it is judged.
pub(crate) struct Order<'a> {
    pub(crate) submission: &'a Submission,
    pub(crate) package: &'a Package,
    /// Factor by which a program may exceed its CPU limit, so that its time can be reported; 1 outside verification.
    pub(crate) overtime: f64,
}

/// Judges a submission and returns its report; never panics.
pub(crate) fn judge(
    engine: &Engine,
    order: &Order<'_>,
    events: &EventSink<'_>,
    cancel: &CancelToken,
) -> Report {
    let events = EventSender::new(order.submission, &engine.host.worker, events);
    let (report, judged) = try_to_judge(engine, order, &events, cancel);
    conclude(report, judged, &events, cancel.is_cancelled())
}

/// Judges as [`judge`] does, for callers that can begin anew.
///
/// # Errors
/// [`Setback`], after which no event ends the run.
pub(crate) fn judge_or_set_back(
    engine: &Engine,
    order: &Order<'_>,
    events: &EventSink<'_>,
    cancel: &CancelToken,
) -> Result<Report, Setback> {
    let events = EventSender::new(order.submission, &engine.host.worker, events);
    let (report, judged) = try_to_judge(engine, order, &events, cancel);
    match judged {
        Err(fault @ Fault::Changed(_)) if !cancel.is_cancelled() => Err(Setback::Changed(fault.to_string())),
        Err(fault @ Fault::OtherPackage(_)) if !cancel.is_cancelled() => {
            Err(Setback::OtherPackage(fault.to_string()))
        }
        judged => Ok(conclude(report, judged, &events, cancel.is_cancelled())),
    }
}

/// Judges as far as possible; a panic becomes a fault.
fn try_to_judge(
    engine: &Engine,
    order: &Order<'_>,
    events: &EventSender<'_>,
    cancel: &CancelToken,
) -> (Report, Result<(), Fault>) {
    let mut report = blank_report(engine, order.submission);
    let judged = catch_unwind(AssertUnwindSafe(|| judge_into(engine, &mut report, order, events, cancel)))
        .unwrap_or_else(|panic| Err(Fault::of_panic(&*panic)));
    // A core that was lost during the judging counts as never held.
    if !engine.slots.are_exclusive() {
        provenance::SHARED.clone_into(&mut report.provenance.cores);
    }
    (report, judged)
}

/// Checks the request and the package's version, and judges.
fn judge_into(
    engine: &Engine,
    report: &mut Report,
    order: &Order<'_>,
    events: &EventSender<'_>,
    cancel: &CancelToken,
) -> Result<(), Fault> {
    let submission = order.submission;
    let completed;
    let package = if order.package.generated.is_some() {
        completed = generated::complete(engine, order.package, cancel)?;
        &completed
    } else {
        order.package
    };
    let request = match Request::new(submission, package, &engine.table) {
        Ok(request) => request,
        Err(error) => match error.compile_reason() {
            Some(reason) => {
                reject_compile(report, reason, format!("{error}\n"));
                return Ok(());
            }
            None => return Err(error.into()),
        },
    };
    reject_unsupported(package)?;

    let started = Instant::now();
    let snapshot;
    (report.provenance.package, snapshot) =
        provenance::package_digest(&engine.store, &engine.digests, package)?;
    check_version(submission, package, &report.provenance.package)?;
    if !engine.may_raise_limits {
        let control = engine.sandbox.resource_control();
        report.warnings.extend(limits::refused(submission, &package.limits, request.language, control));
    }
    let feedback = Level::of(engine.readers, package.feedback, submission.feedback);
    let tests = request.tests.iter().filter(|test| feedback.tells_of(test)).count();
    events.send(EventKind::Accepted { tests, warnings: report.warnings.clone() });
    report.phases_ms.fetch = milliseconds(started.elapsed());
    let judged = (|| {
        let inputs = Inputs::of(&engine.sandbox, package)?;
        let (stop, overtime) = (submission.policy.stop, order.overtime);
        let judging = Judging { engine, package, inputs: &inputs, stop, feedback, overtime, cancel, events };
        match request.language {
            Some(language) => judge_program(report, submission, &request, language, &judging),
            None => judge_answers(report, submission, &request, &judging),
        }
    })();
    // Any result, a missing file included, may come from two versions of the package.
    if !cancel.is_cancelled() && !snapshot.holds(package) {
        return Err(Fault::Changed(package.name.clone()));
    }
    judged
}

/// Compares the package's digest with the one that the submission asks for.
fn check_version(submission: &Submission, package: &Package, digest: &str) -> Result<(), Fault> {
    let without_prefix = |digest: &str| digest.trim_start_matches("sha256:").to_owned();
    match &submission.problem.sha256 {
        Some(wanted) if without_prefix(digest) != without_prefix(wanted) => {
            Err(Fault::OtherPackage(format!(
                "problem '{}' is {digest} here, and the submission asks for {wanted}: update the package",
                package.name
            )))
        }
        _ => Ok(()),
    }
}

/// Compiles a program and runs it on every test.
fn judge_program(
    report: &mut Report,
    submission: &Submission,
    request: &Request<'_>,
    language: &Language,
    judging: &Judging<'_>,
) -> Result<(), Fault> {
    let (engine, package, cancel) = (judging.engine, judging.package, judging.cancel);
    let started = Instant::now();
    if package.unbuffered && language.unbuffered.is_none() {
        report.warnings.push(format!(
            "problem '{}' asks for unbuffered output, which programs in language '{}' cannot be given: they must flush",
            package.name, language.id
        ));
    }
    let joined = included::join(package, &engine.table, language, &request.sources)?;
    report.warnings.extend(joined.warnings.iter().cloned());
    let Some(program) = compile(report, &joined, language, judging)? else { return Ok(()) };

    let control = engine.sandbox.resource_control();
    let limits = LimitsByTest::new(package, &request.tests, |of_package| {
        limits::of_run(submission, of_package, language, engine.may_raise_limits, control)
            .with_overtime(judging.overtime)
    });
    report.limits = Some(limits.usual.report());
    let output_limit = limits.usual.limits.output.unwrap_or(package.limits.output);
    let checkers = Checkers::build(engine, package, &request.tests, output_limit, cancel)?;
    let counterpart = Counterpart::build(engine, package, output_limit, cancel)?;
    report.phases_ms.compile = milliseconds(started.elapsed());

    let started = Instant::now();
    let directory = WorkDirectory::new(package, joined.data(language), joined.scripts(language))?;
    report.warnings.extend(directory.displaced(&request.sources, &request.tests));
    let (tests, unbuffered) = (&request.tests, package.unbuffered);
    let mut runner = Runner::new(language, &program, &limits, counterpart, directory, tests, unbuffered)?;
    if package.no_big_math {
        runner.forbidden = big_math::used_by(&program)?;
    }
    let outputs = match Answers::new(package, &request.outputs) {
        Ok(outputs) => outputs,
        Err(error) => {
            reject_compile(report, Reason::Output, error.to_string());
            return Ok(());
        }
    };
    let run = TestRun {
        judging,
        subject: Subject::Program(&runner),
        checkers: &checkers,
        submitted: &request.sources,
        outputs: package.takes_output_files().then_some((&outputs, output_limit)),
    };
    pipeline::run_all(&run, &request.tests, report)?;
    report.phases_ms.tests = milliseconds(started.elapsed());
    Ok(())
}

/// Compiles the submission and reports how it went; returns `None` for a compile error.
fn compile(
    report: &mut Report,
    joined: &included::Joined,
    language: &Language,
    judging: &Judging<'_>,
) -> Result<Option<program::Program>, Fault> {
    let events = judging.events;
    let started = Instant::now();
    let recipe = Recipe {
        language,
        sources: &joined.sources,
        flags: &joined.flags,
        limits: program::package_limits(language, judging.package),
    };
    let on_start = || events.send(EventKind::Compiling);
    let compilation = program::compile(judging.engine, &recipe, &on_start, judging.cancel)?;
    report.phases_ms.compile = milliseconds(started.elapsed());
    report.provenance.toolchain = compilation.toolchain;
    report.compile = compilation.report;
    report.compile.log = joined.for_contestants(&report.compile.log);
    events.send(EventKind::Compiled { compile: report.compile.clone() });
    if compilation.program.is_none() {
        report.verdict = Verdict::CE;
        report.reason = report.compile.reason;
        report.flags = vec![Verdict::CE];
    }
    Ok(compilation.program)
}

/// Checks outputs that were submitted instead of a program.
fn judge_answers(
    report: &mut Report,
    submission: &Submission,
    request: &Request<'_>,
    judging: &Judging<'_>,
) -> Result<(), Fault> {
    let Judging { engine, package, cancel, .. } = *judging;
    let answers = match Answers::new(package, &request.sources) {
        Ok(answers) => answers,
        Err(error) => {
            reject_compile(report, Reason::Output, error.to_string());
            return Ok(());
        }
    };
    report.compile = CompileReport { ok: true, ..CompileReport::default() };
    let limit = limits::output(submission, &package.limits, engine.may_raise_limits);
    report.limits = Some(LimitsReport { output_bytes: Some(limit.0), ..LimitsReport::default() });
    let started = Instant::now();
    let checkers = Checkers::build(engine, package, &request.tests, limit, cancel)?;
    report.phases_ms.compile = milliseconds(started.elapsed());

    let started = Instant::now();
    let run = TestRun {
        judging,
        subject: Subject::Answers { answers: &answers, limit },
        checkers: &checkers,
        submitted: &request.sources,
        outputs: None,
    };
    pipeline::run_all(&run, &request.tests, report)?;
    report.phases_ms.tests = milliseconds(started.elapsed());
    Ok(())
}

/// Rejects packages with features that are not judged yet, before anything runs. Readers of formats reject them first,
/// naming file and key.
///
/// # Errors
/// [`Fault::Package`] naming the first such feature.
fn reject_unsupported(package: &Package) -> Result<(), Fault> {
    let answers = package.submission_kind == SubmissionKind::Answers;
    let interacts = package.interaction != Interaction::None;
    let has_passes = package.passes.is_some();
    let features = [
        (answers && interacts, "answers and interaction at once"),
        (
            package.takes_output_files() && (interacts || has_passes),
            "outputs beside a program that does not run alone",
        ),
        (answers && has_passes, "answers in several passes"),
    ];
    match features.into_iter().find(|(is_wanted, _)| *is_wanted) {
        Some((_, feature)) => Err(Fault::Package(format!(
            "problem '{}' asks for {feature}, which is not judged yet; judge it with another tool",
            package.name
        ))),
        None => Ok(()),
    }
}
