//! Content-addressed files: compiled programs and prepared files.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::units::Bytes;

/// A SHA-256 over everything an entry depends on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "sha256:{self}")
    }
}

/// Builds a [`Digest`] from named fields; every field is length-prefixed, so that no two different lists
/// of fields have the same digest.
#[derive(Debug, Default)]
pub struct KeyBuilder {}

impl KeyBuilder {
    /// Adds a named field.
    pub fn field(self, _name: &str, _value: impl AsRef<[u8]>) -> Self {
        self
    }

    /// The digest of all fields so far.
    pub fn finish(self) -> Digest {
        Digest([0; 32])
    }
}

/// A store of directories on disk, each named by the digest of what it was made from.
#[derive(Debug)]
pub struct Store {}

/// An entry in use: it is not evicted while this lives, in this process or another.
#[derive(Debug)]
pub struct Entry {
    path: PathBuf,
}

impl Entry {
    /// The entry's directory: read-only for everyone.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// An entry being made: a private directory that becomes the entry, whole, on commit, and is removed on drop.
#[derive(Debug)]
pub struct Draft {
    path: PathBuf,
}

impl Draft {
    /// Where to put the files.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// A failure of the cache: ours or the disk's.
#[derive(Debug, thiserror::Error)]
#[error("{operation} {path}: {source}")]
pub struct CacheError {
    /// What was attempted.
    pub operation: &'static str,
    /// On which file.
    pub path: String,
    /// Why it failed.
    pub source: std::io::Error,
}

impl Store {
    /// Opens (making it where needed) the store at `root`, clearing what killed processes left in mid-write.
    /// At most `capacity` bytes are kept; the least recently used entries go first, none in use.
    pub fn open(_root: &Path, _capacity: Bytes) -> Result<Self, CacheError> {
        Ok(Self {})
    }

    /// The entry of that digest, marked as used now.
    pub fn get(&self, _key: &Digest) -> Result<Option<Entry>, CacheError> {
        Ok(None)
    }

    /// The entry, or the exclusive right to make it: a second caller (thread or process) with the same
    /// key waits until the first has committed or given up.
    pub fn get_or_lock(&self, _key: &Digest) -> Result<Lookup, CacheError> {
        Err(CacheError {
            operation: "open",
            path: String::new(),
            source: std::io::Error::other("not there yet"),
        })
    }

    /// Makes the draft an entry: synced, made read-only, renamed into place in one step, old ones evicted.
    pub fn commit(&self, _draft: Draft) -> Result<Entry, CacheError> {
        Err(CacheError {
            operation: "open",
            path: String::new(),
            source: std::io::Error::other("not there yet"),
        })
    }
}

/// What [`Store::get_or_lock`] found.
#[derive(Debug)]
pub enum Lookup {
    /// It is there.
    Hit(Entry),
    /// It is not, and this caller makes it.
    Miss(Draft),
}
