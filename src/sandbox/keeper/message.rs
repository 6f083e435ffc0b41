//! What worker and keeper say to each other: one request, one answer, in JSON.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::cgroup::Role;
use super::directories::{Directories, Source};
use super::{ResourceControl, Shape};

/// From the worker.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) enum Request {
    /// Before the start: add to the directories that may be shown.
    List(Directories),
    /// Claim the hierarchies, and fix the list.
    Start {
        /// The id of a [`ResourceControl`] to insist on.
        demanded: Option<ResourceControl>,
        /// User and group of the worker from then on.
        reader: Option<(u32, u32)>,
    },
    /// Make a box.
    Open { shape: Shape, core: Option<usize> },
    /// Show a host directory in a box at a point, or nothing there any more.
    Attach { number: u64, point: String, source: Option<Source> },
    /// A read-only view of a host directory.
    View { source: Source },
    /// A listed file of the operator's, opened for reading.
    Read { path: PathBuf },
    /// Make a store again that was removed; `path` is it or below it.
    Restore { path: PathBuf },
    /// Replace the work directory by an empty one.
    Renew { number: u64 },
    /// Let everyone read what is in the work directory.
    OpenUp { number: u64 },
    /// Replace the leaf cgroup by a fresh one.
    FreshLeaf { number: u64 },
    /// Destroy a box.
    Close { number: u64 },
}

impl Request {
    /// The request in words, for errors.
    pub(super) fn operation(&self) -> &'static str {
        match self {
            Self::List(_) => "list directories",
            Self::Start { .. } => "start",
            Self::Open { .. } => "make a box",
            Self::Attach { .. } => "show a directory in a box",
            Self::View { .. } => "make a read-only view of a directory",
            Self::Read { .. } => "open a file",
            Self::Restore { .. } => "make a store again",
            Self::Renew { .. } => "replace the work directory of a box",
            Self::OpenUp { .. } => "open up the work directory of a box",
            Self::FreshLeaf { .. } => "replace the cgroup of a box",
            Self::Close { .. } => "destroy a box",
        }
    }
}

/// From the keeper.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    /// Started.
    Started { control: ResourceControl },
    /// A box, with descriptors in the order of their roles.
    Opened {
        number: u64,
        /// Process id of its init.
        init: i32,
        roles: Vec<Role>,
    },
    /// Done, with descriptors in the order of their roles.
    Done { roles: Vec<Role> },
    /// The host lacks something.
    Lacking { missing: String, remedy: String },
    /// It failed.
    Failed { detail: String },
    /// The request asks for something that a keeper does not do; `count` such requests have come.
    Refused { detail: String, count: u64 },
}
