//! Runs programs in boxes and reports facts.
//!
//! Knows nothing of verdicts, packages, languages or queues: it is handed a command with limits and hands
//! back what the kernel counted.

mod cancel;
mod capture;
mod command;
mod error;
mod seccomp;
mod shape;
mod syscalls;

pub use cancel::CancelToken;
pub use capture::Capture;
pub use command::{Command, Exit, Limits, Outcome, Stopped, Stream};
pub use error::SandboxError;
pub use shape::{BASE_MOUNTS, PREPARED, PROGRAM, Profile, Shape, WORKSPACE};

use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// How boxes are limited and measured on this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResourceControl {
    /// Pure cgroup v2.
    CgroupV2,
    /// v1 memory and pids controllers beside a v2 tree without them.
    CgroupHybrid,
    /// v1 controllers alone.
    CgroupV1,
    /// No cgroups: rlimits, wait4, procfs.
    None,
}

impl ResourceControl {
    /// The id in reports and flags.
    pub const fn id(self) -> &'static str {
        match self {
            Self::CgroupV2 => "cgroup-v2",
            Self::CgroupHybrid => "cgroup-hybrid",
            Self::CgroupV1 => "cgroup-v1",
            Self::None => "none",
        }
    }

    /// Where memory peaks are read.
    pub const fn memory_source(self) -> &'static str {
        match self {
            Self::CgroupV2 => "memory.peak",
            Self::CgroupHybrid | Self::CgroupV1 => "max_usage_in_bytes",
            Self::None => "VmHWM",
        }
    }
}

/// How to start a [`Sandbox`].
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The gavel executable whose `keeper` command is started; the running one when `None`.
    pub executable: Option<PathBuf>,
    /// Demand this resource control instead of the best one found.
    pub resource_control: Option<ResourceControl>,
}

/// The way to boxes: a connection to the keeper process.
#[derive(Debug)]
pub struct Sandbox {
    control: ResourceControl,
}

impl Sandbox {
    /// Starts a keeper and learns what the host allows.
    ///
    /// # Errors
    /// [`SandboxError::Host`] when boxes are impossible here or the demanded control is missing.
    pub fn start(_settings: &Settings) -> Result<Self, SandboxError> {
        Err(SandboxError::KeeperGone)
    }

    /// What limits and measures boxes here.
    pub fn resource_control(&self) -> ResourceControl {
        self.control
    }

    /// Makes a box; its processes stay on `core` where one is given.
    ///
    /// # Errors
    /// When the kernel refuses, or the keeper is gone.
    pub fn open_box(&self, _shape: &Shape, _core: Option<usize>) -> Result<BoxHandle, SandboxError> {
        Err(SandboxError::KeeperGone)
    }
}

/// One box; destroyed when dropped.
#[derive(Debug)]
pub struct BoxHandle {
    workspace: OwnedFd,
}

impl BoxHandle {
    /// Shows the host directory `source` read-only at `point` ([`PROGRAM`] or [`PREPARED`]), replacing what
    /// was shown there; does nothing when it is shown already.
    ///
    /// # Errors
    /// When the directory cannot be mounted.
    pub fn attach(&mut self, _point: &'static str, _source: &Path) -> Result<(), SandboxError> {
        Err(SandboxError::KeeperGone)
    }

    /// An empty work directory to put files into before a run: replaced if anything was run or written
    /// since it was made.
    ///
    /// # Errors
    /// When the box cannot be cleaned; it must then be dropped.
    pub fn fresh_workspace(&mut self) -> Result<BorrowedFd<'_>, SandboxError> {
        Err(SandboxError::KeeperGone)
    }

    /// The work directory as the last run left it, everything that ran being dead.
    pub fn workspace(&self) -> BorrowedFd<'_> {
        use std::os::fd::AsFd;
        self.workspace.as_fd()
    }

    /// Runs one command to its end, or until a limit, or until one of `cancel` is cancelled. If the box has
    /// been used since the last [`BoxHandle::fresh_workspace`], the work directory is replaced first.
    /// When it returns, nothing the command started is alive.
    ///
    /// # Errors
    /// A fault of ours; the box must then be dropped.
    pub fn run(&mut self, _command: Command<'_>, _cancel: &[&CancelToken]) -> Result<Outcome, SandboxError> {
        Err(SandboxError::KeeperGone)
    }
}
