//! Starts a program: from a vfork-like clone of box init to execve.
//!
//! One of the two files where `unsafe` is allowed. Between clone and execve the child shares box init's memory while init
//! is suspended, so it neither allocates, locks, logs nor returns: everything it needs is computed before into a [`Plan`],
//! and a failure is stored in that plan as a step and an errno. It makes raw system calls only, because the C library's
//! wrappers may act on the whole (shared) process: `setresuid(3)`, for one, signals every thread to change its ids.
//!
//! Two preconditions hold for all of box init's life, and [`Spawner::new`] checks both: it has one thread, which the
//! clone suspends, so no other one changes the plan meanwhile or holds a lock; and no signal has a handler, which would
//! run in the child on box init's memory. Box init starts no thread and installs no handler.
//!
//! The child has the credentials of box init until it drops them, and no code of a contestant's runs before execve has
//! replaced the address space.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use super::message::{ResourceLimit, RunRequest, Step};
use crate::sandbox::sys::syscalls::{CLONE_INTO_CGROUP, UNNOTIFIED};

#[cfg(not(target_arch = "x86_64"))]
compile_error!(
    "gavel's sandbox is written for x86_64: add the clone3 entry of this architecture to init/spawn.rs"
);

/// Everything the child needs, computed before the clone.
pub(crate) struct Plan<'a> {
    /// Owns the strings that the pointers below point to: moving a vector leaves its elements where they are.
    strings: [Vec<CString>; 4],
    /// Candidates for the program's path, tried in order while they do not exist.
    paths: Vec<*const libc::c_char>,
    argv: Vec<*const libc::c_char>,
    envp: Vec<*const libc::c_char>,
    directory: *const libc::c_char,
    /// Become descriptors 0, 1 and 2.
    stdio: [BorrowedFd<'a>; 3],
    limits: Vec<ResourceLimit>,
    /// Both uid and gid of the program.
    id: u32,
    failed_step: AtomicU32,
    failed_errno: AtomicI32,
}

impl<'a> Plan<'a> {
    /// Computes the plan of a program that runs with uid and gid `id`.
    pub(crate) fn new(request: RunRequest, stdio: [BorrowedFd<'a>; 3], id: u32) -> Self {
        let RunRequest { limits, paths, argv, envp, directory } = request;
        let mut plan = Self {
            strings: [paths, argv, envp, vec![directory]],
            paths: Vec::new(),
            argv: Vec::new(),
            envp: Vec::new(),
            directory: ptr::null(),
            stdio,
            limits,
            id,
            failed_step: AtomicU32::new(Step::Clone as u32),
            failed_errno: AtomicI32::new(0),
        };
        let [paths, argv, envp, directory] = &plan.strings;
        (plan.paths, plan.argv, plan.envp) = (pointers(paths), pointers(argv), pointers(envp));
        plan.directory = directory.first().map_or(c"/".as_ptr(), |directory| directory.as_ptr());
        plan
    }
}

/// Returns pointers to strings and a null pointer after them, as execve(2) takes them.
fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
}

/// Size of the child's stack between clone and execve. The deepest call chain is two functions with a few words of
/// locals; the rest is room for an unoptimised build.
const STACK_BYTES: usize = 64 * 1024;

/// Starts programs; created once per box.
pub(crate) struct Spawner {
    stack: Vec<u128>,
}

/// A started program, or one that failed between clone and execve.
pub(crate) struct Started {
    /// Its process id.
    pub pid: libc::pid_t,
    /// A descriptor that stays bound to it.
    pub pidfd: OwnedFd,
    /// The number of the [`Step`] that failed, with its errno.
    pub failure: Option<(u32, i32)>,
}

impl Spawner {
    /// Checks the preconditions of [`Spawner::spawn`] in the caller's `/proc/self/status`, and allocates the stack.
    ///
    /// # Errors
    /// When the caller has more than one thread or a signal handler.
    pub(crate) fn new(status: &str) -> io::Result<Self> {
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        if field("Threads:") != Some("1") {
            return Err(io::Error::other("box init has more than one thread"));
        }
        if !field("SigCgt:").is_some_and(|caught| caught.bytes().all(|digit| digit == b'0')) {
            return Err(io::Error::other("box init has signal handlers"));
        }
        Ok(Self { stack: vec![0; STACK_BYTES / size_of::<u128>()] })
    }

    /// Clones the caller (sharing its memory, suspending it) and lets the clone carry out `plan`; returns when the
    /// program has been exec'ed or the clone has exited.
    ///
    /// # Errors
    /// That of clone3(2): EAGAIN at a process limit, ENOMEM; EINVAL when a descriptor of the plan is 0, 1 or 2.
    pub(crate) fn spawn(&mut self, plan: &Plan<'_>, cgroup: Option<BorrowedFd<'_>>) -> io::Result<Started> {
        if plan.stdio.iter().any(|descriptor| descriptor.as_raw_fd() <= 2) {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        let mut pidfd: RawFd = -1;
        // SAFETY: clone_args is plain data for which all zeroes is the documented "unset" value.
        let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
        arguments.flags = (libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD).unsigned_abs().into();
        arguments.pidfd = (&raw mut pidfd) as u64;
        arguments.exit_signal = libc::SIGCHLD.unsigned_abs().into();
        arguments.stack = self.stack.as_mut_ptr() as u64;
        arguments.stack_size = size_of_val(self.stack.as_slice()) as u64;
        if let Some(cgroup) = cgroup {
            arguments.flags |= CLONE_INTO_CGROUP;
            arguments.cgroup = cgroup.as_raw_fd().unsigned_abs().into();
        }
        let result: i64;
        // SAFETY: clone3 reads `arguments`, of the size given, and writes `pidfd`; both outlive the call. The child
        // starts on `stack`, which is borrowed exclusively and 16-byte aligned at its end (it is a Vec of u128, whose
        // alignment and size are both 16), as the ABI wants before a call. Registers r12 and r13 survive the system call
        // in both processes, so the child calls `child_main(plan)`, which never returns; the parent falls through.
        // CLONE_VFORK suspends the caller, the only thread of this process (checked by `new`), until the child has
        // exec'ed or exited, so `plan`, `stack` and all shared memory stay valid and unchanged under the child. No signal
        // handler can run in the child (checked by `new`), and it runs no code that unwinds, allocates or takes locks.
        unsafe {
            std::arch::asm!(
                "syscall",
                "test rax, rax",
                "jnz 2f",
                "xor ebp, ebp",
                "mov rdi, r12",
                "call r13",
                "ud2",
                "2:",
                inlateout("rax") libc::SYS_clone3 => result,
                in("rdi") &raw mut arguments,
                in("rsi") size_of::<libc::clone_args>(),
                in("r12") ptr::from_ref(plan),
                in("r13") child_main as unsafe extern "C" fn(*const Plan) -> !,
                lateout("rcx") _,
                lateout("r11") _,
            );
        }
        if result < 0 {
            return Err(io::Error::from_raw_os_error(i32::try_from(-result).unwrap_or(libc::EINVAL)));
        }
        let pid = libc::pid_t::try_from(result).map_err(io::Error::other)?;
        // SAFETY: with CLONE_PIDFD the kernel has stored a new descriptor in `pidfd`; nothing else owns it.
        let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
        let failed = (plan.failed_step.load(Ordering::Acquire), plan.failed_errno.load(Ordering::Acquire));
        Ok(Started { pid, pidfd, failure: Some(failed).filter(|(step, _)| *step != Step::Clone as u32) })
    }
}

/// Records a failed step in the shared plan and ends the clone.
///
/// # Safety
/// The caller is the clone.
unsafe fn fail(plan: &Plan<'_>, step: Step, result: libc::c_long) -> ! {
    // SAFETY: errno is thread-local; the clone shares the parent's thread block, which is suspended, so
    // reading it (and the system call before writing it) disturbs no other code.
    let errno = if result < 0 { unsafe { *libc::__errno_location() } } else { 0 };
    plan.failed_errno.store(errno, Ordering::Release);
    plan.failed_step.store(step as u32, Ordering::Release);
    // SAFETY: exit_group without the C library's exit handlers, which belong to the parent. The clone is a
    // thread group of its own.
    unsafe {
        libc::syscall(libc::SYS_exit_group, 127);
    }
    loop {
        std::hint::spin_loop();
    }
}

/// Carries out the plan in the clone: raw system calls only, no allocation, no locks, no return.
///
/// # Safety
/// `plan` is valid and unchanged until execve; the caller is a CLONE_VM|CLONE_VFORK clone on its own stack.
unsafe extern "C" fn child_main(plan: *const Plan<'_>) -> ! {
    // SAFETY: guaranteed by the caller.
    let plan = unsafe { &*plan };
    // SAFETY: the arguments of every call in this block are integers or pointers into `plan`, whose strings are
    // NUL-terminated and whose arrays end with a null pointer; `spawn` has checked that descriptors are above 2, so
    // no dup2 overwrites one that is still to be copied. Descriptors are not shared with the parent (no
    // CLONE_FILES), so closing them here leaves the parent's open.
    unsafe {
        for (target, descriptor) in (0..).zip(plan.stdio) {
            let result = libc::syscall(libc::SYS_dup3, descriptor.as_raw_fd(), target, 0);
            if result < 0 {
                fail(plan, Step::Dup, result);
            }
        }
        let result = libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0);
        if result < 0 {
            fail(plan, Step::CloseRange, result);
        }
        let result = libc::syscall(libc::SYS_setsid);
        if result < 0 {
            fail(plan, Step::Setsid, result);
        }
        for limit in &plan.limits {
            let value = libc::rlimit64 { rlim_cur: limit.value, rlim_max: limit.value };
            let old = ptr::null_mut::<libc::rlimit64>();
            // The kernel reads the lower half. Box init, suspended, could not answer a notification.
            let resource = limit.resource as u64 | UNNOTIFIED;
            let result = libc::syscall(libc::SYS_prlimit64, 0, resource, &raw const value, old);
            if result < 0 {
                fail(plan, Step::Setrlimit, result);
            }
        }
        let id = plan.id;
        let result = libc::syscall(libc::SYS_setresgid, id, id, id);
        if result < 0 {
            fail(plan, Step::Setresuid, result);
        }
        let result = libc::syscall(libc::SYS_setresuid, id, id, id);
        if result < 0 {
            fail(plan, Step::Setresuid, result);
        }
        // With the program's rights: box init has no capability that overrides the modes of files.
        let result = libc::syscall(libc::SYS_chdir, plan.directory);
        if result < 0 {
            fail(plan, Step::Chdir, result);
        }
        let mut candidate = plan.paths.as_ptr();
        let mut result = -1;
        while !(*candidate).is_null() {
            result = libc::syscall(libc::SYS_execve, *candidate, plan.argv.as_ptr(), plan.envp.as_ptr());
            if *libc::__errno_location() != libc::ENOENT {
                break;
            }
            candidate = candidate.add(1);
        }
        fail(plan, Step::Execve, result)
    }
}

#[cfg(test)]
mod tests {
    use super::Spawner;

    #[test]
    fn programs_are_started_only_by_one_thread_without_signal_handlers() {
        let status =
            |threads: &str, caught: &str| format!("Name:\tbox\nThreads:\t{threads}\nSigCgt:\t{caught}\n");
        assert!(Spawner::new(&status("1", "0000000000000000")).is_ok());
        assert!(Spawner::new(&status("2", "0000000000000000")).is_err());
        assert!(Spawner::new(&status("1", "0000000000000400")).is_err());
        assert!(Spawner::new("").is_err());
    }
}
