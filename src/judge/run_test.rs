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

use super::answers::{Answer, Answers};
use super::check::{self, Checked};
use super::compile::Program;
use super::fault::Fault;
use super::files::open_regular;
use super::interact::{self, Counterpart};
use super::limits::RunLimits;
use super::pipeline::{Entrant, TestRun};
use super::work_directory::{Output, WorkDirectory};
use super::{EXECUTABLE, Judge, STDERR_LIMIT, environment};
use crate::checker::{Comparator, Comparison, Grade, Opinion, Score, compare};
use crate::instruments;
use crate::language::{Language, Placeholders, expand};
use crate::package::{Check, Package, Test};
use crate::report::TestReport;
use crate::sandbox::{
    BoxHandle, CancelToken, Capture, Command, Exit, Limits, Outcome, PROGRAM, ResourceControl, Shape,
    Stopped, Stream, WORKSPACE,
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

    /// Notes something that applies as well; its message is told where it is the most decisive.
    fn reject(&mut self, verdict: Verdict, message: String) {
        if self.applied.iter().all(|other| verdict.precedence() < other.precedence()) {
            self.report.reason = None;
            self.report.message = message;
        }
        self.applied.push(verdict);
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

/// A program ready to be run on tests.
pub(super) struct Runner<'a> {
    pub(super) language: &'a Language,
    pub(super) program: &'a Program,
    pub(super) limits: &'a RunLimits,
    pub(super) counterpart: Counterpart<'a>,
    directory: WorkDirectory<'a>,
    argv: Vec<String>,
    pub(super) env: Vec<String>,
    pub(super) shape: Shape,
}

impl<'a> Runner<'a> {
    /// # Errors
    /// When something that belongs into its work directory cannot be read.
    pub(super) fn new(
        language: &'a Language,
        program: &'a Program,
        limits: &'a RunLimits,
        counterpart: Counterpart<'a>,
        directory: WorkDirectory<'a>,
        tests: &[&Test],
    ) -> Result<Self, Fault> {
        let mut shape = run_shape(language);
        directory.make_room(&mut shape, tests, limits.limits.file_size.unwrap_or_default())?;
        Ok(Self {
            language,
            program,
            limits,
            counterpart,
            directory,
            argv: run_argv(language, program, limits.memory_mib),
            env: environment(language),
            shape,
        })
    }

    /// Whether a test takes more than one program at a time, or more than one pass.
    fn is_staged(&self, package: &Package) -> bool {
        package.passes.is_some() || !matches!(self.counterpart, Counterpart::None)
    }
}

/// Tests what was handed in on one test.
///
/// # Errors
/// Whatever is not the contestant's doing.
pub(super) fn run_test(run: &TestRun<'_>, test: &Test, cancel: &[&CancelToken]) -> Result<TestResult, Fault> {
    match &run.entrant {
        Entrant::Program(runner) if runner.is_staged(run.package) => {
            interact::run_test(run, runner, test, cancel)
        }
        Entrant::Program(runner) => run_program(run, runner, test, cancel),
        Entrant::Answers { answers, limit } => check_answer(run, answers, *limit, test, cancel),
    }
}

/// Runs a program and has checked what it wrote.
fn run_program(
    run: &TestRun<'_>,
    runner: &Runner<'_>,
    test: &Test,
    cancel: &[&CancelToken],
) -> Result<TestResult, Fault> {
    run.judge.preload(&test.input);
    let ran = run.judge.in_box(&runner.shape, cancel, |sandbox_box| {
        runner.run_in_box(run, test, run.inputs.open(&test.input)?, sandbox_box, cancel)
    })?;
    instruments::tested(&runner.language.id, ran.outcome.wall);
    let (mut result, mut stdout) = runner.judge_ran(test, ran)?;
    if result.applied.is_empty() {
        check(run, &mut result, test, &mut stdout, cancel)?;
    }
    result.report.verdict = decide(&result.applied);
    Ok(result)
}

/// What a run of the program left.
pub(super) struct Ran {
    outcome: Outcome,
    stdout: Capture,
    /// The output file, where the problem has one.
    file: Option<Output>,
}

impl Runner<'_> {
    /// argv on that test.
    pub(super) fn argv_on(&self, test: &Test) -> Vec<String> {
        self.argv.iter().chain(&test.arguments).cloned().collect()
    }

    /// Makes a box ready for the program.
    pub(super) fn prepare(
        &self,
        run: &TestRun<'_>,
        test: &Test,
        sandbox_box: &mut BoxHandle,
    ) -> Result<(), Fault> {
        sandbox_box.attach(PROGRAM, &self.program.directory)?;
        self.directory.fill(sandbox_box, run.inputs, test)
    }

    /// Runs the program in a box of its shape; `input` is its standard input where it reads that.
    ///
    /// # Errors
    /// Whatever is not the program's doing.
    pub(super) fn run_in_box(
        &self,
        run: &TestRun<'_>,
        test: &Test,
        input: File,
        sandbox_box: &mut BoxHandle,
        cancel: &[&CancelToken],
    ) -> Result<Ran, Fault> {
        let judge = run.judge;
        let argv = self.argv_on(test);
        let output_limit = self.limits.limits.output.unwrap_or_default();
        let mut stdout = if self.directory.takes_output_file() {
            Capture::at_most(0, &judge.spill)
        } else {
            Capture::whole(&judge.spill)
        };
        let mut stderr = Capture::at_most(STDERR_LIMIT, &judge.spill);
        self.prepare(run, test, sandbox_box)?;
        let input = if self.directory.feeds_standard_input() { input } else { open_null()? };
        let command = Command {
            argv: &argv,
            env: &self.env,
            directory: WORKSPACE,
            stdin: input.as_fd(),
            stdout: Stream::Capture(&mut stdout),
            stderr: Stream::Capture(&mut stderr),
            limits: self.limits_with_room(judge),
        };
        let began = Instant::now();
        let mut outcome = sandbox_box.run(command, cancel)?;
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
        let taken = self.directory.take_output(sandbox_box.workspace(), output_limit, &judge.spill)?;
        let file = taken.map(|taken| {
            if judge.sandbox.resource_control() != ResourceControl::None {
                outcome.memory = Bytes(outcome.memory.0.saturating_sub(taken.held.0));
            }
            taken.output
        });
        Ok(Ran { outcome, stdout, file })
    }

    /// The limits as the kernel is told them. Where cgroups count memory, they count the output file too, as it lies in
    /// memory; so there is room for one, and what the file holds is taken off what was used.
    fn limits_with_room(&self, judge: &Judge) -> Limits {
        let mut limits = self.limits.limits.clone();
        if self.directory.takes_output_file() && judge.sandbox.resource_control() != ResourceControl::None {
            let room = limits.file_size.unwrap_or_default();
            limits.memory = limits.memory.map(|memory| Bytes(memory.0.saturating_add(room.0)));
        }
        limits
    }

    /// What a run got before what it wrote is looked at, nothing where it ended well; and what it wrote.
    ///
    /// # Errors
    /// When it was never born, and that is not its fault.
    pub(super) fn judge_ran(&self, test: &Test, ran: Ran) -> Result<(TestResult, Capture), Fault> {
        let Ran { outcome, mut stdout, file } = ran;
        let mut result = self.judge_outcome(test, &outcome)?;
        match file {
            None => {}
            Some(Output::Written(content)) => {
                result.report.output_bytes = content.total();
                stdout = content;
            }
            Some(Output::TooLarge) => {
                let limit = self.limits.limits.output.unwrap_or_default();
                result.reject(Verdict::OLE, too_much_output(limit));
            }
            Some(Output::Missing(why)) if result.applied.is_empty() => result.reject(Verdict::WA, why),
            Some(Output::Missing(_)) => {}
        }
        Ok((result, stdout))
    }

    /// What a program got for how it ended, nothing where it ended well.
    ///
    /// # Errors
    /// When it was never born, and that is not its fault.
    pub(super) fn judge_outcome(&self, test: &Test, outcome: &Outcome) -> Result<TestResult, Fault> {
        let mut result = TestResult { report: figures(test, outcome), applied: Vec::new(), score: None };
        let argv = self.argv_on(test);
        let program = own_file(&argv, &self.program.directory);
        judge_outcome(&mut result, outcome, self.limits, &argv, program)?;
        Ok(result)
    }
}

/// Has checked what was handed in for a test.
fn check_answer(
    run: &TestRun<'_>,
    answers: &Answers<'_>,
    limit: Bytes,
    test: &Test,
    cancel: &[&CancelToken],
) -> Result<TestResult, Fault> {
    let mut result = TestResult { report: blank(test, Verdict::AC), applied: Vec::new(), score: None };
    match answers.of(test, limit, &run.judge.spill)? {
        Answer::Given(mut content) => {
            result.report.output_bytes = content.total();
            check(run, &mut result, test, &mut content, cancel)?;
        }
        Answer::TooLarge => result.reject(Verdict::OLE, too_much_output(limit)),
        Answer::Missing => result.reject(Verdict::WA, "no answer was handed in for this test".to_owned()),
        Answer::Broken(why) => result.reject(Verdict::WA, format!("its file cannot be unpacked: {why}")),
    }
    result.report.verdict = decide(&result.applied);
    Ok(result)
}

fn too_much_output(limit: Bytes) -> String {
    format!("more output than {limit}")
}

pub(super) fn open_null() -> Result<File, Fault> {
    let path = Path::new("/dev/null");
    File::open(path).map_err(|error| Fault::file("open", path, error))
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
    if limits.has_overtime() && outcome.cpu > limits.cpu {
        // Whatever else it ran into, it was after the moment at which it would have been stopped.
        return vec![(Verdict::TLE, format!("more CPU time than {}", seconds(limits.cpu)))];
    }
    if has(Stopped::Memory) || outcome.memory > limits.memory {
        hit.push((Verdict::MLE, format!("more memory than {}", whole_mib(limits.memory))));
    }
    if has(Stopped::Output) {
        let limit = limits.limits.output.unwrap_or_default();
        hit.push((Verdict::OLE, too_much_output(limit)));
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
