//! Gives memory back to the system that a large message needed for a moment.
//!
//! glibc keeps what is freed for the next allocation: in arenas, one or more a thread, and because it raises its own
//! threshold for mappings (mallopt(3)) after the first large block was freed. A worker needs much memory for one message
//! and then hardly any for hours, so large blocks stay mappings of their own, and what small ones left is trimmed.

use super::syscalls;

/// Blocks from this size on are mappings of their own, and gone from the process when they are freed.
const MAPPED: usize = 256 << 10;
/// Arenas of the whole process: allocating is none of the work that judging threads do much of.
const ARENAS: usize = 2;
/// Free bytes that are worth a call that visits all of them.
const WORTH_TRIMMING: usize = 8 << 20;

/// Sets the allocator up; to be called before there are threads.
pub fn keep_small() {
    syscalls::bound_allocator(ARENAS, MAPPED);
}

/// Gives free memory back to the system where there is much of it.
pub fn return_unused() {
    if syscalls::free_bytes() >= WORTH_TRIMMING {
        syscalls::trim_memory();
    }
}
