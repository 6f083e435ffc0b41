//! Runs a program on one test and says what it got.
//!
//! The verdict comes from what the sandbox did and counted, never from the signal a program died of: a
//! program can raise any signal at itself.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use super::answers::{Answer, Answers};
use super::check::{self, Checked, MadeBy};
use super::compile::Program;
use super::exec::{Exec, Finished, Keep};
use super::fault::Fault;
use super::files::Inputs;
use super::interact::{self, Counterpart};
use super::last_words::StandardError;
use super::limits::LimitsByTest;
use super::outcome::{judge_outcome, too_much_output};
use super::outside_kill;
use super::pipeline::{Entrant, TestRun};
use super::test_result::{TestResult, blank, figures, take_in};
use super::work_directory::{Output, WorkDirectory};
use super::{EXECUTABLE, environment};
use crate::cancel::CancelToken;
use crate::checker::{Comparator, Comparison, Score, compare};
use crate::instruments;
use crate::language::{Language, Placeholders, expand};
use crate::package::{Check, OutputFile, Package, Test};
use crate::sandbox::{BoxHandle, Capture, Exit, Limits, Outcome, PROGRAM, Shape, Stopped, WORKSPACE};
use crate::units::Bytes;
use crate::verdict::{Verdict, decide};

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
    pub(super) limits: &'a LimitsByTest,
    pub(super) counterpart: Counterpart<'a>,
    directory: WorkDirectory<'a>,
    argv: Vec<String>,
    pub(super) env: Vec<String>,
    pub(super) shape: Shape,
    /// A class that the program uses and the problem forbids.
    pub(super) forbidden: Option<&'static str>,
}

impl<'a> Runner<'a> {
    /// # Errors
    /// When something that belongs into its work directory cannot be read.
    pub(super) fn new(
        language: &'a Language,
        program: &'a Program,
        limits: &'a LimitsByTest,
        counterpart: Counterpart<'a>,
        directory: WorkDirectory<'a>,
        tests: &[&Test],
        unbuffered: bool,
    ) -> Result<Self, Fault> {
        let mut shape = run_shape(language);
        let mut env = environment(language);
        if unbuffered && let Some(way) = &language.unbuffered {
            env.extend(way.env.iter().cloned());
        }
        directory.make_room(&mut shape, tests, limits.usual.limits.file_size.unwrap_or_default())?;
        Ok(Self {
            language,
            program,
            limits,
            counterpart,
            directory,
            argv: run_argv(language, program, limits.usual.memory_mib),
            env,
            shape,
            forbidden: None,
        })
    }

    /// Whether a test takes more than one program at a time, or more than one pass.
    fn is_staged(&self, package: &Package) -> bool {
        package.passes.is_some() || !matches!(self.counterpart, Counterpart::None)
    }
}

/// Tests what was handed in on one test; again where something outside may have ended a program of it.
///
/// # Errors
/// Whatever is not the contestant's doing.
pub(super) fn run_test(run: &TestRun<'_>, test: &Test, cancel: &[&CancelToken]) -> Result<TestResult, Fault> {
    let mut result = run_once(run, test, cancel);
    for _ in 0..outside_kill::RERUNS {
        let message = match &result {
            Ok(result) if result.in_doubt => result.report.message.clone(),
            Err(fault @ Fault::Ended(_)) => fault.to_string(),
            _ => break,
        };
        tracing::info!(test = %test.name, "run again, because something outside may have ended it: {message}");
        result = run_once(run, test, cancel);
    }
    match result {
        Ok(result) if result.ended_from_outside => Err(Fault::EndedFromOutside(format!(
            "the program failed ({}) in {} runs, and nothing in its box has sent that signal: something on this host ends programs",
            result.report.message,
            outside_kill::RERUNS + 1
        ))),
        result => result,
    }
}

fn run_once(run: &TestRun<'_>, test: &Test, cancel: &[&CancelToken]) -> Result<TestResult, Fault> {
    if let (Entrant::Program(_), Some((answers, limit))) = (&run.entrant, run.outputs) {
        let is_file = match test.output_file {
            OutputFile::Refused => false,
            OutputFile::Optional => answers.has(test),
            OutputFile::Required => true,
        };
        if is_file {
            return check_answer(run, answers, limit, test, cancel);
        }
    }
    if let Entrant::Program(Runner { forbidden: Some(class), .. }) = &run.entrant {
        let mut result = TestResult::without_run(test, Verdict::RTE);
        result.report.message = format!("{class} is forbidden in this problem (hints: nobigmath)");
        return Ok(result);
    }
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
        runner.run_in_box(
            run,
            test,
            run.inputs.open_for_program(&run.judge.sandbox, &test.input)?,
            sandbox_box,
            cancel,
        )
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
    stderr: StandardError,
    /// The output file, where the problem has one.
    file: Option<Output>,
}

impl Runner<'_> {
    /// argv on that test.
    pub(super) fn argv_on(&self, test: &Test) -> Vec<String> {
        let memory_mib = self.limits.on(test).memory_mib;
        let mut argv = match memory_mib == self.limits.usual.memory_mib {
            true => self.argv.clone(),
            false => run_argv(self.language, self.program, memory_mib),
        };
        argv.extend_from_slice(&test.arguments);
        argv
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
        let output_limit = self.limits.on(test).limits.output.unwrap_or_default();
        self.prepare(run, test, sandbox_box)?;
        let command = Exec {
            argv: &argv,
            env: &self.env,
            directory: WORKSPACE,
            stdin: self.directory.feeds_standard_input().then_some(input.as_fd()),
            stdout: if self.directory.takes_output_file() { Keep::First(0) } else { Keep::All },
            stderr: Keep::BothEnds,
            limits: self.limits_with_room(test),
        };
        let Finished { mut outcome, stdout, mut stderr, began } = command.run(judge, sandbox_box, cancel)?;
        // Also a program that only tells of a child's death.
        if outcome.exit != Exit::Code(0) && outcome.stopped.is_empty() {
            judge.host_memory.has_spared_what_began(began)?;
        }
        if outcome.stopped.contains(&Stopped::Cancelled) {
            return Err(Fault::Cancelled);
        }
        let taken = self.directory.take_output(sandbox_box.workspace(), output_limit, &judge.spill)?;
        let file = taken.map(|taken| {
            outcome.memory = Bytes(outcome.memory.0.saturating_sub(taken.held.0));
            taken.output
        });
        let stderr = StandardError::of(&mut stderr)
            .map_err(|error| Fault::file("read the standard error of", &test.input, error))?;
        Ok(Ran { outcome, stdout, stderr, file })
    }

    /// The limits as the kernel is told them. The output file counts as memory, in which it lies; so there is room for
    /// one, and what the file holds is taken off what was used.
    fn limits_with_room(&self, test: &Test) -> Limits {
        let mut limits = self.limits.on(test).limits.clone();
        if self.directory.takes_output_file() {
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
        let Ran { outcome, mut stdout, stderr, file } = ran;
        let mut result = self.judge_outcome(test, &outcome, &stderr)?;
        match file {
            None => {}
            Some(Output::Written(content)) => {
                result.report.output_bytes = content.total();
                stdout = content;
            }
            Some(Output::TooLarge) => {
                let limit = self.limits.on(test).limits.output.unwrap_or_default();
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
    pub(super) fn judge_outcome(
        &self,
        test: &Test,
        outcome: &Outcome,
        stderr: &StandardError,
    ) -> Result<TestResult, Fault> {
        let mut result = TestResult::of(figures(test, outcome));
        result.report.stderr = stderr.shown();
        result.report.limits = self.limits.own_report(test);
        let argv = self.argv_on(test);
        let own = own_file(&argv, &self.program.directory);
        let program = own.as_deref();
        let words = (stderr, self.language);
        judge_outcome(&mut result, outcome, self.limits.on(test), &argv, program, words)?;
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
    let mut result = TestResult::of(blank(test, Verdict::AC));
    let is_refused = run.package.takes_output_files() && test.output_file == OutputFile::Refused;
    let answer = if is_refused { Answer::Missing } else { answers.of(test, limit, &run.judge.spill)? };
    match answer {
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

/// What is to be executed where it is the submission's own file, and there: a program of ours that has gone
/// missing is not the contestant's fault.
fn own_file(argv: &[String], directory: &Path) -> Option<PathBuf> {
    let name = Path::new(argv.first()?).strip_prefix(PROGRAM).ok()?;
    Some(directory.join(name)).filter(|file| file.is_file())
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
        Check::BuiltIn(comparator) => {
            return compare_with_answer(result, run.inputs, test, *comparator, stdout);
        }
        Check::Program { checker, arguments } => (*checker, arguments),
        Check::Interaction { .. } => {
            return Err(Fault::Package("its verdict is an interactor's, and there is none".to_owned()));
        }
    };
    let (tool, checker) = run.checkers.get(place)?;
    let made_by = MadeBy::of(run, result);
    let checked = Checked { judge: run.judge, inputs: run.inputs, test, arguments, made_by };
    take_in(result, check::ask(&checked, tool, checker, stdout, cancel)?);
    Ok(())
}

/// Compares the output with the answer.
fn compare_with_answer(
    result: &mut TestResult,
    inputs: &Inputs,
    test: &Test,
    comparator: Comparator,
    stdout: &mut Capture,
) -> Result<(), Fault> {
    let mut answer = inputs.open_as("answer", &test.answer)?;
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
