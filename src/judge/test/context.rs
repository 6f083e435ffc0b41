//! Holds what the steps of one judging share, and what the runs of one submission share.

use crate::cancel::CancelToken;
use crate::checker::{Comparator, Comparison, Score, Used, compare};
use crate::judge::engine::Engine;
use crate::judge::events::EventSender;
use crate::judge::fault::Fault;
use crate::judge::feedback::Level;
use crate::judge::files::Inputs;
use crate::judge::request::Source;
use crate::judge::test::check::{self, Checked, Checkers, OutputOrigin};
use crate::judge::test::output_only::Answers;
use crate::judge::test::result::{TestResult, take_in};
use crate::judge::test::runner::Runner;
use crate::package::{Check, Package, Test};
use crate::report::TestReport;
use crate::sandbox::Capture;
use crate::submission::Stop;
use crate::units::Bytes;
use crate::verdict::Verdict;

/// One judging: the package and its settings.
pub(crate) struct Judging<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) package: &'a Package,
    pub(crate) inputs: &'a Inputs,
    pub(crate) stop: Stop,
    pub(crate) feedback: Level,
    /// Factor by which a program may exceed its CPU limit, so that its time can be reported; 1 outside verification.
    pub(crate) overtime: f64,
    pub(crate) cancel: &'a CancelToken,
    pub(crate) events: &'a EventSender<'a>,
}

/// A submission, ready to be tested.
pub(crate) enum Subject<'a> {
    /// A program to run.
    Program(&'a Runner<'a>),
    /// Outputs to check, and the largest size of one.
    Answers { answers: &'a Answers<'a>, limit: Bytes },
}

/// Everything that the runs of one submission share.
pub(crate) struct TestRun<'a> {
    pub(crate) judging: &'a Judging<'a>,
    pub(crate) subject: Subject<'a>,
    pub(crate) checkers: &'a Checkers<'a>,
    /// The submitted files, the entry point first.
    pub(crate) submitted: &'a [Source],
    /// Outputs submitted beside a program, and the largest size of one.
    pub(crate) outputs: Option<(&'a Answers<'a>, Bytes)>,
}

impl<'a> TestRun<'a> {
    /// Returns what is known of an output from the run that wrote it.
    pub(crate) fn origin(&self, result: &TestResult) -> OutputOrigin<'a> {
        let language = match &self.subject {
            Subject::Program(runner) => runner.language.id.as_str(),
            Subject::Answers { .. } => "",
        };
        let TestReport { cpu_ms, wall_ms, memory_kib, .. } = result.report;
        let source = self.submitted.first().map_or(&[][..], |source| &source.bytes);
        OutputOrigin { source, language, used: Used { cpu_ms, wall_ms, memory_kib } }
    }

    /// Checks an output by a comparison or by a program, and adds the verdict to the result.
    ///
    /// # Errors
    /// When the checker fails, or a file cannot be read.
    pub(crate) fn check(
        &self,
        result: &mut TestResult,
        test: &Test,
        stdout: &mut Capture,
        cancel: &[&CancelToken],
    ) -> Result<(), Fault> {
        let (place, arguments) = match &test.check {
            Check::BuiltIn(comparator) => {
                return compare_with_answer(result, self.judging.inputs, test, *comparator, stdout);
            }
            Check::Program { checker, arguments } => (*checker, arguments),
            Check::Interaction { .. } => {
                return Err(Fault::Package("its verdict is an interactor's, and there is none".to_owned()));
            }
        };
        let (jury_program, checker) = self.checkers.get(place)?;
        let origin = self.origin(result);
        let checked =
            Checked { engine: self.judging.engine, inputs: self.judging.inputs, test, arguments, origin };
        take_in(result, check::ask(&checked, jury_program, checker, stdout, cancel)?);
        Ok(())
    }
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
