//! Two processes of one program, the second of which reads what the first writes (CMS, "TwoSteps").
//!
//! As in CMS, both are started at once, each in a box of its own with the limits of the problem: the first with the
//! arguments `0 PIPE` and the test's input, the second with `1 PIPE` and an empty input. What the second writes to standard
//! output is the submission's output. Both must end well; the first that does not decides. Times and memory in the report
//! are those of the process that needs more.
//!
//! In CMS, a first process that still writes when the second has left is killed by it or not, as they are scheduled. Here
//! what it still writes is taken and dropped, and a process that waits for one that has ended to open the pipe finds
//! the pipe at its end.

use std::cell::Cell;
use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::communication::{Directory, deciding_stderr, together};
use crate::cancel::CancelToken;
use crate::judge::exec::{Exec, Group, GroupFinished, GroupMember, Keep};
use crate::judge::fault::Fault;
use crate::judge::pipeline::TestRun;
use crate::judge::run_test::{self, Runner};
use crate::judge::test_result::TestResult;
use crate::package::Test;
use crate::sandbox::{BoxHandle, CHANNELS, Capture, Outcome, WORKSPACE};

/// Name of the pipe in its directory.
const PIPE: &str = "fifo";

/// Runs and checks one test.
///
/// # Errors
/// Whatever is not the contestant's doing.
pub(super) fn run_test(
    run: &TestRun<'_>,
    runner: &Runner<'_>,
    test: &Test,
    cancel: &[&CancelToken],
) -> Result<TestResult, Fault> {
    run.judge.preload(&test.input);
    let (mut result, mut stdout) = run.judge.in_boxes(&[&runner.shape, &runner.shape], cancel, |boxes| {
        let pipe = Pipe::make(run)?;
        let held = hold(run, runner, test, &pipe, boxes, cancel);
        // Also where it was cancelled: the boxes serve others next.
        boxes.iter_mut().try_for_each(|sandbox_box| sandbox_box.detach(CHANNELS))?;
        held
    })?;
    if result.applied.is_empty() {
        run_test::check(run, &mut result, test, &mut stdout, cancel)?;
    }
    Ok(result)
}

/// The named pipe between both, in a directory of its own.
struct Pipe {
    directory: Directory,
    path: PathBuf,
    /// A reading end, held so that what the first process writes stays, whoever reads it when.
    reader: File,
}

impl Pipe {
    fn make(run: &TestRun<'_>) -> Result<Self, Fault> {
        let directory = Directory::make(&run.judge.spill)?;
        let path = directory.path().join(PIPE);
        mkfifo(&path, Mode::S_IRWXU).map_err(|errno| Fault::file("make pipe", &path, errno))?;
        Directory::open_to_all(&path, 0o666)?;
        // Does not wait for a writer (fifo(7)).
        let reader = File::options()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(&path)
            .map_err(|error| Fault::file("open", &path, error))?;
        Directory::open_to_all(directory.path(), 0o755)?;
        Ok(Self { directory, path, reader })
    }

    /// Lets a second process that waits for a writer to open the pipe go on: there will be none.
    fn wake_reader(&self) {
        drop(File::options().write(true).custom_flags(libc::O_NONBLOCK).open(&self.path));
    }

    /// Takes what nobody will read.
    fn drain(&self) {
        let mut buffer = [0_u8; 64 * 1024];
        let mut reader = &self.reader;
        while matches!(reader.read(&mut buffer), Ok(taken) if taken == buffer.len()) {}
    }
}

/// Runs both processes; returns what they got for how they ended, and what the second wrote.
fn hold(
    run: &TestRun<'_>,
    runner: &Runner<'_>,
    test: &Test,
    pipe: &Pipe,
    boxes: &mut [BoxHandle],
    cancel: &[&CancelToken],
) -> Result<(TestResult, Capture), Fault> {
    let judge = run.judge;
    for sandbox_box in boxes.iter_mut() {
        runner.prepare(run, test, sandbox_box)?;
        sandbox_box.attach(CHANNELS, pipe.directory.path())?;
    }
    let [first_box, second_box] = boxes else {
        return Err(Fault::Panic("two steps have two boxes".to_owned()));
    };
    let input = run.inputs.open_for_program(&judge.sandbox, &test.input)?;
    let argvs = ["0", "1"].map(|step| {
        let mut argv = runner.argv_on(test);
        argv.extend([step.to_owned(), format!("{CHANNELS}/{PIPE}")]);
        argv
    });
    let stdins = [Some(input.as_fd()), None];
    // Nothing reads what the first one prints; its limit of output holds all the same.
    let stdouts = [Keep::First(0), Keep::All];
    let members = [first_box, second_box]
        .into_iter()
        .zip(&argvs)
        .zip(stdins.into_iter().zip(stdouts))
        .map(|((sandbox_box, argv), (stdin, stdout))| GroupMember {
            sandbox_box,
            exec: Exec {
                argv,
                env: &runner.env,
                directory: WORKSPACE,
                stdin,
                stdout,
                stderr: Keep::BothEnds,
                limits: runner.limits.on(test).limits.clone(),
            },
            serves: false,
        })
        .collect();
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
                pipe.wake_reader();
            }
            if ended[1].get() {
                pipe.drain();
            }
        },
    };
    let mut finished = group.run(judge, cancel)?;
    let result = judge_endings(runner, test, &mut finished)?;
    let Some(GroupFinished { ran: second, .. }) = finished.pop() else {
        return Err(Fault::Panic("two steps have two endings".to_owned()));
    };
    Ok((result, second.stdout))
}

/// What both got for how they ended, nothing where both ended well.
fn judge_endings(
    runner: &Runner<'_>,
    test: &Test,
    finished: &mut [GroupFinished],
) -> Result<TestResult, Fault> {
    let outcomes: Vec<Outcome> = finished.iter().map(|process| process.ran.outcome.clone()).collect();
    let mut outcome = together(&outcomes);
    // Each has the whole time limit.
    outcome.cpu = outcomes.iter().map(|outcome| outcome.cpu).max().unwrap_or_default();
    outcome.output_bytes = outcomes.last().map_or(0, |second| second.output_bytes);
    let stderr = deciding_stderr(finished, test)?;
    runner.judge_outcome(test, &outcome, &stderr)
}
