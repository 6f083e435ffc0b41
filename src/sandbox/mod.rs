//! Runs programs in boxes and reports facts.
//!
//! Four kinds of processes. The **worker** (this library's caller) holds descriptors and watches. The
//! **keeper** (`keeper`), gavel's own executable started again, has the privileges: it makes and destroys
//! boxes and their cgroups. A **box init** (`init`), forked by the keeper, is PID 1 of a box and lives across
//! runs, so that namespaces, root and system-call filter are paid for once. A **program** is born by a
//! vfork-like clone of box init (`child`) and inherits all of it.
//!
//! ```text
//! worker --JSON, descriptors--> keeper --clone3--> box init --clone3, execve--> program
//!    \_______________one packet each way, a run_______/
//! ```
//!
//! What always holds: when [`BoxHandle::run`] returns, nothing the program started is alive, by the kernel's own
//! count; a box that cannot be cleaned is never used again; when the worker dies, however, boxes and cgroups
//! disappear with it. What it refuses to know: verdicts, packages, languages, queues. It is handed a command
//! with limits and hands back what the kernel counted and why it killed, never judging from the signal a
//! program died of, which the program can raise itself.
//!
//! Where to look: `watch` is the worker's side of one run, `together` that of several at once with a `channel` each way
//! between them, `cgroup` finds and fills hierarchies,
//! `rootfs` builds what a program sees, `seccomp` what it may call, `wire` carries messages.

#[path = "worker/allocator.rs"]
pub mod allocator;
#[path = "run/box_handle.rs"]
mod box_handle;
#[path = "run/capture.rs"]
mod capture;
#[path = "keeper/cgroup/mod.rs"]
mod cgroup;
#[path = "run/relay.rs"]
mod channel;
#[path = "init/spawn.rs"]
mod child;
mod command;
#[path = "keeper/directories.rs"]
mod directories;
mod error;
#[path = "init/process.rs"]
mod init;
#[path = "keeper/boxes.rs"]
mod keeper;
#[path = "keeper/bounds.rs"]
mod keeper_bounds;
#[path = "keeper/client.rs"]
mod keeper_client;
#[path = "keeper/message.rs"]
mod keeper_message;
#[path = "keeper/make_readable.rs"]
mod open_up;
#[path = "worker/privileges.rs"]
mod privileges;
#[path = "worker/package_mounts.rs"]
mod reach;
#[path = "run/resource_limits.rs"]
mod resource_limits;
#[path = "init/root.rs"]
mod rootfs;
#[path = "init/message.rs"]
mod run_message;
#[path = "init/seccomp/mod.rs"]
mod seccomp;
mod shape;
#[path = "run/streams.rs"]
mod streams;
#[path = "sys/syscalls.rs"]
mod syscalls;
#[path = "run/group_run.rs"]
mod together;
#[path = "run/process_tree.rs"]
mod tree;
#[path = "watchdog.rs"]
mod vitals;
#[path = "run/supervisor.rs"]
mod watch;
#[path = "sys/wire.rs"]
mod wire;

pub use crate::cancel::CancelToken;
pub use box_handle::BoxHandle;
pub use capture::{Capture, sealed};
pub use cgroup::Hierarchy;
pub use command::{Command, Exit, Limits, MemorySource, Outcome, Stopped, Stream};
pub use directories::Directories;
pub use error::SandboxError;
pub use keeper::{FIRST_ID, keeper_main};
pub use privileges::{
    Account, AccountError, DEFAULT_ACCOUNT, DEFAULT_ID, Reachable, give_up, hand_over_cache, open_file,
    restore_store,
};
pub use shape::{BASE_MOUNTS, CHANNELS, PACKAGE, PREPARED, PROGRAM, Profile, Shape, WORKSPACE};
pub(crate) use syscalls::unread;
pub use together::{Conversation, Ending, Member, run_together};
pub use vitals::Vitals;

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use keeper_client::KeeperClient;

/// How boxes are limited and measured on this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
            Self::None => "ru_maxrss",
        }
    }

    /// What it does not promise, a sentence each; for reports.
    pub const fn limitations(self) -> &'static [&'static str] {
        match self {
            Self::CgroupV2 | Self::CgroupHybrid | Self::CgroupV1 => &[],
            Self::None => &[
                "memory is sampled every 10 ms: a program may exceed its limit for that long, or end before it is seen",
                "memory of several processes at once is the largest sample of their sum; what they share counts for each",
                "buffers of pipes and sockets are not counted; the limits of open files and processes bound them",
                "the process limit counts by user, not by box, where the judge has no privileges",
                "CPU time of children whose parent ignores SIGCHLD is sampled every 10 ms; the wall limit bounds what is missed",
            ],
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
    /// The host directories that boxes may show besides [`BASE_MOUNTS`]; no other can be shown later.
    pub directories: Directories,
    /// User and group of the worker after its start: views of packages show it as the owner of what belongs to their
    /// owner. `None` when the caller stays what it is.
    pub reader: Option<(u32, u32)>,
}

/// The way to boxes: a connection to the keeper process, which ends with the last box and this.
#[derive(Debug)]
pub struct Sandbox {
    keeper: Arc<KeeperClient>,
    control: ResourceControl,
}

impl Sandbox {
    /// Starts a keeper and learns what the host allows.
    ///
    /// # Errors
    /// [`SandboxError::Host`] when boxes are impossible here or the demanded control is missing.
    pub fn start(settings: &Settings) -> Result<Self, SandboxError> {
        let executable = match &settings.executable {
            Some(path) => path.clone(),
            // Resolved by the kernel: right also after the file was replaced by a newer version.
            None => PathBuf::from("/proc/self/exe"),
        };
        let directories = settings.directories.clone().absolute()?;
        let (keeper, control) =
            KeeperClient::start(&executable, settings.resource_control, &directories, settings.reader)?;
        Ok(Self { keeper: Arc::new(keeper), control })
    }

    /// What limits and measures boxes here.
    pub fn resource_control(&self) -> ResourceControl {
        self.control
    }

    /// Process id of the keeper, for logs and for whoever looks at the host's processes.
    pub fn keeper_id(&self) -> u32 {
        self.keeper.process_id()
    }

    /// Signs of life, to be looked at from another thread for as long as this is there.
    pub fn vitals(&self) -> Vitals {
        Vitals::new(Arc::clone(&self.keeper.deadlines), self.keeper.process_id())
    }

    /// Makes a box; its processes stay on `core` where one is given.
    ///
    /// # Errors
    /// When the kernel refuses, or the keeper is gone.
    pub fn open_box(&self, shape: &Shape, core: Option<usize>) -> Result<BoxHandle, SandboxError> {
        shape.validate()?;
        BoxHandle::open(Arc::clone(&self.keeper), self.control, shape, core)
    }

    /// A read-only view of a listed directory or one below it, as a descriptor to open files below, or of a single
    /// file there. Whoever is handed such a file can
    /// change nothing about it, also where they have its owner's uid: neither through the descriptor nor by
    /// opening it again.
    ///
    /// # Errors
    /// When the source cannot be opened, or the keeper is gone.
    pub fn view(&self, source: &Path) -> Result<OwnedFd, SandboxError> {
        let source = directories::Source::of(source)?;
        let (_, files) = self.keeper.ask(&keeper_message::Request::View { source })?;
        files.into_iter().next().map(|(_, view)| view).ok_or(SandboxError::KeeperGone)
    }

    /// What this host lacks for `control`, in words; `None` when nothing.
    ///
    /// # Errors
    /// When procfs cannot be read.
    pub fn missing_for(control: ResourceControl) -> Result<Option<String>, SandboxError> {
        cgroup::Hierarchies::missing(control)
    }

    /// The cgroup hierarchies mounted on this host, and where in them gavel may work.
    ///
    /// # Errors
    /// When procfs cannot be read.
    pub fn hierarchies() -> Result<Vec<Hierarchy>, SandboxError> {
        cgroup::hierarchies()
    }
}
