//! The keeper: the one process that needs privileges. It makes, recycles and destroys boxes and their cgroups.
//!
//! It is gavel's own executable started again with the hidden command `keeper`, so that it is single-threaded
//! and small whatever the worker has become; box inits are forked from it, and their size is what a program's
//! `ru_maxrss` starts from. Its socket is its life: when the worker closes it or dies, also of SIGKILL, the
//! keeper destroys every box, removes every cgroup and exits. Signals meant for the worker (a terminal's
//! Ctrl-C, a service manager's SIGTERM) do not end it. Should the keeper itself be killed, each init dies with
//! it (PR_SET_PDEATHSIG), and the next keeper removes the empty groups.
//!
//! It does not trust the worker, which reads messages from the network: the directories it may show are listed before
//! it starts and opened then ([`super::directories`]), every field of a request is checked here as well
//! ([`super::keeper_bounds`]), and what it refuses is counted and named on standard error.
//!
//! Not root: it makes a user namespace of its own, in which it is, and goes on the same way; boxes then have
//! one id only.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::ExitCode;

use nix::fcntl::{OFlag, open};
use nix::sched::{CloneFlags, CpuSet, setns, unshare};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::{Pid, Uid};

use super::cgroup::{BoxGroup, Files, Hierarchies, Role};
use super::directories::{Directories, Listed, Source, Use};
use super::init::{self, Identity, Progress};
use super::keeper_message::{Answer, Request};
use super::syscalls::{Cloned, Reaped};
use super::wire::{self, Inbox};
use super::{ResourceControl, SandboxError, Shape, keeper_bounds, open_up, reach, rootfs, syscalls};

/// First of the host ids boxes use: above those that systemd gives to containers (524,288 to 1,879,048,191,
/// see systemd's "UIDs-GIDs"), so that nobody on the host has them.
pub const FIRST_ID: u32 = 0x7000_0000;

/// Ids per keeper: with process ids below 2^22 the ranges of all keepers fit below 2^31.
const IDS_PER_KEEPER: u32 = 64;

/// Ids inside a box.
const INSIDE_INIT: u32 = 0;
const INSIDE_PROGRAM: u32 = 1000;

/// Refusals that are each named on standard error; of those after them every power of two is.
const REFUSALS_NAMED: u64 = 20;

/// A box as the keeper sees it.
struct Kept {
    init: Pid,
    pidfd: OwnedFd,
    mount_namespace: OwnedFd,
    shape: Shape,
    identity: Identity,
    group: BoxGroup,
}

struct Keeper {
    /// Before the hierarchies: fields are dropped in this order, and a directory goes only when it is empty.
    boxes: BTreeMap<u64, Kept>,
    hierarchies: Hierarchies,
    privileged: bool,
    /// User and group of the worker, where they are not this process's.
    reader: Option<(u32, u32)>,
    /// User namespaces in which an owner and the reader have changed places.
    exchanges: BTreeMap<(u32, u32), OwnedFd>,
    /// The directories that may be shown.
    listed: Listed,
    /// The cores boxes may be put on.
    cores: CpuSet,
    /// Our own mount namespace, to come back to.
    home: OwnedFd,
    opened: u64,
}

/// The main function of the keeper process: standard input is the socket to the worker.
pub fn keeper_main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gavel keeper: {error}");
            ExitCode::from(3)
        }
    }
}

fn serve() -> Result<(), SandboxError> {
    for ignored in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGPIPE] {
        syscalls::ignore_signal(ignored as i32)
            .map_err(|error| SandboxError::on("ignore", ignored.as_str(), error))?;
    }
    let _ = nix::sys::prctl::set_name(c"gavel-keeper");
    let worker = io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .map_err(|error| SandboxError::on("take", "the socket", error))?;
    // Descriptors 0 to 2 of box inits, and so never a program's, are harmless from here on.
    let null = open("/dev/null", OFlag::O_RDWR, Mode::empty())
        .map_err(|errno| SandboxError::at("open", "/dev/null", errno))?;
    nix::unistd::dup2_stdin(&null).map_err(|errno| SandboxError::on("close", "standard input", errno))?;
    let mut inbox = Inbox::new();
    let mut keeper: Option<Keeper> = None;
    let mut directories = Directories::default();
    let mut refusals = 0;
    loop {
        let answer = match hear(&mut inbox, &worker)? {
            None => return Ok(()),
            Some(Err(refused)) => Err(refused),
            Some(Ok(request)) => match (&mut keeper, request) {
                (None, Request::List(part)) => directories
                    .extend(part)
                    .map(|()| (Answer::Done { roles: Vec::new() }, Vec::new()))
                    .map_err(|detail| SandboxError::Refused { operation: "list directories", detail }),
                (None, Request::Start { demanded, reader }) => {
                    match Keeper::start(demanded, &directories, reader) {
                        Ok(started) => {
                            let control = started.hierarchies.control;
                            keeper = Some(started);
                            Ok((Answer::Started { control }, Vec::new()))
                        }
                        // A second attempt could come with another list.
                        Err(error) => {
                            let _ = wire::send_json(worker.as_fd(), &refusal(error, &mut refusals), &[]);
                            return Ok(());
                        }
                    }
                }
                (Some(keeper), request) => keeper.answer(request),
                (None, request) => Err(SandboxError::Refused {
                    operation: request.operation(),
                    detail: "it was not started".to_owned(),
                }),
            },
        };
        let (answer, files) = answer.unwrap_or_else(|error| (refusal(error, &mut refusals), Vec::new()));
        let descriptors: Vec<_> = files.iter().map(AsFd::as_fd).collect();
        match wire::send_json(worker.as_fd(), &answer, &descriptors) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            Err(error) => return Err(SandboxError::on("answer", "the worker", error)),
        }
    }
}

/// Waits for a request; `None` when the worker is gone. What is not a request is refused, and the next one is heard.
fn hear(inbox: &mut Inbox, worker: &OwnedFd) -> Result<Option<Result<Request, SandboxError>>, SandboxError> {
    const OPERATION: &str = "read a message";
    let refused = |detail: String| Ok(Some(Err(SandboxError::Refused { operation: OPERATION, detail })));
    match wire::receive_json::<Request>(inbox, worker.as_fd()) {
        Ok(None) => Ok(None),
        Ok(Some((_, descriptors))) if !descriptors.is_empty() => {
            refused(format!("{} descriptors came with it; requests carry none", descriptors.len()))
        }
        Ok(Some((request, _))) => Ok(Some(Ok(request))),
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) => {
            refused(error.to_string().chars().take(300).flat_map(char::escape_debug).collect())
        }
        Err(error) => Err(SandboxError::on("hear", "the worker", error)),
    }
}

/// The answer to a request that failed. A refusal is counted, and named on standard error unless there were many.
fn refusal(error: SandboxError, refusals: &mut u64) -> Answer {
    match error {
        SandboxError::Host { missing, remedy } => Answer::Lacking { missing, remedy },
        // The worker says again who could not do what.
        SandboxError::Keeper { detail, .. } => Answer::Failed { detail },
        SandboxError::Refused { operation, detail } => {
            *refusals += 1;
            if *refusals <= REFUSALS_NAMED || refusals.is_power_of_two() {
                eprintln!("gavel keeper: refused to {operation} (refusal {refusals}): {detail}");
            }
            Answer::Refused { detail, count: *refusals }
        }
        other => Answer::Failed { detail: other.to_string() },
    }
}

/// Splits descriptors from their roles.
fn split(files: Files) -> (Vec<Role>, Vec<OwnedFd>) {
    files.into_iter().unzip()
}

impl Keeper {
    fn start(
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
        // In the mount namespace that boxes are made from: mounts can be cloned from their own namespace only.
        let listed = Listed::open(directories)?;
        let cores = keeper_bounds::cores()?;
        let hierarchies = Hierarchies::claim(demanded)?;
        let home = File::open("/proc/self/ns/mnt")
            .map_err(|error| SandboxError::at("open", "/proc/self/ns/mnt", error))?
            .into();
        let reader = reader.filter(|_| privileged);
        let exchanges = BTreeMap::new();
        Ok(Self {
            hierarchies,
            privileged,
            reader,
            exchanges,
            listed,
            cores,
            home,
            boxes: BTreeMap::new(),
            opened: 0,
        })
    }

    fn answer(&mut self, request: Request) -> Result<(Answer, Vec<OwnedFd>), SandboxError> {
        let done = |files: Files| {
            let (roles, descriptors) = split(files);
            Ok((Answer::Done { roles }, descriptors))
        };
        match request {
            Request::List(_) | Request::Start { .. } => Err(SandboxError::Refused {
                operation: request.operation(),
                detail: "it was started already, and its directories are fixed".to_owned(),
            }),
            Request::Open { shape, core } => {
                let (number, init, files) = self.open(shape, core)?;
                let (roles, descriptors) = split(files);
                Ok((Answer::Opened { number, init, roles }, descriptors))
            }
            Request::Attach { number, point, source } => {
                let point = keeper_bounds::attach_point(&point)?;
                let source = source.map(|source| self.shown(&source, Use::Attach(point))).transpose()?;
                self.inside(number, |_| {
                    // What was shown there before goes; nothing does the first time (EINVAL: not a mount).
                    match nix::mount::umount2(point, nix::mount::MntFlags::MNT_DETACH) {
                        Ok(()) | Err(nix::errno::Errno::EINVAL) => {}
                        Err(errno) => return Err(SandboxError::on("stop showing", point, errno)),
                    }
                    source.map_or(Ok(()), |source| rootfs::attach(&source, Path::new(point)))
                })?;
                done(Files::new())
            }
            Request::View { source } => done(vec![(Role::View, self.view(&source)?)]),
            Request::Restore { path } => {
                let group = self.reader.map_or(nix::unistd::Gid::effective().as_raw(), |(_, group)| group);
                self.listed.restore(&path, group)?;
                done(Files::new())
            }
            Request::Read { path } => done(vec![(Role::File, self.listed.file(&path)?)]),
            Request::Renew { number } => {
                let workspace = self.inside(number, renew)?;
                done(vec![(Role::Workspace, workspace)])
            }
            Request::OpenUp { number } => {
                self.inside(number, |_| {
                    let workspace = open_workspace()?;
                    open_up::open_up(&workspace)
                        .map_err(|error| SandboxError::at("open up", super::WORKSPACE, error))
                })?;
                done(Files::new())
            }
            Request::FreshLeaf { number } => {
                let kept = self.boxes.get_mut(&number).ok_or_else(|| unknown(number))?;
                kept.group.fresh_leaf()?;
                done(kept.group.files()?)
            }
            Request::Close { number } => {
                drop(self.boxes.remove(&number).ok_or_else(|| unknown(number))?);
                done(Files::new())
            }
        }
    }

    /// A detached, read-only mount of a directory that may be shown so.
    fn shown(&mut self, source: &Source, shown_as: Use) -> Result<OwnedFd, SandboxError> {
        self.listed.look_again();
        rootfs::shown(&self.listed.find(source, shown_as)?, &source.path)
    }

    /// A view for the worker, who is another user than this process and than the owner of the package perhaps: there it is
    /// the owner. A file system that cannot be shown so is shown as it is.
    fn view(&mut self, source: &Source) -> Result<OwnedFd, SandboxError> {
        self.listed.look_again();
        let directory = self.listed.find(source, Use::View)?;
        let view = rootfs::shown(&directory, &source.path)?;
        let Some(reader) = self.reader else { return Ok(view) };
        let status = nix::sys::stat::fstat(&directory)
            .map_err(|errno| SandboxError::at("examine", &source.path, errno))?;
        let owner = (status.st_uid, status.st_gid);
        if owner.0 == reader.0 {
            return Ok(view);
        }
        let namespace = match self.exchanges.entry(owner) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => match reach::exchanging_namespace(owner, reader) {
                Ok(namespace) => place.insert(namespace),
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

    /// Does something in the mount namespace of a box, coming back whatever happens.
    fn inside<T>(
        &mut self,
        number: u64,
        action: impl FnOnce(&Kept) -> Result<T, SandboxError>,
    ) -> Result<T, SandboxError> {
        let kept = self.boxes.get(&number).ok_or_else(|| unknown(number))?;
        setns(&kept.mount_namespace, CloneFlags::CLONE_NEWNS)
            .map_err(|errno| SandboxError::on("enter", format!("the mounts of box {number}"), errno))?;
        let result = action(kept);
        if let Err(errno) = setns(&self.home, CloneFlags::CLONE_NEWNS) {
            // Going on in a box's mount namespace would be worse than ending: the worker sees the socket close.
            eprintln!("gavel keeper: cannot come back from a box: {errno}");
            std::process::exit(3);
        }
        result
    }

    fn open(&mut self, shape: Shape, core: Option<usize>) -> Result<(u64, i32, Files), SandboxError> {
        keeper_bounds::check_box(&shape, core, &self.cores, self.boxes.len())?;
        let shown = rootfs::of_shape(&shape, &self.listed)?;
        self.opened += 1;
        let number = self.opened;
        let (identity, maps) = self.identity(number);
        let mut group = BoxGroup::create(&self.hierarchies, &format!("box-{number}"), maps.init_outside)?;
        let failed = |operation, error| SandboxError::on(operation, "a socket pair", error);
        let (ours, theirs) = wire::pair().map_err(|error| failed("make", error))?;
        let (worker_end, init_end) = wire::pair().map_err(|error| failed("make", error))?;
        let birthplace = group.birthplace()?;
        let sources = rootfs::Sources::open(&shape, shown)?;
        // The user namespace among them, so that it owns the others: box init resets the counter of its PID namespace
        // with a capability that holds nowhere else.
        let namespaces = libc::CLONE_NEWUSER
            | libc::CLONE_NEWNS
            | libc::CLONE_NEWPID
            | libc::CLONE_NEWNET
            | libc::CLONE_NEWIPC
            | libc::CLONE_NEWUTS;
        let cloned = syscalls::clone_process(namespaces, birthplace.as_ref().map(AsFd::as_fd))
            .map_err(|error| namespaces_refused(&error))?;
        match cloned {
            Cloned::Child => {
                // Everything else is the keeper's: its socket, other boxes' namespaces and processes.
                let mut kept = vec![theirs.as_fd(), init_end.as_fd()];
                kept.extend(sources.descriptors());
                let cleaned = syscalls::close_all_but(&kept);
                if cleaned.is_ok() {
                    // A panic must not unwind into the keeper's destructors, of which this is a copy.
                    let life = std::panic::AssertUnwindSafe(|| {
                        init::live(&shape, sources, core, identity, theirs, init_end);
                    });
                    let _ = std::panic::catch_unwind(life);
                }
                syscalls::exit_now(0)
            }
            Cloned::Parent { pid, pidfd } => {
                drop((theirs, init_end, sources));
                let newborn = Newborn { pid, pidfd: Some(pidfd), ours };
                // Before init makes itself non-dumpable: after that only the host's root could open it, and without
                // privileges this process is root of its own user namespace only (ptrace(2), access mode checks).
                let mount_namespace = File::open(format!("/proc/{pid}/ns/mnt"))
                    .map_err(|error| SandboxError::on("open", "the mount namespace of a box", error))?
                    .into();
                newborn.attend(&mut group, &maps)?;
                let mut files = group.files()?;
                let pidfd = newborn.grown_up().ok_or_else(|| unknown(number))?;
                self.boxes.insert(number, Kept { init: pid, pidfd, mount_namespace, shape, identity, group });
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
        }
    }

    /// Who is who in box `number`.
    fn identity(&self, number: u64) -> (Identity, Maps) {
        let counted = self.hierarchies.control != ResourceControl::None;
        if !self.privileged {
            // One id: what is root in the keeper's namespace (the user outside) is the program in the box.
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
    text: String,
    /// Whether setgroups(2) stays allowed.
    groups: bool,
    init_outside: u32,
}

/// A box init on its way; killed and reaped on drop unless it has grown up.
struct Newborn {
    pid: Pid,
    pidfd: Option<OwnedFd>,
    ours: OwnedFd,
}

impl Newborn {
    /// Does the keeper's part of the birth.
    fn attend(&self, group: &mut BoxGroup, maps: &Maps) -> Result<(), SandboxError> {
        group.adopt(self.pid)?;
        self.go_ahead()?;
        let mut inbox = Inbox::new();
        loop {
            let heard = wire::receive_json::<Progress>(&mut inbox, self.ours.as_fd())
                .map_err(|error| SandboxError::on("hear", "a new box", error))?;
            let Some((progress, _)) = heard else {
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
        wire::send(self.ours.as_fd(), b"+", &[]).map_err(|error| SandboxError::on("tell", "a new box", error))
    }

    /// Order matters: without privileges the kernel takes a gid map only after setgroups was given up
    /// (user_namespaces(7)).
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

    /// Grown up: from now on [`Kept`] answers for it.
    fn grown_up(mut self) -> Option<OwnedFd> {
        self.pidfd.take()
    }
}

impl Drop for Newborn {
    fn drop(&mut self) {
        if let Some(pidfd) = &self.pidfd {
            end(self.pid, pidfd);
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        end(self.init, &self.pidfd);
    }
}

/// Kills a box init, and with it everything in its PID namespace, and reaps it: when this returns, the kernel
/// has ended every process of the namespace (pid_namespaces(7)).
fn end(init: Pid, pidfd: &OwnedFd) {
    let _ = syscalls::signal_process(pidfd.as_fd(), libc::SIGKILL);
    while let Ok(Reaped::NoneYet) = syscalls::reap(init.as_raw(), true) {}
}

/// Replaces the work directory of the box whose mount namespace this is.
fn renew(kept: &Kept) -> Result<OwnedFd, SandboxError> {
    let target = Path::new(super::WORKSPACE);
    nix::mount::umount2(target, nix::mount::MntFlags::MNT_DETACH)
        .map_err(|errno| SandboxError::at("unmount", target, errno))?;
    make_workspace(kept)
}

/// Mounts the work directory of the box whose mount namespace this is. Box init could not: the worker may make files
/// only in a file system that was mounted in a user namespace where its ids exist.
fn make_workspace(kept: &Kept) -> Result<OwnedFd, SandboxError> {
    let target = Path::new(super::WORKSPACE);
    rootfs::mount_workspace(target, &kept.shape, kept.identity.workspace_owner)?;
    open_workspace()
}

/// The work directory of the box whose mount namespace this is.
fn open_workspace() -> Result<OwnedFd, SandboxError> {
    open(super::WORKSPACE, OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
        .map_err(|errno| SandboxError::at("open", super::WORKSPACE, errno))
}

fn unknown(number: u64) -> SandboxError {
    SandboxError::Refused { operation: "find a box", detail: format!("there is no box {number}") }
}

/// Root, and allowed to make namespaces: a container's root may not be.
fn has_privileges() -> bool {
    const CAP_SYS_ADMIN: u64 = 1 << 21;
    Uid::effective().is_root()
        && procfs::process::Process::myself()
            .and_then(|process| process.status())
            .is_ok_and(|status| status.capeff & CAP_SYS_ADMIN != 0)
}

/// Without privileges: a user namespace in which this process is root, and a mount namespace to go with it.
fn become_root_of_namespace() -> Result<(), SandboxError> {
    let (uid, gid) = (Uid::effective(), nix::unistd::Gid::effective());
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
