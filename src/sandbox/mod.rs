//! Runs programs in boxes, under limits, and reports what the kernel counted.
//!
//! Four kinds of processes take part, and a folder is a process. The **worker** (this library's caller: `run`, `worker`)
//! holds descriptors, watches limits and reads counters. The **keeper** (`keeper`), gavel's own executable started again,
//! has the privileges: it creates and destroys boxes and their cgroups. A **box init** (`init`), cloned by the keeper, is
//! PID 1 of a box and lives across runs, so that namespaces, root and system-call filter are paid for once. A **program** is
//! started by a vfork-like clone of box init and inherits all of it.
//!
//! ```text
//! worker --JSON, descriptors--> keeper --clone3--> box init --clone3, execve--> program
//!    \_______________one packet each way, a run_______/
//! ```
//!
//! Invariants: when [`BoxHandle::run`] returns, no process of the run is alive, by the kernel's own count; a box that cannot
//! be cleaned is never used again; when the worker dies, in whatever way, boxes and cgroups disappear with it. The sandbox
//! knows no verdicts, packages, languages or queues. It gets a command with limits and returns the kernel's counters and
//! the reason why it killed; it concludes nothing from the signal a program died of, which the program can raise itself.
//!
//! The requests that a process serves are in the `message` module of its folder. Other folders import these, the worker's
//! connection to the keeper (`keeper::client`) and, in the keeper, the box inits that it starts; nothing else. The other
//! files here are for all processes, and `sys` wraps system calls. `unsafe` code is in `sys/syscalls.rs` and
//! `init/spawn.rs` only.

mod command;
mod error;
mod init;
mod keeper;
mod resource_control;
mod run;
mod shape;
mod sys;
mod watchdog;
mod worker;

pub use command::{Command, Exit, Limits, MemorySource, Outcome, Stopped, Stream};
pub use error::SandboxError;
pub use keeper::boxes::FIRST_ID;
pub use keeper::cgroup::Hierarchy;
pub use keeper::directories::Directories;
pub use keeper::server::keeper_main;
pub use resource_control::ResourceControl;
pub use run::box_handle::BoxHandle;
pub use run::capture::{Capture, sealed};
pub use run::group_run::{Ending, GroupRun, Participant, run_group};
pub use shape::{BASE_MOUNTS, CHANNELS, PACKAGE, PREPARED, PROGRAM, Profile, Shape, WORKSPACE};
pub(crate) use sys::syscalls::unread;
pub use watchdog::Watchdog;
pub use worker::account::{Account, AccountError, DEFAULT_ACCOUNT, DEFAULT_ID, hand_over_cache};
pub use worker::allocator;
pub use worker::package_mounts::Reachable;
pub use worker::privileges::{open_file, restore_store};

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use keeper::client::KeeperClient;

/// The settings of a [`Sandbox`].
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The gavel executable that runs the keeper; the running one when `None`.
    pub executable: Option<PathBuf>,
    /// The resource control to demand, in place of the best one available.
    pub resource_control: Option<ResourceControl>,
    /// The host directories that boxes may show besides [`BASE_MOUNTS`]; no other can be shown later.
    pub directories: Directories,
    /// User and group that the worker becomes after its start: views of packages show the files of their owner as its own.
    /// `None` when the caller stays the same user.
    pub reader: Option<(u32, u32)>,
}

/// A connection to a keeper process, through which boxes are opened. The keeper ends with this and the last box.
#[derive(Debug)]
pub struct Sandbox {
    keeper: Arc<KeeperClient>,
    control: ResourceControl,
}

impl Sandbox {
    /// Starts a keeper, which chooses the resource control.
    ///
    /// # Errors
    /// [`SandboxError::Host`] when the host does not allow boxes or lacks the demanded control.
    pub fn start(settings: &Settings) -> Result<Self, SandboxError> {
        let executable = match &settings.executable {
            Some(path) => path.clone(),
            // Resolved by the kernel, so correct even after a newer version has replaced the file.
            None => PathBuf::from("/proc/self/exe"),
        };
        let directories = settings.directories.clone().absolute()?;
        let (keeper, control) =
            KeeperClient::start(&executable, settings.resource_control, &directories, settings.reader)?;
        Ok(Self { keeper: Arc::new(keeper), control })
    }

    /// Returns the resource control of all boxes.
    pub fn resource_control(&self) -> ResourceControl {
        self.control
    }

    /// Returns the process id of the keeper, for logs and for inspecting the host's processes.
    pub fn keeper_id(&self) -> u32 {
        self.keeper.process_id()
    }

    /// Returns a watchdog, to be asked from another thread while this sandbox exists.
    pub fn watchdog(&self) -> Watchdog {
        Watchdog::new(Arc::clone(&self.keeper.deadlines), self.keeper.process_id())
    }

    /// Creates a box; its processes stay on `core` where one is given.
    ///
    /// # Errors
    /// When the kernel refuses, or the keeper is gone.
    pub fn open_box(&self, shape: &Shape, core: Option<usize>) -> Result<BoxHandle, SandboxError> {
        shape.validate()?;
        BoxHandle::open(Arc::clone(&self.keeper), self.control, shape, core)
    }

    /// Opens a read-only view of a listed directory or one below it, as a descriptor to open files below, or of a single
    /// file there. A process that gets such a file cannot change it, even with its owner's uid: neither through the
    /// descriptor nor by opening it again.
    ///
    /// # Errors
    /// When the source cannot be opened, or the keeper is gone.
    pub fn view(&self, source: &Path) -> Result<OwnedFd, SandboxError> {
        self.keeper.view(source)
    }

    /// Gives up every right that judging does not need, for good and for all later threads. With an account this process
    /// becomes that user, which finds the package roots at their paths; without one it gives up only capabilities and
    /// system calls, and if it stays root only system calls.
    ///
    /// # Errors
    /// When this process has more than one thread, a step is refused, or the account cannot read a package root.
    pub fn give_up_privileges(
        &self,
        account: Option<&Account>,
        reachable: &Reachable<'_>,
    ) -> Result<(), SandboxError> {
        worker::privileges::give_up(&self.keeper, account, reachable)
    }

    /// Returns what this host lacks for `control`, in words; `None` when it is available.
    ///
    /// # Errors
    /// When procfs cannot be read.
    pub fn missing_for(control: ResourceControl) -> Result<Option<String>, SandboxError> {
        keeper::cgroup::Hierarchies::missing(control)
    }

    /// Lists the cgroup hierarchies mounted on this host, and where gavel may create groups.
    ///
    /// # Errors
    /// When procfs cannot be read.
    pub fn hierarchies() -> Result<Vec<Hierarchy>, SandboxError> {
        keeper::cgroup::hierarchies()
    }
}
