//! A second filter, which changes nothing and tells box init when a process asks for a signal that ends processes.
//!
//! The kernel tells nobody who sent a signal. With this, a program that was killed can be told from one that killed
//! itself: the calls below wait until box init has taken note, and then go on as if nothing had been (user notification
//! in seccomp(2), SECCOMP_USER_NOTIF_FLAG_CONTINUE). It decides nothing, so nothing is lost where the kernel or another
//! listener of the host refuses it: then nobody knows.
//!
//! Only arguments whose upper half is zero are looked at. Box init and the child before execve set a bit there, which
//! the kernel cuts off: their own calls must not wait for box init. A program that does the same, or finds a signal that
//! is sent by other means (the exit signal of clone3(2) lies in memory), only hides its own doing.

use libc::{c_long, sock_filter};

/// The bit in the upper half of an argument that lets a call pass unseen.
pub(in crate::sandbox) const UNSEEN: u64 = 1 << 32;

/// SIGHUP, SIGINT, SIGQUIT, SIGKILL, SIGTERM.
const SIGNALS: &[u32] = &[1, 2, 3, 9, 15];
/// The resource whose limit the kernel enforces by SIGKILL (setrlimit(2)).
const CPU_LIMIT: &[u32] = &[libc::RLIMIT_CPU];

/// Calls with the place of the argument that matters, what of it is looked at, and its values.
const ASKED: &[(c_long, u32, u32, &[u32])] = &[
    (libc::SYS_kill, 1, u32::MAX, SIGNALS),
    (libc::SYS_tkill, 1, u32::MAX, SIGNALS),
    (libc::SYS_tgkill, 2, u32::MAX, SIGNALS),
    (libc::SYS_rt_sigqueueinfo, 1, u32::MAX, SIGNALS),
    (libc::SYS_rt_tgsigqueueinfo, 2, u32::MAX, SIGNALS),
    // The signal that the parent gets at the end of a child.
    (libc::SYS_clone, 0, 0xff, SIGNALS),
    (libc::SYS_setrlimit, 0, u32::MAX, CPU_LIMIT),
    (libc::SYS_prlimit64, 1, u32::MAX, CPU_LIMIT),
];

const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const AND: u16 = 0x54; // BPF_ALU | BPF_AND | BPF_K
const JUMP_IF_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const RETURN: u16 = 0x06; // BPF_RET | BPF_K

/// Builds the filter.
pub(in crate::sandbox) fn filter() -> Vec<sock_filter> {
    let step = |code, k, jt, jf| sock_filter { code, jt, jf, k };
    let number = |call: c_long| u32::try_from(call).unwrap_or(u32::MAX);
    let mut program = Vec::new();
    for (call, argument, mask, values) in ASKED {
        // seccomp_data: the number at 0, the arguments of 8 bytes each from 16, the lower half first.
        let place = 16 + 8 * argument;
        let count = u8::try_from(values.len()).unwrap_or(0);
        program.extend([
            step(LOAD, 0, 0, 0),
            step(JUMP_IF_EQUAL, number(*call), 0, count + 6),
            step(LOAD, place + 4, 0, 0),
            step(JUMP_IF_EQUAL, 0, 0, count + 2),
            step(LOAD, place, 0, 0),
            step(AND, *mask, 0, 0),
        ]);
        let before = (1..=count).rev();
        program.extend(values.iter().zip(before).map(|(value, left)| step(JUMP_IF_EQUAL, *value, left, 0)));
        program.push(step(RETURN, libc::SECCOMP_RET_ALLOW, 0, 0));
        program.push(step(RETURN, libc::SECCOMP_RET_USER_NOTIF, 0, 0));
    }
    program.extend([
        // Its signal lies in memory.
        step(LOAD, 0, 0, 0),
        step(JUMP_IF_EQUAL, number(libc::SYS_timer_create), 0, 1),
        step(RETURN, libc::SECCOMP_RET_USER_NOTIF, 0, 0),
        step(RETURN, libc::SECCOMP_RET_ALLOW, 0, 0),
    ]);
    program
}
