//! The messages between worker and keeper: one request, one answer, in JSON.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::directories::{Directories, Source};
use crate::sandbox::resource_control::ResourceControl;
use crate::sandbox::shape::Shape;

/// The purpose of a descriptor that the keeper hands to the worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Role {
    /// The connection to box init.
    Init,
    /// The work directory.
    Workspace,
    /// A detached, read-only mount of a host directory.
    View,
    /// A listed file of the operator.
    File,
    /// The directory of the leaf into which programs are cloned.
    Leaf,
    /// The CPU time used.
    Cpu,
    /// Time stalled for lack of a core (PSI).
    Pressure,
    /// Kills everything in the leaf.
    Kill,
    /// Memory peak.
    MemoryPeak,
    /// Memory usage.
    MemoryUsage,
    /// Memory limit.
    MemoryLimit,
    /// Swap limit (v2), memory and swap limit (v1).
    SwapLimit,
    /// Number of OOM kills.
    MemoryEvents,
    /// Memory of kernel structures (v1).
    KernelMemory,
    /// Breakdown of memory.
    MemoryStat,
    /// Makes the kernel reclaim the group's memory (v1).
    Reclaim,
    /// Readable when the v1 group has run out of memory.
    OutOfMemory,
    /// Process limit.
    ProcessLimit,
    /// Number of processes.
    ProcessCount,
}

/// Descriptors with their roles.
pub(crate) type Files = Vec<(Role, OwnedFd)>;

/// A request of the worker.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) enum Request {
    /// Adds to the directories that may be shown; only before the start.
    List(Directories),
    /// Claims the cgroup hierarchies, and fixes the list.
    Start {
        /// The resource control to insist on.
        demanded: Option<ResourceControl>,
        /// User and group of the worker from then on.
        reader: Option<(u32, u32)>,
    },
    /// Creates a box.
    Open { shape: Shape, core: Option<usize> },
    /// Shows a host directory at an attach point of a box; no directory when `source` is `None`.
    Attach { number: u64, point: String, source: Option<Source> },
    /// Opens a read-only view of a host directory.
    View { source: Source },
    /// Opens a listed file of the operator for reading.
    Read { path: PathBuf },
    /// Recreates a removed store; `path` is the store or lies below it.
    Restore { path: PathBuf },
    /// Replaces the work directory with an empty one.
    Renew { number: u64 },
    /// Makes everything in the work directory readable for every user.
    MakeReadable { number: u64 },
    /// Replaces the leaf cgroup with a fresh one.
    FreshLeaf { number: u64 },
    /// Destroys a box.
    Close { number: u64 },
}

impl Request {
    /// Returns the request in words, for errors.
    pub(crate) fn operation(&self) -> &'static str {
        match self {
            Self::List(_) => "list directories",
            Self::Start { .. } => "start",
            Self::Open { .. } => "make a box",
            Self::Attach { .. } => "show a directory in a box",
            Self::View { .. } => "make a read-only view of a directory",
            Self::Read { .. } => "open a file",
            Self::Restore { .. } => "recreate a store",
            Self::Renew { .. } => "replace the work directory of a box",
            Self::MakeReadable { .. } => "make the work directory of a box readable",
            Self::FreshLeaf { .. } => "replace the cgroup of a box",
            Self::Close { .. } => "destroy a box",
        }
    }
}

/// An answer of the keeper.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// The keeper is ready for requests.
    Started { control: ResourceControl },
    /// The new box, with descriptors in the order of their roles.
    Opened {
        number: u64,
        /// The host's process id of its init.
        init: i32,
        roles: Vec<Role>,
    },
    /// The request is done, with descriptors in the order of their roles.
    Done { roles: Vec<Role> },
    /// The host lacks a requirement.
    Lacking { missing: String, remedy: String },
    /// The request failed.
    Failed { detail: String },
    /// The keeper serves this request for no worker; `count` requests were refused so far.
    Refused { detail: String, count: u64 },
}
