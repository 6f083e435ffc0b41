//! Runs one command in a box, or several that talk with each other, and collects what they write.
//!
//! The only place of the judge that assembles sandbox commands: standard streams, captures and the group's common ends.
//! Callers prepare the box (program, work directory), say which output they need, and judge the outcome.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::Path;
use std::time::Instant;

use crate::cancel::CancelToken;
use crate::judge::engine::Engine;
use crate::judge::fault::Fault;
use crate::sandbox::{
    BoxHandle, Capture, Command, Ending, Exit, GroupRun, Limits, Outcome, Participant, Stream, run_group,
};

/// Bytes kept of the standard error of the jury's programs; the rest is read and dropped.
pub(crate) const STDERR_LIMIT: u64 = 64 << 10;
/// Bytes kept of the beginning and of the end of a stream that is shown by both ends.
const BOTH_ENDS: (u64, usize) = (8 << 10, 64 << 10);

/// A command, before it runs.
pub(crate) struct Exec<'a> {
    /// Program and arguments.
    pub(crate) argv: &'a [String],
    /// The whole environment.
    pub(crate) env: &'a [String],
    /// Working directory inside the box.
    pub(crate) directory: &'a str,
    /// Standard input; `/dev/null` when `None`.
    pub(crate) stdin: Option<BorrowedFd<'a>>,
    pub(crate) stdout: Keep,
    pub(crate) stderr: Keep,
    pub(crate) limits: Limits,
}

/// How much of an output stream is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// The first bytes; all are counted against the output limit.
    First(u64),
    /// Everything.
    All,
    /// The beginning and the end, as [`both_ends`] does.
    BothEnds,
    /// Nothing, and nothing is counted: the stream is `/dev/null`, or the channel to another program of the group.
    Discard,
}

/// The end and the output of a command.
#[derive(Debug)]
pub(crate) struct Finished {
    /// How it ended and what it used.
    pub(crate) outcome: Outcome,
    pub(crate) stdout: Capture,
    pub(crate) stderr: Capture,
    /// When it was started.
    pub(crate) began: Instant,
}

impl Exec<'_> {
    /// Runs the command to its end; a command that was cancelled is returned with its outcome.
    ///
    /// # Errors
    /// When `/dev/null` cannot be opened or the sandbox fails.
    pub(crate) fn run(
        self,
        engine: &Engine,
        sandbox_box: &mut BoxHandle,
        cancel: &[&CancelToken],
    ) -> Result<Finished, Fault> {
        let mut streams = Streams::open(&self, &engine.spill)?;
        let began = Instant::now();
        let outcome = sandbox_box.run(streams.command(&self), cancel)?;
        let Streams { stdout, stderr, .. } = streams;
        Ok(Finished { outcome, stdout, stderr, began })
    }
}

/// One program of a group.
pub(crate) struct GroupMember<'a> {
    /// The box it runs in.
    pub(crate) sandbox_box: &'a mut BoxHandle,
    pub(crate) exec: Exec<'a>,
    /// Whether it serves the others: its wall limit begins when they have ended.
    pub(crate) serves: bool,
}

/// Programs that run at once, each in a box of its own.
pub(crate) struct Group<'a> {
    pub(crate) members: Vec<GroupMember<'a>>,
    /// Whether the first two are joined: either reads from standard input what the other writes to standard output.
    pub(crate) joined: bool,
    /// Called with everything a joined member writes, in order.
    pub(crate) on_words: &'a mut dyn FnMut(usize, &[u8]),
    /// Called when a member has ended; returns true to stop the others.
    pub(crate) on_end: &'a mut dyn FnMut(usize, &Ending) -> bool,
    /// Called from time to time once a member has ended.
    pub(crate) while_waiting: &'a mut dyn FnMut(),
}

/// The end and the output of one program of a group.
#[derive(Debug)]
pub(crate) struct GroupFinished {
    pub(crate) ran: Finished,
    /// Whether it ended before it could learn that a program it is joined with had.
    pub(crate) unprompted: bool,
}

impl GroupFinished {
    /// Returns how it ended, as the sandbox reports it.
    pub(crate) fn ending(&self) -> Ending {
        Ending { outcome: self.ran.outcome.clone(), unprompted: self.unprompted }
    }
}

impl Group<'_> {
    /// Runs all members to their ends; returns what each left, in their order.
    ///
    /// # Errors
    /// [`Fault::Cancelled`] when a token was cancelled; when the host ran out of memory meanwhile and may have killed a
    /// member; when the sandbox fails.
    pub(crate) fn run(self, engine: &Engine, cancel: &[&CancelToken]) -> Result<Vec<GroupFinished>, Fault> {
        let Group { members, joined, on_words, on_end, while_waiting } = self;
        let (boxes, execs): (Vec<_>, Vec<_>) =
            members.into_iter().map(|member| ((member.sandbox_box, member.serves), member.exec)).unzip();
        let mut streams = Vec::with_capacity(execs.len());
        for exec in &execs {
            streams.push(Streams::open(exec, &engine.spill)?);
        }
        let participants = boxes
            .into_iter()
            .zip(execs.iter().zip(&mut streams))
            .map(|((sandbox_box, serves), (exec, streams))| Participant {
                sandbox_box,
                command: streams.command(exec),
                serves,
            })
            .collect();
        let began = Instant::now();
        let endings =
            run_group(GroupRun { participants, joined, on_output: on_words, on_end, while_waiting }, cancel)?;
        if cancel.iter().any(|token| token.is_cancelled()) {
            return Err(Fault::Cancelled);
        }
        for Ending { outcome, .. } in &endings {
            if outcome.exit != Exit::Code(0) && outcome.stopped.is_empty() {
                engine.host_memory.has_spared_what_began(began)?;
            }
        }
        let finished = endings.into_iter().zip(streams).map(|(ending, streams)| {
            let (Ending { outcome, unprompted }, Streams { stdout, stderr, .. }) = (ending, streams);
            GroupFinished { ran: Finished { outcome, stdout, stderr, began }, unprompted }
        });
        Ok(finished.collect())
    }
}

/// A program and an interactor that are joined: either reads what the other writes to standard output.
pub(crate) struct Dialogue<'a> {
    pub(crate) program: (&'a mut BoxHandle, Exec<'a>),
    pub(crate) interactor: (&'a mut BoxHandle, Exec<'a>),
    /// Called with everything that either writes, in order; 0 is the program.
    pub(crate) on_words: &'a mut dyn FnMut(usize, &[u8]),
    /// Returns whether this end of the interactor stops the program.
    pub(crate) stops_program: &'a dyn Fn(&Outcome) -> bool,
}

impl Dialogue<'_> {
    /// Index of the program among the members.
    const PROGRAM: usize = 0;

    /// Runs both to their ends; returns what the program left, then what the interactor left.
    ///
    /// # Errors
    /// As [`Group::run`].
    pub(crate) fn run(self, engine: &Engine, cancel: &[&CancelToken]) -> Result<[GroupFinished; 2], Fault> {
        let Dialogue { program, interactor, on_words, stops_program } = self;
        let member = |(sandbox_box, exec), serves| GroupMember { sandbox_box, exec, serves };
        let group = Group {
            members: vec![member(program, false), member(interactor, true)],
            joined: true,
            on_words,
            on_end: &mut |place, ending| place != Self::PROGRAM && stops_program(&ending.outcome),
            while_waiting: &mut || {},
        };
        let finished = group.run(engine, cancel)?;
        finished.try_into().map_err(|_| Fault::Panic("a dialogue has two endings".to_owned()))
    }
}

/// The standard streams of one command.
struct Streams {
    /// `/dev/null`, in the place of every stream that is not given or kept.
    null: File,
    stdout: Capture,
    stderr: Capture,
}

impl Streams {
    fn open(exec: &Exec<'_>, spill: &Path) -> Result<Self, Fault> {
        let discards = exec.stdout == Keep::Discard || exec.stderr == Keep::Discard;
        Ok(Self {
            null: open_null(discards)?,
            stdout: exec.stdout.capture(spill),
            stderr: exec.stderr.capture(spill),
        })
    }

    fn command<'s>(&'s mut self, exec: &'s Exec<'_>) -> Command<'s> {
        let null = self.null.as_fd();
        let stream = |keep: Keep, capture: &'s mut Capture| match keep {
            Keep::Discard => Stream::Inherit(null),
            Keep::First(_) | Keep::All | Keep::BothEnds => Stream::Capture(capture),
        };
        Command {
            argv: exec.argv,
            env: exec.env,
            directory: exec.directory,
            stdin: exec.stdin.unwrap_or(null),
            stdout: stream(exec.stdout, &mut self.stdout),
            stderr: stream(exec.stderr, &mut self.stderr),
            limits: exec.limits.clone(),
        }
    }
}

impl Keep {
    fn capture(self, spill: &Path) -> Capture {
        match self {
            Self::First(bytes) => Capture::at_most(bytes, spill),
            Self::All => Capture::whole(spill),
            Self::BothEnds => both_ends(spill),
            Self::Discard => Capture::at_most(0, spill),
        }
    }
}

/// Returns a capture that keeps the first 8 KiB and the last 64 KiB of a stream.
pub(crate) fn both_ends(spill: &Path) -> Capture {
    Capture::both_ends(BOTH_ENDS.0, BOTH_ENDS.1, spill)
}

fn open_null(writes: bool) -> Result<File, Fault> {
    let path = Path::new("/dev/null");
    File::options().read(true).write(writes).open(path).map_err(|error| Fault::file("open", path, error))
}

/// Reads everything that a capture kept.
///
/// # Errors
/// When its spill file cannot be read.
pub(crate) fn read_all(capture: &mut Capture, spill: &Path) -> Result<Vec<u8>, Fault> {
    read_first(capture, u64::MAX, spill)
}

/// Reads as [`read_all`] does, at most the first `limit` bytes.
pub(crate) fn read_first(capture: &mut Capture, limit: u64, spill: &Path) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    let read = capture.reader().and_then(|reader| reader.take(limit).read_to_end(&mut bytes));
    read.map_err(|error| Fault::file("read", spill, error))?;
    Ok(bytes)
}
