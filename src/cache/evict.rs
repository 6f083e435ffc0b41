//! Keeping a store within its size: the least recently used entries go first, none in use.
//!
//! Nothing is counted on lookup. Each process adds up what it commits to the size found at its last scan,
//! and scans again when that would exceed the capacity or when it has itself added an eighth of it, which
//! bounds what several processes can overlook in each other's commits. An eviction frees an eighth, so that
//! a full store is not scanned for every commit.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::SystemTime;

use super::draft::KeyLock;
use super::manifest::Manifest;
use super::store::{Places, open_manifest};
use super::{Digest, tree};
use crate::instruments;
use crate::units::Bytes;

/// What this process knows of the store's size.
#[derive(Debug)]
pub(super) struct Usage {
    capacity: u64,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// Size at the last scan and what was added since; nothing before the first scan.
    total: Option<u64>,
    added: u64,
}

/// An entry as a scan sees it.
struct Candidate {
    key: Digest,
    size: u64,
    used: SystemTime,
}

impl Usage {
    pub(super) fn new(capacity: Bytes) -> Self {
        Self { capacity: capacity.0, known: Mutex::default() }
    }

    /// Takes note of a commit and evicts where needed. Failures are logged: the entry is there all the same,
    /// and a disk that is really full will say so at the next one.
    pub(super) fn add(&self, places: &Places, size: u64) {
        let mut known = self.known.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        known.added = known.added.saturating_add(size);
        let fits = known.total.is_some_and(|total| total.saturating_add(known.added) <= self.capacity);
        if !fits || known.added > self.capacity / 8 {
            *known = Known { total: Some(self.shrink(places)), added: 0 };
        }
        instruments::cache_size(known.total.unwrap_or_default().saturating_add(known.added));
    }

    /// Scans, evicts if over the capacity, and returns what is left.
    fn shrink(&self, places: &Places) -> u64 {
        let mut candidates = scan(places);
        let mut total: u64 = candidates.iter().map(|candidate| candidate.size).sum();
        if total <= self.capacity {
            return total;
        }
        candidates.sort_by_key(|candidate| candidate.used);
        for candidate in candidates {
            if total <= self.capacity - self.capacity / 8 {
                break;
            }
            if evict(places, &candidate) {
                instruments::cache_evicted();
                total = total.saturating_sub(candidate.size);
            }
        }
        total
    }
}

/// All entries; what a power failure or a kill left of others is removed on the way.
fn scan(places: &Places) -> Vec<Candidate> {
    let mut found = Vec::new();
    for group in list(&places.objects()) {
        for path in list(&group) {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if let Some(key) = name.strip_suffix(".meta").and_then(|key| key.parse().ok()) {
                found.extend(look_at(&path, key));
            } else if let Ok(key) = name.parse()
                && fs::symlink_metadata(places.manifest(&key)).is_err()
                && let Some(lock) = KeyLock::attempt(places, &key)
            {
                let _ = lock.clear_remains(places, &key);
            }
        }
    }
    found
}

fn list(directory: &Path) -> Vec<PathBuf> {
    match fs::read_dir(directory) {
        Ok(items) => items.filter_map(|item| Some(item.ok()?.path())).collect(),
        Err(_) => Vec::new(),
    }
}

fn look_at(path: &Path, key: Digest) -> Option<Candidate> {
    let file = open_manifest(path).ok()?;
    let metadata = file.metadata().ok()?;
    let mut head = Vec::new();
    // A manifest that says nothing belongs to a damaged entry: first to go.
    let size = match file.take(128).read_to_end(&mut head) {
        Ok(_) => Manifest::size_in(&head),
        Err(_) => None,
    };
    let used = metadata.modified().ok()?;
    Some(match size {
        Some(size) => Candidate { key, size, used },
        None => Candidate { key, size: 0, used: SystemTime::UNIX_EPOCH },
    })
}

/// Removes an entry unless it is in use or has been used since the scan.
fn evict(places: &Places, candidate: &Candidate) -> bool {
    let path = places.manifest(&candidate.key);
    let Ok(file) = open_manifest(&path) else { return false };
    if file.try_lock().is_err() {
        return false;
    }
    let evicted = evict_locked(places, candidate, &file, &path);
    let _ = file.unlock();
    if let Some(Some(trash)) = &evicted
        && let Err(error) = tree::remove(trash)
    {
        tracing::warn!(path = %trash.display(), %error, "cannot remove an evicted cache entry");
    }
    evicted.is_some()
}

/// Takes the directory away before the manifest: killed in between, this leaves a manifest of nothing, which
/// the next lookup or scan sees, and not a directory nobody counts. Returns what is left to remove.
fn evict_locked(
    places: &Places,
    candidate: &Candidate,
    manifest: &File,
    path: &Path,
) -> Option<Option<PathBuf>> {
    let metadata = manifest.metadata().ok()?;
    let used_since = candidate.used != SystemTime::UNIX_EPOCH && metadata.modified().ok()? != candidate.used;
    if metadata.nlink() == 0 || used_since {
        return None;
    }
    let object = places.object(&candidate.key);
    let trash = match places.discard(&object) {
        Ok(trash) => Some(trash),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            tracing::warn!(path = %object.display(), %error, "cannot evict a cache entry");
            return None;
        }
    };
    fs::remove_file(path).ok()?;
    Some(trash)
}
