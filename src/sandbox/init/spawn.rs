//! The birth of a program: from a vfork-like clone of box init to execve.
//!
//! One of the two files where `unsafe` is allowed. Between clone and execve the child shares box init's
//! memory while init is suspended, so it neither allocates, locks, logs nor returns: everything it needs was
//! computed before into a [`Plan`], and a failure goes back as a step and an errno in that plan. It makes raw
//! system calls only, because the C library's wrappers may act on the whole (shared) process:
//! `setresuid(3)`, for one, signals every thread to change its ids.
//!
//! The child has the credentials of box init until it drops them, and nothing of a contestant's runs before
//! execve has replaced the address space.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use super::syscalls::CLONE_INTO_CGROUP;

#[cfg(not(target_arch = "x86_64"))]
compile_error!(
    "gavel's sandbox is written for x86_64: add the clone3 entry of this architecture to child.rs"
);

/// A resource limit to set: soft and hard alike.
#[derive(Debug, Clone, Copy)]
pub(super) struct ResourceLimit {
    /// `RLIMIT_*`.
    pub resource: u32,
    /// The value.
    pub value: u64,
}

/// Everything the child needs, computed before the clone.
pub(super) struct Plan {
    /// Candidates for the program's path, tried in order while they do not exist.
    paths: Vec<*const libc::c_char>,
    argv: Vec<*const libc::c_char>,
    envp: Vec<*const libc::c_char>,
    directory: *const libc::c_char,
    /// Become descriptors 0, 1 and 2; all are above 2.
    stdio: [RawFd; 3],
    limits: Vec<ResourceLimit>,
    /// Both uid and gid of the program.
    id: u32,
    failed_step: AtomicU32,
    failed_errno: AtomicI32,
    /// What the pointers above point into.
    _strings: [Vec<CString>; 4],
}

/// Steps that can fail; the index travels to the worker.
pub(super) const STEPS: [&str; 8] =
    ["none", "dup2", "close_range", "setsid", "chdir", "setrlimit", "setresuid", "execve"];

/// The parts of a command a [`Plan`] is made of.
pub(super) struct Parts {
    pub paths: Vec<CString>,
    pub argv: Vec<CString>,
    pub envp: Vec<CString>,
    pub directory: CString,
    pub limits: Vec<ResourceLimit>,
}

impl Plan {
    /// Computes the plan.
    ///
    /// Descriptors at or below 2 are refused later, with EINVAL, by [`spawn`].
    pub(super) fn new(parts: Parts, stdio: [BorrowedFd<'_>; 3], id: u32) -> Self {
        let pointers = |strings: &[CString]| -> Vec<*const libc::c_char> {
            strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
        };
        let (paths, argv, envp) = (pointers(&parts.paths), pointers(&parts.argv), pointers(&parts.envp));
        let directory = parts.directory.as_ptr();
        Self {
            paths,
            argv,
            envp,
            directory,
            stdio: stdio.map(|descriptor| descriptor.as_raw_fd()),
            limits: parts.limits,
            id,
            failed_step: AtomicU32::new(0),
            failed_errno: AtomicI32::new(0),
            // The strings' heap buffers stay where they are when the CStrings are moved.
            _strings: [parts.paths, parts.argv, parts.envp, vec![parts.directory]],
        }
    }

    /// The step (an index into [`STEPS`]) and errno at which the child gave up; step 0 when it did not.
    pub(super) fn failure(&self) -> (u32, i32) {
        (self.failed_step.load(Ordering::Acquire), self.failed_errno.load(Ordering::Acquire))
    }
}

/// Stack of the child between clone and execve. The deepest call chain is two functions with a few words of
/// locals; the rest is room for an unoptimised build.
const STACK_BYTES: usize = 64 * 1024;

/// A stack for [`spawn`], made once per box.
pub(super) struct ChildStack(Vec<u128>);

impl ChildStack {
    /// Allocates it.
    pub(super) fn new() -> Self {
        Self(vec![0; STACK_BYTES / size_of::<u128>()])
    }
}

/// A program that has been born, or has failed on the way (see [`Plan::failure`]).
pub(super) struct Born {
    pub pid: libc::pid_t,
    pub pidfd: OwnedFd,
}

/// Clones the caller (sharing its memory, suspending it) and lets the clone carry out `plan`; returns when
/// the program has been exec'ed or the clone has exited.
///
/// # Errors
/// That of clone3(2): EAGAIN at a process limit, ENOMEM.
pub(super) fn spawn(plan: &Plan, stack: &mut ChildStack, cgroup: Option<BorrowedFd<'_>>) -> io::Result<Born> {
    if plan.stdio.iter().any(|descriptor| *descriptor <= 2) {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    plan.failed_step.store(0, Ordering::Release);
    let mut pidfd: RawFd = -1;
    // SAFETY: clone_args is plain data for which all zeroes is the documented "unset" value.
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    arguments.flags = (libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD).unsigned_abs().into();
    arguments.pidfd = (&raw mut pidfd) as u64;
    arguments.exit_signal = libc::SIGCHLD.unsigned_abs().into();
    arguments.stack = stack.0.as_mut_ptr() as u64;
    arguments.stack_size = size_of_val(stack.0.as_slice()) as u64;
    if let Some(cgroup) = cgroup {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = cgroup.as_raw_fd().unsigned_abs().into();
    }
    let result: i64;
    // SAFETY: clone3 reads `arguments`, of the size given, and writes `pidfd`; both outlive the call. The
    // child starts on `stack`, which nobody else uses and which is 16-byte aligned at its end (it is a Vec of
    // u128, whose alignment and size are both 16), as the ABI wants before a call. Registers r12 and r13
    // survive the system call in both processes, so the child calls `child_main(plan)`, which never returns;
    // the parent falls through. CLONE_VFORK suspends the parent until the child has exec'ed or exited, so
    // `plan`, `stack` and the whole shared memory stay valid and unchanged under the child. The child runs no
    // code that unwinds, allocates or takes locks.
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
    Ok(Born { pid, pidfd })
}

/// Records the failure in the shared plan and ends the clone.
///
/// # Safety
/// To be called by the clone only.
unsafe fn fail(plan: &Plan, step: u32, result: libc::c_long) -> ! {
    // SAFETY: errno is thread-local; the clone shares the parent's thread block, which is suspended, so
    // reading (and the system call before it writing) it disturbs nobody.
    let errno = if result < 0 { unsafe { *libc::__errno_location() } } else { 0 };
    plan.failed_errno.store(errno, Ordering::Release);
    plan.failed_step.store(step, Ordering::Release);
    // SAFETY: exit_group without the C library's exit handlers, which belong to the parent. The clone is a
    // thread group of its own.
    unsafe {
        libc::syscall(libc::SYS_exit_group, 127);
    }
    loop {
        std::hint::spin_loop();
    }
}

/// What the clone does. Raw system calls only, no allocation, no locks, no return.
///
/// # Safety
/// `plan` is valid and unchanged until execve; the caller is a CLONE_VM|CLONE_VFORK clone on its own stack.
unsafe extern "C" fn child_main(plan: *const Plan) -> ! {
    // SAFETY: guaranteed by the caller.
    let plan = unsafe { &*plan };
    // SAFETY: of every call in this block, arguments are integers or pointers into `plan`, whose strings
    // are NUL-terminated and whose arrays end with a null pointer; descriptors were checked to be above 2, so
    // no dup2 overwrites one that is still to be copied. Descriptors are not shared with the parent (no
    // CLONE_FILES), so closing them here leaves the parent's open.
    unsafe {
        for (target, descriptor) in (0..).zip(plan.stdio) {
            let result = libc::syscall(libc::SYS_dup3, descriptor, target, 0);
            if result < 0 {
                fail(plan, 1, result);
            }
        }
        let result = libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0);
        if result < 0 {
            fail(plan, 2, result);
        }
        let result = libc::syscall(libc::SYS_setsid);
        if result < 0 {
            fail(plan, 3, result);
        }
        for limit in &plan.limits {
            let value = libc::rlimit64 { rlim_cur: limit.value, rlim_max: limit.value };
            let old = ptr::null_mut::<libc::rlimit64>();
            // The kernel takes the lower half. Box init, suspended, could not answer its listener.
            let resource = limit.resource as u64 | super::seccomp::ends::UNSEEN;
            let result = libc::syscall(libc::SYS_prlimit64, 0, resource, &raw const value, old);
            if result < 0 {
                fail(plan, 5, result);
            }
        }
        let id = plan.id;
        let result = libc::syscall(libc::SYS_setresgid, id, id, id);
        if result < 0 {
            fail(plan, 6, result);
        }
        let result = libc::syscall(libc::SYS_setresuid, id, id, id);
        if result < 0 {
            fail(plan, 6, result);
        }
        // With the program's rights: box init has no capability that overrides the modes of files.
        let result = libc::syscall(libc::SYS_chdir, plan.directory);
        if result < 0 {
            fail(plan, 4, result);
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
        fail(plan, 7, result)
    }
}
