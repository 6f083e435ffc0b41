//! Resource control: finds the cgroup hierarchies of this host, and creates one group per box in them.
//!
//! The keeper creates and removes groups; the worker reads counters and sets limits through descriptors of single files
//! that the keeper hands over, so it needs no privileges and can reach no other group. All of gavel's groups are in a
//! directory `gavel/<keeper>` of each hierarchy, where `<keeper>` names a process by id and start time, so that the next
//! keeper can remove the groups of a killed one and leave those in use.
//!
//! Kernel documents: `admin-guide/cgroup-v2.rst`, `admin-guide/cgroup-v1/{memory,cpuacct,pids}.rst`.

mod facts;
mod group;
mod hierarchy;

pub use facts::Hierarchy;
pub(crate) use facts::hierarchies;
pub(crate) use group::BoxGroup;
pub(crate) use hierarchy::Hierarchies;
