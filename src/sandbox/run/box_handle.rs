//! One box as the worker sees it: directories shown in it, a work directory, and runs.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::sys::stat::{Mode, fstat, stat};
use nix::sys::statvfs::fstatvfs;
use nix::sys::utsname::uname;
use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::{Pid, Uid};

use super::cgroup::{Files, Meter, Role};
use super::directories::Source;
use super::keeper_client::KeeperClient;
use super::keeper_message::{Answer, Request};
use super::resource_limits::HardLimits;
use super::watch::LARGEST_STRETCH;
use super::wire::Inbox;
use super::{Command, Outcome, ResourceControl, SandboxError, Shape, privileges, watch};
use crate::cancel::CancelToken;
use crate::instruments::{self, BoxEnd, BoxPart};
use crate::units::Bytes;

/// One box; destroyed when dropped.
pub struct BoxHandle {
    pub(super) keeper: Arc<KeeperClient>,
    pub(super) number: u64,
    /// Process id of box init.
    pub(super) init: i32,
    pub(super) control: ResourceControl,
    pub(super) shape: Shape,
    /// Whether programs stay on one core.
    pub(super) pinned: bool,
    pub(super) socket: OwnedFd,
    pub(super) inbox: Inbox,
    pub(super) meter: Option<Meter>,
    /// Where box init's own time is in the figure of its group.
    pub(super) init_time: Option<InitTime>,
    workspace: OwnedFd,
    /// What the work directory looked like when it was new.
    pristine: Traces,
    /// Whether the last run may have changed the work directory without a trace.
    hides_changes: bool,
    /// Whether a command has run, or the work directory was handed out, since it was new.
    used: bool,
    /// Whether the next run is to find the work directory as it is.
    keeps_workspace: bool,
    /// Whether a run was broken off by a fault of ours; such a box runs nothing any more.
    pub(super) broken: bool,
    /// Whether the kernel killed box init when a run used up the box's memory: a new box takes its place.
    pub(super) lost: bool,
    /// Whether its groups stay charged for what earlier runs left: a new box takes its place.
    overgrown: bool,
    core: Option<usize>,
    pub(super) hard_limits: HardLimits,
    shown: Vec<(&'static str, Identity)>,
}

/// The CPU time of box init itself since the last run, which a group that it shares with programs counts with theirs.
pub(super) struct InitTime {
    clock: ClockId,
    /// What it had used when the last run ended.
    last: Duration,
}

impl InitTime {
    /// `None` where it cannot be read: an init that is dead, which its socket shows.
    fn of(init: i32) -> Option<Self> {
        let clock = clock_getcpuclockid(Pid::from_raw(init)).ok()?;
        let last = clock.now().ok()?.into();
        Some(Self { clock, last })
    }

    /// At the end of a run, where it has used `total` since its birth.
    pub(super) fn since_last(&mut self, total: Duration) -> Duration {
        total.saturating_sub(std::mem::replace(&mut self.last, total))
    }

    pub(super) fn so_far(&self) -> Duration {
        self.clock.now().map_or(Duration::ZERO, |now| Duration::from(now).saturating_sub(self.last))
    }
}

/// Which directory is shown: not its path alone, since a cache may remove a directory and make it again at the
/// same path, and the box would go on showing the removed, empty one.
#[derive(Debug, PartialEq, Eq)]
struct Identity {
    path: PathBuf,
    device: u64,
    inode: u64,
    changed: (i64, i64),
}

impl Identity {
    fn of(path: &Path) -> Result<Self, SandboxError> {
        let status = stat(path).map_err(|errno| SandboxError::at("examine", path, errno))?;
        Ok(Self {
            path: path.to_owned(),
            device: status.st_dev,
            inode: status.st_ino,
            changed: (status.st_ctime, status.st_ctime_nsec),
        })
    }
}

/// Everything by which one can tell that a tmpfs was written to.
#[derive(Debug, PartialEq, Eq)]
struct Traces {
    files_free: u64,
    blocks_free: u64,
    changed: (i64, i64),
    modified: (i64, i64),
    /// Mode, owner, links: without privileges a program owns the directory, and the clock behind the times above
    /// is coarse.
    inode: (u32, u32, u64),
}

impl Traces {
    fn of(workspace: &OwnedFd) -> Result<Self, SandboxError> {
        let failed = |errno: nix::Error| SandboxError::on("examine", "a work directory", errno);
        let space = fstatvfs(workspace).map_err(failed)?;
        let status = fstat(workspace).map_err(failed)?;
        Ok(Self {
            files_free: space.files_free(),
            blocks_free: space.blocks_free(),
            changed: (status.st_ctime, status.st_ctime_nsec),
            modified: (status.st_mtime, status.st_mtime_nsec),
            inode: (status.st_mode, status.st_uid, status.st_nlink),
        })
    }
}

impl Traces {
    /// Whether a program that owns the work directory could change it now and set all of this back. It can set the time
    /// of modification; the time of change follows a clock that ticks every few milliseconds, and shows nothing before
    /// the first tick. From Linux 6.13 on, every change after a look has a time of its own (multigrain timestamps).
    fn can_be_set_back(&self) -> bool {
        let (_, owner, _) = self.inode;
        let now = clock_gettime(ClockId::CLOCK_REALTIME_COARSE);
        owner == Uid::effective().as_raw()
            && !now.is_ok_and(|now| (now.tv_sec(), now.tv_nsec()) > self.changed)
            && !has_multigrain_timestamps()
    }
}

fn has_multigrain_timestamps() -> bool {
    let release = uname().ok().map(|names| names.release().to_string_lossy().into_owned());
    let numbers =
        release.as_deref().map(|release| release.split(['.', '-']).map_while(|part| part.parse().ok()));
    numbers.is_some_and(|numbers| numbers.take(2).collect::<Vec<u32>>() >= vec![6, 13])
}

impl std::fmt::Debug for BoxHandle {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("BoxHandle")
            .field("number", &self.number)
            .field("shape", &self.shape)
            .finish_non_exhaustive()
    }
}

impl BoxHandle {
    /// Makes a box through the keeper.
    pub(super) fn open(
        keeper: Arc<KeeperClient>,
        control: ResourceControl,
        shape: &Shape,
        core: Option<usize>,
    ) -> Result<Self, SandboxError> {
        let (answer, files) = keeper.ask(&Request::Open { shape: shape.clone(), core })?;
        let Answer::Opened { number, init, .. } = answer else { return Err(SandboxError::KeeperGone) };
        let opened = Self::take_over(Arc::clone(&keeper), control, shape, core, (number, init), files);
        if opened.is_err() {
            // Half a handle has no drop: the box would stay until the keeper's end.
            let _ = keeper.ask(&Request::Close { number });
        } else {
            instruments::box_born();
        }
        opened
    }

    /// A handle over the descriptors of a new box.
    fn take_over(
        keeper: Arc<KeeperClient>,
        control: ResourceControl,
        shape: &Shape,
        core: Option<usize>,
        (number, init): (u64, i32),
        mut files: Files,
    ) -> Result<Self, SandboxError> {
        let workspace = take(&mut files, Role::Workspace)?;
        let pristine = Traces::of(&workspace)?;
        Ok(Self {
            keeper,
            number,
            init,
            control,
            shape: shape.clone(),
            pinned: core.is_some(),
            socket: take(&mut files, Role::Init)?,
            inbox: Inbox::new(),
            meter: Meter::new(control, files)?,
            init_time: if control == ResourceControl::CgroupV1 { InitTime::of(init) } else { None },
            workspace,
            pristine,
            hides_changes: false,
            used: false,
            keeps_workspace: false,
            broken: false,
            lost: false,
            overgrown: false,
            core,
            hard_limits: HardLimits::read(),
            shown: Vec::new(),
        })
    }

    /// The shape it was made with.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Process id of its init on the host, for those who examine its processes.
    pub fn init_id(&self) -> i32 {
        self.init
    }

    /// Shows the host directory `source`, below a listed one, read-only at `point` ([`super::PROGRAM`], [`super::PREPARED`],
    /// [`super::PACKAGE`] or [`super::CHANNELS`]),
    /// replacing what was shown there; does nothing when it is shown already.
    ///
    /// # Errors
    /// When the directory cannot be mounted.
    pub fn attach(&mut self, point: &'static str, source: &Path) -> Result<(), SandboxError> {
        let identity = Identity::of(source)?;
        if self.shown.iter().any(|(own, shown)| *own == point && *shown == identity) {
            return Ok(());
        }
        self.shown.retain(|(own, _)| *own != point);
        let source = Some(Source::of(source)?);
        self.keeper.ask(&Request::Attach { number: self.number, point: point.to_owned(), source })?;
        self.shown.push((point, identity));
        Ok(())
    }

    /// Shows nothing at `point` any more.
    ///
    /// # Errors
    /// When the mount cannot be removed.
    pub fn detach(&mut self, point: &'static str) -> Result<(), SandboxError> {
        if self.shown.iter().any(|(own, _)| *own == point) {
            let request = Request::Attach { number: self.number, point: point.to_owned(), source: None };
            self.keeper.ask(&request)?;
            self.shown.retain(|(own, _)| *own != point);
        }
        Ok(())
    }

    /// An empty work directory to put files into before a run: replaced if anything was run or handed out since
    /// it was new.
    ///
    /// # Errors
    /// When the box cannot be cleaned; it must then be dropped.
    pub fn fresh_workspace(&mut self) -> Result<BorrowedFd<'_>, SandboxError> {
        self.renew()?;
        Ok(self.workspace.as_fd())
    }

    /// The work directory as the last run left it, everything that ran being dead.
    pub fn workspace(&self) -> BorrowedFd<'_> {
        self.workspace.as_fd()
    }

    /// Whether anything was written into the work directory since it was new.
    pub(super) fn is_written(&self) -> bool {
        Traces::of(&self.workspace).map_or(true, |traces| traces != self.pristine)
    }

    /// Bytes that files in the work directory hold.
    pub(super) fn workspace_use(&self) -> Bytes {
        fstatvfs(&self.workspace).map_or(Bytes(0), |space| {
            Bytes(space.blocks().saturating_sub(space.blocks_free()).saturating_mul(space.fragment_size()))
        })
    }

    /// Runs one command to its end, or until a limit, or until one of `cancel` is cancelled. If a command has
    /// run since the work directory was new, it is replaced first. When this returns, nothing the command
    /// started is alive.
    ///
    /// # Errors
    /// [`SandboxError::Command`] when the command cannot be handed over. Anything else is a fault of ours; the
    /// box must then be dropped, and refuses to run anything more.
    pub fn run(&mut self, command: Command<'_>, cancel: &[&CancelToken]) -> Result<Outcome, SandboxError> {
        let keeper = Arc::clone(&self.keeper);
        let longest = command.limits.wall.map(|wall| wall.saturating_mul(LARGEST_STRETCH));
        let _step = keeper.deadlines.begin("a run in a box", longest);
        watch::run(self, command, cancel)
    }

    /// Lets the next run find the work directory as the last one left it.
    pub fn keep_workspace(&mut self) {
        self.keeps_workspace = true;
    }

    /// Before a run. Until it is over the box counts as broken.
    pub(super) fn get_ready(&mut self) -> Result<(), SandboxError> {
        if self.broken {
            let detail = "an earlier run in it was broken off".to_owned();
            return Err(SandboxError::BoxLost { name: self.name(), detail });
        }
        if self.used {
            self.renew()?;
        }
        (self.used, self.broken) = (true, true);
        self.hides_changes = self.pristine.can_be_set_back();
        Ok(())
    }

    /// After a run: lets this process read what it left, where this process is neither root nor the box's user.
    pub(super) fn open_up(&self) -> Result<(), SandboxError> {
        if privileges::is_another_user() && Traces::of(&self.workspace)? != self.pristine {
            self.keeper.ask(&Request::OpenUp { number: self.number })?;
        }
        Ok(())
    }

    /// Of a command that could not be handed over the box has heard nothing.
    pub(super) fn heard_nothing(&mut self, error: SandboxError) -> SandboxError {
        self.broken = !matches!(error, SandboxError::Command { .. });
        error
    }

    pub(super) fn name(&self) -> String {
        format!("box-{}", self.number)
    }

    /// Back to how it was when it was new. The tmpfs is replaced only if something was written to it: most
    /// programs never do, and replacing costs more than looking.
    fn renew(&mut self) -> Result<(), SandboxError> {
        let keeps_workspace = std::mem::take(&mut self.keeps_workspace);
        if self.lost && keeps_workspace {
            let detail = "what was to be kept is gone with its init".to_owned();
            return Err(SandboxError::BoxLost { name: self.name(), detail });
        }
        if self.lost {
            return self.replace();
        }
        if !keeps_workspace && (self.hides_changes || Traces::of(&self.workspace)? != self.pristine) {
            // Closed before: the kernel gives a new file system the lowest free device number, and the new directory is
            // to have that of the old one.
            self.workspace = nix::fcntl::open("/dev/null", OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())
                .map_err(|errno| SandboxError::at("open", "/dev/null", errno))?;
            let (_, mut files) = self.keeper.ask(&Request::Renew { number: self.number })?;
            self.workspace = take(&mut files, Role::Workspace)?;
            self.pristine = Traces::of(&self.workspace)?;
            instruments::box_renewed(BoxPart::Files);
        }
        if self.used {
            self.renew_group(keeps_workspace)?;
        }
        self.used = false;
        Ok(())
    }

    /// Leaves nothing in the groups that would count for or against the next run.
    fn renew_group(&mut self, keeps_workspace: bool) -> Result<(), SandboxError> {
        let Some(meter) = self.meter.as_mut() else { return Ok(()) };
        let has_grown = meter.has_grown()?;
        if has_grown && !meter.has_leaf_with_memory() {
            if !keeps_workspace {
                self.overgrown = true;
                return self.replace();
            }
            meter.reclaim()?;
        }
        if meter.needs_fresh_leaf() || (has_grown && meter.has_leaf_with_memory()) {
            let (_, files) = self.keeper.ask(&Request::FreshLeaf { number: self.number })?;
            meter.replace(files)?;
            instruments::box_renewed(BoxPart::Cgroup);
        }
        Ok(())
    }

    /// Puts a new box in the place of this one.
    fn replace(&mut self) -> Result<(), SandboxError> {
        let shown = std::mem::take(&mut self.shown);
        *self = Self::open(Arc::clone(&self.keeper), self.control, &self.shape, self.core)?;
        shown.iter().try_for_each(|(point, source)| self.attach(point, &source.path))
    }
}

impl Drop for BoxHandle {
    fn drop(&mut self) {
        instruments::box_ended(match (self.broken, self.lost, self.overgrown) {
            (true, ..) => BoxEnd::Fault,
            (false, true, _) => BoxEnd::OutOfMemory,
            (false, false, true) => BoxEnd::Overgrown,
            (false, false, false) => BoxEnd::Unneeded,
        });
        match self.keeper.ask(&Request::Close { number: self.number }) {
            // A keeper that is gone has taken its boxes along.
            Ok(_) | Err(SandboxError::KeeperGone) => {}
            Err(error) => tracing::warn!(%error, box_name = self.name(), "a box could not be destroyed"),
        }
    }
}

fn take(files: &mut Files, role: Role) -> Result<OwnedFd, SandboxError> {
    let index = files.iter().position(|(own, _)| *own == role).ok_or_else(|| SandboxError::Keeper {
        operation: "hand over descriptors",
        detail: format!("{role:?} is missing"),
    })?;
    Ok(files.swap_remove(index).1)
}
