//! Typed wrappers around the kernel: system calls, mounts, packets with descriptors, filter instructions.
//!
//! Knows nothing of boxes. Every process of the sandbox may use it.

pub(crate) mod bpf;
pub(crate) mod mounts;
pub(crate) mod syscalls;
pub(crate) mod wire;
