//! Resource control: which cgroup hierarchies this host has, and one group per box in them.
//!
//! The keeper makes and removes groups; the worker reads and limits through descriptors of single files the
//! keeper hands over, so it needs no privileges and can touch no other group. Everything gavel makes lies in
//! a directory `gavel/<keeper>` of each hierarchy, where `<keeper>` names a process by id and start time, so
//! that what a killed one left can be told from what is in use.
//!
//! Kernel documents: `admin-guide/cgroup-v2.rst`, `admin-guide/cgroup-v1/{memory,cpuacct,pids}.rst`.

mod facts;
mod group;
mod hierarchy;
#[path = "../../run/meter.rs"]
mod meter;
#[path = "../../run/page_cache.rs"]
mod peak;

pub use facts::Hierarchy;
pub(super) use facts::hierarchies;
pub(super) use group::{BoxGroup, Files, Role};
pub(super) use hierarchy::Hierarchies;
pub(super) use meter::{Meter, Processes};
