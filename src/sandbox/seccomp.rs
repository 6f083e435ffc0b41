//! The system-call filter of a box: an allow-list per [`Profile`].
//!
//! The lists are data: groups of calls, each with the reason it is there. What is not listed answers
//! ENOSYS, as on a kernel that never had it, because runtimes probe for calls and fall back. A call of
//! another architecture or of the x32 table kills.
//!
//! Box init lives under the same filter as the programs, so a call it needs is one they have. It installs
//! the filter once; programs inherit it with `no_new_privs`.
//!
//! Absent on purpose, beside the obvious (`ptrace`, `process_vm_*`, `pidfd_*`, `keyctl`, `io_uring_*`,
//! `bpf`, `userfaultfd`, `perf_event_open`, `unshare`, `setns`, the mount family, modules, clocks, swap):
//! - `inotify_*`, `fanotify_*`, `flock`, leases, record locks, `cachestat`, `mincore`: boxes share the
//!   inodes and the page cache of the system directories, and each of these lets one box see or block
//!   another through them;
//! - `shmget`, `msgget`, `semget`, `mq_open`: what they make is in the box's own namespace but outlives a run;
//! - `splice`, `tee`, `vmsplice`, `memfd_secret`, `seccomp`, `landlock_*`, extended attributes, `mknod`: no
//!   program of a contest needs them, and the first three have a history;
//! - `sync`, `syncfs`, `fsync`: the disk is the host's, and a flush disturbs every other box's timings;
//! - `setpriority`, `sched_set*`, `ioprio_set`: a core belongs to the box, not to one of its threads.

use std::collections::BTreeMap;
use std::io;

use libc::c_long;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, sock_filter,
};

use super::{Profile, SandboxError};

/// Reading and writing what is open. `sendfile` and `copy_file_range` because standard libraries copy with them.
const INPUT_OUTPUT: &[c_long] = &[
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_preadv,
    libc::SYS_pwritev,
    libc::SYS_preadv2,
    libc::SYS_pwritev2,
    libc::SYS_lseek,
    libc::SYS_sendfile,
    libc::SYS_copy_file_range,
    libc::SYS_fadvise64,
    libc::SYS_fallocate,
    libc::SYS_ftruncate,
    libc::SYS_truncate,
];

/// Files by name and descriptors. The mount namespace, not the filter, says which files there are.
const FILES: &[c_long] = &[
    libc::SYS_openat,
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_pipe2,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    libc::SYS_getdents64,
    libc::SYS_getcwd,
    libc::SYS_chdir,
    libc::SYS_fchdir,
    libc::SYS_umask,
    libc::SYS_mkdirat,
    libc::SYS_unlinkat,
    libc::SYS_renameat2,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_utimensat,
];

/// Memory of one's own; the cgroup bounds it.
const MEMORY: &[c_long] = &[
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_madvise,
];

/// Being born, ending, waiting, and asking who one is. The PID namespace bounds whom a signal reaches.
/// The `setres*` calls and `setgroups` are how box init gives its privileges up in a new program; nobody
/// else has any to use them with.
const PROCESSES: &[c_long] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_wait4,
    libc::SYS_waitid,
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_tgkill,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_gettid,
    libc::SYS_getpgid,
    libc::SYS_setpgid,
    libc::SYS_getsid,
    libc::SYS_setsid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_getresuid,
    libc::SYS_getresgid,
    libc::SYS_getgroups,
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setgroups,
    libc::SYS_capget,
    libc::SYS_prlimit64,
    libc::SYS_getrlimit,
    libc::SYS_setrlimit,
    libc::SYS_getrusage,
    libc::SYS_times,
];

/// Signals to oneself and to one's own processes.
const SIGNALS: &[c_long] = &[
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigpending,
    libc::SYS_rt_sigsuspend,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
];

/// Reading clocks and sleeping. The POSIX timers are bounded by RLIMIT_SIGPENDING, the timer descriptors
/// (the tick of Haskell's runtime) by RLIMIT_NOFILE.
const TIME: &[c_long] = &[
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_getitimer,
    libc::SYS_setitimer,
    libc::SYS_timer_create,
    libc::SYS_timer_settime,
    libc::SYS_timer_gettime,
    libc::SYS_timer_getoverrun,
    libc::SYS_timer_delete,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime,
    libc::SYS_timerfd_gettime,
];

/// Waiting for descriptors, and event loops; RLIMIT_NOFILE bounds them.
const WAITING: &[c_long] = &[
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_eventfd2,
];

/// Messages over descriptors one already has: box init's control channel, and socket pairs.
const MESSAGES: &[c_long] = &[
    libc::SYS_sendto,
    libc::SYS_recvfrom,
    libc::SYS_sendmsg,
    libc::SYS_recvmsg,
    libc::SYS_shutdown,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
];

/// Threads, and questions about the machine that standard libraries ask at start.
const THREADS: &[c_long] = &[
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_get_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_rseq,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_getparam,
    libc::SYS_sched_getscheduler,
    libc::SYS_sched_get_priority_max,
    libc::SYS_sched_get_priority_min,
    libc::SYS_getpriority,
    libc::SYS_getcpu,
    libc::SYS_getrandom,
    libc::SYS_sysinfo,
    libc::SYS_uname,
];

/// The older names of the calls above, which glibc and static binaries still use on x86-64.
#[cfg(target_arch = "x86_64")]
const OLDER_NAMES: &[c_long] = &[
    libc::SYS_open,
    libc::SYS_creat,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_getdents,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_unlink,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_chmod,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_dup2,
    libc::SYS_pipe,
    libc::SYS_poll,
    libc::SYS_select,
    libc::SYS_epoll_create,
    libc::SYS_epoll_wait,
    libc::SYS_eventfd,
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_getpgrp,
    libc::SYS_alarm,
    libc::SYS_pause,
    libc::SYS_time,
];
#[cfg(not(target_arch = "x86_64"))]
const OLDER_NAMES: &[c_long] = &[];

/// What runtimes with a just-in-time compiler and a collector need beyond everyone: code mapped twice
/// through a memory file, barriers across their threads, pinned pages, a look at their own stack's pages.
const RUNTIMES: &[c_long] = &[
    libc::SYS_memfd_create,
    libc::SYS_membarrier,
    libc::SYS_mlock,
    libc::SYS_munlock,
    libc::SYS_mincore,
    libc::SYS_msync,
    libc::SYS_signalfd4,
];

/// What build tools do with files: links, owners as in the source, locks and flushes of their caches. The
/// locks are a channel between boxes, but what compiles is the toolchain, not the contestant's program.
const BUILDING: &[c_long] = &[
    libc::SYS_linkat,
    libc::SYS_symlinkat,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_flock,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_msync,
];

/// The older names of those.
#[cfg(target_arch = "x86_64")]
const BUILDING_OLDER_NAMES: &[c_long] =
    &[libc::SYS_link, libc::SYS_symlink, libc::SYS_chown, libc::SYS_lchown];
#[cfg(not(target_arch = "x86_64"))]
const BUILDING_OLDER_NAMES: &[c_long] = &[];

/// A call allowed for some values of one argument. Only the argument's low 32 bits are compared: that is
/// all the kernel looks at, and comparing more would let `AF_VSOCK | 1 << 32` pass (CVE-2019-7303).
struct Guard {
    call: c_long,
    argument: u8,
    allowed: Allowed,
}

enum Allowed {
    /// One of these values.
    OneOf(&'static [u32]),
    /// Any value with none of these bits.
    Without(u32),
}

/// Every namespace flag `clone` knows (`CLONE_NEWTIME` is none of them: its bit belongs to the exit signal
/// here), and `CLONE_PARENT`, which would hand box init children it never started.
const CLONE_REFUSED: u32 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_PARENT) as u32;

/// `ioctl`: asking a terminal, counting what is readable, close-on-exec. Never TIOCSTI or TIOCLINUX, which
/// type into the terminal of whoever runs gavel, and nothing a file system defines.
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
];

/// `fcntl`: copies, flags, pipe size read back. No locks (F_GETLK tells one box of another's), leases,
/// notifications, signals on readiness or larger pipes.
const DESCRIPTOR_FLAGS: &[u32] = &[
    libc::F_DUPFD as u32,
    libc::F_DUPFD_CLOEXEC as u32,
    libc::F_GETFD as u32,
    libc::F_SETFD as u32,
    libc::F_GETFL as u32,
    libc::F_SETFL as u32,
    libc::F_GETPIPE_SZ as u32,
];

/// `fcntl` for build tools, which lock their caches.
const DESCRIPTOR_FLAGS_AND_LOCKS: &[u32] = &[
    libc::F_DUPFD as u32,
    libc::F_DUPFD_CLOEXEC as u32,
    libc::F_GETFD as u32,
    libc::F_SETFD as u32,
    libc::F_GETFL as u32,
    libc::F_SETFL as u32,
    libc::F_GETPIPE_SZ as u32,
    libc::F_GETLK as u32,
    libc::F_SETLK as u32,
    libc::F_SETLKW as u32,
    libc::F_OFD_GETLK as u32,
    libc::F_OFD_SETLK as u32,
    libc::F_OFD_SETLKW as u32,
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

/// `socket` and `socketpair`: AF_UNIX. AF_VSOCK, AF_ALG and the like are in no namespace.
const LOCAL_SOCKETS: &[u32] = &[libc::AF_UNIX as u32];

const GUARDS: &[Guard] = &[
    Guard { call: libc::SYS_clone, argument: 0, allowed: Allowed::Without(CLONE_REFUSED) },
    Guard { call: libc::SYS_ioctl, argument: 1, allowed: Allowed::OneOf(TERMINALS_AND_PIPES) },
    Guard { call: libc::SYS_prctl, argument: 0, allowed: Allowed::OneOf(PROCESS_OPTIONS) },
    Guard { call: libc::SYS_personality, argument: 0, allowed: Allowed::OneOf(PERSONALITIES) },
    Guard { call: libc::SYS_socketpair, argument: 0, allowed: Allowed::OneOf(LOCAL_SOCKETS) },
    #[cfg(target_arch = "x86_64")]
    Guard { call: libc::SYS_arch_prctl, argument: 0, allowed: Allowed::OneOf(THREAD_REGISTERS) },
];

/// `arch_prctl`: the thread pointer (set: 0x1002, get: 0x1003) and whether shadow stacks are there
/// (0x3001 before Linux 6.6, 0x5005 since), which glibc asks at start.
#[cfg(target_arch = "x86_64")]
const THREAD_REGISTERS: &[u32] = &[0x1002, 0x1003, 0x3001, 0x5005];

const LOCAL_SOCKET_GUARD: Guard =
    Guard { call: libc::SYS_socket, argument: 0, allowed: Allowed::OneOf(LOCAL_SOCKETS) };
/// `sched_setscheduler` to the policy everyone has anyway: Mono sets it in every thread and aborts when told no.
const DEFAULT_POLICY_GUARD: Guard = Guard {
    call: libc::SYS_sched_setscheduler,
    argument: 1,
    allowed: Allowed::OneOf(&[libc::SCHED_OTHER as u32]),
};
const FLAGS_GUARD: Guard =
    Guard { call: libc::SYS_fcntl, argument: 1, allowed: Allowed::OneOf(DESCRIPTOR_FLAGS) };
const FLAGS_AND_LOCKS_GUARD: Guard =
    Guard { call: libc::SYS_fcntl, argument: 1, allowed: Allowed::OneOf(DESCRIPTOR_FLAGS_AND_LOCKS) };

const EVERYONE: &[&[c_long]] =
    &[INPUT_OUTPUT, FILES, MEMORY, PROCESSES, SIGNALS, TIME, WAITING, MESSAGES, THREADS, OLDER_NAMES];

/// The whole-call groups and the guards of one profile beyond what everyone has.
fn extras(profile: Profile) -> (&'static [&'static [c_long]], &'static [Guard]) {
    match profile {
        Profile::Native => (&[], &[FLAGS_GUARD]),
        Profile::Managed => (&[RUNTIMES], &[FLAGS_GUARD, LOCAL_SOCKET_GUARD, DEFAULT_POLICY_GUARD]),
        // Compilers are themselves programs of those runtimes: javac, mcs, kotlinc.
        Profile::Compile => (
            &[RUNTIMES, BUILDING, BUILDING_OLDER_NAMES],
            &[FLAGS_AND_LOCKS_GUARD, LOCAL_SOCKET_GUARD, DEFAULT_POLICY_GUARD],
        ),
    }
}

/// Builds the filter of a profile, ready to install.
///
/// `clone3` may be `true` only where the box's user namespace has `max_*_namespaces` at 0: the call's
/// flags lie in memory, out of a filter's sight. It is for `CLONE_INTO_CGROUP`; libraries fall back to
/// `clone` where it is missing.
///
/// # Errors
/// On an architecture no list exists for.
pub(crate) fn filter(profile: Profile, clone3: bool) -> Result<BpfProgram, SandboxError> {
    build(profile, clone3)
        .map_err(|error| SandboxError::on("build", "the system-call filter", io::Error::other(error)))
}

fn build(profile: Profile, clone3: bool) -> Result<BpfProgram, seccompiler::BackendError> {
    let (groups, guards) = extras(profile);
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for call in EVERYONE.iter().chain(groups).copied().flatten() {
        // No conditions: whatever the arguments.
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
    let mut program = x32_prelude();
    program.append(&mut allow_list.try_into()?);
    Ok(program)
}

impl Guard {
    /// Rules of one call are alternatives.
    fn rules(&self) -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
        let rule = |operator, value| {
            let condition = SeccompCondition::new(self.argument, SeccompCmpArgLen::Dword, operator, value)?;
            SeccompRule::new(vec![condition])
        };
        match self.allowed {
            Allowed::OneOf(values) => {
                values.iter().map(|value| rule(SeccompCmpOp::Eq, u64::from(*value))).collect()
            }
            Allowed::Without(bits) => Ok(vec![rule(SeccompCmpOp::MaskedEq(u64::from(bits)), 0)?]),
        }
    }
}

/// Kills on a call of the x32 table: same architecture to the kernel, other numbers, so to the allow-list
/// they would only be unknown. -1, which a probe may use as "no call at all", is left to answer ENOSYS.
/// Jumps in a filter are relative and forward, so instructions can be put in front.
#[cfg(target_arch = "x86_64")]
fn x32_prelude() -> BpfProgram {
    const LOAD_CALL_NUMBER: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
    const JUMP_IF_AT_LEAST: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
    const JUMP_IF_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
    const RETURN: u16 = 0x06; // BPF_RET | BPF_K
    const X32_BIT: u32 = 0x4000_0000;
    vec![
        sock_filter { code: LOAD_CALL_NUMBER, jt: 0, jf: 0, k: 0 },
        sock_filter { code: JUMP_IF_AT_LEAST, jt: 0, jf: 2, k: X32_BIT },
        sock_filter { code: JUMP_IF_EQUAL, jt: 1, jf: 0, k: u32::MAX },
        sock_filter { code: RETURN, jt: 0, jf: 0, k: libc::SECCOMP_RET_KILL_PROCESS },
    ]
}

#[cfg(not(target_arch = "x86_64"))]
fn x32_prelude() -> BpfProgram {
    BpfProgram::new()
}

#[cfg(test)]
#[path = "seccomp_tests.rs"]
mod tests;
