//! Entries in use.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::units::Bytes;

/// An entry in use: it is not evicted while this lives, in this process or another.
#[derive(Debug)]
pub struct Entry {
    path: PathBuf,
    size: u64,
    /// The manifest, locked shared.
    manifest: File,
}

impl Entry {
    pub(super) fn new(path: PathBuf, size: u64, locked_manifest: File) -> Self {
        Self { path, size, manifest: locked_manifest }
    }

    /// The entry's directory: read-only for everyone.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it takes on disk.
    pub fn size(&self) -> Bytes {
        Bytes(self.size)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        // Closing would do, but for a child of ours between fork and exec, which shares the lock.
        let _ = self.manifest.unlock();
    }
}
