//! Creates, recycles and destroys boxes: the state of a keeper and its answer to each request.
//!
//! As root, each box has host ids of its own. Otherwise the keeper creates a user namespace in which it is root, and goes
//! on the same way; boxes then have one id only.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::fcntl::{OFlag, open};
use nix::sched::{CloneFlags, CpuSet, setns, unshare};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::stat::Mode;
use nix::unistd::{Gid, Pid, Uid};

use super::cgroup::{BoxGroup, Hierarchies};
use super::directories::{Directories, Listed, Source, Use};
use super::message::{Answer, Files, Request, Role};
use super::{bounds, id_map, make_readable, rootfs};
use crate::sandbox::error::SandboxError;
use crate::sandbox::init::process::{self, Birth, Identity, Progress};
use crate::sandbox::resource_control::ResourceControl;
use crate::sandbox::shape::{Shape, WORKSPACE};
use crate::sandbox::sys::mounts;
use crate::sandbox::sys::syscalls::{self, Cloned, Reaped};
use crate::sandbox::sys::wire::{self, Inbox};

/// The first host id of boxes: above those that systemd gives to containers (524,288 to 1,879,048,191, see systemd's
/// "UIDs-GIDs"), so that no other process of the host has them.
pub const FIRST_ID: u32 = 0x7000_0000;

/// Ids per keeper: with process ids below 2^22 the ranges of all keepers fit below 2^31.
const IDS_PER_KEEPER: u32 = 64;

/// Ids inside a box.
const INSIDE_INIT: u32 = 0;
const INSIDE_PROGRAM: u32 = 1000;

/// A running box; killed and reaped on drop.
struct Running {
    init: Pid,
    pidfd: OwnedFd,
    mount_namespace: OwnedFd,
    shape: Shape,
    identity: Identity,
    group: BoxGroup,
}

/// The state of a keeper.
pub(crate) struct Keeper {
    /// Before the hierarchies: fields are dropped in this order, and a directory can be removed only when it is empty.
    boxes: BTreeMap<u64, Running>,
    hierarchies: Hierarchies,
    privileged: bool,
    /// User and group of the worker, where they differ from this process's.
    reader: Option<(u32, u32)>,
    /// User namespaces that swap an owner, a uid and gid, with the reader.
    swapping: BTreeMap<(u32, u32), OwnedFd>,
    /// The directories that may be shown.
    listed: Listed,
    /// The cores that boxes may be pinned to.
    cores: CpuSet,
    /// The keeper's own mount namespace, to return to.
    home: OwnedFd,
    /// Number of boxes opened so far.
    opened: u64,
}

impl Keeper {
    /// Claims the cgroup hierarchies and opens the listed directories.
    pub(crate) fn start(
        demanded: Option<ResourceControl>,
        directories: &Directories,
        reader: Option<(u32, u32)>,
    ) -> Result<Self, SandboxError> {
        let privileged = has_privileges();
        if !privileged {
            become_root_of_namespace()?;
        }
        // A descriptor for each listed directory, and several for each box.
        let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)
            .map_err(|errno| SandboxError::on("read", "the limit of open files", errno))?;
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
        // In the mount namespace that boxes are created from: mounts can be cloned only from the caller's namespace.
        let listed = Listed::open(directories)?;
        let cores = bounds::cores()?;
        let hierarchies = Hierarchies::claim(demanded)?;
        let home = File::open("/proc/self/ns/mnt")
            .map_err(|error| SandboxError::at("open", "/proc/self/ns/mnt", error))?
            .into();
        Ok(Self {
            hierarchies,
            privileged,
            reader: reader.filter(|_| privileged),
            swapping: BTreeMap::new(),
            listed,
            cores,
            home,
            boxes: BTreeMap::new(),
            opened: 0,
        })
    }

    /// Returns the resource control of all boxes.
    pub(crate) fn control(&self) -> ResourceControl {
        self.hierarchies.control
    }

    /// Carries out a request; returns the answer with its descriptors.
    pub(crate) fn answer(&mut self, request: Request) -> Result<(Answer, Vec<OwnedFd>), SandboxError> {
        if let Request::Open { shape, core } = request {
            let (number, init, files) = self.open(shape, core)?;
            let (roles, descriptors) = files.into_iter().unzip();
            return Ok((Answer::Opened { number, init, roles }, descriptors));
        }
        let (roles, descriptors) = self.carry_out(request)?.into_iter().unzip();
        Ok((Answer::Done { roles }, descriptors))
    }

    /// Carries out any other request than [`Request::Open`].
    fn carry_out(&mut self, request: Request) -> Result<Files, SandboxError> {
        match request {
            Request::List(_) | Request::Start { .. } | Request::Open { .. } => {
                return Err(SandboxError::Refused {
                    operation: request.operation(),
                    detail: "it was started already, and its directories are fixed".to_owned(),
                });
            }
            Request::Attach { number, point, source } => self.attach(number, &point, source.as_ref())?,
            Request::View { source } => return Ok(vec![(Role::View, self.view(&source)?)]),
            Request::Restore { path } => {
                let group = self.reader.map_or(Gid::effective().as_raw(), |(_, group)| group);
                self.listed.restore(&path, group)?;
            }
            Request::Read { path } => return Ok(vec![(Role::File, self.listed.file(&path)?)]),
            Request::Renew { number } => {
                let workspace = self.inside(number, renew_workspace)?;
                return Ok(vec![(Role::Workspace, workspace)]);
            }
            Request::MakeReadable { number } => self.inside(number, |_| {
                make_readable::make_readable(&open_workspace()?)
                    .map_err(|error| SandboxError::at("make readable", WORKSPACE, error))
            })?,
            Request::FreshLeaf { number } => {
                let running = self.boxes.get_mut(&number).ok_or_else(|| unknown(number))?;
                running.group.fresh_leaf()?;
                return running.group.files();
            }
            Request::Close { number } => drop(self.boxes.remove(&number).ok_or_else(|| unknown(number))?),
        }
        Ok(Files::new())
    }

    /// Shows a listed directory at an attach point of a box, or no directory.
    fn attach(&mut self, number: u64, point: &str, source: Option<&Source>) -> Result<(), SandboxError> {
        let point = bounds::attach_point(point)?;
        let source = source.map(|source| self.clone_listed(source, Use::Attach(point))).transpose()?;
        self.inside(number, |_| {
            // Removes the last mount there; the first time there is none (EINVAL).
            match nix::mount::umount2(point, nix::mount::MntFlags::MNT_DETACH) {
                Ok(()) | Err(nix::errno::Errno::EINVAL) => {}
                Err(errno) => return Err(SandboxError::on("stop showing", point, errno)),
            }
            source.map_or(Ok(()), |source| mounts::attach(&source, Path::new(point)))
        })
    }

    /// Clones the mount of a listed directory, detached and read-only.
    fn clone_listed(&mut self, source: &Source, shown_as: Use) -> Result<OwnedFd, SandboxError> {
        self.listed.reopen_stores();
        mounts::clone_held_read_only(&self.listed.find(source, shown_as)?, &source.path)
    }

    /// Opens a view for the worker in which the directory's owner appears as the worker's user. A file system that does not
    /// support mapped ids is shown unchanged.
    fn view(&mut self, source: &Source) -> Result<OwnedFd, SandboxError> {
        self.listed.reopen_stores();
        let directory = self.listed.find(source, Use::View)?;
        let view = mounts::clone_held_read_only(&directory, &source.path)?;
        let Some(reader) = self.reader else { return Ok(view) };
        let status = nix::sys::stat::fstat(&directory)
            .map_err(|errno| SandboxError::at("examine", &source.path, errno))?;
        let owner = (status.st_uid, status.st_gid);
        if owner.0 == reader.0 {
            return Ok(view);
        }
        let namespace = match self.swapping.entry(owner) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(entry) => match id_map::swapping_namespace(owner, reader) {
                Ok(namespace) => entry.insert(namespace),
                Err(error) => {
                    eprintln!("gavel keeper: {error}");
                    return Ok(view);
                }
            },
        };
        if let Err(error) = syscalls::map_mount_ids(view.as_fd(), namespace.as_fd()) {
            eprintln!("gavel keeper: {} cannot be shown as another user's: {error}", source.path.display());
        }
        Ok(view)
    }

    /// Calls `action` in the mount namespace of a box, and returns to the own one in any case.
    fn inside<T>(
        &mut self,
        number: u64,
        action: impl FnOnce(&Running) -> Result<T, SandboxError>,
    ) -> Result<T, SandboxError> {
        let running = self.boxes.get(&number).ok_or_else(|| unknown(number))?;
        setns(&running.mount_namespace, CloneFlags::CLONE_NEWNS)
            .map_err(|errno| SandboxError::on("enter", format!("the mounts of box {number}"), errno))?;
        let result = action(running);
        if let Err(errno) = setns(&self.home, CloneFlags::CLONE_NEWNS) {
            // The keeper must not go on in a box's mount namespace. The worker sees the socket close.
            eprintln!("gavel keeper: cannot return from a box: {errno}");
            std::process::exit(3);
        }
        result
    }

    /// Creates a box; returns its number, the process id of its init, and its descriptors.
    fn open(&mut self, shape: Shape, core: Option<usize>) -> Result<(u64, i32, Files), SandboxError> {
        bounds::check_box(&shape, core, &self.cores, self.boxes.len())?;
        let shown = rootfs::of_shape(&shape, &self.listed)?;
        self.opened += 1;
        let number = self.opened;
        let (identity, maps) = self.identity(number);
        let mut group = BoxGroup::create(&self.hierarchies, &format!("box-{number}"), maps.init_outside)?;
        let failed = |error| SandboxError::on("make", "a socket pair", error);
        let (socket, init_socket) = wire::pair().map_err(failed)?;
        let (worker_end, init_end) = wire::pair().map_err(failed)?;
        let birthplace = group.birthplace()?;
        let sources = rootfs::open(&shape, shown)?;
        let birth =
            Birth { shape: shape.clone(), sources, core, identity, keeper: init_socket, worker: init_end };
        // The user namespace is among them so that it owns the others: box init resets the counter of its PID namespace
        // with a capability that holds nowhere else.
        let namespaces = libc::CLONE_NEWUSER
            | libc::CLONE_NEWNS
            | libc::CLONE_NEWPID
            | libc::CLONE_NEWNET
            | libc::CLONE_NEWIPC
            | libc::CLONE_NEWUTS;
        let birthplace = birthplace.as_ref().map(AsFd::as_fd);
        let Cloned { pid, pidfd } = syscalls::run_in_clone(namespaces, birthplace, birth, process::live)
            .map_err(|error| namespaces_refused(&error))?;
        let starting = Starting { pid, pidfd: Some(pidfd), socket };
        // Before init makes itself non-dumpable: after that only the host's root could open it, and without privileges
        // this process is root of its own user namespace only (ptrace(2), access mode checks).
        let mount_namespace = File::open(format!("/proc/{pid}/ns/mnt"))
            .map_err(|error| SandboxError::on("open", "the mount namespace of a box", error))?
            .into();
        starting.attend(&mut group, &maps)?;
        let mut files = group.files()?;
        let pidfd = starting.finish().ok_or_else(|| unknown(number))?;
        self.boxes.insert(number, Running { init: pid, pidfd, mount_namespace, shape, identity, group });
        match self.inside(number, make_workspace) {
            Ok(workspace) => {
                files.extend([(Role::Init, worker_end), (Role::Workspace, workspace)]);
                Ok((number, pid.as_raw(), files))
            }
            Err(error) => {
                self.boxes.remove(&number);
                Err(error)
            }
        }
    }

    /// Returns the ids of box `number`, inside and outside.
    fn identity(&self, number: u64) -> (Identity, Maps) {
        let counted = self.hierarchies.control != ResourceControl::None;
        if !self.privileged {
            // One id: root in the keeper's namespace (the user outside) is the program in the box.
            let identity = Identity {
                init: INSIDE_PROGRAM,
                program: INSIDE_PROGRAM,
                workspace_owner: 0,
                counted,
                privileged: false,
            };
            return (
                identity,
                Maps { text: format!("{INSIDE_PROGRAM} 0 1\n"), groups: false, init_outside: 0 },
            );
        }
        let base = FIRST_ID + (std::process::id() % (1 << 22)) * IDS_PER_KEEPER;
        let program = base + 1 + u32::try_from(number % u64::from(IDS_PER_KEEPER - 1)).unwrap_or(0);
        let identity = Identity {
            init: INSIDE_INIT,
            program: INSIDE_PROGRAM,
            workspace_owner: base,
            counted,
            privileged: true,
        };
        let text = format!("{INSIDE_INIT} {base} 1\n{INSIDE_PROGRAM} {program} 1\n");
        (identity, Maps { text, groups: true, init_outside: base })
    }
}

/// The id maps of a box's user namespace.
struct Maps {
    /// The lines of uid_map and gid_map.
    text: String,
    /// Whether setgroups(2) stays allowed.
    groups: bool,
    /// The host uid of box init.
    init_outside: u32,
}

/// A box init that is starting; killed and reaped on drop unless it has finished.
struct Starting {
    pid: Pid,
    pidfd: Option<OwnedFd>,
    socket: OwnedFd,
}

impl Starting {
    /// Does the keeper's part of the start: moves the process into cgroups and writes its id maps.
    fn attend(&self, group: &mut BoxGroup, maps: &Maps) -> Result<(), SandboxError> {
        group.adopt(self.pid)?;
        self.go_ahead()?;
        let mut inbox = Inbox::new();
        loop {
            let received = wire::receive_json::<Progress>(&mut inbox, self.socket.as_fd())
                .map_err(|error| SandboxError::on("receive from", "a new box", error))?;
            let Some((progress, _)) = received else {
                return Err(SandboxError::BoxLost {
                    name: format!("init {}", self.pid),
                    detail: "it died while it was being made".to_owned(),
                });
            };
            match progress {
                Progress::Rooted => group.settle(self.pid)?,
                Progress::WantsIds => self.write_maps(maps)?,
                Progress::Ready => return Ok(()),
                Progress::Failed(detail) => {
                    return Err(SandboxError::Keeper { operation: "make a box", detail });
                }
            }
            self.go_ahead()?;
        }
    }

    fn go_ahead(&self) -> Result<(), SandboxError> {
        wire::send(self.socket.as_fd(), b"+", &[])
            .map_err(|error| SandboxError::on("send to", "a new box", error))
    }

    /// Writes the id maps. The order matters: without privileges the kernel accepts a gid map only after setgroups was
    /// denied (user_namespaces(7)).
    fn write_maps(&self, maps: &Maps) -> Result<(), SandboxError> {
        let directory = format!("/proc/{}", self.pid);
        let write = |name: &str, text: &str| {
            let path = format!("{directory}/{name}");
            fs::write(&path, text).map_err(|error| SandboxError::at("write", path, error))
        };
        write("uid_map", &maps.text)?;
        if !maps.groups {
            write("setgroups", "deny")?;
        }
        write("gid_map", &maps.text)
    }

    /// Hands over the process to [`Running`].
    fn finish(mut self) -> Option<OwnedFd> {
        self.pidfd.take()
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        if let Some(pidfd) = &self.pidfd {
            kill_box(self.pid, pidfd);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        kill_box(self.init, &self.pidfd);
    }
}

/// Kills a box init, and with it everything in its PID namespace, and reaps it: when this returns, the kernel
/// has ended every process of the namespace (pid_namespaces(7)).
fn kill_box(init: Pid, pidfd: &OwnedFd) {
    let _ = syscalls::signal_process(pidfd.as_fd(), libc::SIGKILL);
    while let Ok(Reaped::NoneYet) = syscalls::reap(init.as_raw(), true) {}
}

/// Replaces the work directory of a box, in its mount namespace.
fn renew_workspace(running: &Running) -> Result<OwnedFd, SandboxError> {
    let target = Path::new(WORKSPACE);
    nix::mount::umount2(target, nix::mount::MntFlags::MNT_DETACH)
        .map_err(|errno| SandboxError::at("unmount", target, errno))?;
    make_workspace(running)
}

/// Mounts the work directory of a box, in its mount namespace. Box init could not do it: the worker may create files only
/// in a file system that was mounted in a user namespace in which its ids exist.
fn make_workspace(running: &Running) -> Result<OwnedFd, SandboxError> {
    let target = Path::new(WORKSPACE);
    rootfs::mount_workspace(target, &running.shape, running.identity.workspace_owner)?;
    open_workspace()
}

/// Opens the work directory of the box in whose mount namespace this process is.
fn open_workspace() -> Result<OwnedFd, SandboxError> {
    open(WORKSPACE, OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
        .map_err(|errno| SandboxError::at("open", WORKSPACE, errno))
}

fn unknown(number: u64) -> SandboxError {
    SandboxError::Refused { operation: "find a box", detail: format!("there is no box {number}") }
}

/// Returns whether this process is root and may create namespaces, which a container's root may not.
fn has_privileges() -> bool {
    const CAP_SYS_ADMIN: u64 = 1 << 21;
    Uid::effective().is_root()
        && procfs::process::Process::myself()
            .and_then(|process| process.status())
            .is_ok_and(|status| status.capeff & CAP_SYS_ADMIN != 0)
}

/// Creates a user namespace in which this process is root, and a mount namespace with it.
fn become_root_of_namespace() -> Result<(), SandboxError> {
    let (uid, gid) = (Uid::effective(), Gid::effective());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)
        .map_err(|errno| namespaces_refused(&errno.into()))?;
    let write = |path: &str, text: String| {
        fs::write(path, text).map_err(|error| SandboxError::at("write", path, error))
    };
    write("/proc/self/uid_map", format!("0 {uid} 1\n"))?;
    write("/proc/self/setgroups", "deny".to_owned())?;
    write("/proc/self/gid_map", format!("0 {gid} 1\n"))
}

fn namespaces_refused(error: &io::Error) -> SandboxError {
    let allow = "allow user namespaces: sysctl user.max_user_namespaces=10000 kernel.unprivileged_userns_clone=1 \
                 kernel.apparmor_restrict_unprivileged_userns=0, whichever exist";
    let remedy = if Uid::effective().is_root() {
        format!("run outside chroot and outside of what forbids it in a container, or {allow}")
    } else {
        format!("run as root, or {allow}")
    };
    SandboxError::Host { missing: format!("permission to make namespaces ({error})"), remedy }
}
