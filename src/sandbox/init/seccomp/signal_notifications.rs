//! A second filter that allows every call and notifies box init when a process asks for a signal that ends processes.
//!
//! The kernel does not report who sent a signal. With this filter, a program that was killed from outside can be told from
//! one that killed itself: the calls below wait until box init has received the notification, and then continue (user
//! notification in seccomp(2), SECCOMP_USER_NOTIF_FLAG_CONTINUE). The filter decides nothing, so nothing is lost where
//! the kernel or another listener of the host refuses it: then the answer is unknown.
//!
//! Only arguments whose upper half is zero are examined. Box init and the child before execve set a bit there, which the
//! kernel ignores: their own calls must not wait for box init. A program that does the same, or arranges for a signal by
//! other means (the exit signal of clone3(2) lies in memory), only hides its own act.

use libc::c_long;
use seccompiler::sock_filter;

use crate::sandbox::sys::bpf::{AND, JUMP_IF_EQUAL, LOAD, RETURN, number, step};

/// SIGHUP, SIGINT, SIGQUIT, SIGKILL, SIGTERM.
const SIGNALS: &[u32] = &[1, 2, 3, 9, 15];
/// The resource whose limit the kernel enforces by SIGKILL (setrlimit(2)).
const CPU_LIMIT: &[u32] = &[libc::RLIMIT_CPU];

/// The calls, each with the index of the argument to examine, a mask for it, and the values that are notified.
const ASKED: &[(c_long, u32, u32, &[u32])] = &[
    (libc::SYS_kill, 1, u32::MAX, SIGNALS),
    (libc::SYS_tkill, 1, u32::MAX, SIGNALS),
    (libc::SYS_tgkill, 2, u32::MAX, SIGNALS),
    (libc::SYS_rt_sigqueueinfo, 1, u32::MAX, SIGNALS),
    (libc::SYS_rt_tgsigqueueinfo, 2, u32::MAX, SIGNALS),
    // The signal that the parent receives at the end of a child.
    (libc::SYS_clone, 0, 0xff, SIGNALS),
    (libc::SYS_setrlimit, 0, u32::MAX, CPU_LIMIT),
    (libc::SYS_prlimit64, 1, u32::MAX, CPU_LIMIT),
];

/// Builds the filter.
pub(crate) fn filter() -> Vec<libc::sock_filter> {
    let mut program: Vec<sock_filter> = Vec::new();
    for (call, argument, mask, values) in ASKED {
        // seccomp_data has the number at 0 and from 16 the arguments of 8 bytes each, the lower half first.
        let offset = 16 + 8 * argument;
        let count = u8::try_from(values.len()).unwrap_or(0);
        program.extend([
            step(LOAD, 0, 0, 0),
            step(JUMP_IF_EQUAL, number(*call), 0, count + 6),
            step(LOAD, offset + 4, 0, 0),
            step(JUMP_IF_EQUAL, 0, 0, count + 2),
            step(LOAD, offset, 0, 0),
            step(AND, *mask, 0, 0),
        ]);
        let before = (1..=count).rev();
        program.extend(values.iter().zip(before).map(|(value, left)| step(JUMP_IF_EQUAL, *value, left, 0)));
        program.push(step(RETURN, libc::SECCOMP_RET_ALLOW, 0, 0));
        program.push(step(RETURN, libc::SECCOMP_RET_USER_NOTIF, 0, 0));
    }
    program.extend([
        // The signal of timer_create lies in memory.
        step(LOAD, 0, 0, 0),
        step(JUMP_IF_EQUAL, number(libc::SYS_timer_create), 0, 1),
        step(RETURN, libc::SECCOMP_RET_USER_NOTIF, 0, 0),
        step(RETURN, libc::SECCOMP_RET_ALLOW, 0, 0),
    ]);
    let instruction =
        |own: sock_filter| libc::sock_filter { code: own.code, jt: own.jt, jf: own.jf, k: own.k };
    program.into_iter().map(instruction).collect()
}
