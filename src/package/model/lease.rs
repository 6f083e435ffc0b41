//! Keeps a directory of the cache while a package uses it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cache::Entry;

/// A directory in an entry of the cache, which is not evicted while this lives.
#[derive(Debug, Clone)]
pub struct Lease {
    directory: PathBuf,
    _entry: Arc<Entry>,
}

impl Lease {
    /// Leases a directory of `entry`; the path is absolute and has no symbolic links.
    pub(crate) fn new(directory: PathBuf, entry: Entry) -> Self {
        Self { directory, _entry: Arc::new(entry) }
    }

    /// Leases a folder of the same directory instead.
    pub(crate) fn enter(&mut self, folder: &Path) {
        self.directory.push(folder);
    }

    /// Returns the directory's path: absolute, without links, and read-only.
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}
