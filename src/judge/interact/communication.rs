//! Runs a manager and several processes of the submission, each in a box of its own (CMS, "Communication").
//!
//! They talk through named pipes, a pair for each process, as in CMS: a process sees its own pair, the manager sees all.
//! Bytes in the pipes are not counted. The manager reads the test's input from standard input or from `input.txt`, gets the
//! pipes' paths as arguments (from and to the first process, then the second), and answers as a CMS checker does. Each
//! process gets its own two paths (from the manager, to the manager) or has them as its standard streams, and its number
//! where there are several processes.
//!
//! Rules follow CMS. Every process has the limits of the problem, and so has the sum of their CPU times. A process that
//! fails decides against the submission, whatever the manager answers. A manager that fails is a judging error, unless the
//! end of a failed process stopped it. Otherwise the manager's score counts. When the manager has ended, output of the
//! processes is read and dropped, so that no verdict depends on whether a process writes before or after that end.

use std::cell::RefCell;
use std::fs::File;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use nix::unistd::symlinkat;

use crate::cancel::CancelToken;
use crate::checker::{CustomScore, Feedback, Finished, Opinion, Protocol};
use crate::judge::exec::{Group, GroupFinished, GroupMember, Keep};
use crate::judge::fault::Fault;
use crate::judge::interact::processes::{
    PipeDirectory, combine, deciding_stderr, drain, make_fifo, wake_other_end,
};
use crate::judge::jury::program::{BuiltProgram, KEPT_OUTPUT, RunOutput};
use crate::judge::test::check;
use crate::judge::test::context::TestRun;
use crate::judge::test::result::{TestResult, take_in};
use crate::judge::test::runner::Runner;
use crate::judge::test::stderr::StandardError;
use crate::package::{Channel, Communication, Test};
use crate::sandbox::{BoxHandle, CHANNELS, Exit, Outcome, PROGRAM, Shape, Stopped};

/// Names of the pipes in the directory of one process.
const TO_MANAGER: &str = "to_manager";
const FROM_MANAGER: &str = "from_manager";
/// Name under which managers open the input.
const INPUT: &str = "input.txt";
/// Largest number of processes.
const MOST: u32 = 64;

/// Shell script that opens the pipes as standard streams, one after the other and waiting for the other side, as CMS does.
const WITH_STREAMS: &str = r#"in=$1 out=$2; shift 2; exec "$@" <"$in" >"$out""#;

/// Runs and checks one test.
pub(crate) fn run_test(
    run: &TestRun<'_>,
    runner: &Runner<'_>,
    test: &Test,
    (jury_program, communication): (&BuiltProgram, &Communication),
    cancel: &[&CancelToken],
) -> Result<TestResult, Fault> {
    if !(1..=MOST).contains(&communication.processes) {
        return Err(Fault::Package(format!(
            "num_processes is {}, and must be 1 to {MOST}",
            communication.processes
        )));
    }
    run.judging.engine.preload(&test.input);
    let count = communication.processes as usize;
    let shapes: Vec<&Shape> =
        std::iter::repeat_n(&runner.shape, count).chain([&jury_program.shape]).collect();
    run.judging.engine.in_boxes(&shapes, cancel, |boxes| {
        let pipes = Pipes::make(&run.judging.engine.spill, count)?;
        let communication_run =
            CommunicationRun { run, runner, test, jury_program, communication, pipes: &pipes };
        let ran = communication_run.run_group(boxes, cancel);
        // Also where it was cancelled: the boxes serve others next.
        let detached = boxes.iter_mut().try_for_each(|sandbox_box| sandbox_box.detach(CHANNELS));
        let (ended, said) = ran?;
        detached?;
        communication_run.conclude(&ended, said)
    })
}

/// The named pipes of one run.
#[derive(Debug)]
struct Pipes {
    directory: PipeDirectory,
    count: usize,
    /// Reading ends of the processes' pipes: a process that still writes when the manager has ended is not killed, which
    /// would depend on the scheduling.
    readers: Vec<File>,
}

impl Pipes {
    fn make(place: &Path, count: usize) -> Result<Self, Fault> {
        let directory = PipeDirectory::make(place)?;
        let mut pipes = Self { directory, count, readers: Vec::with_capacity(count) };
        for number in 0..count {
            let folder = pipes.of(number);
            std::fs::create_dir(&folder).map_err(|error| Fault::file("make directory", &folder, error))?;
            drop(make_fifo(&folder.join(FROM_MANAGER))?);
            pipes.readers.push(make_fifo(&folder.join(TO_MANAGER))?);
            PipeDirectory::open_to_all(&folder, 0o755)?;
        }
        PipeDirectory::open_to_all(pipes.directory.path(), 0o755)?;
        Ok(pipes)
    }

    /// Returns the directory of one process.
    fn of(&self, number: usize) -> PathBuf {
        self.directory.path().join(number.to_string())
    }

    /// Drops what the processes write to a manager that has ended, so that none of them waits for it.
    fn drain(&self) {
        self.readers.iter().for_each(drain);
    }

    /// Wakes a manager that waits for a process that has ended to open its pipes: it reads end of file.
    fn wake_manager(&self, ended: &[bool]) {
        for number in (0..self.count).filter(|number| ended.get(*number) == Some(&true)) {
            let folder = self.of(number);
            wake_other_end(&folder.join(TO_MANAGER), true);
            wake_other_end(&folder.join(FROM_MANAGER), false);
        }
    }
}

/// The outcomes of all processes and of the manager.
struct Ended {
    processes: Vec<Outcome>,
    manager: Outcome,
    /// Standard error of the process that decides.
    stderr: StandardError,
}

/// A test, the submission and the manager that run on it.
struct CommunicationRun<'a> {
    run: &'a TestRun<'a>,
    runner: &'a Runner<'a>,
    test: &'a Test,
    jury_program: &'a BuiltProgram,
    communication: &'a Communication,
    pipes: &'a Pipes,
}

impl CommunicationRun<'_> {
    /// Runs all to their ends; returns how they ended and the manager's opinion.
    fn run_group(
        &self,
        boxes: &mut [BoxHandle],
        cancel: &[&CancelToken],
    ) -> Result<(Ended, Result<Opinion, Fault>), Fault> {
        let engine = self.run.judging.engine;
        let Some((manager_box, process_boxes)) = boxes.split_last_mut() else {
            return Err(Fault::Panic("a manager has a box".to_owned()));
        };
        self.prepare(process_boxes, manager_box)?;
        let argvs: Vec<_> = (0..process_boxes.len()).map(|number| self.process_argv(number)).collect();
        let manager_argv = self.manager_argv();
        let stdin = self.run.judging.inputs.open_for_program(&engine.sandbox, &self.test.input)?;
        let manager = self.jury_program.exec(&manager_argv, Some(stdin.as_fd()), Keep::First(KEPT_OUTPUT));
        let manager_place = process_boxes.len();
        let mut members = Vec::with_capacity(process_boxes.len() + 1);
        for (process_box, argv) in process_boxes.iter_mut().zip(&argvs) {
            let exec = self.runner.exec(self.test, argv, None, Keep::Discard);
            members.push(GroupMember { sandbox_box: process_box, exec, serves: false });
        }
        members.push(GroupMember { sandbox_box: manager_box, exec: manager, serves: true });
        let ended = RefCell::new(vec![false; manager_place + 1]);
        let group = Group {
            members,
            joined: false,
            on_words: &mut |_, _| {},
            on_end: &mut |place, ending| {
                if let Some(ended) = ended.borrow_mut().get_mut(place) {
                    *ended = true;
                }
                // A manager that has given its score lets the processes end as they like, and so does one that was cut
                // off by the end of one of them, which is then to be seen. Any other ends them.
                place == manager_place && !is_cut_off(&ending.outcome) && !has_ended_well(&ending.outcome)
            },
            while_waiting: &mut || {
                let ended = ended.borrow();
                match ended.get(manager_place) {
                    Some(true) => self.pipes.drain(),
                    _ => self.pipes.wake_manager(&ended),
                }
            },
        };
        let mut processes = group.run(engine, cancel)?;
        let Some(GroupFinished { ran: manager, .. }) = processes.pop() else {
            return Err(Fault::Panic("a manager has an ending".to_owned()));
        };
        let stderr = deciding_stderr(&mut processes, self.test)?;
        let ended = Ended {
            processes: processes.into_iter().map(|process| process.ran.outcome).collect(),
            manager: manager.outcome.clone(),
            stderr,
        };
        Ok((ended, self.interpret(RunOutput::read(manager, &engine.spill)?)))
    }

    /// Shows programs, files and pipes in all boxes.
    fn prepare(&self, process_boxes: &mut [BoxHandle], manager_box: &mut BoxHandle) -> Result<(), Fault> {
        let [input, _] = check::show_files(self.run.judging.inputs, self.test, manager_box)?;
        symlinkat(input.as_str(), manager_box.workspace(), INPUT)
            .map_err(|errno| Fault::file("link", Path::new(INPUT), errno))?;
        manager_box.attach(PROGRAM, self.jury_program.directory())?;
        manager_box.attach(CHANNELS, self.pipes.directory.path())?;
        for (number, process_box) in process_boxes.iter_mut().enumerate() {
            self.runner.prepare(self.run.judging.inputs, self.test, process_box)?;
            process_box.attach(CHANNELS, &self.pipes.of(number))?;
        }
        Ok(())
    }

    /// Interprets the manager's answer as that of a CMS checker.
    fn interpret(&self, said: RunOutput) -> Result<Opinion, Fault> {
        let code = self.jury_program.exit_code(&said)?;
        let feedback = Feedback::default();
        let finished = Finished { code, stdout: &said.stdout, stderr: &said.stderr, feedback: &feedback };
        Protocol::Cms
            .interpret(&finished, CustomScore::Required)
            .map_err(|broken| Fault::Checker(format!("{}: {broken}", self.jury_program.name)))
    }

    fn manager_argv(&self) -> Vec<String> {
        let pipes = (0..self.pipes.count)
            .flat_map(|number| [TO_MANAGER, FROM_MANAGER].map(|name| format!("{CHANNELS}/{number}/{name}")));
        self.jury_program.argv.iter().cloned().chain(pipes).collect()
    }

    fn process_argv(&self, number: usize) -> Vec<String> {
        let pipes = [FROM_MANAGER, TO_MANAGER].map(|name| format!("{CHANNELS}/{name}"));
        let index = (self.pipes.count > 1).then(|| number.to_string());
        let own = self.runner.argv_on(self.test).into_iter();
        match self.communication.channel {
            Channel::Fifos => own.chain(pipes).chain(index).collect(),
            Channel::StandardStreams => ["/bin/sh", "-c", WITH_STREAMS, "sh"]
                .map(str::to_owned)
                .into_iter()
                .chain(pipes)
                .chain(own)
                .chain(index)
                .collect(),
        }
    }

    /// Decides by the end of the processes and the manager's opinion.
    fn conclude(
        &self,
        Ended { processes, manager, stderr }: &Ended,
        said: Result<Opinion, Fault>,
    ) -> Result<TestResult, Fault> {
        let outcome = combine(processes);
        let mut result = self.runner.judge_outcome(self.test, &outcome, stderr)?;
        let is_certain = outcome.stopped.first().is_some_and(|stopped| *stopped != Stopped::Cancelled)
            && !outcome.stopped.contains(&Stopped::Wall);
        let has_failed = !result.applied.is_empty();
        match said {
            _ if has_failed && is_certain => {}
            Err(_) if has_failed && is_cut_off(manager) => {}
            Err(fault) => return Err(fault),
            Ok(opinion) if has_failed => {
                result.report.judge_message =
                    Some(opinion.judge_message).filter(|message| !message.is_empty());
            }
            Ok(opinion) => take_in(&mut result, opinion),
        }
        Ok(result)
    }
}

fn has_ended_well(manager: &Outcome) -> bool {
    manager.exit == Exit::Code(0) && manager.stopped.is_empty()
}

/// Returns whether a manager was killed by writing to a process that had ended.
fn is_cut_off(manager: &Outcome) -> bool {
    manager.exit == Exit::Signal(libc::SIGPIPE) && manager.stopped.is_empty()
}
