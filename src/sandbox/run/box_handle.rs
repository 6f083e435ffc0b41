//! The worker's handle of one box: the directories shown in it, its work directory, and its state between runs.
//!
//! `supervisor` adds [`BoxHandle::run`].

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

use super::meter::{Meter, leftovers_allowed};
use super::resource_limits::HardLimits;
use crate::instruments::{self, BoxEnd, BoxPart};
use crate::sandbox::command::Limits;
use crate::sandbox::error::SandboxError;
use crate::sandbox::keeper::client::{self, KeeperClient};
use crate::sandbox::keeper::directories::Source;
use crate::sandbox::keeper::message::{Answer, Files, Request, Role};
use crate::sandbox::resource_control::ResourceControl;
use crate::sandbox::shape::Shape;
use crate::sandbox::sys::wire::Inbox;
use crate::units::Bytes;

/// A box, destroyed when the handle is dropped.
pub struct BoxHandle {
    pub(crate) keeper: Arc<KeeperClient>,
    pub(crate) number: u64,
    /// Process id of box init.
    pub(crate) init: i32,
    pub(crate) control: ResourceControl,
    pub(crate) shape: Shape,
    /// Whether programs stay on one core.
    pub(crate) pinned: bool,
    pub(crate) socket: OwnedFd,
    pub(crate) inbox: Inbox,
    pub(crate) meter: Option<Meter>,
    /// Present where the figure of the group includes box init's own CPU time.
    pub(crate) init_time: Option<InitTime>,
    workspace: OwnedFd,
    /// The metadata of the work directory when it was new.
    pristine: WriteTraces,
    /// Whether the last run may have changed the work directory and restored its metadata.
    hides_changes: bool,
    /// Whether a command has run since the work directory was new.
    used: bool,
    /// Whether the next run keeps the work directory as it is.
    keeps_workspace: bool,
    /// Whether the memory figure of the next run is compared with a limit.
    compares_memory: bool,
    /// Whether a run failed by a fault of the sandbox; such a box refuses further runs.
    pub(crate) broken: bool,
    /// Whether the kernel killed box init when a run reached the memory limit: a new box replaces this one.
    pub(crate) lost: bool,
    /// Whether its groups stay charged for leftovers of earlier runs: a new box replaces this one.
    overgrown: bool,
    core: Option<usize>,
    pub(crate) hard_limits: HardLimits,
    shown: Vec<(&'static str, Identity)>,
}

/// Measures the CPU time of box init since the last run, which a group shared with programs includes.
pub(crate) struct InitTime {
    clock: ClockId,
    /// Its CPU time when the last run ended.
    last: Duration,
}

impl InitTime {
    /// Starts to measure; returns `None` when init is dead, which its socket will show.
    fn of(init: i32) -> Option<Self> {
        let clock = clock_getcpuclockid(Pid::from_raw(init)).ok()?;
        let last = clock.now().ok()?.into();
        Some(Self { clock, last })
    }

    /// Returns the time since the last run and starts anew. `total` is its CPU time since it was started.
    pub(crate) fn since_last(&mut self, total: Duration) -> Duration {
        total.saturating_sub(std::mem::replace(&mut self.last, total))
    }

    /// Returns the time since the last run.
    pub(crate) fn so_far(&self) -> Duration {
        self.clock.now().map_or(Duration::ZERO, |now| Duration::from(now).saturating_sub(self.last))
    }
}

/// Identifies a shown directory. The path alone would not do: a cache may remove a directory and recreate it, and the box
/// would go on showing the removed, empty one.
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

/// The metadata of a work directory that changes when a program writes to it.
#[derive(Debug, PartialEq, Eq)]
struct WriteTraces {
    files_free: u64,
    blocks_free: u64,
    changed: (i64, i64),
    modified: (i64, i64),
    /// Mode, owner and number of links: without privileges a program owns the directory, and the clock of the times above
    /// is coarse.
    inode: (u32, u32, u64),
}

impl WriteTraces {
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

impl WriteTraces {
    /// Returns whether a program that owns the work directory could change it now and restore all of this. It can set the
    /// time of modification; the time of change follows a clock that ticks every few milliseconds, so it does not change
    /// before the first tick. Since Linux 6.13 every change after a query has a time of its own (multigrain timestamps).
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
    /// Creates a box through the keeper.
    pub(crate) fn open(
        keeper: Arc<KeeperClient>,
        control: ResourceControl,
        shape: &Shape,
        core: Option<usize>,
    ) -> Result<Self, SandboxError> {
        let (answer, files) = keeper.ask(&Request::Open { shape: shape.clone(), core })?;
        let Answer::Opened { number, init, .. } = answer else { return Err(SandboxError::KeeperGone) };
        let opened = Self::take_over(Arc::clone(&keeper), control, shape, core, (number, init), files);
        if opened.is_err() {
            // Without a handle no drop closes the box, which would stay until the keeper's end.
            let _ = keeper.ask(&Request::Close { number });
        } else {
            instruments::box_born();
        }
        opened
    }

    /// Creates the handle from the descriptors of a new box.
    fn take_over(
        keeper: Arc<KeeperClient>,
        control: ResourceControl,
        shape: &Shape,
        core: Option<usize>,
        (number, init): (u64, i32),
        mut files: Files,
    ) -> Result<Self, SandboxError> {
        let workspace = take(&mut files, Role::Workspace)?;
        let pristine = WriteTraces::of(&workspace)?;
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
            compares_memory: false,
            broken: false,
            lost: false,
            overgrown: false,
            core,
            hard_limits: HardLimits::read(),
            shown: Vec::new(),
        })
    }

    /// Returns the shape of the box.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Returns the process id of its init on the host, to examine its processes.
    pub fn init_id(&self) -> i32 {
        self.init
    }

    /// Shows the host directory `source`, below a listed one, read-only at `point` ([`PROGRAM`], [`PREPARED`], [`PACKAGE`]
    /// or [`CHANNELS`]) in place of the last one there; does nothing when it is already shown.
    ///
    /// [`PROGRAM`]: crate::sandbox::PROGRAM
    /// [`PREPARED`]: crate::sandbox::PREPARED
    /// [`PACKAGE`]: crate::sandbox::PACKAGE
    /// [`CHANNELS`]: crate::sandbox::CHANNELS
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

    /// Stops showing a directory at `point`.
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

    /// Returns an empty work directory to put files into before a run. It is replaced if a command has run since it was
    /// new.
    ///
    /// # Errors
    /// When the box cannot be cleaned; it must then be dropped.
    pub fn fresh_workspace(&mut self) -> Result<BorrowedFd<'_>, SandboxError> {
        let leftovers = self.meter.as_ref().map_or(0, Meter::last_leftovers);
        self.renew(leftovers)?;
        Ok(self.workspace.as_fd())
    }

    /// Returns the work directory as the last run left it; all its processes are dead.
    pub fn workspace(&self) -> BorrowedFd<'_> {
        self.workspace.as_fd()
    }

    /// Returns whether a program has written to the work directory since it was new.
    pub(crate) fn is_written(&self) -> bool {
        WriteTraces::of(&self.workspace).map_or(true, |traces| traces != self.pristine)
    }

    /// Returns the bytes that files in the work directory use.
    pub(crate) fn workspace_use(&self) -> Bytes {
        fstatvfs(&self.workspace).map_or(Bytes(0), |space| {
            Bytes(space.blocks().saturating_sub(space.blocks_free()).saturating_mul(space.fragment_size()))
        })
    }

    /// Keeps the work directory of the last run for the next one.
    pub fn keep_workspace(&mut self) {
        self.keeps_workspace = true;
    }

    /// Announces that the caller will compare [`crate::sandbox::Outcome::memory`] of the next run with a limit of its own. Then the
    /// figure never includes memory that earlier runs in the box left and the kernel freed during this one.
    pub fn compare_memory(&mut self) {
        self.compares_memory = true;
    }

    /// Prepares the box for a run, and returns whether its memory figure is compared. The box counts as broken until the
    /// run is over.
    pub(crate) fn prepare_run(&mut self, limits: &Limits) -> Result<bool, SandboxError> {
        if self.broken {
            let detail = "an earlier run in it failed".to_owned();
            return Err(SandboxError::BoxLost { name: self.name(), detail });
        }
        let is_compared = std::mem::take(&mut self.compares_memory);
        let leftovers = leftovers_allowed(limits, is_compared);
        if self.used {
            self.renew(leftovers)?;
        } else if let Some(meter) = &self.meter {
            // Files were put into its work directory, so it stays; the last run may have had a larger limit.
            meter.has_grown(leftovers)?;
        }
        (self.used, self.broken) = (true, true);
        self.hides_changes = self.pristine.can_be_set_back();
        Ok(is_compared)
    }

    /// Makes the files of a finished run readable for this process, where it is neither root nor the box's user.
    pub(crate) fn make_readable(&self) -> Result<(), SandboxError> {
        if client::has_changed_user() && WriteTraces::of(&self.workspace)? != self.pristine {
            self.keeper.ask(&Request::MakeReadable { number: self.number })?;
        }
        Ok(())
    }

    /// Marks the box as usable after an error in the command itself, of which it has received nothing; returns the error.
    pub(crate) fn not_sent(&mut self, error: SandboxError) -> SandboxError {
        self.broken = !matches!(error, SandboxError::Command { .. });
        error
    }

    pub(crate) fn name(&self) -> String {
        format!("box-{}", self.number)
    }

    /// Restores the state of a new box. The work directory is replaced only if a program wrote to it: most programs do not,
    /// and replacing costs more than examining.
    fn renew(&mut self, leftovers: u64) -> Result<(), SandboxError> {
        let keeps_workspace = std::mem::take(&mut self.keeps_workspace);
        if self.lost && keeps_workspace {
            let detail = "the work directory to keep was lost with its init".to_owned();
            return Err(SandboxError::BoxLost { name: self.name(), detail });
        }
        if self.lost {
            return self.replace();
        }
        if !keeps_workspace && (self.hides_changes || WriteTraces::of(&self.workspace)? != self.pristine) {
            // Closed first: the kernel gives a new file system the lowest free device number, and the new directory must
            // get that of the old one.
            self.workspace = nix::fcntl::open("/dev/null", OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())
                .map_err(|errno| SandboxError::at("open", "/dev/null", errno))?;
            let (_, mut files) = self.keeper.ask(&Request::Renew { number: self.number })?;
            self.workspace = take(&mut files, Role::Workspace)?;
            self.pristine = WriteTraces::of(&self.workspace)?;
            instruments::box_renewed(BoxPart::Files);
        }
        if self.used {
            self.renew_group(keeps_workspace, leftovers)?;
        }
        self.used = false;
        Ok(())
    }

    /// Removes leftovers in the groups that would change the figures of the next run.
    fn renew_group(&mut self, keeps_workspace: bool, leftovers: u64) -> Result<(), SandboxError> {
        let Some(meter) = self.meter.as_mut() else { return Ok(()) };
        let has_grown = meter.has_grown(leftovers)?;
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

    /// Replaces this box with a new one.
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
            // The boxes of a dead keeper are destroyed.
            Ok(_) | Err(SandboxError::KeeperGone) => {}
            Err(error) => tracing::warn!(%error, box_name = self.name(), "a box could not be destroyed"),
        }
    }
}

/// Removes the descriptor of a role from the list.
fn take(files: &mut Files, role: Role) -> Result<OwnedFd, SandboxError> {
    let index = files.iter().position(|(own, _)| *own == role).ok_or_else(|| SandboxError::Keeper {
        operation: "hand over descriptors",
        detail: format!("{role:?} is missing"),
    })?;
    Ok(files.swap_remove(index).1)
}
