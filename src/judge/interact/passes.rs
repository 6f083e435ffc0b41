//! A test from its first pass to its last; nearly always they are one and the same.
//!
//! Both boxes are kept for the whole test, and the checker's work directory with them: what it left in its feedback
//! directory is there in the next pass. Only `nextpass.in` is taken away.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

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
use crate::judge::interact::dialogue::{Dialogue, lay_out};
use crate::judge::interact::transcript::Transcript;
use crate::judge::interact::two_steps;
use crate::judge::test::check::{self, Checked, FEEDBACK, OUTPUT};
use crate::judge::test::context::TestRun;
use crate::judge::test::result::{TestResult, take_in};
use crate::judge::test::runner::Runner;
use crate::package::{Check, Interactor, Test};
use crate::sandbox::{BoxHandle, Capture, WORKSPACE};
use crate::verdict::{Verdict, decide};

/// What a checker writes the next pass's input into.
const NEXT_PASS: &str = "nextpass.in";

/// One pass.
struct Pass {
    result: TestResult,
    /// Whether the checker accepts and wants another.
    next_pass: bool,
}

/// What a second or later pass is handed.
struct Next<'a> {
    number: u32,
    input: &'a mut Capture,
}

/// Runs and checks one test that takes more than one program, or more than one pass.
///
/// # Errors
/// Whatever is not the contestant's doing.
pub(in crate::judge) fn run_test(
    run: &TestRun<'_>,
    runner: &Runner<'_>,
    test: &Test,
    cancel: &[&CancelToken],
) -> Result<TestResult, Fault> {
    let shape = &runner.shape;
    let mut result = match &runner.counterpart {
        Counterpart::Interactor(jury_program, interactor) => {
            let (mut result, written) =
                run.judging.engine.in_boxes(&[shape, &jury_program.shape], cancel, |boxes| {
                    let mut transcript =
                        run.judging.engine.transcripts.as_ref().map(|_| Transcript::default());
                    let mut files = [String::new(), String::new()];
                    let result = in_passes(run, test, boxes, |boxes, next| {
                        match next {
                            None => files = lay_out(run, test, last(boxes)?)?,
                            Some(Next { number, input }) => {
                                files[0] = lay_out_next(last(boxes)?, number, input)?;
                                transcript.iter_mut().for_each(Transcript::next_pass);
                            }
                        }
                        let dialogue =
                            Dialogue { run, runner, test, jury_program, interactor, files: &files };
                        let held = dialogue.hold(boxes, transcript.as_mut(), cancel)?;
                        Ok(Pass { result: held.result, next_pass: held.next_pass })
                    });
                    if let (Some(transcript), Some(directory)) = (transcript, &run.judging.engine.transcripts)
                    {
                        transcript.write(directory, &test.name)?;
                    }
                    let result = result?;
                    Ok((result, written(run, test, interactor, last(boxes)?)?))
                })?;
            if let Some(mut written) = written
                && decide(&result.applied) == Verdict::AC
            {
                result.applied.clear();
                run.check(&mut result, test, &mut written, cancel)?;
            }
            result
        }
        Counterpart::Manager(jury_program, communication) => {
            communication::run_test(run, runner, test, (jury_program, communication), cancel)?
        }
        Counterpart::SecondStep => two_steps::run_test(run, runner, test, cancel)?,
        Counterpart::None => {
            let Check::Program { checker, arguments } = &test.check else {
                return Err(Fault::Package(
                    "it has several passes, and no checker to ask for them".to_owned(),
                ));
            };
            let (jury_program, checker) = run.checkers.get(*checker)?;
            run.judging.engine.in_boxes(&[shape, &jury_program.shape], cancel, |boxes| {
                let mut files = [String::new(), String::new()];
                in_passes(run, test, boxes, |boxes, mut next| {
                    let [program_box, checker_box] = boxes else {
                        return Err(Fault::Panic("a pass has two boxes".to_owned()));
                    };
                    let input = match &mut next {
                        None => {
                            run.judging.inputs.open_for_program(&run.judging.engine.sandbox, &test.input)?
                        }
                        Some(Next { input, .. }) => input.open().map_err(|error| unreadable(test, error))?,
                    };
                    let ran = runner.run_in_box(
                        (run.judging.engine, run.judging.inputs),
                        test,
                        input,
                        program_box,
                        cancel,
                    )?;
                    let (mut result, mut stdout) = runner.judge_ran(test, ran)?;
                    if !result.applied.is_empty() {
                        return Ok(Pass { result, next_pass: false });
                    }
                    match next {
                        None => files = lay_out(run, test, checker_box)?,
                        Some(Next { number, input }) => files[0] = lay_out_next(checker_box, number, input)?,
                    }
                    let origin = run.origin(&result);
                    let checked = Checked {
                        engine: run.judging.engine,
                        inputs: run.judging.inputs,
                        test,
                        arguments,
                        origin,
                    };
                    let (opinion, next_pass) = check::ask_in_box(
                        &checked,
                        jury_program,
                        checker,
                        &files,
                        &mut stdout,
                        checker_box,
                        cancel,
                    )?;
                    let next_pass = next_pass && opinion.grade == Grade::Accepted;
                    take_in(&mut result, opinion);
                    Ok(Pass { result, next_pass })
                })
            })?
        }
    };
    instruments::tested(&runner.language.id, std::time::Duration::from_secs_f64(result.report.wall_ms / 1e3));
    result.report.verdict = decide(&result.applied);
    Ok(result)
}

/// Runs pass after pass.
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

/// The later pass, with the figures of the worst and the bytes of both.
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

/// The box of the jury's program.
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

/// Puts the input of a later pass beside what the checker left, and says where.
fn lay_out_next(sandbox_box: &mut BoxHandle, number: u32, input: &mut Capture) -> Result<String, Fault> {
    let name = format!("input-{number}");
    sandbox_box.keep_workspace();
    let workspace = sandbox_box.fresh_workspace()?;
    let mut reader = input.reader().map_err(|error| Fault::file("read", Path::new(&name), error))?;
    artifacts::write_new(workspace, &name, 0o644, &mut *reader)?;
    Ok(format!("{WORKSPACE}/{name}"))
}

/// What a testlib interactor wrote for the checker, where one is asked.
fn written(
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
