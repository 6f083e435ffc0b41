//! Errors that keep a submission from being judged and are not the contestant's fault.
//!
//! A [`Fault`] ends as JE (or as CX when the judging was cancelled) and never as a rejection.

use std::any::Any;
use std::io;
use std::path::{Path, PathBuf};

use crate::cache::CacheError;
use crate::judge::request::RequestError;
use crate::sandbox::SandboxError;
use crate::verdict::Reason;

/// A failure of gavel, the host, the package or the language table.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The sandbox or the host under it.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The cache.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// A file operation of gavel.
    #[error("cannot {operation} {path}: {source}{}", remedy(source), path = path.display())]
    File { operation: &'static str, path: PathBuf, source: io::Error },
    /// The language is configured wrongly or its toolchain is missing.
    #[error("{0}")]
    Language(String),
    /// The package is broken.
    #[error("{0}")]
    Package(String),
    /// A program of the package cannot be built, or broke its rules.
    #[error("{0}")]
    Checker(String),
    /// A program of the package died of a signal that may have come from outside of its box.
    #[error("{0}")]
    Ended(String),
    /// A signal from outside of its box ended a program or a compiler in every attempt.
    #[error("{0}")]
    EndedFromOutside(String),
    /// The submission cannot be judged as it was sent.
    #[error("{0}")]
    Request(#[from] RequestError),
    /// The package was changed while the submission was judged on it.
    #[error("problem '{0}' changed while it was judged: judge again when its files are at rest")]
    Changed(String),
    /// The submission asks for another version of the package than this host has.
    #[error("{0}")]
    OtherPackage(String),
    /// A panic that was caught: a bug in gavel.
    #[error("internal error: {0}")]
    Panic(String),
    /// The judging was cancelled.
    #[error("cancelled")]
    Cancelled,
}

/// Returns the remedy for a failed file operation, with its leading punctuation.
fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; free some space there, or choose another place with --cache"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "; make it writable for this user, or choose another place with --cache"
        }
        _ => "",
    }
}

impl Fault {
    /// Returns the fault of a caught panic, with its message.
    pub(crate) fn of_panic(panic: &(dyn Any + Send)) -> Self {
        let message = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned());
        Self::Panic(message.unwrap_or_else(|| "a panic without a message".to_owned()))
    }

    /// Returns the fault of a failed file operation.
    pub(crate) fn file(operation: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        Self::File { operation, path: path.to_owned(), source: source.into() }
    }

    /// Returns whether it looks like a failure of this host. A submission may bring about the same failure; the host check
    /// tells them apart.
    pub(crate) fn is_of_the_host(&self) -> bool {
        matches!(
            self,
            Self::Sandbox(_)
                | Self::Cache(_)
                | Self::File { .. }
                | Self::Panic(_)
                | Self::EndedFromOutside(_)
        )
    }

    /// Returns the reason of the JE.
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::Language(_) => Reason::Language,
            Self::Package(_) | Self::Changed(_) | Self::OtherPackage(_) => Reason::Package,
            Self::Checker(_) | Self::Ended(_) => Reason::Checker,
            Self::Request(error) => error.reason(),
            Self::Sandbox(_)
            | Self::Cache(_)
            | Self::File { .. }
            | Self::Panic(_)
            | Self::EndedFromOutside(_)
            | Self::Cancelled => Reason::Sandbox,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_comes_with_a_remedy() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        let message = Fault::file("write", Path::new("cache/draft"), full).to_string();
        assert!(
            message.starts_with("cannot write cache/draft: ") && message.contains("--cache"),
            "{message}"
        );
        let odd = io::Error::from(io::ErrorKind::InvalidData);
        assert!(!Fault::file("read", Path::new("x"), odd).to_string().contains("--cache"));
    }
}
