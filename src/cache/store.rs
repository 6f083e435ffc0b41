//! The store: finding entries, making them, keeping the whole within its size.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use super::draft::KeyLock;
use super::evict::Usage;
use super::manifest::Manifest;
use super::{CacheError, Digest, Draft, Entry, KeyBuilder, tree};
use crate::instruments;
use crate::sandbox;
use crate::units::Bytes;

/// A store of directories on disk, each named by the digest of what it was made from.
///
/// Any number of threads and processes may use the same one.
#[derive(Debug)]
pub struct Store {
    places: Places,
    usage: Usage,
    /// Whether the directory goes with this.
    ephemeral: bool,
}

/// What [`Store::get_or_lock`] found.
#[derive(Debug)]
pub enum Lookup {
    /// It is there.
    Hit(Entry),
    /// It is not, and this caller makes it.
    Miss(Draft),
}

/// Where things are under the root.
#[derive(Debug)]
pub(super) struct Places {
    root: PathBuf,
}

/// Tells the names of this process's rubbish apart.
static TRASHED: AtomicU64 = AtomicU64::new(0);

impl Places {
    pub(super) fn objects(&self) -> PathBuf {
        self.root.join("objects")
    }

    pub(super) fn drafts(&self) -> PathBuf {
        self.root.join("drafts")
    }

    pub(super) fn object(&self, key: &Digest) -> PathBuf {
        let name = key.to_string();
        self.root.join("objects").join(&name[..2]).join(name)
    }

    pub(super) fn manifest(&self, key: &Digest) -> PathBuf {
        self.object(key).with_extension("meta")
    }

    pub(super) fn draft(&self, key: &Digest) -> PathBuf {
        self.drafts().join(key.to_string())
    }

    pub(super) fn draft_manifest(&self, key: &Digest) -> PathBuf {
        self.drafts().join(format!("{key}.meta"))
    }

    pub(super) fn lock(&self, key: &Digest) -> PathBuf {
        self.drafts().join(format!("{key}.lock"))
    }

    /// Moves an entry's directory out of sight at once and returns where it is to be removed from.
    pub(super) fn discard(&self, object: &Path) -> io::Result<PathBuf> {
        let number = TRASHED.fetch_add(1, Ordering::Relaxed);
        let trash = self.drafts().join(format!("trash-{}-{number}", std::process::id()));
        // Moving a directory writes its "..", which its owner may not do while it is read-only.
        tree::set_mode(object, 0o700)?;
        fs::rename(object, &trash)?;
        Ok(trash)
    }
}

impl Store {
    /// Opens (making it where needed) the store at `root`, clearing what killed processes left in mid-write.
    /// At most `capacity` bytes are kept; the least recently used entries go first, none in use.
    ///
    /// # Errors
    /// When `root` is a symbolic link, belongs to someone else or may be written by others; when it cannot
    /// be made or written.
    pub fn open(root: &Path, capacity: Bytes) -> Result<Self, CacheError> {
        let root = std::path::absolute(root).map_err(|error| CacheError::at("find", root, error))?;
        let store = Self { places: Places { root }, usage: Usage::new(capacity), ephemeral: false };
        store.check_root()?;
        for directory in [store.places.objects(), store.places.drafts()] {
            make_directory(&directory)?;
        }
        store.clear_stale_drafts()?;
        Ok(store)
    }

    /// A store of no fixed place that is removed when dropped; its entries must not be used after that.
    ///
    /// # Errors
    /// When the temporary directory cannot be written.
    pub fn ephemeral(capacity: Bytes) -> Result<Self, CacheError> {
        let parent = std::env::temp_dir();
        let root = tempfile::Builder::new()
            .prefix("gavel-cache-")
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir()
            .map_err(|error| CacheError::at("make a directory in", &parent, error))?
            .keep();
        let mut store = Self::open(&root, capacity)?;
        store.ephemeral = true;
        Ok(store)
    }

    /// Where the store is.
    pub fn root(&self) -> &Path {
        &self.places.root
    }

    fn check_root(&self) -> Result<(), CacheError> {
        let root = &self.places.root;
        let metadata = match fs::symlink_metadata(root) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make_directory(root)?;
                // So that backups pass it by: https://bford.info/cachedir/
                let tag =
                    "Signature: 8a477f597d28d172789f06886806bc55\n# A cache of gavel; safe to delete.\n";
                let path = root.join("CACHEDIR.TAG");
                fs::write(&path, tag).map_err(|error| CacheError::at("write", &path, error))?;
                fs::symlink_metadata(root)
            }
            other => other,
        }
        .map_err(|error| CacheError::at("look at", root, error))?;
        let problem = if metadata.is_symlink() {
            "it is a symbolic link"
        } else if !metadata.is_dir() {
            "it is not a directory"
        } else if metadata.uid() != nix::unistd::geteuid().as_raw() {
            "it belongs to another user"
        } else if metadata.mode() & 0o022 != 0 {
            "other users may write to it"
        } else {
            return Ok(());
        };
        Err(CacheError::unsafe_root(root, problem))
    }

    /// Removes drafts whose makers are dead: those whose locks are free.
    fn clear_stale_drafts(&self) -> Result<(), CacheError> {
        let drafts = self.places.drafts();
        for item in fs::read_dir(&drafts).map_err(|error| CacheError::at("list", &drafts, error))? {
            let item = item.map_err(|error| CacheError::at("list", &drafts, error))?;
            let name = item.file_name();
            let Some(name) = name.to_str() else { continue };
            if name.starts_with("trash-") {
                // Perhaps somebody is just removing it; two may.
                let _ = tree::remove(&item.path());
                continue;
            }
            let Ok(key) = name.split('.').next().unwrap_or_default().parse() else { continue };
            if let Some(lock) = KeyLock::attempt(&self.places, &key) {
                lock.clear_remains(&self.places, &key)?;
            }
        }
        Ok(())
    }

    /// The entry of that digest, marked as used now. A damaged one is removed and is then not there.
    ///
    /// # Errors
    /// When its manifest cannot be read for another reason than not being there.
    pub fn get(&self, key: &Digest) -> Result<Option<Entry>, CacheError> {
        let path = self.places.manifest(key);
        let fail = |error| CacheError::at("read", &path, error);
        let mut file = match open_manifest(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(fail(error)),
        };
        lock_shared(&file).map_err(fail)?;
        let metadata = file.metadata().map_err(fail)?;
        if metadata.nlink() == 0 {
            // Evicted between the opening and the lock.
            return Ok(None);
        }
        let object = self.places.object(key);
        let mut bytes = Vec::new();
        let manifest = match file.read_to_end(&mut bytes) {
            Ok(_) => Manifest::decode(&bytes),
            // A directory, or a failing disk.
            Err(_) => None,
        };
        let Some(manifest) = manifest.filter(|manifest| is_intact(manifest, &object, &path)) else {
            tracing::warn!(path = %object.display(), "a cache entry is damaged; it will be made again");
            self.remove_damaged(key, &file);
            return Ok(None);
        };
        // A store on a read-only disk can still be read; it has no use for an order of eviction.
        let _ = file.set_modified(SystemTime::now());
        Ok(Some(Entry::new(object, manifest.size, file)))
    }

    /// Removes an entry nobody else uses. One in use elsewhere is left for the maker of its successor.
    fn remove_damaged(&self, key: &Digest, manifest: &File) {
        if manifest.try_lock().is_err() {
            return;
        }
        if manifest.metadata().is_ok_and(|metadata| metadata.nlink() > 0) {
            let trash = self.places.discard(&self.places.object(key));
            let _ = tree::remove(&self.places.manifest(key));
            if let Ok(trash) = trash {
                let _ = tree::remove(&trash);
            }
        }
    }

    /// The entry, or the exclusive right to make it: a second caller (thread or process) with the same
    /// key waits until the first has committed or given up.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub fn get_or_lock(&self, key: &Digest) -> Result<Lookup, CacheError> {
        if let Some(entry) = self.get(key)? {
            instruments::cache_looked_up(true);
            return Ok(Lookup::Hit(entry));
        }
        let lock = KeyLock::wait(&self.places, key)?;
        // Somebody may have made it while this caller waited.
        let made = self.get(key)?;
        instruments::cache_looked_up(made.is_some());
        match made {
            Some(entry) => Ok(Lookup::Hit(entry)),
            None => Ok(Lookup::Miss(Draft::new(&self.places, *key, lock)?)),
        }
    }

    /// As [`Store::get_or_lock`], but nothing instead of waiting while somebody else makes the entry: for
    /// callers that may be told to stop meanwhile.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub fn try_get_or_lock(&self, key: &Digest) -> Result<Option<Lookup>, CacheError> {
        if let Some(entry) = self.get(key)? {
            return Ok(Some(Lookup::Hit(entry)));
        }
        let Some(lock) = KeyLock::try_wait(&self.places, key)? else { return Ok(None) };
        // Somebody may have made it in between.
        match self.get(key)? {
            Some(entry) => Ok(Some(Lookup::Hit(entry))),
            None => Ok(Some(Lookup::Miss(Draft::new(&self.places, *key, lock)?))),
        }
    }

    /// Makes an entry that nobody asked for and removes it again, to see whether the store works. Where its directory is
    /// gone, it is made again.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub fn try_out(&self) -> Result<(), CacheError> {
        self.check_root()?;
        for directory in [self.places.objects(), self.places.drafts()] {
            make_directory(&directory)?;
        }
        let number = TRASHED.fetch_add(1, Ordering::Relaxed);
        let key = KeyBuilder::default()
            .field("kind", "trial")
            .field("process", std::process::id().to_string())
            .field("number", number.to_string())
            .finish();
        let lock = KeyLock::wait(&self.places, &key)?;
        let draft = Draft::new(&self.places, key, lock)?;
        let path = draft.path().join("trial");
        fs::write(&path, [1; 4096]).map_err(|error| CacheError::at("write", &path, error))?;
        drop(self.commit(draft)?);
        if let Ok(manifest) = open_manifest(&self.places.manifest(&key)) {
            self.remove_damaged(&key, &manifest);
        }
        Ok(())
    }

    /// Makes the draft an entry: made read-only, renamed into place, its manifest last. Old ones are evicted.
    ///
    /// # Errors
    /// When the draft holds anything but files and directories, or the disk refuses; nothing remains then.
    pub fn commit(&self, draft: Draft) -> Result<Entry, CacheError> {
        let key = *draft.key();
        let manifest =
            Manifest::seal(draft.path()).map_err(|(path, error)| CacheError::at("keep", &path, error))?;
        let object = self.places.object(&key);
        let outcome = self.put_in_place(&draft, &manifest, &object);
        if outcome.is_err() {
            let _ = draft.lock().clear_remains(&self.places, &key);
        }
        let entry = Entry::new(object, manifest.size, outcome?);
        drop(draft);
        self.usage.add(&self.places, manifest.size);
        Ok(entry)
    }

    fn put_in_place(&self, draft: &Draft, manifest: &Manifest, object: &Path) -> Result<File, CacheError> {
        if let Some(parent) = object.parent() {
            make_directory(parent)?;
        }
        let fail = |error| CacheError::at("make", object, error);
        if fs::symlink_metadata(object).is_ok() {
            // A damaged entry that was still in use.
            let manifest_path = self.places.manifest(draft.key());
            tree::remove(&manifest_path).map_err(|error| CacheError::at("remove", &manifest_path, error))?;
            match self.places.discard(object) {
                Ok(trash) => {
                    let _ = tree::remove(&trash);
                }
                // Evicted this moment.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(fail(error)),
            }
        }
        fs::rename(draft.path(), object).map_err(fail)?;
        // Only now: a read-only directory cannot be moved by an owner who is not root.
        tree::set_mode(object, 0o555).map_err(fail)?;
        self.publish(draft.key(), manifest)
    }

    /// Writes the manifest and renames it into place, locked already: the entry is born in use.
    fn publish(&self, key: &Digest, manifest: &Manifest) -> Result<File, CacheError> {
        let temporary = self.places.draft_manifest(key);
        let fail = |error| CacheError::at("write", &temporary, error);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)
            .map_err(fail)?;
        file.write_all_at(&manifest.encode(), 0).map_err(fail)?;
        lock_shared(&file).map_err(fail)?;
        file.set_modified(SystemTime::now()).map_err(fail)?;
        fs::rename(&temporary, self.places.manifest(key)).map_err(fail)?;
        Ok(file)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if self.ephemeral
            && let Err(error) = tree::remove(&self.places.root)
        {
            tracing::warn!(path = %self.places.root.display(), %error, "cannot remove a temporary cache");
        }
    }
}

/// Opens a manifest, whatever was put in its place: never through a link, never waiting for a FIFO's writer.
pub(super) fn open_manifest(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)
}

fn lock_shared(file: &File) -> io::Result<()> {
    loop {
        match file.lock_shared() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Whether the entry is what was committed; a manifest whose stamps are old but whose content is right is
/// renewed in place, so that the next look is quick again.
fn is_intact(manifest: &Manifest, object: &Path, path: &Path) -> bool {
    if manifest.is_untouched(object) {
        return true;
    }
    let Some(renewed) = manifest.verify(object) else { return false };
    let written = OpenOptions::new()
        .write(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)
        .and_then(|file| file.write_all_at(&renewed.encode(), 0));
    if let Err(error) = written {
        tracing::debug!(path = %path.display(), %error, "cannot renew a cache manifest");
    }
    true
}

/// Makes a directory only its owner can enter, and its parents.
fn make_directory(path: &Path) -> Result<(), CacheError> {
    make_directories(path).map_err(|error| CacheError::at("make the directory", path, error))
}

/// Makes a directory of a store that only its owner can enter, and its parents.
///
/// # Errors
/// The kernel's.
pub(crate) fn make_directories(path: &Path) -> io::Result<()> {
    let make = || fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    match make() {
        // A worker may have become a user that cannot make its cache where root did.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && sandbox::restore_store(path) => {
            make()
        }
        made => made,
    }
}
