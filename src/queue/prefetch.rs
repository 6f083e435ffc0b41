//! Fetches what waiting submissions will need while others are judged.
//!
//! One thread, one fetch at a time, for the submissions that stand first. Judging never waits for it: a
//! judging thread that comes to a submission fetches by itself what is not there, and joins what this thread
//! is just fetching.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::backlog::{Backlog, Upcoming};
use crate::cancel::CancelToken;
use crate::submission::{Remote, RemoteKind};
use crate::workspace::Workspace;

/// Submissions of each class that are looked at, for each slot.
const LOOK_AHEAD: usize = 2;

/// Remotes remembered as fetched; beyond it all are forgotten, and looked up in the cache once more.
const MOST_REMEMBERED: usize = 1000;

/// Fetches ahead until the backlog is closed and empty, or `cancel` is cancelled.
pub(super) fn run(workspace: &Workspace, backlog: &Backlog, slots: usize, cancel: &CancelToken) {
    let mut tried: HashSet<(RemoteKind, Remote)> = HashSet::new();
    let mut last = Upcoming::default();
    while !cancel.is_cancelled() {
        let Some(upcoming) = backlog.upcoming(&last, slots, LOOK_AHEAD * slots) else { return };
        last = upcoming;
        for (kind, remote) in &last.remotes {
            if cancel.is_cancelled() {
                return;
            }
            if tried.len() >= MOST_REMEMBERED {
                tried.clear();
            }
            if tried.insert((*kind, remote.clone())) {
                // A panic would end the worker; what it was about shows when the submission's turn comes.
                let fetched = catch_unwind(AssertUnwindSafe(|| workspace.prefetch(*kind, remote, cancel)));
                if fetched.is_err() {
                    tracing::warn!("fetching ahead failed");
                }
            }
        }
    }
}
