//! The worker's side of runs in boxes: starts them, watches their limits, takes their output, reads their counters.
//!
//! `box_handle` is one box and `supervisor` one run in it; `group_run` runs several boxes at once, with a `relay` each way
//! between two of them. `meter`, with `page_cache`, reads cgroups, and `process_tree` procfs where there are none.

pub(crate) mod box_handle;
pub(crate) mod capture;
pub(crate) mod group_run;
pub(crate) mod meter;
mod page_cache;
mod process_tree;
mod relay;
mod resource_limits;
mod streams;
mod supervisor;
mod wall_limit;
