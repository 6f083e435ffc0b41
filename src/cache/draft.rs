//! Entries being made.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::store::Places;
use super::{CacheError, Digest, tree};

/// An entry being made: a private directory that becomes the entry, whole, on commit, and is removed on drop.
#[derive(Debug)]
pub struct Draft {
    key: Digest,
    path: PathBuf,
    lock: KeyLock,
}

impl Draft {
    /// Makes the directory, in place of what a killed maker left.
    pub(super) fn new(places: &Places, key: Digest, lock: KeyLock) -> Result<Self, CacheError> {
        let path = places.draft(&key);
        lock.clear_remains(places, &key)?;
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(|error| CacheError::at("make the directory", &path, error))?;
        Ok(Self { key, path, lock })
    }

    /// Where to put the files.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it will be found under.
    pub fn key(&self) -> &Digest {
        &self.key
    }

    /// Copies an open file, from where it stands to its end, to `name` under [`Draft::path`]; folders in
    /// between are made.
    ///
    /// # Errors
    /// When `name` is absolute, leaves the draft or is taken, and when the disk is full.
    pub fn import(&self, name: &Path, source: &mut File, executable: bool) -> Result<(), CacheError> {
        let target = tree::join_inside(&self.path, name)
            .map_err(|error| CacheError::at("copy into", &self.path, error))?;
        let fail = |error| CacheError::at("write", &target, error);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent).map_err(fail)?;
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(if executable { 0o700 } else { 0o600 })
            .open(&target)
            .map_err(fail)?;
        io::copy(source, &mut file).map_err(fail)?;
        Ok(())
    }

    pub(super) fn lock(&self) -> &KeyLock {
        &self.lock
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After a commit there is nothing left to remove. What cannot be removed now is cleared at next use.
        if let Err(error) = tree::remove(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "cannot remove an unfinished cache entry");
        }
    }
}

/// The exclusive right to make, or clear up after, one key: a lock file that is removed on drop.
#[derive(Debug)]
pub(super) struct KeyLock {
    path: PathBuf,
    file: File,
}

impl KeyLock {
    /// Waits for the right.
    pub(super) fn wait(places: &Places, key: &Digest) -> Result<Self, CacheError> {
        let path = places.lock(key);
        loop {
            let file = open_lock(&path).map_err(|error| CacheError::at("open", &path, error))?;
            match file.lock() {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(CacheError::at("lock", &path, error)),
            }
            // Whoever had it removed the file when done; then this lock is one on nothing.
            if is_still(&file, &path) {
                return Ok(Self { path, file });
            }
        }
    }

    /// The right, or nothing when somebody has it now.
    pub(super) fn try_wait(places: &Places, key: &Digest) -> Result<Option<Self>, CacheError> {
        let path = places.lock(key);
        let file = open_lock(&path).map_err(|error| CacheError::at("open", &path, error))?;
        match file.try_lock() {
            Ok(()) => Ok(is_still(&file, &path).then_some(Self { path, file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Interrupted => Ok(None),
            Err(TryLockError::Error(error)) => Err(CacheError::at("lock", &path, error)),
        }
    }

    /// The right if nobody has it now.
    pub(super) fn attempt(places: &Places, key: &Digest) -> Option<Self> {
        let path = places.lock(key);
        let file = open_lock(&path).ok()?;
        file.try_lock().ok()?;
        is_still(&file, &path).then_some(Self { path, file })
    }

    /// Removes what makers of the key who died left: a draft, and an entry without its manifest.
    pub(super) fn clear_remains(&self, places: &Places, key: &Digest) -> Result<(), CacheError> {
        let mut remains = vec![places.draft(key), places.draft_manifest(key)];
        if fs::symlink_metadata(places.manifest(key)).is_err() {
            remains.push(places.object(key));
        }
        for path in remains {
            tree::remove(&path).map_err(|error| CacheError::at("remove", &path, error))?;
        }
        Ok(())
    }
}

fn open_lock(path: &Path) -> io::Result<File> {
    match try_open_lock(path) {
        // Somebody has emptied the cache while it was in use.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if let Some(directory) = path.parent() {
                super::make_directories(directory)?;
            }
            try_open_lock(path)
        }
        opened => opened,
    }
}

fn try_open_lock(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)
}

/// Whether the path still names the open file.
fn is_still(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(open), Ok(named)) => open.ino() == named.ino() && open.dev() == named.dev(),
        _ => false,
    }
}

impl Drop for KeyLock {
    fn drop(&mut self) {
        // Removed while held, so that nobody locks a file that is about to go; then woken.
        let _ = fs::remove_file(&self.path);
        let _ = self.file.unlock();
    }
}
