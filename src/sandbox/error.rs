//! The errors of the sandbox: faults of gavel or of the host, never of the contestant.
//!
//! A contestant's program cannot cause one of these; if one is returned, the verdict is JE.

use std::io;
use std::path::PathBuf;

use crate::cancel::NoDescriptor;

/// A fault of the sandbox or the host under it.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// A system call or file operation failed.
    #[error("{operation} {subject}: {source}")]
    System {
        /// The operation, a verb.
        operation: &'static str,
        /// Its object: a path, a name, an id.
        subject: String,
        /// The cause.
        source: io::Error,
    },
    /// The keeper failed to carry out a request.
    #[error("the box keeper could not {operation}: {detail}")]
    Keeper {
        /// The request.
        operation: &'static str,
        /// The cause.
        detail: String,
    },
    /// The keeper refused a request that it serves for no worker.
    #[error("the box keeper refused to {operation}: {detail}")]
    Refused {
        /// The request.
        operation: &'static str,
        /// The rule that refuses it.
        detail: String,
    },
    /// The keeper has died; boxes can no longer be created or cleaned.
    #[error("the box keeper has died; no more work can be done (restart gavel)")]
    KeeperGone,
    /// A box's init has died or does not answer; the box has been destroyed.
    #[error("box {name} was lost: {detail}")]
    BoxLost {
        /// The box.
        name: String,
        /// The symptom.
        detail: String,
    },
    /// The command cannot be sent to a box.
    #[error("the command is unusable: {detail}")]
    Command {
        /// The cause.
        detail: String,
    },
    /// The host lacks a requirement of the configuration.
    #[error("this host cannot run boxes: {missing}; {remedy} ('gavel doctor' shows everything)")]
    Host {
        /// The missing requirement.
        missing: String,
        /// The remedy.
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
    /// Describes a failed operation on a path.
    pub(crate) fn at(
        operation: &'static str,
        path: impl Into<PathBuf>,
        source: impl Into<io::Error>,
    ) -> Self {
        Self::System { operation, subject: path.into().display().to_string(), source: source.into() }
    }

    /// Describes a failed operation on anything else.
    pub(crate) fn on(
        operation: &'static str,
        subject: impl Into<String>,
        source: impl Into<io::Error>,
    ) -> Self {
        Self::System { operation, subject: subject.into(), source: source.into() }
    }
}
