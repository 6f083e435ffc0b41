//! What can go wrong in the cache: ours or the disk's, never the contestant's.

use std::io;
use std::path::Path;

/// A failure of the cache: ours or the disk's.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} {path}: {source}{remedy}")]
pub struct CacheError {
    /// What was attempted, a verb.
    pub operation: &'static str,
    /// On which file.
    pub path: String,
    /// Why it failed.
    pub source: io::Error,
    /// What to do about it, with its leading punctuation; empty where nothing is known to help.
    pub remedy: &'static str,
}

impl CacheError {
    /// A failed operation on a path, with the remedy its kind suggests.
    pub(super) fn at(operation: &'static str, path: &Path, source: io::Error) -> Self {
        let remedy = match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "; free some space there, lower the cache's size, or point GAVEL_CACHE at another disk"
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                "; make it writable for this user, or point GAVEL_CACHE at a directory that is"
            }
            _ => "",
        };
        Self { operation, path: path.display().to_string(), source, remedy }
    }

    /// A directory that must not be used as a store.
    pub(super) fn unsafe_root(path: &Path, problem: &'static str) -> Self {
        Self {
            operation: "use the cache directory",
            path: path.display().to_string(),
            source: io::Error::new(io::ErrorKind::PermissionDenied, problem),
            remedy: "; point GAVEL_CACHE at a directory of your own (mode 0700)",
        }
    }
}
