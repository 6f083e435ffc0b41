//! What is asked of a box: one command with its limits, and the facts that come back.
//!
//! Facts only. Whether a fact is a contestant's fault is for `judge/` to say; nothing here has heard of
//! verdicts.

use std::os::fd::BorrowedFd;
use std::time::Duration;

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
    /// Standard input. Its file offset moves: hand over a description of its own.
    pub stdin: BorrowedFd<'a>,
    /// Where standard output goes.
    pub stdout: Stream<'a>,
    /// Where standard error goes.
    pub stderr: Stream<'a>,
    /// What it may use.
    pub limits: Limits,
}

/// Where an output stream of a program goes.
#[derive(Debug)]
pub enum Stream<'a> {
    /// Into memory and, beyond a threshold, a file of ours; counted, and limited by [`Limits::output`].
    Capture(&'a mut super::Capture),
    /// Straight to this descriptor, uncounted.
    Inherit(BorrowedFd<'a>),
}

/// What a run may use. `None` is no limit of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// CPU time of the whole process tree.
    pub cpu: Option<Duration>,
    /// Wall time from when the box was told to begin, less the time the box was ready to run but the host gave it no core.
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

/// How the program itself ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It exited with this code.
    Code(i32),
    /// It died of this signal, which it may well have raised itself.
    Signal(i32),
    /// It was never born: execve (or a step before it) failed with this errno.
    NotStarted {
        /// The step that failed.
        step: &'static str,
        /// Its errno.
        errno: i32,
    },
}

/// Why gavel ended a run, or which limit its counters say was hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// CPU time over the limit.
    Cpu,
    /// Wall time over the limit.
    Wall,
    /// The kernel's memory controller killed in the box.
    Memory,
    /// More output than the limit.
    Output,
    /// A token was cancelled, or a program that ran together with this one made it needless.
    Cancelled,
}

/// How a memory figure was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MemorySource {
    /// The kernel's peak of the group, in which page cache does not matter: exact.
    #[default]
    Peak,
    /// Page cache that the run filled may be in it: what was allocated is that or less. Of several processes or threads
    /// it is the kernel's peak of the group.
    PeakWithCache,
    /// A single process that filled the page cache, told apart by looks at the group while it ran.
    Looks,
    /// A single process that filled the page cache on a host too busy for looks: its largest resident size, in which
    /// pages of files that it mapped may be.
    Resident,
    /// Without cgroups: sums over the processes of the box, sampled, and the largest resident size of one of them.
    Processes,
}

impl MemorySource {
    /// The id in reports.
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

/// The facts of one run, read after everything in the box was dead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How the leader ended.
    pub exit: Exit,
    /// Every limit that was hit, most decisive first; empty when it ended by itself within all limits.
    pub stopped: Vec<Stopped>,
    /// CPU time of the process tree.
    pub cpu: Duration,
    /// From the program's birth to the leader's end.
    pub wall: Duration,
    /// Memory peak of the process tree: what it allocated where that is known, never less.
    pub memory: Bytes,
    /// What the peak cannot have been above; `None` where something was not counted.
    pub memory_bound: Option<Bytes>,
    /// How the figure was found.
    pub memory_source: MemorySource,
    /// Bytes taken from standard output (captured streams only).
    pub output_bytes: u64,
    /// Whether a process of the run asked for a signal that ends processes: SIGHUP, SIGINT, SIGQUIT, SIGKILL or SIGTERM to
    /// anyone, or a timer or a limit that may send one. Without that such a signal came from outside of the box. `None`
    /// where this host cannot tell.
    pub asked_to_end: Option<bool>,
}
