//! Loads packages that come as archives, as well as those in directories.
//!
//! An archive is unpacked into the cache, once for each content, and the package in it holds a lease of its directory.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::model::{Lease, Package};
use super::source::derived::DerivedFiles;
use super::source::directory_writer::DirectoryWriter;
use super::source::error::{PackageError, one_line};
use super::source::tree::read_at_most;
use super::{fps, load};
use crate::archive;
use crate::cancel::CancelToken;

/// Loads packages, and unpacks those that come as archives.
#[derive(Debug)]
pub struct Library {
    derived: DerivedFiles,
    /// Unpacked archives, by the directory they were unpacked to: kept while this lives, so that a package found in one
    /// can be loaded.
    opened: Mutex<HashMap<PathBuf, Opened>>,
}

/// The result of [`Library::check`].
#[derive(Debug)]
pub struct Checked {
    /// The package as far as it could be read; not fit for judging where there are errors.
    pub package: Option<Package>,
    /// Errors, each of which prevents judging.
    pub errors: Vec<PackageError>,
    /// Warnings for the package's author.
    pub warnings: Vec<String>,
}

/// An archive that was named as a package.
#[derive(Debug)]
struct Opened {
    /// The path as given.
    path: PathBuf,
    lease: Lease,
}

impl Opened {
    /// Returns the path to show for a file in the archive.
    fn shown(&self, path: &Path) -> Option<PathBuf> {
        let below = path.strip_prefix(self.lease.directory()).ok()?;
        Some(self.path.join(below).components().collect())
    }

    /// Gives the package a lease of the archive, and the archive's name where the package is all of it.
    fn keep(&self, package: &mut Package, directory: &Path) {
        package.leases.push(self.lease.clone());
        if self.lease.directory() == directory {
            let name = stem(&self.path);
            if package.title == package.name {
                package.title.clone_from(&name);
            }
            package.name = name;
        }
    }
}

impl Library {
    /// Keeps unpacked archives and other derived files below `cache`, which is opened on first use.
    pub fn new(cache: &Path, cancel: CancelToken) -> Self {
        Self { derived: DerivedFiles::new(cache, cancel), opened: Mutex::default() }
    }

    /// The packages at or below a path, which may be an archive; see [`crate::package::discover`]. Those in an archive are named by
    /// directories of the cache, which [`Library::load`] takes.
    ///
    /// # Errors
    /// When it cannot be read, or there is nothing like a package in it.
    pub fn discover(&self, path: &Path) -> Result<Vec<PathBuf>, PackageError> {
        if !path.is_file() {
            return load::discover(path);
        }
        let directory = self.open_archive(path)?;
        load::discover(&directory).map_err(|error| self.with_shown_paths(error))
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
            let mut package =
                load::load_with(opened.lease.directory(), Some(&self.derived)).map_err(words)?;
            opened.keep(&mut package, opened.lease.directory());
            return Ok(package);
        }
        let mut package =
            load::load_with(path, Some(&self.derived)).map_err(|error| self.with_shown_paths(error))?;
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let holding = opened.iter().find_map(|(root, opened)| path.starts_with(root).then_some(opened));
        if let Some(opened) = holding {
            opened.keep(&mut package, path);
        }
        Ok(package)
    }

    /// Finds all errors of a package, not only the first; runs nothing.
    pub fn check(&self, path: &Path) -> Checked {
        let directory = match path.is_file().then(|| self.open_archive(path)).transpose() {
            Ok(opened) => opened.unwrap_or_else(|| path.to_owned()),
            Err(error) => return Checked { package: None, errors: vec![error], warnings: Vec::new() },
        };
        let (package, errors, warnings) = load::check(&directory, Some(&self.derived));
        let errors = errors.into_iter().map(|error| self.with_shown_paths(error)).collect();
        Checked { package, errors, warnings }
    }

    /// Returns the path to show for a directory that [`Library::discover`] found: below the archive it came from.
    pub fn shown(&self, path: &Path) -> PathBuf {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.values().find_map(|opened| opened.shown(path)).unwrap_or_else(|| path.to_owned())
    }

    /// The directory an archive unpacks to, kept while this lives.
    fn open_archive(&self, path: &Path) -> Result<PathBuf, PackageError> {
        let archive = self.opened_archive(path)?;
        let directory = archive.lease.directory().to_owned();
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.insert(directory.clone(), archive);
        Ok(directory)
    }

    /// An archive, unpacked; its directory is the only folder in that, where there is only one.
    fn opened_archive(&self, path: &Path) -> Result<Opened, PackageError> {
        let mut lease = self.unpack(path)?;
        let reading = PackageError::io("list", lease.directory());
        if let Some(folder) = archive::only_folder(lease.directory()).map_err(reading)? {
            lease.enter(folder.as_ref());
        }
        Ok(Opened { path: path.to_owned(), lease })
    }

    /// Unpacks an archive, or a file of HUSTOJ's exchange format, once for each content.
    fn unpack(&self, path: &Path) -> Result<Lease, PackageError> {
        if !fps::recognises(&read_at_most(path, 4096)?) {
            return self.derived.unpack(path);
        }
        self.derived.make_from_file("fps", path, |directory| unpack_fps(path, directory))
    }

    /// Replaces paths of the cache in an error, which mean nothing to the package's author.
    fn with_shown_paths(&self, error: PackageError) -> PackageError {
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
    let draft = DirectoryWriter::open(directory)?;
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
        let library = Library::new(&directory.path().join("cache"), CancelToken::new().unwrap());
        let package = library.load(&path).unwrap();
        assert_eq!((package.name.as_str(), package.leases.len()), ("sums", 1));
        assert!(library.opened.lock().unwrap().is_empty());
        let found = library.discover(&path).unwrap();
        assert_eq!(library.shown(&found[0]), path);
        assert_eq!(library.load(&found[0]).unwrap().name, "sums");
        assert_eq!(library.opened.lock().unwrap().len(), 1);
        drop(package);
        assert_eq!(library.load(&path).unwrap().name, "sums");
    }
}
