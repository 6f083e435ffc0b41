//! Runs a test that takes an interactor, a manager, a second process, or several passes.
//!
//! The boxes are kept for all passes of a test, with the checker's work directory: files in its feedback directory stay for
//! the next pass. Only `nextpass.in` is taken away.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::unistd::{UnlinkatFlags, unlinkat};

use crate::cancel::CancelToken;
use crate::checker::Grade;
use crate::instruments;
use crate::judge::compile::artifacts;
use crate::judge::fault::Fault;
use crate::judge::interact::communication;
use crate::judge::interact::counterpart::Counterpart;
use crate::judge::interact::dialogue::{Dialogue, Pass, lay_out};
use crate::judge::interact::transcript::Transcript;
use crate::judge::interact::two_steps;
use crate::judge::jury::program::BuiltProgram;
use crate::judge::test::check::{self, Checked, FEEDBACK, OUTPUT};
use crate::judge::test::context::TestRun;
use crate::judge::test::result::{TestResult, take_in};
use crate::judge::test::runner::Runner;
use crate::package::{Check, Interactor, Test};
use crate::sandbox::{BoxHandle, Capture, WORKSPACE};
use crate::verdict::{Verdict, decide};

/// Name of the file in which a checker leaves the input of the next pass.
const NEXT_PASS: &str = "nextpass.in";

/// The input of a second or later pass.
struct Next<'a> {
    number: u32,
    input: &'a mut Capture,
}

/// Runs and checks one test that takes more than one program, or more than one pass.
///
/// # Errors
/// Every failure that is not the contestant's fault.
pub(crate) fn run_test(
    run: &TestRun<'_>,
    runner: &Runner<'_>,
    test: &Test,
    cancel: &[&CancelToken],
) -> Result<TestResult, Fault> {
    let mut result = match &runner.counterpart {
        Counterpart::Interactor(jury_program, interactor) => {
            run_interactive(run, runner, test, (jury_program, interactor), cancel)?
        }
        Counterpart::Manager(jury_program, communication) => {
            communication::run_test(run, runner, test, (jury_program, communication), cancel)?
        }
        Counterpart::SecondStep => two_steps::run_test(run, runner, test, cancel)?,
        Counterpart::None => run_alone(run, runner, test, cancel)?,
    };
    instruments::tested(&runner.language.id, Duration::from_secs_f64(result.report.wall_ms / 1e3));
    result.report.verdict = decide(&result.applied);
    Ok(result)
}

/// Runs the program with an interactor, in one or more passes, and has the interactor's output checked where the test has a
/// checker as well.
fn run_interactive(
    run: &TestRun<'_>,
    runner: &Runner<'_>,
    test: &Test,
    (jury_program, interactor): (&BuiltProgram, &Interactor),
    cancel: &[&CancelToken],
) -> Result<TestResult, Fault> {
    let engine = run.judging.engine;
    let (mut result, written) = engine.in_boxes(&[&runner.shape, &jury_program.shape], cancel, |boxes| {
        let mut transcript = engine.transcripts.as_ref().map(|_| Transcript::default());
        let mut files = [String::new(), String::new()];
        let result = in_passes(run, test, boxes, |boxes, next| {
            match next {
                None => files = lay_out(run, test, last(boxes)?)?,
                Some(Next { number, input }) => {
                    files[0] = lay_out_next(last(boxes)?, number, input)?;
                    transcript.iter_mut().for_each(Transcript::next_pass);
                }
            }
            let dialogue = Dialogue { run, runner, test, jury_program, interactor, files: &files };
            dialogue.hold(boxes, transcript.as_mut(), cancel)
        });
        if let (Some(transcript), Some(directory)) = (transcript, &engine.transcripts) {
            transcript.write(directory, &test.name)?;
        }
        let result = result?;
        Ok((result, take_written(run, test, interactor, last(boxes)?)?))
    })?;
    if let Some(mut written) = written
        && decide(&result.applied) == Verdict::AC
    {
        result.applied.clear();
        run.check(&mut result, test, &mut written, cancel)?;
    }
    Ok(result)
}

/// Runs the program alone in several passes, each checked by the test's checker.
fn run_alone(
    run: &TestRun<'_>,
    runner: &Runner<'_>,
    test: &Test,
    cancel: &[&CancelToken],
) -> Result<TestResult, Fault> {
    let Check::Program { checker, arguments } = &test.check else {
        return Err(Fault::Package("it has several passes, and no checker to ask for them".to_owned()));
    };
    let (engine, inputs) = (run.judging.engine, run.judging.inputs);
    let (jury_program, checker) = run.checkers.get(*checker)?;
    engine.in_boxes(&[&runner.shape, &jury_program.shape], cancel, |boxes| {
        let mut files = [String::new(), String::new()];
        in_passes(run, test, boxes, |boxes, mut next| {
            let [program_box, checker_box] = boxes else {
                return Err(Fault::Panic("a pass has two boxes".to_owned()));
            };
            let input = match &mut next {
                None => inputs.open_for_program(&engine.sandbox, &test.input)?,
                Some(Next { input, .. }) => input.open().map_err(|error| unreadable(test, error))?,
            };
            let ran = runner.run_in_box((engine, inputs), test, input, program_box, cancel)?;
            let (mut result, mut stdout) = runner.judge_ran(test, ran)?;
            if !result.applied.is_empty() {
                return Ok(Pass { result, next_pass: false });
            }
            match next {
                None => files = lay_out(run, test, checker_box)?,
                Some(Next { number, input }) => files[0] = lay_out_next(checker_box, number, input)?,
            }
            let checked = Checked { engine, inputs, test, arguments, origin: run.origin(&result) };
            let (opinion, next_pass) =
                check::ask_in_box(&checked, jury_program, checker, &files, &mut stdout, checker_box, cancel)?;
            let next_pass = next_pass && opinion.grade == Grade::Accepted;
            take_in(&mut result, opinion);
            Ok(Pass { result, next_pass })
        })
    })
}

/// Runs passes until the checker asks for no other or the program fails.
fn in_passes(
    run: &TestRun<'_>,
    test: &Test,
    boxes: &mut [BoxHandle],
    mut pass: impl FnMut(&mut [BoxHandle], Option<Next<'_>>) -> Result<Pass, Fault>,
) -> Result<TestResult, Fault> {
    let Pass { mut result, mut next_pass } = pass(boxes, None)?;
    let Some(passes) = run.judging.package.passes else { return Ok(result) };
    let mut number = 1;
    while next_pass && decide(&result.applied) == Verdict::AC {
        if number >= passes.limit {
            return Err(Fault::Checker(format!(
                "the checker wants more than the {} passes that limits.validation_passes allows",
                passes.limit
            )));
        }
        number += 1;
        let mut input = take_next_input(run, test, last(boxes)?)?;
        let passed = pass(boxes, Some(Next { number, input: &mut input }))?;
        result = worst(&result, passed.result);
        next_pass = passed.next_pass;
    }
    Ok(result)
}

/// Returns the later pass with the larger of both times and memories, and the sum of the output.
fn worst(earlier: &TestResult, mut later: TestResult) -> TestResult {
    let report = &mut later.report;
    report.cpu_ms = report.cpu_ms.max(earlier.report.cpu_ms);
    report.wall_ms = report.wall_ms.max(earlier.report.wall_ms);
    if earlier.report.memory_kib > report.memory_kib {
        report.memory_kib = earlier.report.memory_kib;
        report.memory_source.clone_from(&earlier.report.memory_source);
    }
    let bounds = report.memory_bound_kib.zip(earlier.report.memory_bound_kib);
    report.memory_bound_kib = bounds.map(|(one, other)| one.max(other));
    report.output_bytes += earlier.report.output_bytes;
    if report.stderr.is_none() {
        report.stderr.clone_from(&earlier.report.stderr);
    }
    later
}

/// Returns the box of the jury's program.
fn last(boxes: &mut [BoxHandle]) -> Result<&mut BoxHandle, Fault> {
    boxes.last_mut().ok_or_else(|| Fault::Panic("there is no box".to_owned()))
}

fn unreadable(test: &Test, error: io::Error) -> Fault {
    Fault::file("read the next pass's input of", Path::new(&test.name), error)
}

/// Takes `nextpass.in` out of the feedback directory.
fn take_next_input(run: &TestRun<'_>, test: &Test, sandbox_box: &mut BoxHandle) -> Result<Capture, Fault> {
    let workspace = sandbox_box.workspace();
    let broken = |problem: String| Fault::Checker(format!("the checker of {}: {problem}", test.name));
    let mut file = check::open_left(workspace, &format!("{FEEDBACK}/{NEXT_PASS}"))
        .map_err(broken)?
        .ok_or_else(|| broken(format!("it left no {NEXT_PASS}")))?;
    let mut input = Capture::whole(&run.judging.engine.spill);
    copy(&mut file, &mut input).map_err(|error| unreadable(test, error))?;
    remove(workspace).map_err(|errno| unreadable(test, errno.into()))?;
    Ok(input)
}

fn remove(workspace: BorrowedFd<'_>) -> Result<(), Errno> {
    let how = OpenHow::new()
        .flags(OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS);
    let feedback = openat2(workspace, FEEDBACK, how)?;
    unlinkat(feedback.as_fd(), NEXT_PASS, UnlinkatFlags::NoRemoveDir)
}

fn copy(file: &mut File, into: &mut Capture) -> io::Result<()> {
    use io::Read;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = file.read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        into.push(buffer.get(..length).unwrap_or_default())?;
    }
}

/// Puts the input of a later pass into the checker's work directory, which keeps its files; returns the path.
fn lay_out_next(sandbox_box: &mut BoxHandle, number: u32, input: &mut Capture) -> Result<String, Fault> {
    let name = format!("input-{number}");
    sandbox_box.keep_workspace();
    let workspace = sandbox_box.fresh_workspace()?;
    let mut reader = input.reader().map_err(|error| Fault::file("read", Path::new(&name), error))?;
    artifacts::write_new(workspace, &name, 0o644, &mut *reader)?;
    Ok(format!("{WORKSPACE}/{name}"))
}

/// Takes out the file that a testlib interactor wrote for the checker, where the test has one.
fn take_written(
    run: &TestRun<'_>,
    test: &Test,
    interactor: &Interactor,
    sandbox_box: &mut BoxHandle,
) -> Result<Option<Capture>, Fault> {
    if matches!(test.check, Check::Interaction { .. }) {
        return Ok(None);
    }
    let broken =
        |problem: String| Fault::Checker(format!("interactor '{}': {problem}", interactor.program.name));
    let file = check::open_left(sandbox_box.workspace(), OUTPUT).map_err(broken)?;
    let mut written = Capture::whole(&run.judging.engine.spill);
    if let Some(mut file) = file {
        copy(&mut file, &mut written).map_err(|error| Fault::file("read", Path::new(OUTPUT), error))?;
    }
    Ok(Some(written))
}
