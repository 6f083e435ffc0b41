//! Decides how much runs at once, where, and in which order.
//!
//! `slots` bounds the programs that run at once, each on a core leased in `cores` with the boxes of its `box_pool`;
//! `pipeline` runs a submission's tests over them and decides them in order, `dedupe` runs equal tests once, and
//! `host_memory` notices when the host ran out of memory.

pub(in crate::judge) mod box_pool;
mod cores;
mod dedupe;
pub(in crate::judge) mod host_memory;
pub(in crate::judge) mod pipeline;
pub(in crate::judge) mod slots;
