//! Decides how much runs at once, where, and in which order.
//!
//! `slots` bounds the programs that run at once, each on a core leased in `cores` with the boxes of its `box_pool`;
//! `pipeline` runs a submission's tests over them and decides them in order, `dedupe` runs equal tests once, and
//! `host_memory` notices when the host ran out of memory.

pub(crate) mod box_pool;
mod cores;
mod dedupe;
pub(crate) mod host_memory;
pub(crate) mod pipeline;
pub(crate) mod slots;
