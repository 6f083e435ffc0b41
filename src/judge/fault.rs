//! What keeps a submission from being judged without being the contestant's fault.
//!
//! A [`Fault`] ends as JE (or as CX when the judging was cancelled) and never as a rejection.

use std::io;
use std::path::{Path, PathBuf};

use crate::cache::CacheError;
use crate::sandbox::SandboxError;
use crate::verdict::Reason;

/// Ours, the host's, the package's or the language table's failure.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The sandbox or the host under it.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The cache.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// A file operation of ours.
    #[error("cannot {operation} {path}: {source}{}", remedy(source), path = path.display())]
    File { operation: &'static str, path: PathBuf, source: io::Error },
    /// The language is configured wrongly or its toolchain is missing.
    #[error("{0}")]
    Language(String),
    /// The package is broken.
    #[error("{0}")]
    Package(String),
    /// A program of the package's cannot be made, or did what it must not.
    #[error("{0}")]
    Checker(String),
    /// A program of the package's died of a signal that something outside of its box may have sent.
    #[error("{0}")]
    Ended(String),
    /// Something outside of its box ended a program or a compiler, every time.
    #[error("{0}")]
    EndedFromOutside(String),
    /// The submission cannot be judged as it was sent.
    #[error("{0}")]
    Request(#[from] super::RequestError),
    /// The package was changed while the submission was judged on it.
    #[error("problem '{0}' changed while it was judged: judge again when its files are at rest")]
    Changed(String),
    /// The submission asks for another version of the package than this host has.
    #[error("{0}")]
    OtherPackage(String),
    /// A bug of ours that a panic guard caught.
    #[error("internal error: {0}")]
    Panic(String),
    /// Somebody asked to stop.
    #[error("cancelled")]
    Cancelled,
}

/// What helps against a failed file operation, with its leading punctuation.
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
    /// A failed file operation.
    pub(super) fn file(operation: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        Self::File { operation, path: path.to_owned(), source: source.into() }
    }

    /// Whether it looks like a failure of this host: it may also be one that a submission brings about, which the
    /// host's own trial tells.
    pub(super) fn is_of_the_host(&self) -> bool {
        matches!(
            self,
            Self::Sandbox(_)
                | Self::Cache(_)
                | Self::File { .. }
                | Self::Panic(_)
                | Self::EndedFromOutside(_)
        )
    }

    /// The reason beside the JE.
    pub(super) fn reason(&self) -> Reason {
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
