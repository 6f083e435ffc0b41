//! Instructions of classic BPF that the hand-written system-call filters share (seccomp(2), linux/filter.h).

use seccompiler::BpfProgram;
use seccompiler::sock_filter;

/// Loads a 32-bit word of `seccomp_data` (BPF_LD | BPF_W | BPF_ABS).
pub(crate) const LOAD: u16 = 0x20;
/// Masks the loaded word (BPF_ALU | BPF_AND | BPF_K).
pub(crate) const AND: u16 = 0x54;
/// Jumps if the loaded word equals the operand (BPF_JMP | BPF_JEQ | BPF_K).
pub(crate) const JUMP_IF_EQUAL: u16 = 0x15;
/// Returns the filter's decision (BPF_RET | BPF_K).
pub(crate) const RETURN: u16 = 0x06;

/// Builds one instruction: operation, operand, and how many instructions to skip if it holds and if not.
pub(crate) const fn step(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

/// Returns the number of a system call as a filter compares it.
pub(crate) fn number(call: libc::c_long) -> u32 {
    u32::try_from(call).unwrap_or(u32::MAX)
}

/// Builds instructions that kill on a call of the x32 table, to be put in front of a filter.
///
/// The kernel reports the same architecture for that table with other numbers, so a filter would take its calls for
/// unknown ones. -1, which a probe may use as "no call at all", is left to the filter. Jumps are relative and
/// forward, so instructions can be prepended.
#[cfg(target_arch = "x86_64")]
pub(crate) fn refuse_x32() -> BpfProgram {
    const JUMP_IF_AT_LEAST: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
    const X32_BIT: u32 = 0x4000_0000;
    vec![
        step(LOAD, 0, 0, 0),
        step(JUMP_IF_AT_LEAST, X32_BIT, 0, 2),
        step(JUMP_IF_EQUAL, u32::MAX, 1, 0),
        step(RETURN, libc::SECCOMP_RET_KILL_PROCESS, 0, 0),
    ]
}

#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn refuse_x32() -> BpfProgram {
    BpfProgram::new()
}
