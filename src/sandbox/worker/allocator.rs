//! Returns memory to the kernel after a large message.
//!
//! glibc keeps freed memory for the next allocation: in arenas, one or more per thread, and because it raises its own
//! threshold for mappings (mallopt(3)) after the first large block was freed. A worker needs much memory for one message
//! and then hardly any for hours, so large blocks get mappings of their own, and arenas are trimmed.

use crate::sandbox::sys::syscalls;

/// The size from which blocks get mappings of their own, which end when they are freed.
const MAPPED: usize = 256 << 10;
/// The number of arenas in the process: judging threads seldom allocate.
const ARENAS: usize = 2;
/// The free bytes that are worth a call that visits all of them.
const WORTH_TRIMMING: usize = 8 << 20;

/// Configures the allocator; to be called before the first thread is started.
pub fn keep_small() {
    syscalls::bound_allocator(ARENAS, MAPPED);
}

/// Returns free memory to the kernel where there is much of it.
pub fn return_unused() {
    if syscalls::free_bytes() >= WORTH_TRIMMING {
        syscalls::trim_memory();
    }
}
