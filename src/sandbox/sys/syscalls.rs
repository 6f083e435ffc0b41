//! Wraps the system calls that neither the standard library nor `nix` covers, each once, in typed functions.
//!
//! One of the two files where `unsafe` is allowed (the other is `init/spawn.rs`). Every function is one call on owned or
//! borrowed descriptors that returns an `io::Result`; nothing here decides what to do about an error.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::io::{self, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use nix::unistd::Pid;

/// The flag as clone3(2) takes it; the `libc` crate truncates its constant to 32 bits.
pub(crate) const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// A bit in the upper half of an `int` argument. The kernel ignores it, and the filter that notifies box init lets
/// calls with it pass, so that box init never waits for itself.
pub(crate) const UNNOTIFIED: u64 = 1 << 32;

/// Turns a raw result into an [`io::Result`].
fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Takes ownership of the descriptor that a system call returned.
///
/// # Safety
/// `result` is negative or a descriptor that the call has just opened and that nothing else owns.
unsafe fn owned(result: libc::c_long) -> io::Result<OwnedFd> {
    let raw = RawFd::try_from(check(result)?).map_err(io::Error::other)?;
    // SAFETY: guaranteed by the caller.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// Returns the number of unread bytes in a pipe, asked at either end (FIONREAD in pipe(7)).
pub(crate) fn unread(pipe: BorrowedFd<'_>) -> io::Result<usize> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: FIONREAD stores one int at the pointer, which is valid for writes and outlives the call.
    check(unsafe { libc::ioctl(pipe.as_raw_fd(), libc::FIONREAD, &raw mut bytes) }.into())?;
    Ok(usize::try_from(bytes).unwrap_or(0))
}

/// A process created by [`run_in_clone`].
#[derive(Debug)]
pub(crate) struct Cloned {
    /// Its id in the caller's PID namespace.
    pub pid: Pid,
    /// A descriptor that stays bound to it.
    pub pidfd: OwnedFd,
}

/// The state that a cloned process inherits.
pub(crate) trait Inheritance {
    /// Returns every descriptor that it uses; all others above 2 are closed in the new process.
    fn descriptors(&self) -> Vec<BorrowedFd<'_>>;
}

/// Clones the caller into new namespaces and, where given, straight into a cgroup v2 directory (clone3(2)), and runs
/// `child` in the new process, which exits when `child` returns or panics.
///
/// The new process is a copy of the caller, as after fork(2), without its descriptors but those of `inheritance`.
/// `child` is a plain function, so it can reach nothing else of the caller's. The caller's copy of `inheritance` is
/// dropped.
///
/// # Errors
/// The kernel's, or [`io::ErrorKind::Unsupported`] when the caller has more than one thread: a copy of a
/// threaded process could only use async-signal-safe functions, and `child` uses others.
pub(crate) fn run_in_clone<T: Inheritance>(
    namespaces: libc::c_int,
    cgroup: Option<BorrowedFd<'_>>,
    inheritance: T,
    child: fn(T),
) -> io::Result<Cloned> {
    if std::fs::read_dir("/proc/self/task")?.count() != 1 {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "the caller has more than one thread"));
    }
    let mut pidfd: RawFd = -1;
    // SAFETY: clone_args is plain data for which all zeroes is the documented "unset" value.
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    arguments.flags = namespaces.unsigned_abs().into();
    arguments.flags |= libc::CLONE_PIDFD.unsigned_abs() as u64;
    arguments.pidfd = (&raw mut pidfd) as u64;
    arguments.exit_signal = libc::SIGCHLD.unsigned_abs().into();
    if let Some(cgroup) = cgroup {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = cgroup.as_raw_fd().unsigned_abs().into();
    }
    // SAFETY: `arguments` and `pidfd` outlive the call and have the size given; without CLONE_VM the child
    // gets its own copy of the address space, and the caller has one thread only (checked above), so no lock
    // can be held by a thread that does not exist in the child.
    let result =
        unsafe { libc::syscall(libc::SYS_clone3, &raw mut arguments, size_of::<libc::clone_args>()) };
    let pid = libc::pid_t::try_from(check(result)?).map_err(io::Error::other)?;
    if pid == 0 {
        // SAFETY: this process ends in exit_now, which drops nothing, and until then runs only `child`, whose
        // descriptors are kept.
        if unsafe { close_all_but(&inheritance.descriptors()) }.is_ok() {
            // A panic must not unwind into the destructors of the process this is a copy of.
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| child(inheritance)));
        }
        exit_now(0);
    }
    // SAFETY: with CLONE_PIDFD the kernel has stored a new descriptor in `pidfd` for the parent.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Cloned { pid: Pid::from_raw(pid), pidfd })
}

/// Closes every descriptor above 2 but `kept` (close_range(2)).
///
/// # Safety
/// No owner of a closed descriptor uses or drops it afterwards.
unsafe fn close_all_but(kept: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut raw: Vec<libc::c_uint> =
        kept.iter().map(|descriptor| descriptor.as_raw_fd().unsigned_abs()).collect();
    raw.sort_unstable();
    let mut first: libc::c_uint = 3;
    for descriptor in raw.into_iter().chain([libc::c_uint::MAX]) {
        if descriptor > first {
            let last = if descriptor == libc::c_uint::MAX { descriptor } else { descriptor - 1 };
            // SAFETY: integers only; the caller guarantees that nothing uses these descriptors any more.
            check(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) })?;
        }
        first = descriptor.saturating_add(1);
    }
    Ok(())
}

/// Ends the process at once: no exit handlers, no destructors, which belong to the process this is a copy of.
fn exit_now(code: libc::c_int) -> ! {
    // SAFETY: _exit takes an integer and does not return.
    unsafe { libc::_exit(code) }
}

/// Sends a signal to the process behind a pidfd (pidfd_send_signal(2)): never to a recycled pid.
pub(crate) fn signal_process(pidfd: BorrowedFd<'_>, signal: libc::c_int) -> io::Result<()> {
    // SAFETY: a null siginfo asks for the default one; no other pointers.
    let result = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    };
    check(result).map(drop)
}

/// Returns a detached copy of the mount tree at `path` (open_tree(2) with OPEN_TREE_CLONE and AT_RECURSIVE).
pub(crate) fn clone_mount(path: &CStr) -> io::Result<OwnedFd> {
    let flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC | libc::AT_RECURSIVE.unsigned_abs();
    // SAFETY: `path` is NUL-terminated and outlives the call, which returns a new descriptor.
    unsafe { owned(libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags)) }
}

/// Does as [`clone_mount`] for the file or directory of a descriptor, which may be an O_PATH one.
pub(crate) fn clone_mount_of(held: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let flags = libc::OPEN_TREE_CLONE
        | libc::OPEN_TREE_CLOEXEC
        | (libc::AT_RECURSIVE | libc::AT_EMPTY_PATH).unsigned_abs();
    // SAFETY: the path is a NUL-terminated empty string and `held` is open during the call, which returns a new
    // descriptor.
    unsafe { owned(libc::syscall(libc::SYS_open_tree, held.as_raw_fd(), c"".as_ptr(), flags)) }
}

/// Attaches a detached mount at `target`, an existing file or directory of the caller's mount namespace
/// (move_mount(2)).
pub(crate) fn attach_mount(mount: BorrowedFd<'_>, target: &CStr) -> io::Result<()> {
    // SAFETY: both strings are NUL-terminated and outlive the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_FDCWD,
            target.as_ptr(),
            libc::MOVE_MOUNT_F_EMPTY_PATH,
        )
    };
    check(result).map(drop)
}

/// Sets `attributes` (MOUNT_ATTR_*) on a mount, and on all below it when `recursive`, and makes it private: later
/// mounts of the host do not appear in it (mount_setattr(2)).
pub(crate) fn restrict_mount(mount: BorrowedFd<'_>, attributes: u64, recursive: bool) -> io::Result<()> {
    let attributes =
        libc::mount_attr { attr_set: attributes, attr_clr: 0, propagation: libc::MS_PRIVATE, userns_fd: 0 };
    set_mount_attributes(mount, &attributes, recursive)
}

/// Shows the ids of a detached mount, and of all below it, as a user namespace maps them (MOUNT_ATTR_IDMAP in
/// mount_setattr(2)).
///
/// # Errors
/// EINVAL when a file system in the tree does not support mapped ids.
pub(crate) fn map_mount_ids(mount: BorrowedFd<'_>, namespace: BorrowedFd<'_>) -> io::Result<()> {
    let attributes = libc::mount_attr {
        attr_set: libc::MOUNT_ATTR_IDMAP,
        attr_clr: 0,
        propagation: 0,
        userns_fd: namespace.as_raw_fd().unsigned_abs().into(),
    };
    set_mount_attributes(mount, &attributes, true)
}

fn set_mount_attributes(
    mount: BorrowedFd<'_>,
    attributes: &libc::mount_attr,
    recursive: bool,
) -> io::Result<()> {
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is a NUL-terminated empty string, `attributes` outlives the call and has the size given.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            std::ptr::from_ref(attributes),
            size_of::<libc::mount_attr>(),
        )
    };
    check(result).map(drop)
}

/// Removes a capability from the bounding set (prctl(2), PR_CAPBSET_DROP).
///
/// # Errors
/// EINVAL when the kernel has no capability of that number, which marks the end of the list.
pub(crate) fn drop_bounding_capability(capability: libc::c_ulong) -> io::Result<()> {
    // SAFETY: this prctl option takes one integer and no pointers.
    check(unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) }.into()).map(drop)
}

/// Gives up every capability of the calling thread but those in `kept`, a set of bits by number, and makes none of them
/// inheritable, so the ambient set becomes empty too (capset(2)).
pub(crate) fn keep_capabilities(kept: u64) -> io::Result<()> {
    /// `_LINUX_CAPABILITY_VERSION_3`: 64 capabilities in two records.
    const VERSION: u32 = 0x2008_0522;
    // The kernel's `__user_cap_header_struct`, and two `__user_cap_data_struct`: effective, permitted and inheritable
    // sets, their low 32 bits first.
    let header: [u32; 2] = [VERSION, 0];
    let [low, high] = [(kept & 0xffff_ffff) as u32, (kept >> 32) as u32];
    let sets: [u32; 6] = [low, low, 0, high, high, 0];
    // SAFETY: both arrays outlive the call and have the sizes that version 3 takes; process id 0 is the caller.
    check(unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), sets.as_ptr()) }).map(drop)
}

/// Resets every signal to its default action; an ignored one would be inherited through execve(2).
pub(crate) fn reset_signals() {
    // The kernel's own form of `sigaction`, four words: all zero is SIG_DFL without flags. The C library's
    // wrapper refuses the signals it keeps to itself, which its posix_spawn leaves ignored.
    let default = [0u64; 4];
    for signal in 1..=64 {
        // SAFETY: `default` outlives the call and has the kernel's size; SIG_DFL installs no code of ours.
        // Signals that cannot be changed (KILL, STOP) answer EINVAL, which leaves nothing to do.
        unsafe {
            libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), std::ptr::null_mut::<u64>(), 8)
        };
    }
}

/// A packet that [`receive`] has stored in the caller's buffer.
#[derive(Debug)]
pub(crate) struct Packet {
    /// Bytes of the packet; 0 at the end of the stream.
    pub length: usize,
    /// Whether the buffers were too small for its bytes or its descriptors.
    pub truncated: bool,
    /// The descriptors that came with it, close-on-exec.
    pub descriptors: Vec<OwnedFd>,
}

/// Waits for one packet with descriptors (recvmsg(2), SCM_RIGHTS in unix(7)).
pub(crate) fn receive(socket: BorrowedFd<'_>, bytes: &mut [u8], control: &mut [u8]) -> nix::Result<Packet> {
    let mut slices = [IoSliceMut::new(bytes)];
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut slices, Some(control), MsgFlags::MSG_CMSG_CLOEXEC)?;
    let mut descriptors = Vec::new();
    for control in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(received) = control {
            // SAFETY: the kernel has opened these descriptors in this process for this message; nothing else owns
            // them.
            descriptors.extend(received.into_iter().map(|raw| unsafe { OwnedFd::from_raw_fd(raw) }));
        }
    }
    let truncated = message.flags.intersects(MsgFlags::MSG_TRUNC | MsgFlags::MSG_CTRUNC);
    Ok(Packet { length: message.bytes, truncated, descriptors })
}

/// Reads an extended attribute into `value`, returning its length (getxattr(2)).
pub(crate) fn read_attribute(path: &std::path::Path, name: &str, value: &mut [u8]) -> io::Result<usize> {
    use std::os::unix::ffi::OsStrExt;
    let path = std::ffi::CString::new(path.as_os_str().as_bytes()).map_err(io::Error::other)?;
    let name = std::ffi::CString::new(name).map_err(io::Error::other)?;
    // SAFETY: both strings are NUL-terminated; `value` is writable for the length given.
    let result =
        unsafe { libc::getxattr(path.as_ptr(), name.as_ptr(), value.as_mut_ptr().cast(), value.len()) };
    usize::try_from(check(result as libc::c_long)?).map_err(io::Error::other)
}

/// The result of [`reap`].
pub(crate) enum Reaped {
    /// A dead child, now reaped.
    Process {
        /// The wait status for the `W*` macros (wait(2)).
        status: libc::c_int,
        /// Largest resident size of the child and the children it waited for, KiB (`ru_maxrss` in getrusage(2)).
        max_rss_kib: u64,
    },
    /// There are children, and all of them are alive.
    NoneYet,
    /// There are no children.
    NoneLeft,
}

/// Reaps one child of any kind (any child for -1). Replaces `nix::sys::wait`, which answers EINVAL, and loses the
/// status, for a program that died of a real-time signal.
pub(crate) fn reap(pid: libc::pid_t, block: bool) -> io::Result<Reaped> {
    let flags = libc::__WALL | if block { 0 } else { libc::WNOHANG };
    let mut status = 0;
    // SAFETY: rusage is plain data for which all zeroes is valid.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: `status` and `usage` are valid for writing.
        match unsafe { libc::wait4(pid, &raw mut status, flags, &raw mut usage) } {
            0 => return Ok(Reaped::NoneYet),
            1.. => {
                let max_rss_kib = u64::try_from(usage.ru_maxrss).unwrap_or(0);
                return Ok(Reaped::Process { status, max_rss_kib });
            }
            _ => match io::Error::last_os_error() {
                error if error.raw_os_error() == Some(libc::ECHILD) => return Ok(Reaped::NoneLeft),
                error if error.raw_os_error() == Some(libc::EINTR) => {}
                error => return Err(error),
            },
        }
    }
}

/// Installs a filter that notifies of calls, and returns the descriptor of its notifications (seccomp_unotify(2)). The
/// caller has set no_new_privs.
///
/// # Errors
/// EBUSY where a filter of the caller has a listener already, EINVAL before Linux 5.0.
pub(crate) fn notify_of_calls(filter: &[libc::sock_filter]) -> io::Result<OwnedFd> {
    let length = u16::try_from(filter.len()).map_err(io::Error::other)?;
    let program = libc::sock_fprog { len: length, filter: filter.as_ptr().cast_mut() };
    // SAFETY: `program` and the instructions it points to outlive the call, which only reads them and returns a new
    // descriptor.
    unsafe {
        owned(libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
            &raw const program,
        ))
    }
}

/// Receives one notification and lets the call continue (seccomp_unotify(2)). A notification whose process has died
/// meanwhile is ignored.
pub(crate) fn let_call_continue(listener: BorrowedFd<'_>) -> io::Result<()> {
    const RECEIVE: libc::Ioctl = 0xc050_2100;
    const SEND: libc::Ioctl = 0xc018_2101;
    const CONTINUE: u32 = 1; // SECCOMP_USER_NOTIF_FLAG_CONTINUE, which the libc crate has as an unsigned long
    let gone = |error: io::Error| match error.raw_os_error() {
        Some(libc::ENOENT | libc::EINTR) => Ok(()),
        _ => Err(error),
    };
    // SAFETY: seccomp_notif is plain data, and the kernel demands that it is all zeroes.
    let mut call: libc::seccomp_notif = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes a seccomp_notif to `call`, which is one and outlives the call.
    if let Err(error) = check(unsafe { libc::ioctl(listener.as_raw_fd(), RECEIVE, &raw mut call) }.into()) {
        return gone(error);
    }
    let mut answer = libc::seccomp_notif_resp { id: call.id, val: 0, error: 0, flags: CONTINUE };
    // SAFETY: the kernel reads a seccomp_notif_resp from `answer`, which is one and outlives the call.
    check(unsafe { libc::ioctl(listener.as_raw_fd(), SEND, &raw mut answer) }.into()).map(drop).or_else(gone)
}

/// Sends SIGKILL to every process of the PID namespace but the caller (kill(2), pid -1), without a notification.
pub(crate) fn kill_all_others() -> io::Result<()> {
    let signal = u64::from(libc::SIGKILL.unsigned_abs()) | UNNOTIFIED;
    // SAFETY: integers only; the kernel reads the lower half of the signal.
    match check(unsafe { libc::syscall(libc::SYS_kill, -1, signal) }) {
        Err(error) if error.raw_os_error() != Some(libc::ESRCH) => Err(error),
        _ => Ok(()),
    }
}

/// Ignores a signal; children inherit that until [`reset_signals`] (signal(7)).
pub(crate) fn ignore_signal(signal: libc::c_int) -> io::Result<()> {
    // SAFETY: SIG_IGN installs no code of ours.
    if unsafe { libc::signal(signal, libc::SIG_IGN) } == libc::SIG_ERR {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Limits the number of glibc's arenas, and fixes the block size from which it maps memory (mallopt(3)).
#[cfg(target_env = "gnu")]
pub(crate) fn bound_allocator(arenas: usize, mapped: usize) {
    let value = |number: usize| libc::c_int::try_from(number).unwrap_or(libc::c_int::MAX);
    // SAFETY: integers only; mallopt locks the allocator itself. A value that it refuses changes nothing.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, value(arenas));
        libc::mallopt(libc::M_MMAP_THRESHOLD, value(mapped));
    }
}

/// Returns the free bytes that glibc's arenas hold (mallinfo2(3)).
#[cfg(target_env = "gnu")]
pub(crate) fn free_bytes() -> usize {
    // SAFETY: mallinfo2 takes nothing, locks the arenas it looks at, and returns integers.
    unsafe { libc::mallinfo2() }.fordblks
}

/// Returns whole free pages of all arenas to the kernel (malloc_trim(3)).
#[cfg(target_env = "gnu")]
pub(crate) fn trim_memory() {
    // SAFETY: an integer only; malloc_trim locks the arenas it changes.
    unsafe { libc::malloc_trim(0) };
}

#[cfg(not(target_env = "gnu"))]
pub(crate) fn bound_allocator(_arenas: usize, _mapped: usize) {}

#[cfg(not(target_env = "gnu"))]
pub(crate) fn free_bytes() -> usize {
    0
}

#[cfg(not(target_env = "gnu"))]
pub(crate) fn trim_memory() {}
