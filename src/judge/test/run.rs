//! Runs a submission on one test and checks its output.

use crate::cancel::CancelToken;
use crate::instruments;
use crate::judge::external_kill;
use crate::judge::fault::Fault;
use crate::judge::interact;
use crate::judge::test::context::{Subject, TestRun};
use crate::judge::test::outcome::too_much_output;
use crate::judge::test::output_only::{Answer, Answers};
use crate::judge::test::result::{TestResult, blank};
use crate::judge::test::runner::Runner;
use crate::package::{OutputFile, Test};
use crate::units::Bytes;
use crate::verdict::{Verdict, decide};

/// Runs one test, and runs it again where something outside of the box may have ended a program.
///
/// # Errors
/// Every failure that is not the contestant's fault.
pub(crate) fn run_test(run: &TestRun<'_>, test: &Test, cancel: &[&CancelToken]) -> Result<TestResult, Fault> {
    let mut result = run_once(run, test, cancel);
    for _ in 0..external_kill::RERUNS {
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
            external_kill::RERUNS + 1
        ))),
        result => result,
    }
}

fn run_once(run: &TestRun<'_>, test: &Test, cancel: &[&CancelToken]) -> Result<TestResult, Fault> {
    if let (Subject::Program(_), Some((answers, limit))) = (&run.subject, run.outputs) {
        let is_file = match test.output_file {
            OutputFile::Refused => false,
            OutputFile::Optional => answers.has(test),
            OutputFile::Required => true,
        };
        if is_file {
            return check_answer(run, answers, limit, test, cancel);
        }
    }
    if let Subject::Program(Runner { forbidden: Some(class), .. }) = &run.subject {
        let mut result = TestResult::without_run(test, Verdict::RTE);
        result.report.message = format!("{class} is forbidden in this problem (hints: nobigmath)");
        return Ok(result);
    }
    match &run.subject {
        Subject::Program(runner) if runner.is_staged(run.judging.package) => {
            interact::run_test(run, runner, test, cancel)
        }
        Subject::Program(runner) => run_program(run, runner, test, cancel),
        Subject::Answers { answers, limit } => check_answer(run, answers, *limit, test, cancel),
    }
}

/// Runs a program and checks its output.
fn run_program(
    run: &TestRun<'_>,
    runner: &Runner<'_>,
    test: &Test,
    cancel: &[&CancelToken],
) -> Result<TestResult, Fault> {
    run.judging.engine.preload(&test.input);
    let ran = run.judging.engine.in_box(&runner.shape, cancel, |sandbox_box| {
        let input = run.judging.inputs.open_for_program(&run.judging.engine.sandbox, &test.input)?;
        let files = (run.judging.engine, run.judging.inputs);
        runner.run_in_box(files, test, input, sandbox_box, cancel)
    })?;
    instruments::tested(&runner.language.id, ran.outcome.wall);
    let (mut result, mut stdout) = runner.judge_ran(test, ran)?;
    if result.applied.is_empty() {
        run.check(&mut result, test, &mut stdout, cancel)?;
    }
    result.report.verdict = decide(&result.applied);
    Ok(result)
}

/// Checks the output that was submitted for a test.
fn check_answer(
    run: &TestRun<'_>,
    answers: &Answers<'_>,
    limit: Bytes,
    test: &Test,
    cancel: &[&CancelToken],
) -> Result<TestResult, Fault> {
    let mut result = TestResult::of(blank(test, Verdict::AC));
    let is_refused = run.judging.package.takes_output_files() && test.output_file == OutputFile::Refused;
    let answer =
        if is_refused { Answer::Missing } else { answers.of(test, limit, &run.judging.engine.spill)? };
    match answer {
        Answer::Given(mut content) => {
            result.report.output_bytes = content.total();
            run.check(&mut result, test, &mut content, cancel)?;
        }
        Answer::TooLarge => result.reject(Verdict::OLE, too_much_output(limit)),
        Answer::Missing => result.reject(Verdict::WA, "no answer was handed in for this test".to_owned()),
        Answer::Broken(why) => result.reject(Verdict::WA, format!("its file cannot be unpacked: {why}")),
    }
    result.report.verdict = decide(&result.applied);
    Ok(result)
}
