//! A manager and several processes of the contestant's, each in a box of its own (CMS, "Communication").
//!
//! They talk through named pipes, a pair a process, as in CMS: each process sees its own pair alone, the manager
//! all of them. The kernel carries the words; what is written is not counted. The manager reads the test's
//! input from its standard input or from `input.txt`, is told the pipes' paths (from and to the first
//! process, then the second), and answers as a CMS checker does. Each process is told its own two (from the manager, to the
//! manager) or has them as its standard streams, and its number where there are several.
//!
//! What counts follows CMS: every process has the limits of the problem, and so has their CPU time together. One that fails
//! decides against the submission whatever the manager says; a manager that does not end well is a judging error,
//! unless it was stopped by the end of a process that had failed itself. Only then does the manager's
//! score count. When the manager has left, what a process still writes is taken and dropped: no verdict depends on
//! whether a process writes before or after that.

use std::cell::RefCell;
use std::fs::{File, Permissions};
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::stat::Mode;
use nix::unistd::{mkfifo, symlinkat};

use crate::cancel::CancelToken;
use crate::checker::{CustomScore, Feedback, Finished, Opinion, Protocol};
use crate::judge::check::{self, SAID_LIMIT, Said};
use crate::judge::exec::{Exec, Group, GroupFinished, GroupMember, Keep};
use crate::judge::fault::Fault;
use crate::judge::last_words::StandardError;
use crate::judge::pipeline::TestRun;
use crate::judge::run_test::Runner;
use crate::judge::test_result::{TestResult, take_in};
use crate::judge::tool::Tool;
use crate::package::{Channel, Communication, Test};
use crate::sandbox::{BoxHandle, CHANNELS, Exit, MemorySource, Outcome, PROGRAM, Shape, Stopped, WORKSPACE};
use crate::units::Bytes;

/// Names in the directory of one process.
const TO_MANAGER: &str = "to_manager";
const FROM_MANAGER: &str = "from_manager";
/// Where managers look for the input.
const INPUT: &str = "input.txt";
/// More processes than any problem has.
const MOST: u32 = 64;

/// Has a shell open the pipes, one after the other and waiting for the other side, as CMS's sandbox does.
const WITH_STREAMS: &str = r#"in=$1 out=$2; shift 2; exec "$@" <"$in" >"$out""#;

/// Runs and checks one test.
pub(super) fn run_test(
    run: &TestRun<'_>,
    runner: &Runner<'_>,
    test: &Test,
    (tool, communication): (&Tool, &Communication),
    cancel: &[&CancelToken],
) -> Result<TestResult, Fault> {
    if !(1..=MOST).contains(&communication.processes) {
        return Err(Fault::Package(format!(
            "num_processes is {}, and must be 1 to {MOST}",
            communication.processes
        )));
    }
    run.judge.preload(&test.input);
    let count = communication.processes as usize;
    let shapes: Vec<&Shape> = std::iter::repeat_n(&runner.shape, count).chain([&tool.shape]).collect();
    run.judge.in_boxes(&shapes, cancel, |boxes| {
        let pipes = Pipes::make(&run.judge.spill, count)?;
        let talk = Talk { run, runner, test, tool, communication, pipes: &pipes };
        let held = talk.hold(boxes, cancel);
        // Also where it was cancelled: the boxes serve others next.
        let detached = boxes.iter_mut().try_for_each(|sandbox_box| sandbox_box.detach(CHANNELS));
        let (ended, said) = held?;
        detached?;
        talk.conclude(&ended, said)
    })
}

/// A directory for named pipes, removed with what is in it. It is locked for as long as it is used, so that what a killed
/// process left can be told apart.
#[derive(Debug)]
pub(super) struct Directory {
    directory: tempfile::TempDir,
    _lock: File,
}

impl Directory {
    pub(super) fn make(place: &Path) -> Result<Self, Fault> {
        let directory = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir_in(place)
            .map_err(|error| Fault::file("make a directory in", place, error))?;
        let lock = File::open(directory.path())
            .and_then(|lock| lock.lock().map(|()| lock))
            .map_err(|error| Fault::file("lock", directory.path(), error))?;
        Ok(Self { directory, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Sets a mode whatever our umask: the boxes' users are others. Nobody else gets past the directory above.
    pub(super) fn open_to_all(path: &Path, mode: u32) -> Result<(), Fault> {
        std::fs::set_permissions(path, Permissions::from_mode(mode))
            .map_err(|error| Fault::file("open to all", path, error))
    }
}

/// The named pipes of one run.
#[derive(Debug)]
struct Pipes {
    directory: Directory,
    count: usize,
    /// Reading ends of what the processes write, held so that a process that still writes when the manager has left is not
    /// killed by it: whether it would be hangs on who was scheduled first.
    readers: Vec<File>,
}

/// What the directories' names begin with.
const PREFIX: &str = "pipes-";
/// A directory younger than this may be about to be locked.
const YOUTH: Duration = Duration::from_secs(60);

/// Removes directories of pipes that processes left that were killed.
pub(in crate::judge) fn sweep(place: &Path) {
    sweep_older_than(place, YOUTH);
}

fn sweep_older_than(place: &Path, age: Duration) {
    let is_left = |path: &Path| {
        let lock = File::open(path).ok()?;
        let since = lock.metadata().ok()?.modified().ok()?.elapsed().ok()?;
        (since >= age && lock.try_lock().is_ok()).then_some(())
    };
    for entry in std::fs::read_dir(place).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        if is_ours
            && is_left(&entry.path()).is_some()
            && let Err(error) = std::fs::remove_dir_all(entry.path())
        {
            tracing::warn!(path = %entry.path().display(), %error, "pipes of a dead process cannot be removed");
        }
    }
}

impl Pipes {
    fn make(place: &Path, count: usize) -> Result<Self, Fault> {
        let directory = Directory::make(place)?;
        let mut pipes = Self { directory, count, readers: Vec::with_capacity(count) };
        for number in 0..count {
            let folder = pipes.of(number);
            std::fs::create_dir(&folder).map_err(|error| Fault::file("make directory", &folder, error))?;
            for name in [TO_MANAGER, FROM_MANAGER] {
                let path = folder.join(name);
                mkfifo(&path, Mode::S_IRWXU).map_err(|errno| Fault::file("make pipe", &path, errno))?;
                Directory::open_to_all(&path, 0o666)?;
            }
            Directory::open_to_all(&folder, 0o755)?;
            // Does not wait for a writer (fifo(7)).
            let path = folder.join(TO_MANAGER);
            let reader = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(&path);
            pipes.readers.push(reader.map_err(|error| Fault::file("open", &path, error))?);
        }
        Directory::open_to_all(pipes.directory.path(), 0o755)?;
        Ok(pipes)
    }

    /// The directory of one process.
    fn of(&self, number: usize) -> PathBuf {
        self.directory.path().join(number.to_string())
    }

    /// Takes what the processes write to a manager that has left, so that none of them waits for it for ever.
    fn drain(&self) {
        let mut buffer = [0_u8; 64 * 1024];
        for mut reader in &self.readers {
            // At most a pipe's worth a turn; an empty pipe would block, and has nothing to take.
            while matches!(reader.read(&mut buffer), Ok(taken) if taken == buffer.len()) {}
        }
    }

    /// Wakes a manager that waits for a process that has ended to open its pipes: it finds them at their end.
    fn wake_manager(&self, ended: &[bool]) {
        for number in (0..self.count).filter(|number| ended.get(*number) == Some(&true)) {
            let folder = self.of(number);
            // Opening succeeds where the other side has it open, or waits to (fifo(7)).
            let open = |name: &str, writes: bool| {
                let mut options = File::options();
                options.read(!writes).write(writes).custom_flags(libc::O_NONBLOCK);
                drop(options.open(folder.join(name)));
            };
            open(TO_MANAGER, true);
            open(FROM_MANAGER, false);
        }
    }
}

/// What the processes and the manager left.
struct Ended {
    processes: Vec<Outcome>,
    manager: Outcome,
    /// Of the process that decides.
    stderr: StandardError,
}

/// Everything one run is about.
struct Talk<'a> {
    run: &'a TestRun<'a>,
    runner: &'a Runner<'a>,
    test: &'a Test,
    tool: &'a Tool,
    communication: &'a Communication,
    pipes: &'a Pipes,
}

impl Talk<'_> {
    fn hold(
        &self,
        boxes: &mut [BoxHandle],
        cancel: &[&CancelToken],
    ) -> Result<(Ended, Result<Opinion, Fault>), Fault> {
        let judge = self.run.judge;
        let Some((manager_box, process_boxes)) = boxes.split_last_mut() else {
            return Err(Fault::Panic("a manager has a box".to_owned()));
        };
        let [input, _] = check::show_files(self.run.inputs, self.test, manager_box)?;
        symlinkat(input.as_str(), manager_box.workspace(), INPUT)
            .map_err(|errno| Fault::file("link", Path::new(INPUT), errno))?;
        manager_box.attach(PROGRAM, self.tool.directory())?;
        manager_box.attach(CHANNELS, self.pipes.directory.path())?;
        for (number, process_box) in process_boxes.iter_mut().enumerate() {
            self.runner.prepare(self.run, self.test, process_box)?;
            process_box.attach(CHANNELS, &self.pipes.of(number))?;
        }
        let argvs: Vec<_> = (0..process_boxes.len()).map(|number| self.process_argv(number)).collect();
        let manager_argv = self.manager_argv();
        let stdin = self.run.inputs.open_for_program(&judge.sandbox, &self.test.input)?;
        let manager = self.tool.exec(&manager_argv, Some(stdin.as_fd()), Keep::First(SAID_LIMIT));
        let manager_place = process_boxes.len();
        let mut members = Vec::with_capacity(process_boxes.len() + 1);
        for (process_box, argv) in process_boxes.iter_mut().zip(&argvs) {
            let exec = Exec {
                argv,
                env: &self.runner.env,
                directory: WORKSPACE,
                stdin: None,
                stdout: Keep::Discard,
                stderr: Keep::BothEnds,
                limits: self.runner.limits.on(self.test).limits.clone(),
            };
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
        let mut processes = group.run(judge, cancel)?;
        let Some(GroupFinished { ran: manager, .. }) = processes.pop() else {
            return Err(Fault::Panic("a manager has an ending".to_owned()));
        };
        let stderr = deciding_stderr(&mut processes, self.test)?;
        let ended = Ended {
            processes: processes.into_iter().map(|process| process.ran.outcome).collect(),
            manager: manager.outcome.clone(),
            stderr,
        };
        Ok((ended, Said::of(manager, &judge.spill).and_then(|said| self.interpret(said))))
    }

    fn interpret(&self, said: Said) -> Result<Opinion, Fault> {
        let code = check::exit_code(self.tool, &said)?;
        let feedback = Feedback::default();
        let finished = Finished { code, stdout: &said.stdout, stderr: &said.stderr, feedback: &feedback };
        Protocol::Cms
            .interpret(&finished, CustomScore::Required)
            .map_err(|broken| Fault::Checker(format!("{}: {broken}", self.tool.name)))
    }

    fn manager_argv(&self) -> Vec<String> {
        let pipes = (0..self.pipes.count)
            .flat_map(|number| [TO_MANAGER, FROM_MANAGER].map(|name| format!("{CHANNELS}/{number}/{name}")));
        self.tool.argv.iter().cloned().chain(pipes).collect()
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

    fn conclude(
        &self,
        Ended { processes, manager, stderr }: &Ended,
        said: Result<Opinion, Fault>,
    ) -> Result<TestResult, Fault> {
        let outcome = together(processes);
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

/// Whether a manager was killed by writing to a process that had left.
fn is_cut_off(manager: &Outcome) -> bool {
    manager.exit == Exit::Signal(libc::SIGPIPE) && manager.stopped.is_empty()
}

/// Reads the standard error of the process that decides: the first that failed, else the first that wrote something.
pub(super) fn deciding_stderr(processes: &mut [GroupFinished], test: &Test) -> Result<StandardError, Fault> {
    let failed = processes.iter().position(|process| process.ran.outcome.exit != Exit::Code(0));
    let wrote = || processes.iter().position(|process| process.ran.stderr.total() > 0);
    let decides = failed.or_else(wrote).unwrap_or(0);
    let Some(process) = processes.get_mut(decides) else { return Ok(StandardError::default()) };
    StandardError::of(&mut process.ran.stderr)
        .map_err(|error| Fault::file("read the standard error of", &test.input, error))
}

/// The processes as one: the end of the first that failed, every limit that was met, their time and memory together.
pub(super) fn together(processes: &[Outcome]) -> Outcome {
    let mut all = Outcome {
        exit: Exit::Code(0),
        stopped: Vec::new(),
        cpu: Duration::ZERO,
        wall: Duration::ZERO,
        memory: Bytes(0),
        memory_bound: Some(Bytes(0)),
        memory_source: MemorySource::default(),
        output_bytes: 0,
        asked_to_end: Some(false),
    };
    for outcome in processes {
        if all.exit == Exit::Code(0) {
            (all.exit, all.asked_to_end) = (outcome.exit, outcome.asked_to_end);
        }
        for stopped in &outcome.stopped {
            if !all.stopped.contains(stopped) {
                all.stopped.push(*stopped);
            }
        }
        all.cpu += outcome.cpu;
        all.wall = all.wall.max(outcome.wall);
        if outcome.memory >= all.memory {
            (all.memory, all.memory_source) = (outcome.memory, outcome.memory_source);
        }
        all.memory_bound = all.memory_bound.zip(outcome.memory_bound).map(|(one, other)| one.max(other));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pipes_in_use_stay_and_those_of_the_dead_go() {
        let place = tempfile::tempdir().unwrap();
        let other = place.path().join("spilled");
        std::fs::write(&other, "").unwrap();
        let used = Pipes::make(place.path(), 2).unwrap();
        let Pipes { directory: Directory { directory, _lock: lock }, .. } =
            Pipes::make(place.path(), 1).unwrap();
        let left = directory.keep();
        drop(lock);
        sweep(place.path());
        assert!(left.exists());
        sweep_older_than(place.path(), Duration::ZERO);
        assert!(!left.exists() && used.of(1).join(TO_MANAGER).exists() && other.exists());
        let path = used.directory.path().to_owned();
        drop(used);
        assert!(!path.exists());
    }
}
