//! Runs two processes of one program, the second of which reads the output of the first (CMS, "TwoSteps").
//!
//! As in CMS, both start at once, each in a box of its own with the limits of the problem: the first with the arguments
//! `0 PIPE` and the test's input, the second with `1 PIPE` and an empty input. The standard output of the second is the
//! submission's output. Both must end well; the first that fails decides. Times and memory in the report are those of the
//! process that needs more.
//!
//! In CMS, a first process that still writes when the second has ended may be killed, depending on the scheduling. Here its
//! output is read and dropped, and a process that opens the pipe after the other has ended reads end of file.

use std::cell::Cell;
use std::fs::File;
use std::os::fd::AsFd as _;
use std::path::PathBuf;

use crate::cancel::CancelToken;
use crate::judge::engine::Engine;
use crate::judge::exec::{Group, GroupFinished, GroupMember, Keep};
use crate::judge::fault::Fault;
use crate::judge::interact::processes::{
    PipeDirectory, combine, deciding_stderr, drain, make_fifo, wake_other_end,
};
use crate::judge::test::context::TestRun;
use crate::judge::test::result::TestResult;
use crate::judge::test::runner::Runner;
use crate::package::Test;
use crate::sandbox::{BoxHandle, CHANNELS, Capture, Outcome};

/// Name of the pipe in its directory.
const PIPE: &str = "fifo";

/// Runs both processes on one test and checks the output.
///
/// # Errors
/// Every failure that is not the contestant's fault.
pub(crate) fn run_test(
    run: &TestRun<'_>,
    runner: &Runner<'_>,
    test: &Test,
    cancel: &[&CancelToken],
) -> Result<TestResult, Fault> {
    run.judging.engine.preload(&test.input);
    let (mut result, mut stdout) =
        run.judging.engine.in_boxes(&[&runner.shape, &runner.shape], cancel, |boxes| {
            let pipe = Pipe::make(run)?;
            let held = hold(run, runner, test, &pipe, boxes, cancel);
            // Also where it was cancelled: the boxes serve others next.
            boxes.iter_mut().try_for_each(|sandbox_box| sandbox_box.detach(CHANNELS))?;
            held
        })?;
    if result.applied.is_empty() {
        run.check(&mut result, test, &mut stdout, cancel)?;
    }
    Ok(result)
}

/// The named pipe between both processes, in a directory of its own.
struct Pipe {
    directory: PipeDirectory,
    path: PathBuf,
    /// A reading end, which keeps what the first process writes until the second reads it.
    reader: File,
}

impl Pipe {
    fn make(run: &TestRun<'_>) -> Result<Self, Fault> {
        let directory = PipeDirectory::make(&run.judging.engine.spill)?;
        let path = directory.path().join(PIPE);
        let reader = make_fifo(&path)?;
        PipeDirectory::open_to_all(directory.path(), 0o755)?;
        Ok(Self { directory, path, reader })
    }
}

/// Runs both processes; returns the result of their ends and the output of the second.
fn hold(
    run: &TestRun<'_>,
    runner: &Runner<'_>,
    test: &Test,
    pipe: &Pipe,
    boxes: &mut [BoxHandle],
    cancel: &[&CancelToken],
) -> Result<(TestResult, Capture), Fault> {
    let engine = run.judging.engine;
    for sandbox_box in boxes.iter_mut() {
        runner.prepare(run.judging.inputs, test, sandbox_box)?;
        sandbox_box.attach(CHANNELS, pipe.directory.path())?;
    }
    let [first_box, second_box] = boxes else {
        return Err(Fault::Panic("two steps have two boxes".to_owned()));
    };
    let input = run.judging.inputs.open_for_program(&engine.sandbox, &test.input)?;
    let argvs = ["0", "1"].map(|step| {
        let mut argv = runner.argv_on(test);
        argv.extend([step.to_owned(), format!("{CHANNELS}/{PIPE}")]);
        argv
    });
    let stdins = [Some(input.as_fd()), None];
    // The output of the first is not used, but its output limit holds.
    let stdouts = [Keep::First(0), Keep::All];
    let members = [first_box, second_box]
        .into_iter()
        .zip(&argvs)
        .zip(stdins.into_iter().zip(stdouts))
        .map(|((sandbox_box, argv), (stdin, stdout))| GroupMember {
            sandbox_box,
            exec: runner.exec(test, argv, stdin, stdout),
            serves: false,
        })
        .collect();
    let mut finished = run_group(members, pipe, engine, cancel)?;
    let result = judge_endings(runner, test, &mut finished)?;
    let Some(GroupFinished { ran: second, .. }) = finished.pop() else {
        return Err(Fault::Panic("two steps have two endings".to_owned()));
    };
    Ok((result, second.stdout))
}

/// Runs the group; when one process has ended, the other is neither blocked by the pipe nor killed by it.
fn run_group(
    members: Vec<GroupMember<'_>>,
    pipe: &Pipe,
    engine: &Engine,
    cancel: &[&CancelToken],
) -> Result<Vec<GroupFinished>, Fault> {
    let ended = [Cell::new(false), Cell::new(false)];
    let group = Group {
        members,
        joined: false,
        on_words: &mut |_, _| {},
        on_end: &mut |place, _| {
            if let Some(ended) = ended.get(place) {
                ended.set(true);
            }
            false
        },
        while_waiting: &mut || {
            if ended[0].get() {
                // The second waits for a writer to open the pipe, and there will be none.
                wake_other_end(&pipe.path, true);
            }
            if ended[1].get() {
                drain(&pipe.reader);
            }
        },
    };
    group.run(engine, cancel)
}

/// Judges how both ended; the result is empty where both ended well.
fn judge_endings(
    runner: &Runner<'_>,
    test: &Test,
    finished: &mut [GroupFinished],
) -> Result<TestResult, Fault> {
    let outcomes: Vec<Outcome> = finished.iter().map(|process| process.ran.outcome.clone()).collect();
    let mut outcome = combine(&outcomes);
    // Each has the whole time limit.
    outcome.cpu = outcomes.iter().map(|outcome| outcome.cpu).max().unwrap_or_default();
    outcome.output_bytes = outcomes.last().map_or(0, |second| second.output_bytes);
    let stderr = deciding_stderr(finished, test)?;
    runner.judge_outcome(test, &outcome, &stderr)
}
