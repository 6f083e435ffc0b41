//! What can go wrong in the sandbox: always ours or the host's, never the contestant's.
//!
//! A contestant's program cannot cause one of these; if one is returned, the verdict is JE.

use std::io;
use std::path::PathBuf;

use crate::cancel::NoDescriptor;

/// A fault of the sandbox or the host under it.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// A system call or file operation of ours failed.
    #[error("{operation} {subject}: {source}")]
    System {
        /// What was attempted, a verb.
        operation: &'static str,
        /// On what: a path, a name, an id.
        subject: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The keeper answered that a step failed.
    #[error("the box keeper could not {operation}: {detail}")]
    Keeper {
        /// What was asked.
        operation: &'static str,
        /// Its answer.
        detail: String,
    },
    /// The keeper refused a request that it does not serve, whoever sends it.
    #[error("the box keeper refused to {operation}: {detail}")]
    Refused {
        /// What was asked.
        operation: &'static str,
        /// The rule that refuses it.
        detail: String,
    },
    /// The keeper is gone; no box can be made or cleaned any more.
    #[error("the box keeper has died; no more work can be done (restart gavel)")]
    KeeperGone,
    /// A box's init is gone or does not answer; the box has been destroyed.
    #[error("box {name} was lost: {detail}")]
    BoxLost {
        /// The box.
        name: String,
        /// What was seen.
        detail: String,
    },
    /// The command cannot be handed to a box.
    #[error("the command is unusable: {detail}")]
    Command {
        /// Why.
        detail: String,
    },
    /// The host lacks what the configuration demands.
    #[error("this host cannot run boxes: {missing}; {remedy} ('gavel doctor' shows everything)")]
    Host {
        /// What is missing.
        missing: String,
        /// What to do about it.
        remedy: String,
    },
}

impl From<NoDescriptor> for SandboxError {
    fn from(error: NoDescriptor) -> Self {
        Self::System {
            operation: "make",
            subject: "a cancellation token".to_owned(),
            source: io::Error::other(error),
        }
    }
}

impl SandboxError {
    /// A failed system call on a path.
    pub(crate) fn at(
        operation: &'static str,
        path: impl Into<PathBuf>,
        source: impl Into<io::Error>,
    ) -> Self {
        Self::System { operation, subject: path.into().display().to_string(), source: source.into() }
    }

    /// A failed system call on something named.
    pub(crate) fn on(
        operation: &'static str,
        subject: impl Into<String>,
        source: impl Into<io::Error>,
    ) -> Self {
        Self::System { operation, subject: subject.into(), source: source.into() }
    }
}
