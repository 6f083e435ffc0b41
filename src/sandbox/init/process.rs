//! Box init: PID 1 of a box, from its birth to its loop of runs.
//!
//! It is born by the keeper into new namespaces, builds the root, gives up what it can (an unprivileged uid, all
//! capabilities but those it names, none in the bounding set, no further namespaces, the system-call filter), and then
//! only serves: one request, one program, one result. Programs inherit all of that, so a run pays for none of it.
//!
//! The user namespace owns the PID namespace, and init keeps CAP_CHECKPOINT_RESTORE in it, for one purpose: before each
//! run it sets the last process id given back to its own, through a descriptor of `/proc/sys/kernel/ns_last_pid`. So
//! every program is process 2 and its first child 3, whatever ran before.
//!
//! What always holds: a result is sent after the program and everything it started are dead and reaped; when
//! the worker or the keeper is gone, so is this process, and the kernel kills the rest of the PID namespace
//! with it. It refuses to know limits of time and memory: the worker watches those from outside.

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
use serde::{Deserialize, Serialize};

use super::child::{self, ChildStack, Parts, Plan};
use super::resource_limits::set_common_limits;
use super::run_message::{End, KILL, RUN, RunRequest, RunResult};
use super::syscalls::Reaped;
use super::wire::{self, Inbox};
use super::{Profile, SandboxError, Shape, rootfs, seccomp, syscalls};

/// Inside ids; which host ids they are is the keeper's business.
#[derive(Debug, Clone, Copy)]
pub(super) struct Identity {
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

/// Steps of the birth, told to the keeper, which answers each but the last with one byte.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Progress {
    /// The cgroup namespace is made: the keeper may make and fill leaves.
    Rooted,
    /// Ids are needed: the keeper must write the maps of the user namespace.
    WantsIds,
    /// Ready.
    Ready,
    /// A step failed.
    Failed(String),
}

/// The life of box init; returns when the worker is gone. `sources` is what the keeper opened for it; `keeper` is for the birth, `worker` for the runs.
pub(super) fn live(
    shape: &Shape,
    sources: rootfs::Sources,
    core: Option<usize>,
    identity: Identity,
    keeper: OwnedFd,
    worker: OwnedFd,
) {
    match become_init(shape, sources, core, identity, &keeper) {
        Ok(means) => {
            let told = wire::send_json(keeper.as_fd(), &Progress::Ready, &[]);
            drop(keeper);
            if told.is_ok() {
                // A failure of the socket means the worker is gone or confused: either way the box ends.
                let _ = serve(identity, &means, &worker);
            }
        }
        Err(error) => {
            let _ = wire::send_json(keeper.as_fd(), &Progress::Failed(error.to_string()), &[]);
        }
    }
}

/// Says where the birth has got to and waits for the keeper's go-ahead.
fn report(keeper: &OwnedFd, progress: &Progress) -> Result<(), SandboxError> {
    wire::send_json(keeper.as_fd(), progress, &[])
        .map_err(|error| SandboxError::on("tell", "the keeper", error))?;
    wait(keeper)
}

fn wait(keeper: &OwnedFd) -> Result<(), SandboxError> {
    let mut byte = [0u8; 1];
    match nix::unistd::read(keeper, &mut byte) {
        Ok(1) => Ok(()),
        _ => Err(SandboxError::KeeperGone),
    }
}

/// What box init keeps for its runs.
struct Means {
    last_id: LastId,
    null: NullDevice,
    /// Tells of programs that ask for a signal; `None` where the kernel has no such listener.
    listener: Option<OwnedFd>,
}

/// From the fork to the last privilege given up.
fn become_init(
    shape: &Shape,
    sources: rootfs::Sources,
    core: Option<usize>,
    identity: Identity,
    keeper: &OwnedFd,
) -> Result<Means, SandboxError> {
    let failed = |operation: &'static str, subject: &str| {
        let subject = subject.to_owned();
        move |errno: Errno| SandboxError::on(operation, subject, errno)
    };
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
    rootfs::enter(sources, shape)?;
    rootfs::hide_mounts()?;
    forbid_namespaces(&proc)?;
    let last_id = LastId::open(&proc)?;
    drop(proc);
    let null = NullDevice::open().map_err(failed("open", "the null device of a box"))?;
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
    // Both are cleared by changes of credentials (prctl(2)), so they come after the last one.
    nix::sys::prctl::set_dumpable(false).map_err(failed("hide", "box init"))?;
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).map_err(failed("bind", "box init to the keeper"))?;
    nix::sys::prctl::set_no_new_privs().map_err(failed("forbid", "new privileges"))?;
    // Before the filter that forbids further ones. Without it nobody knows who sent a signal.
    let listener = syscalls::listen_to_calls(&seccomp::ends::filter()).ok();
    let install = |filter: &seccompiler::BpfProgram| {
        seccompiler::apply_filter(filter)
            .map_err(|error| SandboxError::on("install", "the system-call filter", io::Error::other(error)))
    };
    if !identity.counted && shape.profile != Profile::Compile {
        install(&seccomp::uncounted::filter())?;
    }
    install(&seccomp::filter(shape.profile, true)?)?;
    Ok(Means { last_id, null, listener })
}

/// To set the last process id (capabilities(7), CAP_CHECKPOINT_RESTORE).
const KEPT: &[u32] = &[40];

/// And to kill programs, which have an id of their own, and to give them it: CAP_KILL, CAP_SETGID, CAP_SETUID.
const KEPT_OF_ROOT: &[u32] = &[40, 5, 6, 7];

const LAST_ID: &str = "/proc/sys/kernel/ns_last_pid";

/// Runs from this length on may be looked at while they last (the watch's first look), and then their births matter.
const WORTH_COUNTING: Duration = Duration::from_millis(1);

/// The last process id given in this PID namespace (proc_sys_kernel(5), "ns_last_pid"). The kernel asks at each write
/// for CAP_CHECKPOINT_RESTORE in the user namespace that owns the PID namespace of the writer.
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

    /// The next process gets the id after box init's.
    fn reset(&self) -> io::Result<()> {
        self.0.write_all_at(b"1", 0)
    }

    /// Number of ids given after `leader`: none where the leader had neither children nor threads. When all ids were
    /// given they start anew at 300 (RESERVED_PIDS in kernel/pid.c), never at a leader's.
    fn births_after(&self, leader: libc::pid_t) -> io::Result<u64> {
        let mut text = [0u8; 16];
        let length = self.0.read_at(&mut text, 0)?;
        let last = std::str::from_utf8(&text[..length]).ok().and_then(|text| text.trim().parse().ok());
        let last: libc::pid_t = last.ok_or(io::ErrorKind::InvalidData)?;
        Ok(u64::try_from(last - leader).unwrap_or(u64::MAX))
    }
}

/// Gives up a protection from the kernel's out-of-memory killer that a service manager gave to gavel: in programs
/// it would leave the killer nobody to kill. Raising the score needs no privilege (proc(5), "oom_score_adj").
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

/// Serves runs until the worker closes its end.
fn serve(identity: Identity, means: &Means, worker: &OwnedFd) -> io::Result<()> {
    let mut inbox = Inbox::new();
    let mut stack = ChildStack::new();
    let mut reaped = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    loop {
        let Some((bytes, descriptors)) = inbox.receive(worker.as_fd())? else { return Ok(()) };
        let request = match bytes.split_first() {
            Some((&RUN, rest)) => RunRequest::decode(rest).filter(|_| descriptors.len() >= 3),
            // A kill that crossed with a result: nothing runs any more.
            Some((&KILL, _)) => continue,
            _ => None,
        };
        let Some(request) = request else {
            return Err(io::Error::from(io::ErrorKind::InvalidData));
        };
        let result = run(request, descriptors, identity, means, worker, &mut stack, &mut reaped)?;
        wire::send(worker.as_fd(), &result.encode(), &[])?;
        // Here, where the worker reads its counters meanwhile, and not before the next program.
        means.last_id.reset()?;
    }
}

/// One program, from clone to the last process reaped. `reaped` is what all processes of the box have used, before and
/// after it.
fn run(
    request: RunRequest,
    descriptors: Vec<OwnedFd>,
    identity: Identity,
    means: &Means,
    worker: &OwnedFd,
    stack: &mut ChildStack,
    reaped: &mut Usage,
) -> io::Result<RunResult> {
    let mut limits = request.resource_limits();
    for limit in
        limits.iter_mut().filter(|limit| limit.resource == libc::RLIMIT_NPROC && !identity.privileged)
    {
        // The kernel counts by user, and here this process has the programs' uid.
        limit.value = limit.value.saturating_add(1);
    }
    let parts = Parts {
        paths: request.paths,
        argv: request.argv,
        envp: request.envp,
        directory: request.directory,
        limits,
    };
    let stream = |index: usize| means.null.in_place_of(&descriptors[index]);
    let plan = Plan::new(parts, [stream(0)?, stream(1)?, stream(2)?], identity.program);
    let leaf = descriptors.get(3).map(AsFd::as_fd);
    // Not from the moment of exec, a few hundred microseconds later: the program's CPU time begins here too.
    let started = Instant::now();
    let born = child::spawn(&plan, stack, leaf);
    // The program has its own copies; as long as these are open, its pipes could not end.
    drop(descriptors);
    let mut max_rss_kib = 0;
    let listener = means.listener.as_ref();
    let mut asked_to_end = listener.map(|_| false);
    let leader = born.as_ref().map_or(0, |born| born.pid);
    let (end, wall) = match born {
        Err(error) => (End::NotStarted { step: 0, errno: error.raw_os_error().unwrap_or(0) }, Duration::ZERO),
        Ok(born) => {
            wait_for(&born.pidfd, worker, listener, &mut asked_to_end)?;
            let wall = started.elapsed();
            let status = wait_leader(born.pid, &mut max_rss_kib)?;
            let (step, errno) = plan.failure();
            if step == 0 { (status, wall) } else { (End::NotStarted { step, errno }, Duration::ZERO) }
        }
    };
    kill_everything(&mut max_rss_kib)?;
    // A child's peak starts from that of the process it shared its memory with at birth: this one.
    let floor_kib = u64::try_from(getrusage(UsageWho::RUSAGE_SELF)?.max_rss()).unwrap_or(u64::MAX);
    let reaped_before = std::mem::replace(reaped, getrusage(UsageWho::RUSAGE_CHILDREN)?);
    let cpu = |usage: &Usage| time_value(usage.user_time()) + time_value(usage.system_time());
    let count = |value: i64| u64::try_from(value).unwrap_or(0);
    let disk_reads = count(reaped.major_page_faults() - reaped_before.major_page_faults())
        + count(reaped.block_reads() - reaped_before.block_reads());
    let births = if disk_reads > 0 || wall >= WORTH_COUNTING {
        Some(means.last_id.births_after(leader)?)
    } else {
        None
    };
    Ok(RunResult {
        end,
        wall,
        init_cpu: own_cpu()?,
        reaped_cpu: cpu(reaped).saturating_sub(cpu(&reaped_before)),
        max_rss_kib,
        floor_kib,
        births,
        disk_reads,
        asked_to_end,
    })
}

/// The box's `/dev/null`, which programs get in place of the host's. Everybody may write the host's, and so set its times
/// to now (futimens(3)): one run could leave a message for another. The box's is on a read-only mount.
///
/// Opened once a box, since opening takes longer than all else between a request and its program. What runs could leave
/// to each other in a descriptor they share are its status flags (fcntl(2), F_SETFL), which are set anew for each; its
/// position does not move, and the filter refuses locks, leases and owners of signals.
struct NullDevice {
    /// Opened for reading, for writing, and for both.
    opened: [OwnedFd; 3],
}

impl NullDevice {
    fn open() -> nix::Result<Self> {
        let open = |access: OFlag| open("/dev/null", access | OFlag::O_CLOEXEC, Mode::empty());
        Ok(Self { opened: [open(OFlag::O_RDONLY)?, open(OFlag::O_WRONLY)?, open(OFlag::O_RDWR)?] })
    }

    /// What a program gets as the stream `descriptor`: this device where that is the host's.
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

/// Waits until the leader is dead, killing when the worker says so; an end of file ends the box. Takes note of processes
/// that ask for a signal that ends processes.
fn wait_for(
    pidfd: &OwnedFd,
    worker: &OwnedFd,
    listener: Option<&OwnedFd>,
    asked_to_end: &mut Option<bool>,
) -> io::Result<()> {
    let mut listener = listener;
    loop {
        let mut watched: Vec<PollFd<'_>> = [Some(pidfd), Some(worker), listener]
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
            && let Some(open) = listener
        {
            let is_call = watched[2].revents().is_some_and(|events| events.contains(PollFlags::POLLIN));
            if is_call && syscalls::let_call_go_on(open.as_fd()).is_ok() {
                *asked_to_end = Some(true);
            } else {
                // Of what it still had to tell, nobody learns.
                (listener, *asked_to_end) = (None, None);
            }
        }
        if ready(0) {
            return Ok(());
        }
        if ready(1) {
            let mut message = [0u8; 16];
            match nix::unistd::read(worker, &mut message) {
                Ok(1) if message[0] == KILL => signal_everything()?,
                Err(Errno::EINTR | Errno::EAGAIN) => {}
                _ => return Err(io::Error::from(io::ErrorKind::ConnectionAborted)),
            }
        }
    }
}

/// SIGKILL to every process of the PID namespace but this one (kill(2), pid -1). The kernel holds the task
/// list's lock, and a fork with a fatal signal pending fails, so none escapes.
fn signal_everything() -> io::Result<()> {
    syscalls::kill_all_others()
}

fn wait_leader(pid: libc::pid_t, max_rss_kib: &mut u64) -> io::Result<End> {
    loop {
        match syscalls::reap(pid, true)? {
            Reaped::Process { status, max_rss_kib: largest } if libc::WIFEXITED(status) => {
                *max_rss_kib = largest;
                return Ok(End::Exited(libc::WEXITSTATUS(status)));
            }
            Reaped::Process { status, max_rss_kib: largest } if libc::WIFSIGNALED(status) => {
                *max_rss_kib = largest;
                return Ok(End::Signaled(libc::WTERMSIG(status)));
            }
            Reaped::Process { .. } | Reaped::NoneYet => {}
            Reaped::NoneLeft => return Err(io::Error::from(io::ErrorKind::NotFound)),
        }
    }
}

/// Kills and reaps until there is nothing left to wait for. Orphans of the leader have become children of
/// this process by the time the leader was reaped, so having no children means the namespace is empty.
fn kill_everything(max_rss_kib: &mut u64) -> io::Result<()> {
    let mut block = false;
    loop {
        match syscalls::reap(-1, block)? {
            Reaped::Process { max_rss_kib: largest, .. } => *max_rss_kib = largest.max(*max_rss_kib),
            Reaped::NoneLeft => return Ok(()),
            Reaped::NoneYet => {
                signal_everything()?;
                block = true;
            }
        }
    }
}

fn own_cpu() -> io::Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)?.into())
}

fn time_value(value: nix::sys::time::TimeVal) -> Duration {
    Duration::from_micros(u64::try_from(value.tv_sec() * 1_000_000 + value.tv_usec()).unwrap_or(0))
}
