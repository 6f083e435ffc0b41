//! Runs a program on one test and says what it got.
//!
//! The verdict comes from what the sandbox did and counted, never from the signal a program died of: a
//! program can raise any signal at itself.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::Signal;

use super::check::{self, Checked};
use super::compile::Program;
use super::fault::Fault;
use super::files::open_regular;
use super::interact;
use super::limits::RunLimits;
use super::pipeline::TestRun;
use super::{EXECUTABLE, STDERR_LIMIT, environment};
use crate::checker::{Comparator, Comparison, Grade, Opinion, Score, compare};
use crate::instruments;
use crate::language::{Language, Placeholders, expand};
use crate::package::{Check, Test};
use crate::report::TestReport;
use crate::sandbox::{
    BoxHandle, CancelToken, Capture, Command, Exit, Outcome, PROGRAM, Shape, Stopped, Stream, WORKSPACE,
};
use crate::units::{Bytes, milliseconds};
use crate::verdict::{Reason, Verdict, decide};

/// One test's result.
#[derive(Debug, Clone)]
pub(super) struct TestResult {
    pub(super) report: TestReport,
    /// Everything that applied, of which the report's verdict won.
    pub(super) applied: Vec<Verdict>,
    /// What the checker said the output is worth.
    pub(super) score: Option<Score>,
}

impl TestResult {
    /// A test that did not run, or whose run does not count.
    pub(super) fn without_run(test: &Test, verdict: Verdict) -> Self {
        Self { report: blank(test, verdict), applied: vec![verdict], score: None }
    }

    /// A test that could not be judged.
    pub(super) fn judging_error(test: &Test, fault: &Fault) -> Self {
        let mut report = blank(test, Verdict::JE);
        report.reason = Some(fault.reason());
        report.message = fault.to_string();
        Self { report, applied: vec![Verdict::JE], score: None }
    }
}

fn blank(test: &Test, verdict: Verdict) -> TestReport {
    TestReport {
        name: test.name.clone(),
        groups: test.groups.clone(),
        verdict,
        reason: None,
        score: None,
        cpu_ms: 0.0,
        wall_ms: 0.0,
        memory_kib: 0,
        output_bytes: 0,
        exit_code: None,
        signal: None,
        message: String::new(),
        judge_message: None,
    }
}

/// The box the programs of a language run in.
pub(super) fn run_shape(language: &Language) -> Shape {
    Shape {
        profile: language.profile,
        mounts: language.mounts.clone(),
        proc: language.proc,
        ..Shape::default()
    }
}

/// argv of every run of a program in that language.
pub(super) fn run_argv(language: &Language, program: &Program, memory_mib: u64) -> Vec<String> {
    let sources: Vec<String> = language
        .compiler_sources(&program.source_names)
        .iter()
        .map(|name| format!("{PROGRAM}/{name}"))
        .collect();
    expand(
        &language.run,
        &Placeholders {
            sources: &sources,
            exe: &format!("{PROGRAM}/{EXECUTABLE}"),
            dir: PROGRAM,
            source: sources.first().map_or("", String::as_str),
            memory_mib,
        },
    )
}

/// Runs and checks one test.
///
/// # Errors
/// Whatever is not the program's doing.
pub(super) fn run_test(
    run: &TestRun<'_>,
    argv: &[String],
    shape: &Shape,
    test: &Test,
    cancel: &[&CancelToken],
) -> Result<TestResult, Fault> {
    if run.is_staged() {
        return interact::run_test(run, argv, shape, test, cancel);
    }
    run.judge.preload(&test.input);
    let Ran { outcome, mut stdout } = run.judge.in_box(shape, cancel, |sandbox_box| {
        run_program(run, argv, test, &run.inputs.open(&test.input)?, sandbox_box, cancel)
    })?;
    instruments::tested(&run.language.id, outcome.wall);
    let mut result = judge_program(run, argv, test, &outcome)?;
    if result.applied.is_empty() {
        check(run, &mut result, test, &mut stdout, cancel)?;
    }
    result.report.verdict = decide(&result.applied);
    Ok(result)
}

/// What a run of the program left.
pub(super) struct Ran {
    pub(super) outcome: Outcome,
    pub(super) stdout: Capture,
}

/// Runs the program in a box of its shape.
///
/// # Errors
/// Whatever is not the program's doing.
pub(super) fn run_program(
    run: &TestRun<'_>,
    argv: &[String],
    test: &Test,
    input: &File,
    sandbox_box: &mut BoxHandle,
    cancel: &[&CancelToken],
) -> Result<Ran, Fault> {
    let judge = run.judge;
    let env = environment(run.language);
    let mut stdout = Capture::whole(&judge.spill);
    let mut stderr = Capture::at_most(STDERR_LIMIT, &judge.spill);
    sandbox_box.attach(PROGRAM, &run.program.directory)?;
    let command = Command {
        argv,
        env: &env,
        directory: WORKSPACE,
        stdin: input.as_fd(),
        stdout: Stream::Capture(&mut stdout),
        stderr: Stream::Capture(&mut stderr),
        limits: run.limits.limits.clone(),
    };
    let began = Instant::now();
    let outcome = sandbox_box.run(command, cancel)?;
    // Also a program that only tells of a child's death.
    if outcome.exit != Exit::Code(0) && outcome.stopped.is_empty() {
        judge.host_memory.has_spared_what_began(began)?;
    }
    if outcome.exit != Exit::Code(0) && tracing::enabled!(tracing::Level::DEBUG) {
        let text = stderr.head(4096).unwrap_or_default();
        tracing::debug!(test = %test.name, stderr = %text.escape_debug(), "the program failed");
    }
    if outcome.stopped.contains(&Stopped::Cancelled) {
        return Err(Fault::Cancelled);
    }
    Ok(Ran { outcome, stdout })
}

/// What the program got before its output is looked at: nothing, where it ended well.
///
/// # Errors
/// When it was never born, and that is not its fault.
pub(super) fn judge_program(
    run: &TestRun<'_>,
    argv: &[String],
    test: &Test,
    outcome: &Outcome,
) -> Result<TestResult, Fault> {
    let mut result = TestResult { report: figures(test, outcome), applied: Vec::new(), score: None };
    let program = own_file(argv, &run.program.directory);
    judge_outcome(&mut result, outcome, run.limits, argv, program)?;
    Ok(result)
}

pub(super) fn figures(test: &Test, outcome: &Outcome) -> TestReport {
    let mut report = blank(test, Verdict::AC);
    report.cpu_ms = milliseconds(outcome.cpu);
    report.wall_ms = milliseconds(outcome.wall);
    report.memory_kib = outcome.memory.as_kib();
    report.output_bytes = outcome.output_bytes;
    match outcome.exit {
        Exit::Code(code) => report.exit_code = Some(code),
        Exit::Signal(signal) => report.signal = Some(signal),
        Exit::NotStarted { .. } => {}
    }
    report
}

/// Everything that applied before the output is looked at; the message and the reason are those of the
/// most decisive.
fn judge_outcome(
    result: &mut TestResult,
    outcome: &Outcome,
    limits: &RunLimits,
    argv: &[String],
    own_file: bool,
) -> Result<(), Fault> {
    let mut found: Vec<(Verdict, Option<Reason>, String)> = Vec::new();
    for (verdict, message) in limits_hit(outcome, limits) {
        found.push((verdict, None, message));
    }
    match outcome.exit {
        Exit::Code(0) => {}
        Exit::Code(code) => {
            found.push((Verdict::RTE, Some(Reason::ExitCode), format!("exit code {code}")));
        }
        // A run that gavel killed died of gavel's signal.
        Exit::Signal(_) if !outcome.stopped.is_empty() => {}
        Exit::Signal(signal) => {
            let name = Signal::try_from(signal).map_or("a real-time signal", Signal::as_str);
            found.push((Verdict::RTE, Some(Reason::Signal), format!("died of signal {signal} ({name})")));
        }
        Exit::NotStarted { step, errno } => {
            found.push((Verdict::RTE, Some(Reason::Start), not_started(step, errno, argv, own_file)?));
        }
    }
    result.applied = found.iter().map(|(verdict, ..)| *verdict).collect();
    if let Some((_, reason, message)) = found.into_iter().min_by_key(|(verdict, ..)| verdict.precedence()) {
        result.report.reason = reason;
        result.report.message = message;
    }
    Ok(())
}

/// Limits that were hit, by what stopped the run or by what was counted when it ended by itself.
fn limits_hit(outcome: &Outcome, limits: &RunLimits) -> Vec<(Verdict, String)> {
    let has = |stopped| outcome.stopped.contains(&stopped);
    let mut hit = Vec::new();
    if has(Stopped::Memory) || outcome.memory > limits.memory {
        hit.push((Verdict::MLE, format!("more memory than {}", whole_mib(limits.memory))));
    }
    if has(Stopped::Output) {
        let limit = limits.limits.output.unwrap_or_default();
        hit.push((Verdict::OLE, format!("more output than {limit}")));
    }
    if has(Stopped::Cpu) || outcome.cpu > limits.cpu {
        hit.push((Verdict::TLE, format!("more CPU time than {}", seconds(limits.cpu))));
    }
    if has(Stopped::Wall) {
        let limit = limits.limits.wall.unwrap_or_default();
        hit.push((
            Verdict::WTL,
            format!("not over after {} with {} of CPU time", seconds(limit), seconds(outcome.cpu)),
        ));
    }
    hit
}

/// Whether what is to be executed is the submission's own file, and there: a program of ours that has gone
/// missing is not the contestant's fault.
fn own_file(argv: &[String], directory: &Path) -> bool {
    argv.first()
        .and_then(|program| Path::new(program).strip_prefix(PROGRAM).ok())
        .is_some_and(|name| directory.join(name).is_file())
}

/// Who is to blame when a program was never born: the contestant for a file of theirs that cannot be
/// executed, we for everything else.
fn not_started(step: &str, errno: i32, argv: &[String], own_file: bool) -> Result<String, Fault> {
    let program = argv.first().map_or("", String::as_str);
    let why = Errno::from_raw(errno).desc();
    // A file the kernel will not execute is the contestant's; a kernel that cannot is not.
    let ours = matches!(
        errno,
        libc::ENOMEM | libc::EAGAIN | libc::EIO | libc::ENFILE | libc::EMFILE | libc::ENOSPC | libc::EINTR
    );
    let theirs = own_file && step == "execve" && !ours;
    if theirs {
        // ENOENT is about the interpreter in its first line.
        Ok(format!("the program could not be started: {why}"))
    } else {
        Err(Fault::Language(format!("'{program}' cannot be started ({step}: {why})")))
    }
}

/// Has the output checked, by a comparison or by a program.
pub(super) fn check(
    run: &TestRun<'_>,
    result: &mut TestResult,
    test: &Test,
    stdout: &mut Capture,
    cancel: &[&CancelToken],
) -> Result<(), Fault> {
    let (place, arguments) = match &test.check {
        Check::BuiltIn(comparator) => return compare_with_answer(result, test, *comparator, stdout),
        Check::Program { checker, arguments } => (*checker, arguments),
        Check::Interaction { .. } => {
            return Err(Fault::Package("its verdict is an interactor's, and there is none".to_owned()));
        }
    };
    let (tool, checker) = run.checkers.get(place)?;
    let checked = Checked { judge: run.judge, inputs: run.inputs, test, arguments };
    take_in(result, check::ask(&checked, tool, checker, stdout, cancel)?);
    Ok(())
}

/// What a checker said, as a result. An output that is right in part is a wrong answer: only scores know parts.
pub(super) fn take_in(result: &mut TestResult, opinion: Opinion) {
    result.applied.push(match opinion.grade {
        Grade::Accepted => Verdict::AC,
        Grade::Partial | Grade::Wrong => Verdict::WA,
    });
    result.score = opinion.score;
    result.report.message = in_one_line(&opinion.team_message);
    result.report.judge_message = Some(opinion.judge_message).filter(|message| !message.is_empty());
}

/// Lines joined, and cut.
fn in_one_line(text: &str) -> String {
    const LONGEST: usize = 300;
    let line = text.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Compares the output with the answer.
fn compare_with_answer(
    result: &mut TestResult,
    test: &Test,
    comparator: Comparator,
    stdout: &mut Capture,
) -> Result<(), Fault> {
    let mut answer = open_regular(&test.answer).map_err(|error| {
        Fault::Package(format!("cannot read the answer {}: {error}", test.answer.display()))
    })?;
    let mut output =
        stdout.reader().map_err(|error| Fault::file("read the output of", &test.input, error))?;
    let comparison = compare(comparator, &mut *output, &mut answer)
        .map_err(|error| Fault::file("compare with", &test.answer, error))?;
    match comparison {
        Comparison::Accepted => result.applied.push(Verdict::AC),
        Comparison::Wrong { message } => {
            result.applied.push(Verdict::WA);
            result.report.message = message;
        }
        Comparison::Partial { fraction, message } => {
            result.applied.push(Verdict::WA);
            result.score = Some(Score::Fraction(fraction));
            result.report.message = message;
        }
        Comparison::BrokenAnswer { message } => {
            return Err(Fault::Package(format!("{}: {message}", test.answer.display())));
        }
    }
    Ok(())
}

fn seconds(duration: Duration) -> String {
    format!("{:.3} s", duration.as_secs_f64())
}

fn whole_mib(bytes: Bytes) -> String {
    #[allow(clippy::cast_precision_loss)] // Shown with one decimal.
    let mib = bytes.0 as f64 / f64::from(1 << 20);
    format!("{mib:.1} MiB")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::Limits;

    fn limits() -> RunLimits {
        RunLimits {
            limits: Limits::default(),
            cpu: Duration::from_secs(1),
            memory: Bytes::mib(64),
            memory_mib: 64,
        }
    }

    fn outcome(exit: Exit, stopped: &[Stopped]) -> Outcome {
        Outcome {
            exit,
            stopped: stopped.to_vec(),
            cpu: Duration::from_millis(5),
            wall: Duration::from_millis(6),
            memory: Bytes::mib(3),
            output_bytes: 0,
        }
    }

    fn judged(outcome: &Outcome, program: &str) -> Result<(Verdict, Option<Reason>, String), Fault> {
        judged_with(outcome, program, program.starts_with(PROGRAM))
    }

    fn judged_with(
        outcome: &Outcome,
        program: &str,
        own_file: bool,
    ) -> Result<(Verdict, Option<Reason>, String), Fault> {
        let test = Test::new("secret/1", "1.in".into(), "1.ans".into());
        let mut result = TestResult { report: blank(&test, Verdict::AC), applied: Vec::new(), score: None };
        judge_outcome(&mut result, outcome, &limits(), &[program.to_owned()], own_file)?;
        Ok((decide(&result.applied), result.report.reason, result.report.message))
    }

    #[test]
    fn a_signal_the_program_raised_is_a_run_time_error_whichever_it_is() {
        for signal in [libc::SIGKILL, libc::SIGXCPU, libc::SIGSYS, libc::SIGSEGV, 34] {
            let (verdict, reason, message) =
                judged(&outcome(Exit::Signal(signal), &[]), "/program/program").unwrap();
            assert_eq!((verdict, reason), (Verdict::RTE, Some(Reason::Signal)), "{message}");
        }
    }

    #[test]
    fn limits_win_over_how_the_program_ended() {
        for (stopped, verdict) in [
            (Stopped::Memory, Verdict::MLE),
            (Stopped::Output, Verdict::OLE),
            (Stopped::Cpu, Verdict::TLE),
            (Stopped::Wall, Verdict::WTL),
        ] {
            let result = judged(&outcome(Exit::Signal(libc::SIGKILL), &[stopped]), "/program/program");
            assert_eq!(result.unwrap().0, verdict);
            let result = judged(&outcome(Exit::Code(1), &[stopped]), "/program/program");
            assert_eq!(result.unwrap().0, verdict);
        }
    }

    #[test]
    fn cpu_time_over_the_limit_counts_also_when_the_program_ended_by_itself() {
        let mut slow = outcome(Exit::Code(0), &[]);
        slow.cpu = Duration::from_millis(1001);
        assert_eq!(judged(&slow, "/program/program").unwrap().0, Verdict::TLE);
        slow.cpu = Duration::from_secs(1);
        assert_eq!(judged(&slow, "/program/program").unwrap().0, Verdict::AC);
    }

    #[test]
    fn a_program_that_cannot_start_is_charged_only_when_the_file_is_its_own() {
        let exit = Exit::NotStarted { step: "execve", errno: libc::ENOENT };
        let (verdict, reason, _) = judged(&outcome(exit, &[]), "/program/run").unwrap();
        assert_eq!((verdict, reason), (Verdict::RTE, Some(Reason::Start)));
        assert!(matches!(judged(&outcome(exit, &[]), "/usr/bin/python3"), Err(Fault::Language(_))));
        assert!(matches!(judged_with(&outcome(exit, &[]), "/program/gone", false), Err(Fault::Language(_))));
        let exit = Exit::NotStarted { step: "execve", errno: libc::ELIBBAD };
        assert_eq!(judged(&outcome(exit, &[]), "/program/run").unwrap().0, Verdict::RTE);
        let exit = Exit::NotStarted { step: "chdir", errno: libc::ENOENT };
        assert!(judged(&outcome(exit, &[]), "/program/run").is_err());
        let exit = Exit::NotStarted { step: "execve", errno: libc::ENOMEM };
        assert!(judged(&outcome(exit, &[]), "/program/run").is_err());
    }
}
