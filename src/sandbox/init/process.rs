//! Box init: PID 1 of a box, from its start to its loop of runs.
//!
//! The keeper clones it into new namespaces. It builds the root, gives up its rights (it takes an unprivileged uid, keeps
//! only the capabilities named below, empties the bounding set, forbids further namespaces, installs the system-call
//! filter), and then only serves: one request, one program, one result. Programs inherit all of that, so a run pays for
//! none of it.
//!
//! The user namespace owns the PID namespace, and init keeps CAP_CHECKPOINT_RESTORE in it for one purpose: before each
//! run it resets the last process id to its own, through a descriptor of `/proc/sys/kernel/ns_last_pid`. So every program
//! is process 2 and its first child 3, whatever ran before.
//!
//! A result is sent only after the program and everything it started are dead and reaped. When the worker or the keeper
//! dies, so does this process, and the kernel kills the rest of the PID namespace with it. Limits of time and memory are
//! the worker's, which watches them from outside.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl, open, openat};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, CpuSet, sched_setaffinity, unshare};
use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, SFlag, fstat, major, minor, umask};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{Pid, sethostname, setresgid, setresuid};
use rlimit::Resource;
use serde::{Deserialize, Serialize};

use super::message::{End, KILL, RUN, RunRequest, RunResult, Step};
use super::root::{self, Sources};
use super::seccomp;
use super::spawn::{Plan, Spawner, Started};
use crate::sandbox::error::SandboxError;
use crate::sandbox::shape::{Profile, Shape};
use crate::sandbox::sys::syscalls::{self, Inheritance, Reaped};
use crate::sandbox::sys::wire::{self, Inbox};

/// The ids of a box's processes inside it; the keeper maps them to ids of the host.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identity {
    /// uid and gid of box init.
    pub init: u32,
    /// uid and gid of programs.
    pub program: u32,
    /// Owner of the work directory (box init), as seen by the keeper.
    pub workspace_owner: u32,
    /// Whether cgroups count what programs use.
    pub counted: bool,
    /// Whether the keeper has real privileges: then programs get a uid of their own and groups are emptied.
    pub privileged: bool,
}

/// Steps of a box init's start, reported to the keeper, which answers each but the last with one byte.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Progress {
    /// The cgroup namespace exists: the keeper may create and fill leaves.
    Rooted,
    /// The keeper must write the id maps of the user namespace.
    WantsIds,
    /// The box is ready for runs.
    Ready,
    /// A step failed.
    Failed(String),
}

/// Everything that the keeper hands to a new box init.
#[derive(Debug)]
pub(crate) struct Birth {
    /// The box to build.
    pub shape: Shape,
    /// The parts of the host that it shows.
    pub sources: Sources,
    /// The core to stay on.
    pub core: Option<usize>,
    /// Its ids.
    pub identity: Identity,
    /// The connection to the keeper, for the start only.
    pub keeper: OwnedFd,
    /// The connection to the worker, for the runs.
    pub worker: OwnedFd,
}

impl Inheritance for Birth {
    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        [self.keeper.as_fd(), self.worker.as_fd()].into_iter().chain(self.sources.descriptors()).collect()
    }
}

/// Runs box init; returns when the worker closes its end.
pub(crate) fn live(birth: Birth) {
    let Birth { shape, sources, core, identity, keeper, worker } = birth;
    match become_init(&shape, sources, core, identity, &keeper) {
        Ok(mut init) => {
            let reported = wire::send_json(keeper.as_fd(), &Progress::Ready, &[]);
            drop(keeper);
            if reported.is_ok() {
                // A failed socket means that the worker is dead or confused: either way the box ends.
                let _ = init.serve(&worker);
            }
        }
        Err(error) => {
            let _ = wire::send_json(keeper.as_fd(), &Progress::Failed(error.to_string()), &[]);
        }
    }
}

/// Reports a step to the keeper and waits for its go-ahead.
fn report(keeper: &OwnedFd, progress: &Progress) -> Result<(), SandboxError> {
    wire::send_json(keeper.as_fd(), progress, &[])
        .map_err(|error| SandboxError::on("report to", "the keeper", error))?;
    wait(keeper)
}

fn wait(keeper: &OwnedFd) -> Result<(), SandboxError> {
    let mut byte = [0u8; 1];
    match nix::unistd::read(keeper, &mut byte) {
        Ok(1) => Ok(()),
        _ => Err(SandboxError::KeeperGone),
    }
}

/// Describes a failed system call on `subject`.
fn failed(operation: &'static str, subject: &str) -> impl FnOnce(Errno) -> SandboxError {
    let subject = subject.to_owned();
    move |errno| SandboxError::on(operation, subject, errno)
}

/// Turns the clone into a box init: builds the root and gives up every privilege that runs do not need.
fn become_init(
    shape: &Shape,
    sources: Sources,
    core: Option<usize>,
    identity: Identity,
    keeper: &OwnedFd,
) -> Result<BoxInit, SandboxError> {
    syscalls::reset_signals();
    nix::sys::prctl::set_name(c"gavel-box").map_err(failed("name", "box init"))?;
    // Until the keeper has put this process into its v1 groups, it must not use memory worth counting.
    wait(keeper)?;
    if let Some(core) = core {
        let mut cores = CpuSet::new();
        cores.set(core).map_err(failed("choose", "a core"))?;
        sched_setaffinity(Pid::from_raw(0), &cores).map_err(failed("stay on", &format!("core {core}")))?;
    }
    unshare(CloneFlags::CLONE_NEWCGROUP).map_err(failed("make", "a cgroup namespace"))?;
    report(keeper, &Progress::Rooted)?;
    sethostname(&shape.hostname).map_err(failed("set", "the host name"))?;
    unprotect();
    let proc = File::open("/proc").map_err(|error| SandboxError::at("open", "/proc", error))?;
    report(keeper, &Progress::WantsIds)?;
    if identity.privileged {
        nix::unistd::setgroups(&[]).map_err(failed("empty", "the groups of box init"))?;
    }
    let (uid, gid) = (identity.init.into(), identity.init.into());
    setresgid(gid, gid, gid).map_err(failed("take", "the gid of box init"))?;
    setresuid(uid, uid, uid).map_err(failed("take", "the uid of box init"))?;
    root::enter(sources, shape)?;
    root::hide_mounts()?;
    forbid_namespaces(&proc)?;
    let last_id = LastId::open(&proc)?;
    let spawner =
        spawner(&proc).map_err(|error| SandboxError::on("prepare", "the start of programs", error))?;
    drop(proc);
    let null = NullDevice::open().map_err(failed("open", "the null device of a box"))?;
    let notifications = give_up_privileges(shape, identity, &last_id)?;
    Ok(BoxInit { identity, last_id, null, notifications, spawner })
}

/// Gives up capabilities and system calls; returns the descriptor of the filter's notifications, where the kernel has
/// them.
fn give_up_privileges(
    shape: &Shape,
    identity: Identity,
    last_id: &LastId,
) -> Result<Option<OwnedFd>, SandboxError> {
    for capability in 0.. {
        if syscalls::drop_bounding_capability(capability).is_err() {
            break;
        }
    }
    let kept = if identity.privileged { KEPT_OF_ROOT } else { KEPT };
    syscalls::keep_capabilities(kept.iter().fold(0, |set, capability| set | 1 << capability))
        .map_err(|error| SandboxError::on("give up", "the capabilities of box init", error))?;
    last_id.reset().map_err(|error| SandboxError::on("set", LAST_ID, error))?;
    set_common_limits().map_err(|error| SandboxError::on("limit", "the programs of a box", error))?;
    umask(Mode::S_IWGRP | Mode::S_IWOTH);
    // Changes of credentials clear both (prctl(2)), so they come after the last one.
    nix::sys::prctl::set_dumpable(false).map_err(failed("hide", "box init"))?;
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).map_err(failed("bind", "box init to the keeper"))?;
    nix::sys::prctl::set_no_new_privs().map_err(failed("forbid", "new privileges"))?;
    // Before the filter that forbids further ones. Without it the sender of a signal stays unknown.
    let notifications = syscalls::notify_of_calls(&seccomp::signal_notifications()).ok();
    let install = |filter: &seccompiler::BpfProgram| {
        seccompiler::apply_filter(filter)
            .map_err(|error| SandboxError::on("install", "the system-call filter", io::Error::other(error)))
    };
    if !identity.counted && shape.profile != Profile::Compile {
        install(&seccomp::no_memory_files())?;
    }
    install(&seccomp::filter(shape.profile, true)?)?;
    Ok(notifications)
}

/// The capability that sets the last process id (CAP_CHECKPOINT_RESTORE in capabilities(7)).
const KEPT: &[u32] = &[40];

/// With a uid of their own for programs also those that kill programs and give them their ids: CAP_KILL, CAP_SETGID,
/// CAP_SETUID.
const KEPT_OF_ROOT: &[u32] = &[40, 5, 6, 7];

const LAST_ID: &str = "/proc/sys/kernel/ns_last_pid";

/// Runs of at least this length may have been examined while they lasted (the first look of `run::supervisor`), and then
/// the number of ids they were given matters.
const WORTH_COUNTING: Duration = Duration::from_millis(1);

/// Checks that this process may start programs.
fn spawner(proc: &File) -> io::Result<Spawner> {
    let mut status = String::new();
    File::from(openat(proc, "self/status", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?)
        .read_to_string(&mut status)?;
    Spawner::new(&status)
}

/// Sets the limits that are the same for every program, which inherits them.
fn set_common_limits() -> io::Result<()> {
    let limits = [
        // Not 0: a limit of 1 is the one that also stops core dumps to a pipe (core(5)).
        (Resource::CORE, 1),
        (Resource::MEMLOCK, 64 * 1024),
        (Resource::MSGQUEUE, 0),
    ];
    for (resource, value) in limits {
        let value = value.min(resource.get_hard()?);
        resource.set(value, value)?;
    }
    Ok(())
}

/// The last process id allocated in this PID namespace (proc_sys_kernel(5), "ns_last_pid"). Each write demands
/// CAP_CHECKPOINT_RESTORE in the user namespace that owns the PID namespace of the writer.
struct LastId(File);

impl LastId {
    fn open(proc: &File) -> Result<Self, SandboxError> {
        let path = LAST_ID.trim_start_matches("/proc/");
        match openat(proc, path, OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty()) {
            Ok(file) => Ok(Self(file.into())),
            Err(errno) => Err(SandboxError::Host {
                missing: format!(
                    "{LAST_ID} to write ({errno}): every run is to start at the same process ids"
                ),
                remedy: "use a kernel with CONFIG_CHECKPOINT_RESTORE, and a writable /proc/sys".to_owned(),
            }),
        }
    }

    /// Resets it to box init's own id, so that the next process gets the one after that.
    fn reset(&self) -> io::Result<()> {
        self.0.write_all_at(b"1", 0)
    }

    /// Returns the number of ids allocated after `leader`: 0 where the leader had neither children nor threads. After the
    /// largest id the kernel goes on at 300 (RESERVED_PIDS in kernel/pid.c), never at a leader's.
    fn births_after(&self, leader: libc::pid_t) -> io::Result<u64> {
        let mut text = [0u8; 16];
        let length = self.0.read_at(&mut text, 0)?;
        let last = std::str::from_utf8(&text[..length]).ok().and_then(|text| text.trim().parse().ok());
        let last: libc::pid_t = last.ok_or(io::ErrorKind::InvalidData)?;
        Ok(u64::try_from(last - leader).unwrap_or(u64::MAX))
    }
}

/// Removes the protection from the kernel's out-of-memory killer that a service manager may have given to gavel: programs
/// would inherit it, and the killer would find no process to kill. Raising the score needs no privilege (proc(5),
/// "oom_score_adj").
fn unprotect() {
    let path = "/proc/self/oom_score_adj";
    let score = std::fs::read_to_string(path).ok().and_then(|text| text.trim().parse::<i32>().ok());
    if score.is_some_and(|score| score < 0) {
        let _ = std::fs::write(path, "0");
    }
}

/// Makes further namespaces impossible in the box's user namespace: a limit of zero for each kind
/// (namespaces(7), "/proc/sys/user"). The filter refuses clone's flags too, but cannot see clone3's, which
/// live in memory.
fn forbid_namespaces(proc: &File) -> Result<(), SandboxError> {
    for kind in ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"] {
        let path = format!("sys/user/max_{kind}_namespaces");
        let failed = |error: io::Error| {
            SandboxError::on("forbid further namespaces through", format!("/proc/{path}"), error)
        };
        let file = openat(proc, path.as_str(), OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty());
        let mut file = File::from(file.map_err(|errno| failed(errno.into()))?);
        file.write_all(b"0").map_err(failed)?;
        let mut value = [0u8; 8];
        let length = file_at_start(&mut file, &mut value).map_err(failed)?;
        if value[..length].trim_ascii() != b"0" {
            return Err(failed(io::Error::other("the limit did not take")));
        }
    }
    Ok(())
}

fn file_at_start(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    use std::io::Seek;
    file.rewind()?;
    file.read(buffer)
}

/// A box init that serves runs.
struct BoxInit {
    identity: Identity,
    last_id: LastId,
    null: NullDevice,
    /// Receives a notification when a program asks for a signal; `None` where the kernel does not send any.
    notifications: Option<OwnedFd>,
    spawner: Spawner,
}

/// The observations of one run so far.
struct Observed {
    /// How the leader ended.
    end: End,
    /// Process id of the leader; 0 if the clone failed.
    leader: libc::pid_t,
    /// Time from the clone to the leader's end.
    wall: Duration,
    max_rss_kib: u64,
    asked_to_end: Option<bool>,
}

impl BoxInit {
    /// Serves runs until the worker closes its end.
    fn serve(&mut self, worker: &OwnedFd) -> io::Result<()> {
        let mut inbox = Inbox::new();
        let mut reaped = getrusage(UsageWho::RUSAGE_CHILDREN)?;
        loop {
            let Some((bytes, descriptors)) = inbox.receive(worker.as_fd())? else { return Ok(()) };
            let request = match bytes.split_first() {
                Some((&RUN, rest)) => RunRequest::decode(rest).filter(|_| descriptors.len() >= 3),
                // This kill crossed with a result: nothing runs any more.
                Some((&KILL, _)) => continue,
                _ => None,
            };
            let Some(request) = request else {
                return Err(io::Error::from(io::ErrorKind::InvalidData));
            };
            let result = self.run(request, descriptors, worker, &mut reaped)?;
            wire::send(worker.as_fd(), &result.encode(), &[])?;
            // Here, while the worker reads its counters, and not before the next program.
            self.last_id.reset()?;
        }
    }

    /// Runs one program, from the clone to the last process reaped. `reaped` is the usage of all processes of the box
    /// reaped so far.
    fn run(
        &mut self,
        request: RunRequest,
        descriptors: Vec<OwnedFd>,
        worker: &OwnedFd,
        reaped: &mut Usage,
    ) -> io::Result<RunResult> {
        let mut seen = self.run_leader(request, descriptors, worker)?;
        kill_everything(&mut seen.max_rss_kib)?;
        // A child's peak starts from that of the process whose memory it shared at its start, which is this one.
        let floor_kib = u64::try_from(getrusage(UsageWho::RUSAGE_SELF)?.max_rss()).unwrap_or(u64::MAX);
        let reaped_before = std::mem::replace(reaped, getrusage(UsageWho::RUSAGE_CHILDREN)?);
        let cpu = |usage: &Usage| time_value(usage.user_time()) + time_value(usage.system_time());
        let count = |value: i64| u64::try_from(value).unwrap_or(0);
        let disk_reads = count(reaped.major_page_faults() - reaped_before.major_page_faults())
            + count(reaped.block_reads() - reaped_before.block_reads());
        let births = if disk_reads > 0 || seen.wall >= WORTH_COUNTING {
            Some(self.last_id.births_after(seen.leader)?)
        } else {
            None
        };
        Ok(RunResult {
            end: seen.end,
            wall: seen.wall,
            init_cpu: clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)?.into(),
            reaped_cpu: cpu(reaped).saturating_sub(cpu(&reaped_before)),
            max_rss_kib: seen.max_rss_kib,
            floor_kib,
            births,
            disk_reads,
            asked_to_end: seen.asked_to_end,
        })
    }

    /// Starts the program and waits for its end.
    fn run_leader(
        &mut self,
        mut request: RunRequest,
        descriptors: Vec<OwnedFd>,
        worker: &OwnedFd,
    ) -> io::Result<Observed> {
        if !self.identity.privileged {
            // The kernel counts processes by user, and here this process has the programs' uid.
            let limits = request.limits.iter_mut();
            limits
                .filter(|limit| limit.resource == libc::RLIMIT_NPROC)
                .for_each(|limit| limit.value = limit.value.saturating_add(1));
        }
        let stream = |index: usize| self.null.in_place_of(&descriptors[index]);
        let plan = Plan::new(request, [stream(0)?, stream(1)?, stream(2)?], self.identity.program);
        let leaf = descriptors.get(3).map(AsFd::as_fd);
        // Not from the moment of exec, a few hundred microseconds later: the program's CPU time begins here too.
        let begun = Instant::now();
        let started = self.spawner.spawn(&plan, leaf);
        drop(plan);
        // The program has its own copies; its pipes could not end while these are open.
        drop(descriptors);
        let mut asked_to_end = self.notifications.as_ref().map(|_| false);
        let Started { pid, pidfd, failure } = match started {
            Ok(started) => started,
            Err(error) => {
                let end =
                    End::NotStarted { step: Step::Clone as u32, errno: error.raw_os_error().unwrap_or(0) };
                return Ok(Observed { end, leader: 0, wall: Duration::ZERO, max_rss_kib: 0, asked_to_end });
            }
        };
        wait_for(&pidfd, worker, self.notifications.as_ref(), &mut asked_to_end)?;
        let wall = begun.elapsed();
        let (end, max_rss_kib) = reap_leader(pid)?;
        let (end, wall) = match failure {
            None => (end, wall),
            Some((step, errno)) => (End::NotStarted { step, errno }, Duration::ZERO),
        };
        Ok(Observed { end, leader: pid, wall, max_rss_kib, asked_to_end })
    }
}

/// The box's `/dev/null`, which programs get in place of the host's. Every process may write to the host's, and so set
/// its times to now (futimens(3)): one run could leave a message for another. The box's is on a read-only mount.
///
/// Opened once per box, since opening takes longer than everything else between a request and its program. Runs share
/// these descriptors, and could leave each other a message only in the status flags (fcntl(2), F_SETFL), which are reset
/// for each run: the position does not move, and the filter refuses locks, leases and owners of signals.
struct NullDevice {
    /// Opened for reading, for writing, and for both.
    opened: [OwnedFd; 3],
}

impl NullDevice {
    fn open() -> nix::Result<Self> {
        let open = |access: OFlag| open("/dev/null", access | OFlag::O_CLOEXEC, Mode::empty());
        Ok(Self { opened: [open(OFlag::O_RDONLY)?, open(OFlag::O_WRONLY)?, open(OFlag::O_RDWR)?] })
    }

    /// Returns the descriptor that a program gets for the stream `descriptor`: this device in place of the host's.
    fn in_place_of<'a>(&'a self, descriptor: &'a OwnedFd) -> io::Result<BorrowedFd<'a>> {
        if !Self::is(descriptor)? {
            return Ok(descriptor.as_fd());
        }
        let access = OFlag::from_bits_truncate(fcntl(descriptor, FcntlArg::F_GETFL)?) & OFlag::O_ACCMODE;
        let [reading, writing, both] = &self.opened;
        let own = match access {
            OFlag::O_RDONLY => reading,
            OFlag::O_WRONLY => writing,
            _ => both,
        };
        fcntl(own, FcntlArg::F_SETFL(OFlag::empty()))?;
        Ok(own.as_fd())
    }

    fn is(descriptor: &OwnedFd) -> io::Result<bool> {
        const NULL: (u64, u64) = (1, 3); // null(4)
        let status = fstat(descriptor)?;
        let is_device = SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT == SFlag::S_IFCHR;
        Ok(is_device && (major(status.st_rdev), minor(status.st_rdev)) == NULL)
    }
}

/// Waits until the leader is dead. Kills when the worker asks for it; an end of file ends the box. Sets `asked_to_end`
/// when a process asks for a signal that ends processes.
fn wait_for(
    pidfd: &OwnedFd,
    worker: &OwnedFd,
    notifications: Option<&OwnedFd>,
    asked_to_end: &mut Option<bool>,
) -> io::Result<()> {
    let mut notifications = notifications;
    loop {
        let mut watched: Vec<PollFd<'_>> = [Some(pidfd), Some(worker), notifications]
            .into_iter()
            .flatten()
            .map(|descriptor| PollFd::new(descriptor.as_fd(), PollFlags::POLLIN))
            .collect();
        match poll(&mut watched, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let ready = |index: usize| {
            watched.get(index).and_then(PollFd::revents).is_some_and(|events| !events.is_empty())
        };
        // Before the leader's end, which it may explain.
        if ready(2)
            && let Some(open) = notifications
        {
            let is_call = watched[2].revents().is_some_and(|events| events.contains(PollFlags::POLLIN));
            if is_call && syscalls::let_call_continue(open.as_fd()).is_ok() {
                *asked_to_end = Some(true);
            } else {
                // Further notifications are lost, so the answer is unknown.
                (notifications, *asked_to_end) = (None, None);
            }
        }
        if ready(0) {
            return Ok(());
        }
        if ready(1) {
            let mut message = [0u8; 16];
            match nix::unistd::read(worker, &mut message) {
                Ok(1) if message[0] == KILL => syscalls::kill_all_others()?,
                Err(Errno::EINTR | Errno::EAGAIN) => {}
                _ => return Err(io::Error::from(io::ErrorKind::ConnectionAborted)),
            }
        }
    }
}

/// Reaps the leader; returns how it ended and its largest resident size in KiB.
fn reap_leader(pid: libc::pid_t) -> io::Result<(End, u64)> {
    loop {
        match syscalls::reap(pid, true)? {
            Reaped::Process { status, max_rss_kib } if libc::WIFEXITED(status) => {
                return Ok((End::Exited(libc::WEXITSTATUS(status)), max_rss_kib));
            }
            Reaped::Process { status, max_rss_kib } if libc::WIFSIGNALED(status) => {
                return Ok((End::Signaled(libc::WTERMSIG(status)), max_rss_kib));
            }
            Reaped::Process { .. } | Reaped::NoneYet => {}
            Reaped::NoneLeft => return Err(io::Error::from(io::ErrorKind::NotFound)),
        }
    }
}

/// Kills and reaps until no child is left. Orphans of the leader have become children of this process by the time the
/// leader was reaped, so the PID namespace is then empty. None escapes: the kernel holds the lock of the task list while
/// it kills, and a fork with a fatal signal pending fails.
fn kill_everything(max_rss_kib: &mut u64) -> io::Result<()> {
    let mut block = false;
    loop {
        match syscalls::reap(-1, block)? {
            Reaped::Process { max_rss_kib: largest, .. } => *max_rss_kib = largest.max(*max_rss_kib),
            Reaped::NoneLeft => return Ok(()),
            Reaped::NoneYet => {
                syscalls::kill_all_others()?;
                block = true;
            }
        }
    }
}

fn time_value(value: nix::sys::time::TimeVal) -> Duration {
    Duration::from_micros(u64::try_from(value.tv_sec() * 1_000_000 + value.tv_usec()).unwrap_or(0))
}
