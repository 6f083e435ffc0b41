//! A command to run in a box with its limits, and the outcome of its run.
//!
//! An outcome consists of facts. `judge` decides whether they are the contestant's fault; the sandbox knows no verdicts.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use super::run::capture::Capture;
use crate::units::Bytes;

/// One program to run in a box.
#[derive(Debug)]
pub struct Command<'a> {
    /// Program and arguments; the program is an absolute path inside the box or a name looked up in the
    /// box's `/usr/local/bin:/usr/bin:/bin`.
    pub argv: &'a [String],
    /// The whole environment, `NAME=value`.
    pub env: &'a [String],
    /// Working directory inside the box.
    pub directory: &'a str,
    /// Standard input. Its file offset moves, so it must not share its open file description.
    pub stdin: BorrowedFd<'a>,
    /// The destination of standard output.
    pub stdout: Stream<'a>,
    /// The destination of standard error.
    pub stderr: Stream<'a>,
    /// Its limits.
    pub limits: Limits,
}

/// The destination of an output stream of a program.
#[derive(Debug)]
pub enum Stream<'a> {
    /// A capture; counted, and limited by [`Limits::output`].
    Capture(&'a mut Capture),
    /// This descriptor, uncounted.
    Inherit(BorrowedFd<'a>),
}

/// The limits of a run; `None` means no limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// CPU time of the whole process tree.
    pub cpu: Option<Duration>,
    /// Wall time since the command was sent to the box, without time in which the box was ready to run but the host gave it
    /// no core.
    pub wall: Option<Duration>,
    /// Memory of the whole process tree.
    pub memory: Option<Bytes>,
    /// Bytes on captured standard output; more ends the run.
    pub output: Option<Bytes>,
    /// Largest file the program may write (RLIMIT_FSIZE).
    pub file_size: Option<Bytes>,
    /// Processes and threads at once, the program itself included.
    pub processes: Option<u32>,
    /// Open descriptors (RLIMIT_NOFILE).
    pub open_files: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cpu: None,
            wall: None,
            memory: None,
            output: None,
            file_size: None,
            processes: None,
            open_files: 1024,
        }
    }
}

/// The end of the program itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It exited with this code.
    Code(i32),
    /// It died of this signal, which it may have raised itself.
    Signal(i32),
    /// It was not started: execve, or a step before it, failed.
    NotStarted {
        /// The step that failed.
        step: &'static str,
        /// Its errno.
        errno: i32,
    },
}

/// The reason why gavel ended a run, or a limit that was hit by its counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// CPU time over the limit.
    Cpu,
    /// Wall time over the limit.
    Wall,
    /// Memory over the limit: the kernel's memory controller killed in the box, or a sample was above it.
    Memory,
    /// More output than the limit.
    Output,
    /// A token was cancelled, or the end of another program of the group made this one superfluous.
    Cancelled,
}

/// The source of a memory figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MemorySource {
    /// The kernel's peak of the group, without significant page cache: exact.
    #[default]
    Peak,
    /// An upper bound, which may include page cache that the run filled. For several processes or threads it is the kernel's
    /// peak of the group.
    PeakWithCache,
    /// For a single process that filled the page cache: separated from it by looks at the group during the run.
    Looks,
    /// For a single process that filled the page cache on a host too busy for looks: its largest resident size, which may
    /// include pages of mapped files.
    Resident,
    /// Without cgroups: sampled sums over the processes of the box, and the largest resident size of one of them.
    Processes,
}

impl MemorySource {
    /// Returns the id in reports.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Peak => "peak",
            Self::PeakWithCache => "peak-with-cache",
            Self::Looks => "looks",
            Self::Resident => "resident",
            Self::Processes => "processes",
        }
    }
}

/// The outcome of one run, read after all processes in the box were dead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The end of the first process.
    pub exit: Exit,
    /// Every limit that was hit, most decisive first; empty when the program ended by itself within all limits.
    pub stopped: Vec<Stopped>,
    /// CPU time of the process tree.
    pub cpu: Duration,
    /// Time from the start of the program to the end of its first process.
    pub wall: Duration,
    /// Memory peak of the process tree: never less than it allocated.
    pub memory: Bytes,
    /// An upper bound of the peak; `None` where not everything was counted.
    pub memory_bound: Option<Bytes>,
    /// The source of the figure.
    pub memory_source: MemorySource,
    /// Bytes of standard output (captured streams only).
    pub output_bytes: u64,
    /// Whether a process of the run asked for a signal that ends processes: SIGHUP, SIGINT, SIGQUIT, SIGKILL or SIGTERM to
    /// any process, or a timer or a limit that may send one. If not, such a signal came from outside the box. `None` where
    /// the host cannot tell.
    pub asked_to_end: Option<bool>,
}
