//! The system-call filter of a box: an allow-list per [`Profile`].
//!
//! The lists are data: groups of calls, each with its reason. A call that is not listed answers ENOSYS, as on a kernel
//! without it, because runtimes probe for calls and fall back. A call of another architecture or of the x32 table kills.
//!
//! Box init runs under the same filter as the programs, so it can only use calls that they have. It installs the filter
//! once; programs inherit it with `no_new_privs`.
//!
//! Absent on purpose, beside the obvious (`ptrace`, `process_vm_*`, `pidfd_*`, `keyctl`, `io_uring_*`,
//! `bpf`, `userfaultfd`, `perf_event_open`, `unshare`, `setns`, the mount family, modules, clocks, swap):
//! - `inotify_*`, `fanotify_*`, leases, `flock` and record locks, `cachestat`, `mincore`: boxes share the inodes
//!   and the page cache of the system directories, and each of these lets one box observe or block another through
//!   them. Compilers are no exception: some run code of the source they compile (Nim's `staticExec`);
//! - `statfs` and `fstatfs`: the free space of the host's disks changes when other boxes write;
//! - `shmget`, `msgget`, `semget`, `mq_open`: their objects are in the box's own namespace but outlive a run;
//! - `splice`, `tee`, `vmsplice`, `memfd_secret`, `seccomp`, `landlock_*`, writing extended attributes, `mknod`: no
//!   program of a contest needs them, and the first three have had vulnerabilities;
//! - `sync`, `syncfs`, `fsync`: the disk is the host's, and a flush disturbs every other box's timings;
//! - `setpriority`, `sched_set*`, `ioprio_set`: a core belongs to the box, not to one of its threads.

mod calls;
mod signal_notifications;

use std::collections::BTreeMap;
use std::io;

use libc::c_long;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};

use self::calls::{
    BUILDING, BUILDING_OLDER_NAMES, FILES, INPUT_OUTPUT, MEMORY, MESSAGES, OLDER_NAMES, PROCESSES, RUNTIMES,
    SIGNALS, THREADS, TIME, WAITING,
};
use crate::sandbox::error::SandboxError;
use crate::sandbox::shape::Profile;
use crate::sandbox::sys::bpf::{self, JUMP_IF_EQUAL, LOAD, RETURN};

pub(crate) use self::signal_notifications::filter as signal_notifications;

/// Allows a call for some values of its arguments, by any of its alternatives. Only an argument's low 32 bits
/// are compared: the kernel reads no more of it, and comparing more would let `AF_VSOCK | 1 << 32` pass
/// (CVE-2019-7303).
struct Guard {
    call: c_long,
    alternatives: &'static [&'static [Condition]],
}

/// The index of an argument and the values it may have.
type Condition = (u8, Allowed);

enum Allowed {
    /// One of these values.
    OneOf(&'static [u32]),
    /// Any value with none of these bits.
    Without(u32),
}

use Allowed::{OneOf, Without};

/// Every namespace flag of `clone` (not `CLONE_NEWTIME`, whose bit belongs to the exit signal here), and
/// `CLONE_PARENT`, which would give box init children that it never started.
const CLONE_REFUSED: u32 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_PARENT) as u32;

/// `ioctl`: questions to a terminal, the number of readable bytes, close-on-exec. Never TIOCSTI or TIOCLINUX, which
/// type into the terminal that gavel runs in, and none of a file system's own.
/// The numbers are those of `asm-generic/ioctls.h`, the same on every architecture supported here.
const TERMINALS_AND_PIPES: &[u32] = &[
    0x5401, // TCGETS
    0x5402, // TCSETS
    0x5403, // TCSETSW
    0x5404, // TCSETSF
    0x540f, // TIOCGPGRP
    0x5410, // TIOCSPGRP
    0x5413, // TIOCGWINSZ
    0x541b, // FIONREAD
    0x5421, // FIONBIO
    0x5450, // FIONCLEX
    0x5451, // FIOCLEX
    // For box init, which alone receives notifications: SECCOMP_IOCTL_NOTIF_RECV and SECCOMP_IOCTL_NOTIF_SEND.
    0xc050_2100,
    0xc018_2101,
];

/// `fcntl`: copies, flags, the size of a pipe. No locks (F_GETLK shows one box the locks of another), leases,
/// notifications, owners of signals, or larger pipes.
const DESCRIPTOR_FLAGS: &[u32] = &[
    libc::F_DUPFD as u32,
    libc::F_DUPFD_CLOEXEC as u32,
    libc::F_GETFD as u32,
    libc::F_SETFD as u32,
    libc::F_GETFL as u32,
    libc::F_GETPIPE_SZ as u32,
];

/// Status flags that no program may set, with `fcntl` or when it opens or creates a descriptor: O_ASYNC sends
/// signals on readiness, O_DIRECT reads the host's disks past the page cache and turns pipes into packets.
const STATUS_FLAGS_REFUSED: u32 = (libc::O_ASYNC | libc::O_DIRECT) as u32;

/// `setsockopt`, level SOL_SOCKET: sizes, time-outs and credentials. Never SO_ATTACH_FILTER, SO_ATTACH_BPF,
/// SO_ATTACH_REUSEPORT_CBPF or SO_LOCK_FILTER: each attached program takes kernel memory and its compiler's time.
const SOCKET_OPTIONS_SET: &[u32] = &[
    libc::SO_REUSEADDR as u32,
    libc::SO_SNDBUF as u32,
    libc::SO_RCVBUF as u32,
    libc::SO_KEEPALIVE as u32,
    libc::SO_LINGER as u32,
    libc::SO_PASSCRED as u32,
    libc::SO_RCVTIMEO as u32,
    libc::SO_SNDTIMEO as u32,
    66, // SO_RCVTIMEO_NEW
    67, // SO_SNDTIMEO_NEW
];

/// `prctl`: names of threads and mappings, death signals, and questions.
const PROCESS_OPTIONS: &[u32] = &[
    libc::PR_SET_PDEATHSIG as u32,
    libc::PR_GET_PDEATHSIG as u32,
    libc::PR_GET_DUMPABLE as u32,
    libc::PR_SET_DUMPABLE as u32,
    libc::PR_SET_NAME as u32,
    libc::PR_GET_NAME as u32,
    libc::PR_GET_SECCOMP as u32,
    libc::PR_CAPBSET_READ as u32,
    libc::PR_SET_TIMERSLACK as u32,
    libc::PR_GET_TIMERSLACK as u32,
    libc::PR_SET_NO_NEW_PRIVS as u32,
    libc::PR_GET_NO_NEW_PRIVS as u32,
    libc::PR_SET_THP_DISABLE as u32,
    libc::PR_GET_THP_DISABLE as u32,
    libc::PR_SET_VMA as u32,
];

/// `personality`: reading it, plain Linux (0), and Linux without address randomisation (Lisp systems run so).
const PERSONALITIES: &[u32] = &[0xffff_ffff, 0, libc::ADDR_NO_RANDOMIZE as u32];

/// `prlimit64`: the caller's own limits. Where programs have the uid of box init (a user namespace created
/// without privileges holds one id), they could otherwise lower the limits of box init.
const ONESELF: &[u32] = &[0];

/// `socket` and `socketpair`: AF_UNIX. AF_VSOCK, AF_ALG and the like are in no namespace.
const LOCAL_SOCKETS: &[u32] = &[libc::AF_UNIX as u32];

/// `fadvise64`: hints, but not POSIX_FADV_DONTNEED, which throws the host's pages out of the cache and, with a
/// read that does not wait, shows one box which files another has read. For the same reason there is no `preadv2`.
const HINTS: &[u32] = &[0, 1, 2, 3, 5];

/// `statx` with STATX_MNT_ID_UNIQUE (Linux 6.8) reads a counter of all mounts since the host's start, by which a program
/// could count how often its work directory was replaced. Standard libraries do not ask for it.
const UNIQUE_MOUNT_ID: u32 = 0x4000;

/// `getsockopt`: settings of a local socket, its type, error and peer. Not SO_COOKIE, which takes a number from a counter
/// of the kernel that every caller advances.
const SOCKET_OPTIONS_READ: &[u32] = &[
    libc::SO_REUSEADDR as u32,
    libc::SO_TYPE as u32,
    libc::SO_ERROR as u32,
    libc::SO_SNDBUF as u32,
    libc::SO_RCVBUF as u32,
    libc::SO_KEEPALIVE as u32,
    libc::SO_LINGER as u32,
    libc::SO_PASSCRED as u32,
    libc::SO_PEERCRED as u32,
    libc::SO_RCVLOWAT as u32,
    libc::SO_RCVTIMEO as u32,
    libc::SO_SNDTIMEO as u32,
    libc::SO_ACCEPTCONN as u32,
    libc::SO_PROTOCOL as u32,
    libc::SO_DOMAIN as u32,
];

/// `madvise`: advice about one's own memory. Not MADV_COLD and MADV_PAGEOUT, which push pages of files out of the cache
/// that boxes share, not MADV_MERGEABLE, which shares equal pages across boxes, and no simulated hardware faults.
const ADVICE: &[u32] = &[
    libc::MADV_NORMAL as u32,
    libc::MADV_RANDOM as u32,
    libc::MADV_SEQUENTIAL as u32,
    libc::MADV_WILLNEED as u32,
    libc::MADV_DONTNEED as u32,
    libc::MADV_FREE as u32,
    libc::MADV_REMOVE as u32,
    libc::MADV_DONTFORK as u32,
    libc::MADV_DOFORK as u32,
    libc::MADV_HUGEPAGE as u32,
    libc::MADV_NOHUGEPAGE as u32,
    libc::MADV_DONTDUMP as u32,
    libc::MADV_DODUMP as u32,
    libc::MADV_WIPEONFORK as u32,
    libc::MADV_KEEPONFORK as u32,
    libc::MADV_POPULATE_READ as u32,
    libc::MADV_POPULATE_WRITE as u32,
    24,  // MADV_DONTNEED_LOCKED
    25,  // MADV_COLLAPSE
    102, // MADV_GUARD_INSTALL
    103, // MADV_GUARD_REMOVE
];

/// Huge pages of the host's reserve, which no memory controller counts (hugetlbpage.rst).
const MEMORY_FILE_FLAGS_REFUSED: u32 = libc::MFD_HUGETLB;
const MAPPING_FLAGS_REFUSED: u32 = libc::MAP_HUGETLB as u32;

const GUARDS: &[Guard] = &[
    Guard { call: libc::SYS_statx, alternatives: &[&[(3, Without(UNIQUE_MOUNT_ID))]] },
    Guard { call: libc::SYS_getsockopt, alternatives: &[&[(2, OneOf(SOCKET_OPTIONS_READ))]] },
    Guard { call: libc::SYS_madvise, alternatives: &[&[(2, OneOf(ADVICE))]] },
    Guard { call: libc::SYS_openat, alternatives: &[&[(2, Without(STATUS_FLAGS_REFUSED))]] },
    #[cfg(target_arch = "x86_64")]
    Guard { call: libc::SYS_open, alternatives: &[&[(1, Without(STATUS_FLAGS_REFUSED))]] },
    Guard { call: libc::SYS_pipe2, alternatives: &[&[(1, Without(STATUS_FLAGS_REFUSED))]] },
    Guard {
        call: libc::SYS_fcntl,
        alternatives: &[
            &[(1, OneOf(DESCRIPTOR_FLAGS))],
            &[(1, OneOf(&[libc::F_SETFL as u32])), (2, Without(STATUS_FLAGS_REFUSED))],
        ],
    },
    Guard {
        call: libc::SYS_setsockopt,
        alternatives: &[&[(1, OneOf(&[libc::SOL_SOCKET as u32])), (2, OneOf(SOCKET_OPTIONS_SET))]],
    },
    Guard { call: libc::SYS_mmap, alternatives: &[&[(3, Without(MAPPING_FLAGS_REFUSED))]] },
    Guard { call: libc::SYS_fadvise64, alternatives: &[&[(3, OneOf(HINTS))]] },
    Guard { call: libc::SYS_clone, alternatives: &[&[(0, Without(CLONE_REFUSED))]] },
    Guard { call: libc::SYS_ioctl, alternatives: &[&[(1, OneOf(TERMINALS_AND_PIPES))]] },
    Guard { call: libc::SYS_prctl, alternatives: &[&[(0, OneOf(PROCESS_OPTIONS))]] },
    Guard { call: libc::SYS_prlimit64, alternatives: &[&[(0, OneOf(ONESELF))]] },
    Guard { call: libc::SYS_personality, alternatives: &[&[(0, OneOf(PERSONALITIES))]] },
    Guard { call: libc::SYS_socketpair, alternatives: &[&[(0, OneOf(LOCAL_SOCKETS))]] },
    #[cfg(target_arch = "x86_64")]
    Guard { call: libc::SYS_arch_prctl, alternatives: &[&[(0, OneOf(THREAD_REGISTERS))]] },
];

/// `arch_prctl`: the thread pointer (set: 0x1002, get: 0x1003) and whether shadow stacks are there
/// (0x3001 before Linux 6.6, 0x5005 since), which glibc asks at start.
#[cfg(target_arch = "x86_64")]
const THREAD_REGISTERS: &[u32] = &[0x1002, 0x1003, 0x3001, 0x5005];

const LOCAL_SOCKET_GUARD: Guard =
    Guard { call: libc::SYS_socket, alternatives: &[&[(0, OneOf(LOCAL_SOCKETS))]] };
const MEMORY_FILE_GUARD: Guard =
    Guard { call: libc::SYS_memfd_create, alternatives: &[&[(1, Without(MEMORY_FILE_FLAGS_REFUSED))]] };
/// `sched_setscheduler` to the default policy: Mono sets it in every thread and aborts when it is refused.
const DEFAULT_POLICY_GUARD: Guard =
    Guard { call: libc::SYS_sched_setscheduler, alternatives: &[&[(1, OneOf(&[libc::SCHED_OTHER as u32]))]] };
const RUNTIME_GUARDS: &[Guard] = &[LOCAL_SOCKET_GUARD, MEMORY_FILE_GUARD, DEFAULT_POLICY_GUARD];

const EVERYONE: &[&[c_long]] =
    &[INPUT_OUTPUT, FILES, MEMORY, PROCESSES, SIGNALS, TIME, WAITING, MESSAGES, THREADS, OLDER_NAMES];

/// Returns the groups of calls and the guards that one profile has beyond those of all profiles.
fn extras(profile: Profile) -> (&'static [&'static [c_long]], &'static [Guard]) {
    match profile {
        Profile::Native => (&[], &[]),
        Profile::Managed => (&[RUNTIMES], RUNTIME_GUARDS),
        // Some compilers are programs of those runtimes: javac, mcs, kotlinc.
        Profile::Compile => (&[RUNTIMES, BUILDING, BUILDING_OLDER_NAMES], RUNTIME_GUARDS),
    }
}

/// Builds the filter of a profile, ready to install.
///
/// `clone3` may be `true` only where the box's user namespace has `max_*_namespaces` at 0: the call's
/// flags lie in memory, which a filter cannot read. Box init needs it for `CLONE_INTO_CGROUP`; libraries fall back to
/// `clone` where it is missing.
///
/// # Errors
/// On an architecture without a list.
pub(crate) fn filter(profile: Profile, clone3: bool) -> Result<BpfProgram, SandboxError> {
    build(profile, clone3)
        .map_err(|error| SandboxError::on("build", "the system-call filter", io::Error::other(error)))
}

fn build(profile: Profile, clone3: bool) -> Result<BpfProgram, seccompiler::BackendError> {
    let (groups, guards) = extras(profile);
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for call in EVERYONE.iter().chain(groups).copied().flatten() {
        // No conditions: any arguments.
        rules.insert(*call, Vec::new());
    }
    if clone3 {
        rules.insert(libc::SYS_clone3, Vec::new());
    }
    for guard in GUARDS.iter().chain(guards) {
        rules.insert(guard.call, guard.rules()?);
    }
    let target = TargetArch::try_from(std::env::consts::ARCH)?;
    let allow_list =
        SeccompFilter::new(rules, SeccompAction::Errno(libc::ENOSYS as u32), SeccompAction::Allow, target)?;
    let mut program = bpf::refuse_x32();
    program.append(&mut allow_list.try_into()?);
    Ok(program)
}

impl Guard {
    /// Builds one rule for each choice of values: the rules of a call are alternatives, and all conditions of a rule must
    /// hold.
    fn rules(&self) -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
        let mut rules = Vec::new();
        for alternative in self.alternatives {
            let mut choices: Vec<Vec<SeccompCondition>> = vec![Vec::new()];
            for (argument, allowed) in *alternative {
                let conditions = allowed.conditions(*argument)?;
                choices = choices
                    .iter()
                    .flat_map(|chosen| {
                        conditions.iter().map(|next| [chosen.as_slice(), std::slice::from_ref(next)].concat())
                    })
                    .collect();
            }
            for conditions in choices {
                rules.push(SeccompRule::new(conditions)?);
            }
        }
        Ok(rules)
    }
}

impl Allowed {
    /// Returns the conditions of which one must hold.
    fn conditions(&self, argument: u8) -> Result<Vec<SeccompCondition>, seccompiler::BackendError> {
        let condition =
            |operator, value| SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value);
        match self {
            Self::OneOf(values) => {
                values.iter().map(|value| condition(SeccompCmpOp::Eq, u64::from(*value))).collect()
            }
            Self::Without(bits) => Ok(vec![condition(SeccompCmpOp::MaskedEq(u64::from(*bits)), 0)?]),
        }
    }
}

/// Builds the additional filter of boxes without cgroups, which answers `memfd_create` with ENOSYS: only cgroups count
/// the memory of a file that no process has mapped.
pub(crate) fn no_memory_files() -> BpfProgram {
    vec![
        bpf::step(LOAD, 0, 0, 0),
        bpf::step(JUMP_IF_EQUAL, bpf::number(libc::SYS_memfd_create), 0, 1),
        bpf::step(RETURN, libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs(), 0, 0),
        bpf::step(RETURN, libc::SECCOMP_RET_ALLOW, 0, 0),
    ]
}

#[cfg(test)]
mod tests;
