//! Stores files derived from a package in the cache: unpacked archives, tests written in a configuration file.
//!
//! An entry is named by the content it is derived from, and nothing is ever written into the package. An entry lives as
//! long as a package leases it. An entry that `kill -9` interrupts is never used. Entries that nothing leases are evicted
//! when the cache is full.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::error::{PackageError, shown};
use super::tree::open_regular;
use crate::archive;
use crate::cache::{Digest, KeyBuilder, Lookup, Store};
use crate::cancel::CancelToken;
use crate::package::model::Lease;
use crate::units::Bytes;

/// Capacity of all entries together.
const CAPACITY: Bytes = Bytes::gib(8);
/// Directory of an entry that holds its files.
const CONTENT: &str = "content";
/// Version of the layout of entries; counted up with every change.
const LAYOUT: &str = "1";

/// The files derived from packages, in a cache of their own.
#[derive(Debug)]
pub(crate) struct DerivedFiles {
    cache: PathBuf,
    /// Opened on first use: most packages need no derived files.
    store: OnceLock<Store>,
    cancel: CancelToken,
}

impl DerivedFiles {
    /// Keeps the files below `cache`, which is opened on first use.
    pub(crate) fn new(cache: &Path, cancel: CancelToken) -> Self {
        Self { cache: cache.to_owned(), store: OnceLock::new(), cancel }
    }

    fn store(&self) -> Result<&Store, PackageError> {
        match self.store.get() {
            Some(store) => Ok(store),
            None => {
                let store = Store::open(&self.cache.join("packages"), CAPACITY)?;
                Ok(self.store.get_or_init(|| store))
            }
        }
    }

    /// Returns the directory of this key, and fills it with `fill` where it does not exist yet.
    ///
    /// # Errors
    /// Those of `fill`, and when the cache cannot be used.
    pub(crate) fn make(
        &self,
        key: KeyBuilder,
        fill: impl FnOnce(&Path) -> Result<(), PackageError>,
    ) -> Result<Lease, PackageError> {
        let entry = match self.store()?.get_or_lock(&key.field("layout", LAYOUT).finish())? {
            Lookup::Hit(entry) => entry,
            Lookup::Miss(draft) => {
                let directory = draft.path().join(CONTENT);
                std::fs::create_dir(&directory).map_err(PackageError::io("make", &directory))?;
                fill(&directory)?;
                self.store()?.commit(draft)?
            }
        };
        let directory = entry.path().join(CONTENT);
        let directory = directory.canonicalize().map_err(PackageError::io("find", &directory))?;
        Ok(Lease::new(directory, entry))
    }

    /// Unpacks an archive, once for each content.
    ///
    /// # Errors
    /// When the file is not an archive, or breaks a limit.
    pub(crate) fn unpack(&self, path: &Path) -> Result<Lease, PackageError> {
        self.make_from_file("archive", path, |directory| {
            Ok(archive::unpack(path, &shown(path), directory, archive::Limits::DEFAULT, &self.cancel)?)
        })
    }

    /// As [`Self::make`], for a directory that is derived from one file.
    ///
    /// # Errors
    /// Those of `fill`, and when the file cannot be read or changes meanwhile.
    pub(crate) fn make_from_file(
        &self,
        kind: &str,
        path: &Path,
        fill: impl FnOnce(&Path) -> Result<(), PackageError>,
    ) -> Result<Lease, PackageError> {
        let digest = || Digest::of_reader(open_regular(path)?).map_err(PackageError::io("read", path));
        let before = digest()?;
        let key = KeyBuilder::default().field("kind", kind).field("sha256", before.to_string());
        self.make(key, |directory| {
            fill(directory)?;
            // Another file may have replaced it: its content must not be stored under the digest of this one.
            let changed = PackageError::io("read", path);
            if digest()? == before { Ok(()) } else { Err(changed(io::Error::other("it changed meanwhile"))) }
        })
    }
}
