//! Runs a submission's program in its box and turns the end of the run into a result.
//!
//! The verdict comes from what the sandbox did and counted, never from the signal a program died of: a program can raise
//! any signal at itself.

use std::fs::File;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::{Path, PathBuf};

use crate::cancel::CancelToken;
use crate::judge::compile::program::Program;
use crate::judge::engine::Engine;
use crate::judge::exec::{Exec, Finished, Keep};
use crate::judge::fault::Fault;
use crate::judge::files::Inputs;
use crate::judge::interact::counterpart::Counterpart;
use crate::judge::language_box::{environment, run_argv, run_shape};
use crate::judge::limits::LimitsByTest;
use crate::judge::test::outcome::{judge_outcome, too_much_output};
use crate::judge::test::result::{TestResult, figures};
use crate::judge::test::stderr::StandardError;
use crate::judge::test::work_directory::{Output, WorkDirectory};
use crate::language::Language;
use crate::package::{Package, Test};
use crate::sandbox::{BoxHandle, Capture, Exit, Limits, Outcome, PROGRAM, Shape, Stopped, WORKSPACE};
use crate::units::Bytes;
use crate::verdict::Verdict;

/// A submission's program, ready to run on tests.
pub(crate) struct Runner<'a> {
    pub(crate) language: &'a Language,
    pub(crate) program: &'a Program,
    pub(crate) limits: &'a LimitsByTest,
    pub(crate) counterpart: Counterpart<'a>,
    directory: WorkDirectory<'a>,
    argv: Vec<String>,
    pub(crate) env: Vec<String>,
    pub(crate) shape: Shape,
    /// A class that the program uses and the problem forbids.
    pub(crate) forbidden: Option<&'static str>,
}

impl<'a> Runner<'a> {
    /// Prepares a program to run on these tests.
    ///
    /// # Errors
    /// When a file of its work directory cannot be read.
    pub(crate) fn new(
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
            argv: run_argv(language, &program.source_names, limits.usual.memory_mib),
            env,
            shape,
            forbidden: None,
        })
    }

    /// Returns whether a test takes more than one program at a time, or more than one pass.
    pub(crate) fn is_staged(&self, package: &Package) -> bool {
        package.passes.is_some() || !matches!(self.counterpart, Counterpart::None)
    }
}

/// What a run of the program left, before it is judged.
pub(crate) struct Ran {
    pub(crate) outcome: Outcome,
    stdout: Capture,
    stderr: StandardError,
    /// The output file, where the problem has one.
    file: Option<Output>,
}

impl Runner<'_> {
    /// Returns the command line on a test.
    pub(crate) fn argv_on(&self, test: &Test) -> Vec<String> {
        let memory_mib = self.limits.on(test).memory_mib;
        let mut argv = match memory_mib == self.limits.usual.memory_mib {
            true => self.argv.clone(),
            false => run_argv(self.language, &self.program.source_names, memory_mib),
        };
        argv.extend_from_slice(&test.arguments);
        argv
    }

    /// Shows the program in a box and fills its work directory.
    ///
    /// # Errors
    /// When a file cannot be put there.
    pub(crate) fn prepare(
        &self,
        inputs: &Inputs,
        test: &Test,
        sandbox_box: &mut BoxHandle,
    ) -> Result<(), Fault> {
        sandbox_box.attach(PROGRAM, &self.program.directory)?;
        self.directory.fill(sandbox_box, inputs, test)
    }

    /// Returns the command that runs the program on a test with this command line.
    pub(crate) fn exec<'run>(
        &'run self,
        test: &Test,
        argv: &'run [String],
        stdin: Option<BorrowedFd<'run>>,
        stdout: Keep,
    ) -> Exec<'run> {
        Exec {
            argv,
            env: &self.env,
            directory: WORKSPACE,
            stdin,
            stdout,
            stderr: Keep::BothEnds,
            limits: self.limits.on(test).limits.clone(),
        }
    }

    /// Runs the program in a box of its shape; `input` is its standard input where it reads that.
    ///
    /// # Errors
    /// Every failure that is not the program's fault.
    pub(crate) fn run_in_box(
        &self,
        (engine, inputs): (&Engine, &Inputs),
        test: &Test,
        input: File,
        sandbox_box: &mut BoxHandle,
        cancel: &[&CancelToken],
    ) -> Result<Ran, Fault> {
        let argv = self.argv_on(test);
        let output_limit = self.limits.on(test).limits.output.unwrap_or_default();
        self.prepare(inputs, test, sandbox_box)?;
        if self.directory.takes_output_file() {
            // The kernel's limit has room for the file, so the figure decides.
            sandbox_box.compare_memory();
        }
        let stdin = self.directory.feeds_standard_input().then_some(input.as_fd());
        let stdout = if self.directory.takes_output_file() { Keep::First(0) } else { Keep::All };
        let mut command = self.exec(test, &argv, stdin, stdout);
        command.limits = self.limits_with_room(test);
        let Finished { mut outcome, stdout, mut stderr, began } = command.run(engine, sandbox_box, cancel)?;
        // A program that only reports the death of a child counts, too.
        if outcome.exit != Exit::Code(0) && outcome.stopped.is_empty() {
            engine.host_memory.has_spared_what_began(began)?;
        }
        if outcome.stopped.contains(&Stopped::Cancelled) {
            return Err(Fault::Cancelled);
        }
        let taken = self.directory.take_output(sandbox_box.workspace(), output_limit, &engine.spill)?;
        let file = taken.map(|taken| {
            outcome.memory = Bytes(outcome.memory.0.saturating_sub(taken.held.0));
            taken.output
        });
        let stderr = StandardError::of(&mut stderr)
            .map_err(|error| Fault::file("read the standard error of", &test.input, error))?;
        Ok(Ran { outcome, stdout, stderr, file })
    }

    /// Returns the limits for the kernel. An output file lies in memory and is charged as such: the memory limit is raised
    /// by the largest one, and the file's size is subtracted from the measured memory.
    fn limits_with_room(&self, test: &Test) -> Limits {
        let mut limits = self.limits.on(test).limits.clone();
        if self.directory.takes_output_file() {
            let room = limits.file_size.unwrap_or_default();
            limits.memory = limits.memory.map(|memory| Bytes(memory.0.saturating_add(room.0)));
        }
        limits
    }

    /// Judges the end of a run; returns the result, which is empty where the run ended well, and the output to check.
    ///
    /// # Errors
    /// When the program was not started and is not to blame for it.
    pub(crate) fn judge_ran(&self, test: &Test, ran: Ran) -> Result<(TestResult, Capture), Fault> {
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

    /// Judges how a program ended; the result is empty where it ended well.
    ///
    /// # Errors
    /// When the program was not started and is not to blame for it.
    pub(crate) fn judge_outcome(
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

/// Returns the file to execute where it is the submission's own and exists: a file of gavel that is missing is not the
/// contestant's fault.
fn own_file(argv: &[String], directory: &Path) -> Option<PathBuf> {
    let name = Path::new(argv.first()?).strip_prefix(PROGRAM).ok()?;
    Some(directory.join(name)).filter(|file| file.is_file())
}
