//! The additional filter of boxes without cgroups: refuses memory that only cgroups would count.

use seccompiler::{BpfProgram, sock_filter};

/// Answers `memfd_create` with ENOSYS: a memory file that no process has mapped is in no process's figure.
pub(crate) fn filter() -> BpfProgram {
    const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
    const JUMP_IF_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
    const RETURN: u16 = 0x06; // BPF_RET | BPF_K
    let step = |code, jt, jf, k| sock_filter { code, jt, jf, k };
    let number = |call: libc::c_long| u32::try_from(call).unwrap_or(u32::MAX);
    vec![
        step(LOAD, 0, 0, 0),
        step(JUMP_IF_EQUAL, 0, 1, number(libc::SYS_memfd_create)),
        step(RETURN, 0, 0, libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs()),
        step(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
    ]
}
