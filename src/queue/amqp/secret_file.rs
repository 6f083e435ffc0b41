//! Files with secrets: read whole, bounded, and complained about when everybody may read them.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::sandbox;

/// A chain of certificates is some KiB; a wrong path may be anything.
const SIZE_LIMIT: u64 = 1 << 20;

/// Which files were already complained about: a file is read for every connection, and said once.
#[derive(Debug, Default)]
pub(super) struct Watch(Mutex<BTreeSet<PathBuf>>);

/// A file of the operator's that is of no use; the next connection reads it again.
#[derive(Debug, thiserror::Error)]
#[error("{key} '{path}': {problem}", path = path.display())]
pub(super) struct FileError {
    /// The setting that names it.
    pub key: &'static str,
    /// The file.
    pub path: PathBuf,
    /// What is wrong, and what to do. Never what is in it.
    pub problem: String,
}

impl FileError {
    pub(super) fn new(key: &'static str, path: &Path, problem: impl Into<String>) -> Self {
        Self { key, path: path.to_owned(), problem: problem.into() }
    }
}

/// The bytes of a regular file.
///
/// # Errors
/// [`FileError`].
pub(super) fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, FileError> {
    read_with_metadata(key, path).map(|(bytes, _)| bytes)
}

fn read_with_metadata(key: &'static str, path: &Path) -> Result<(Vec<u8>, Metadata), FileError> {
    let refused =
        |error: io::Error| FileError::new(key, path, format!("{error}; check the path and its permissions"));
    let file = sandbox::open_file(path).map_err(refused)?;
    let metadata = file.metadata().map_err(refused)?;
    if !metadata.is_file() {
        return Err(FileError::new(key, path, "this is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(SIZE_LIMIT + 1).read_to_end(&mut bytes).map_err(refused)?;
    if bytes.len() as u64 > SIZE_LIMIT {
        return Err(FileError::new(key, path, "it is over 1 MiB; is this the right file?"));
    }
    Ok((bytes, metadata))
}

impl Watch {
    /// The same, of a file that should be nobody else's.
    ///
    /// # Errors
    /// [`FileError`].
    pub(super) fn read_secret(&self, key: &'static str, path: &Path) -> Result<Vec<u8>, FileError> {
        let (bytes, metadata) = read_with_metadata(key, path)?;
        let is_public = metadata.mode() & 0o004 != 0;
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_public {
            said.remove(path);
        } else if said.insert(path.to_owned()) {
            tracing::warn!(
                "{key} '{}': everybody on this host may read it; chmod 600, or 640 with a group of its own",
                path.display()
            );
        }
        Ok(bytes)
    }
}
