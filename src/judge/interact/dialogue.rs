//! Runs the contestant's program in one box and the interactor in another, joined with each other.

use crate::cancel::CancelToken;
use crate::checker::{CheckerPaths, Finished, Opinion, Protocol, Used};
use crate::judge::compile::artifacts;
use crate::judge::exec::{self, Keep, read_all};
use crate::judge::fault::Fault;
use crate::judge::interact::decision::{Decision, decide};
use crate::judge::interact::transcript::Transcript;
use crate::judge::jury::program::{BuiltProgram, RunOutput};
use crate::judge::test::check::{self, FEEDBACK, OUTPUT, SUBMISSION};
use crate::judge::test::context::TestRun;
use crate::judge::test::result::{TestResult, figures, take_in};
use crate::judge::test::runner::Runner;
use crate::judge::test::stderr::StandardError;
use crate::package::{Check, Interactor, Test};
use crate::sandbox::{BoxHandle, Ending, Exit, Outcome, PROGRAM, Stopped, WORKSPACE};
use crate::units::Bytes;

/// Least output limit of an interactor. The package's limit is meant for a checker's few lines, and an interactor may pass
/// on large inputs.
const SPEECH: Bytes = Bytes::mib(256);

/// A test, the program and the interactor that talk about it.
pub(crate) struct Dialogue<'a> {
    pub run: &'a TestRun<'a>,
    pub runner: &'a Runner<'a>,
    pub test: &'a Test,
    pub jury_program: &'a BuiltProgram,
    pub interactor: &'a Interactor,
    /// Paths of input and answer in the interactor's box.
    pub files: &'a [String; 2],
}

/// The result of one pass of a test.
pub(crate) struct Pass {
    pub result: TestResult,
    /// Whether the jury's program accepts and asks for another pass.
    pub next_pass: bool,
}

impl Dialogue<'_> {
    /// Runs both to their ends and decides. The interactor's box has its files already.
    ///
    /// # Errors
    /// Every failure that is not the program's fault.
    pub(crate) fn hold(
        &self,
        boxes: &mut [BoxHandle],
        mut transcript: Option<&mut Transcript>,
        cancel: &[&CancelToken],
    ) -> Result<Pass, Fault> {
        let engine = self.run.judging.engine;
        let [program_box, interactor_box] = boxes else {
            return Err(Fault::Panic("a dialogue has two boxes".to_owned()));
        };
        self.runner.prepare(self.run.judging.inputs, self.test, program_box)?;
        interactor_box.attach(PROGRAM, self.jury_program.directory())?;
        if self.interactor.call.iter().flatten().any(|word| word == "{submission}") {
            let source = self.run.submitted.first().map_or(&[][..], |source| &source.bytes);
            artifacts::write_new(interactor_box.workspace(), SUBMISSION, 0o644, &mut &*source)?;
        }
        let program_argv = self.runner.argv_on(self.test);
        let program = self.runner.exec(self.test, &program_argv, None, Keep::Discard);
        let argv = self.interactor_argv();
        let mut interactor = self.jury_program.exec(&argv, None, Keep::Discard);
        interactor.limits.output = Some(self.speech());
        let protocol = self.interactor.protocol;
        let dialogue = exec::Dialogue {
            program: (program_box, program),
            interactor: (&mut *interactor_box, interactor),
            on_words: &mut |speaker, words| {
                if let Some(transcript) = &mut transcript {
                    transcript.note(speaker, words);
                }
            },
            stops_program: &|interactor| !may_accept(protocol, interactor),
        };
        let [mut program, mut interactor] = dialogue.run(engine, cancel)?;
        let stderr = read_all(&mut interactor.ran.stderr, &engine.spill)?;
        let ending = interactor.ending();
        let said = self.interpret(&ending, interactor_box, &stderr);
        let program_says = StandardError::of(&mut program.ran.stderr)
            .map_err(|error| Fault::file("read the standard error of", &self.test.input, error))?;
        self.conclude((&program.ran.outcome, &program_says), &ending, said)
    }

    /// Returns how many bytes the interactor may write to the program.
    fn speech(&self) -> Bytes {
        self.jury_program.limits.output.unwrap_or_default().max(SPEECH)
    }

    fn interactor_argv(&self) -> Vec<String> {
        let [input, answer] = self.files;
        let output = match self.interactor.protocol {
            // As in DMOJ, where no program reads it.
            Protocol::Dmoj(_) => "/dev/null".to_owned(),
            _ => format!("{WORKSPACE}/{OUTPUT}"),
        };
        let paths = CheckerPaths {
            input,
            answer,
            output: &output,
            feedback: &format!("{WORKSPACE}/{FEEDBACK}/"),
            used: Used::default(),
            submission: &format!("{WORKSPACE}/{SUBMISSION}"),
            language: &self.runner.language.id,
        };
        let mut argv = self.jury_program.argv.clone();
        match &self.interactor.call {
            None => argv.extend(self.interactor.protocol.interactor_arguments(&paths)),
            Some(call) => argv.extend(paths.put_into(call)),
        }
        if let Check::Interaction { arguments } = &self.test.check {
            argv.extend_from_slice(arguments);
        }
        argv
    }

    /// Interprets the end of the interactor; returns its opinion and whether it asks for another pass.
    fn interpret(
        &self,
        ending: &Ending,
        interactor_box: &BoxHandle,
        stderr: &[u8],
    ) -> Result<(Opinion, bool), Fault> {
        let name = &self.jury_program.name;
        if ending.unprompted && ending.outcome.stopped.first() == Some(&Stopped::Wall) {
            return Err(Fault::Checker(format!(
                "{name}: it did not read what the program wrote until the program's wall limit was over"
            )));
        }
        if ending.outcome.stopped.first() == Some(&Stopped::Output) {
            return Err(Fault::Checker(format!("{name}: it wrote more than {}", self.speech())));
        }
        let said = RunOutput { outcome: ending.outcome.clone(), stdout: Vec::new(), stderr: stderr.to_vec() };
        let code = self.jury_program.exit_code(&said)?;
        let most = self.jury_program.limits.output.unwrap_or(Bytes(u64::MAX));
        let feedback = check::read_feedback(interactor_box.workspace(), most)
            .map_err(|problem| Fault::Checker(format!("{name}: {problem}")))?;
        // Its standard output went to the program.
        let finished = Finished { code, stdout: b"", stderr, feedback: &feedback };
        let scores = self.test.custom_score.unwrap_or(self.interactor.scores);
        let opinion = check::interpret(self.jury_program, self.interactor.protocol, &finished, scores)?;
        Ok((opinion, feedback.next_pass))
    }

    fn conclude(
        &self,
        (program, stderr): (&Outcome, &StandardError),
        interactor: &Ending,
        said: Result<(Opinion, bool), Fault>,
    ) -> Result<Pass, Fault> {
        let next_pass = said.as_ref().is_ok_and(|(_, next_pass)| *next_pass);
        match decide(program, interactor, said.map(|(opinion, _)| opinion))? {
            Decision::Program(opinion) => {
                let mut result = self.runner.judge_outcome(self.test, program, stderr)?;
                result.report.judge_message = opinion.and_then(message_for_the_jury);
                Ok(Pass { result, next_pass: false })
            }
            Decision::Interactor(opinion) => {
                let mut result = TestResult::of(figures(self.test, program));
                result.report.stderr = stderr.shown();
                result.report.limits = self.runner.limits.own_report(self.test);
                if program.stopped.first() == Some(&Stopped::Cancelled) {
                    // gavel stopped it, since it was not needed any more.
                    (result.report.exit_code, result.report.signal) = (None, None);
                }
                take_in(&mut result, opinion);
                Ok(Pass { result, next_pass: false })
            }
            Decision::Both(opinion) => {
                let mut result = self.runner.judge_outcome(self.test, program, stderr)?;
                if result.applied.is_empty() {
                    take_in(&mut result, opinion);
                } else {
                    result.report.judge_message = message_for_the_jury(opinion);
                }
                Ok(Pass { result, next_pass })
            }
        }
    }
}

fn message_for_the_jury(opinion: Opinion) -> Option<String> {
    Some(opinion.judge_message).filter(|message| !message.is_empty())
}

/// Returns whether the interactor may accept, so that the program's end matters.
fn may_accept(protocol: Protocol, interactor: &Outcome) -> bool {
    match interactor.exit {
        Exit::Code(code) => interactor.stopped.is_empty() && protocol.may_accept(code),
        _ => false,
    }
}

/// Shows a test's files in the box of a checker or interactor and makes its feedback directory.
pub(crate) fn lay_out(
    run: &TestRun<'_>,
    test: &Test,
    sandbox_box: &mut BoxHandle,
) -> Result<[String; 2], Fault> {
    run.judging.engine.preload(&test.input);
    run.judging.engine.preload(&test.answer);
    let files = check::show_files(run.judging.inputs, test, sandbox_box)?;
    artifacts::make_directory(sandbox_box.workspace(), FEEDBACK)?;
    Ok(files)
}
