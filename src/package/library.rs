//! Where packages are looked for that come as archives, and where goes what a package holds only in another form:
//! archives of tests within it, tests that stand in a configuration file.
//!
//! Everything is an entry of the cache, named by its content and never written into the package. What always holds: an
//! entry lives as long as a package that uses it, also after `kill -9` nothing half-made is ever used, and what is not
//! used any more is evicted.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::{fps, load};
use crate::archive;
use crate::cache::{Digest, Entry, KeyBuilder, Lookup, Store};
use crate::cancel::CancelToken;
use crate::package::model::Package;
use crate::package::source::directory_writer::Draft;
use crate::package::source::error::{PackageError, one_line, shown};
use crate::package::source::tree::{open_regular, read_at_most};
use crate::units::Bytes;

/// What all entries together may take on disk.
const CAPACITY: Bytes = Bytes::gib(8);
/// Directory of what an entry holds.
const CONTENT: &str = "content";
/// Counted up whenever the layout of entries changes.
const LAYOUT: &str = "1";

/// A place for what packages unpack to.
#[derive(Debug)]
pub struct Stash {
    cache: PathBuf,
    /// Opened when first needed: most packages are judged as they lie.
    store: OnceLock<Store>,
    cancel: CancelToken,
    /// Unpacked archives, by the directory they were unpacked to: kept while this lives, so that a package found in one
    /// can be loaded.
    opened: Mutex<HashMap<PathBuf, Opened>>,
}

/// What [`Stash::check`] found.
#[derive(Debug)]
pub struct Checked {
    /// What could be read of the package; not to be judged on where there are errors.
    pub package: Option<Package>,
    /// What keeps it from being judged.
    pub errors: Vec<PackageError>,
    /// What does not, but its author should know.
    pub warnings: Vec<String>,
}

/// An archive that was named as a package.
#[derive(Debug)]
struct Opened {
    /// The path as given.
    path: PathBuf,
    held: Held,
}

/// A directory that stays while this lives.
#[derive(Debug, Clone)]
pub struct Held {
    directory: PathBuf,
    _entry: Arc<Entry>,
}

impl Opened {
    /// What to call something in it.
    fn shown(&self, path: &Path) -> Option<PathBuf> {
        let below = path.strip_prefix(&self.held.directory).ok()?;
        Some(self.path.join(below).components().collect())
    }

    /// Lets a package from a directory in it hold it, and be called like it where it is all of it.
    fn keep(&self, package: &mut Package, directory: &Path) {
        package.held.push(self.held.clone());
        if self.held.directory == directory {
            let name = stem(&self.path);
            if package.title == package.name {
                package.title.clone_from(&name);
            }
            package.name = name;
        }
    }
}

impl Held {
    /// A directory in an entry, without links.
    pub(crate) fn new(directory: PathBuf, entry: Entry) -> Self {
        Self { directory, _entry: Arc::new(entry) }
    }

    /// Its place: absolute, without links, and read-only.
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

impl Stash {
    /// Keeps everything below `cache`, which is not looked at before there is something to keep.
    pub fn new(cache: &Path, cancel: CancelToken) -> Self {
        let (cache, store) = (cache.to_owned(), OnceLock::new());
        Self { cache, store, cancel, opened: Mutex::default() }
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

    /// The packages at or below a path, which may be an archive; see [`crate::package::discover`]. Those in an archive are named by
    /// directories of the cache, which [`Stash::load`] takes.
    ///
    /// # Errors
    /// When it cannot be read, or there is nothing like a package in it.
    pub fn discover(&self, path: &Path) -> Result<Vec<PathBuf>, PackageError> {
        if !path.is_file() {
            return load::discover(path);
        }
        let directory = self.open_archive(path)?;
        load::discover(&directory).map_err(|error| self.in_author_s_words(error))
    }

    /// Loads a package: a directory, or an archive of one.
    ///
    /// # Errors
    /// When there is no package, it is broken, or it asks for what is not supported.
    pub fn load(&self, path: &Path) -> Result<Package, PackageError> {
        if path.is_file() {
            // Not kept here: a worker's packages come and go, and the entry lives as long as the package.
            let opened = self.opened_archive(path)?;
            let words = |error: PackageError| {
                error.with_paths(|place| opened.shown(place).unwrap_or_else(|| place.to_owned()))
            };
            let mut package = load::load_with(&opened.held.directory, Some(self)).map_err(words)?;
            opened.keep(&mut package, &opened.held.directory);
            return Ok(package);
        }
        let mut package = load::load_with(path, Some(self)).map_err(|error| self.in_author_s_words(error))?;
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let holding = opened.iter().find_map(|(root, opened)| path.starts_with(root).then_some(opened));
        if let Some(opened) = holding {
            opened.keep(&mut package, path);
        }
        Ok(package)
    }

    /// Everything that is wrong with a package, and not only the first thing; runs nothing.
    pub fn check(&self, path: &Path) -> Checked {
        let directory = match path.is_file().then(|| self.open_archive(path)).transpose() {
            Ok(opened) => opened.unwrap_or_else(|| path.to_owned()),
            Err(error) => return Checked { package: None, errors: vec![error], warnings: Vec::new() },
        };
        let (package, errors, warnings) = load::check(&directory, Some(self));
        let errors = errors.into_iter().map(|error| self.in_author_s_words(error)).collect();
        Checked { package, errors, warnings }
    }

    /// What to call a directory that [`Stash::discover`] found: below the archive it came from.
    pub fn shown(&self, path: &Path) -> PathBuf {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.values().find_map(|opened| opened.shown(path)).unwrap_or_else(|| path.to_owned())
    }

    /// The directory an archive unpacks to, kept while this lives.
    fn open_archive(&self, path: &Path) -> Result<PathBuf, PackageError> {
        let archive = self.opened_archive(path)?;
        let directory = archive.held.directory.clone();
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.insert(directory.clone(), archive);
        Ok(directory)
    }

    /// An archive, unpacked; its directory is the only folder in that, where there is only one.
    fn opened_archive(&self, path: &Path) -> Result<Opened, PackageError> {
        let mut held = self.unpack(path)?;
        let reading = PackageError::io("list", &held.directory);
        if let Some(folder) = archive::only_folder(&held.directory).map_err(reading)? {
            held.directory.push(folder);
        }
        Ok(Opened { path: path.to_owned(), held })
    }

    /// Unpacks an archive, or finds it unpacked.
    ///
    /// # Errors
    /// When it is none, or breaks a limit.
    pub(crate) fn unpack(&self, path: &Path) -> Result<Held, PackageError> {
        let file = open_regular(path)?;
        let digest = Digest::of_reader(file).map_err(PackageError::io("read", path))?;
        let key = KeyBuilder::default().field("kind", "archive").field("sha256", digest.to_string());
        self.make(key, |directory| {
            if fps::is_one(&read_at_most(path, 4096)?) {
                unpack_fps(path, directory)?;
            } else {
                archive::unpack(path, &shown(path), directory, archive::Limits::DEFAULT, &self.cancel)?;
            }
            // Another file may have taken its place, and what it holds must not be known by this one's digest.
            let reading = PackageError::io("read", path);
            let again = Digest::of_reader(open_regular(path)?).map_err(PackageError::io("read", path))?;
            if again == digest { Ok(()) } else { Err(reading(io::Error::other("it changed meanwhile"))) }
        })
    }

    /// A directory of that key, filled by `fill` where it is not there.
    ///
    /// # Errors
    /// Whatever `fill` fails with, and when the cache cannot be used.
    pub(crate) fn make(
        &self,
        key: KeyBuilder,
        fill: impl FnOnce(&Path) -> Result<(), PackageError>,
    ) -> Result<Held, PackageError> {
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
        Ok(Held::new(directory, entry))
    }

    /// Errors without the places of the cache, which mean nothing to the package's author.
    fn in_author_s_words(&self, error: PackageError) -> PackageError {
        error.with_paths(|path| self.shown(path))
    }
}

/// Writes the problems of HUSTOJ's exchange format, a directory each.
fn unpack_fps(path: &Path, directory: &Path) -> Result<(), PackageError> {
    let bytes = read_at_most(path, fps::LARGEST + 1)?;
    let wrong = |problem: &str, remedy: &str| PackageError::value(0, "", problem, remedy).in_file(path);
    if bytes.len() as u64 > fps::LARGEST {
        return Err(wrong("it is larger than 256 MiB", "split it"));
    }
    let text = String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8", "save it as UTF-8"))?;
    let draft = Draft::open(directory)?;
    for problem in fps::parse(&text, path)? {
        for (name, text) in &problem.files {
            let name = format!("{}/{name}", problem.name);
            draft.write(&name, text.as_bytes()).map_err(|error| error.in_file(path))?;
        }
    }
    Ok(())
}

/// The name of an archive without its endings.
fn stem(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    const ENDINGS: &[&str] = &[".zip", ".xml", ".kpp", ".tgz", ".tzst", ".gz", ".zst", ".tar"];
    let mut stem = name.as_str();
    while let Some(shorter) =
        ENDINGS.iter().find_map(|ending| stem.strip_suffix(ending)).filter(|rest| !rest.is_empty())
    {
        stem = shorter;
    }
    one_line(stem)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn an_archive_that_was_loaded_is_held_by_its_package_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sums.zip");
        let mut zip = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
        for name in ["1.in", "1.ans"] {
            zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(b"1\n").unwrap();
        }
        zip.finish().unwrap();
        let stash = Stash::new(&directory.path().join("cache"), CancelToken::new().unwrap());
        let package = stash.load(&path).unwrap();
        assert_eq!((package.name.as_str(), package.held.len()), ("sums", 1));
        assert!(stash.opened.lock().unwrap().is_empty());
        let found = stash.discover(&path).unwrap();
        assert_eq!(stash.shown(&found[0]), path);
        assert_eq!(stash.load(&found[0]).unwrap().name, "sums");
        assert_eq!(stash.opened.lock().unwrap().len(), 1);
        drop(package);
        assert_eq!(stash.load(&path).unwrap().name, "sums");
    }
}
