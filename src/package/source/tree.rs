//! Lists and opens a package's files without leaving its directory.
//!
//! A package comes from outside: links may point anywhere, a FIFO may stand where a test should, one file may
//! be larger than memory. Everything the readers of formats see of the disk goes through here: directories
//! are listed in one pass with the kinds the listing itself gives, links are resolved and must end inside the
//! package, text files are regular and of bounded size.

use std::cell::Cell;
use std::ffi::OsString;
use std::fs::{File, FileType, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::error::{PackageError, one_line};
use crate::archive::is_of_macos;

/// Folders within folders; real packages have three or four.
const MAX_DEPTH: usize = 32;
/// Entries listed in one package: fifty thousand tests with their answers. The largest problems of contests have a few
/// thousand, and reports on more tests would be larger than the messages that brokers take (16 MiB on RabbitMQ 4.3).
const MAX_ENTRIES: usize = 100_000;
/// Configuration files beyond this are a mistake or an attack.
const MAX_TEXT: u64 = 1 << 20;

/// A package's directory.
#[derive(Debug)]
pub(crate) struct Tree {
    root: PathBuf,
    listed: Cell<usize>,
}

/// An entry of a directory.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Its name; a test's must be UTF-8, see [`Entry::text`].
    pub(crate) name: OsString,
    /// Where it is: links are resolved.
    pub(crate) path: PathBuf,
    /// Its kind.
    pub(crate) kind: Kind,
}

/// The kind of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// Nothing a package may use, and what it is instead.
    Unusable(&'static str),
}

impl Entry {
    /// The name, where it is text.
    pub(crate) fn text(&self) -> Option<&str> {
        self.name.to_str()
    }

    /// Whether tools leave it alone: `.git`, editors' swap files.
    pub(crate) fn is_hidden(&self) -> bool {
        self.name.as_encoded_bytes().starts_with(b".")
    }

    /// Whether the name ends so.
    pub(crate) fn ends_with(&self, ending: &str) -> bool {
        self.name.as_encoded_bytes().ends_with(ending.as_bytes())
    }

    /// The name of something that goes into reports.
    ///
    /// # Errors
    /// When it is not UTF-8 or holds control characters.
    pub(crate) fn reportable(&self) -> Result<&str, PackageError> {
        match self.text() {
            Some(name) if !name.chars().any(char::is_control) => Ok(name),
            _ => Err(PackageError::Unsafe {
                path: self.path.clone(),
                problem: "its name is not UTF-8 or holds control characters".to_owned(),
                remedy: "rename it",
            }),
        }
    }

    /// Refuses an entry that is neither file nor directory.
    ///
    /// # Errors
    /// When it is none of them.
    pub(crate) fn usable(&self) -> Result<(), PackageError> {
        match self.kind {
            Kind::File | Kind::Directory => Ok(()),
            Kind::Unusable(problem) => Err(PackageError::Unsafe {
                path: self.path.clone(),
                problem: problem.to_owned(),
                remedy: "put the file or folder itself there, or remove it",
            }),
        }
    }

    /// The path of what must be a regular file.
    ///
    /// # Errors
    /// When it is anything else.
    pub(crate) fn file(&self) -> Result<&Path, PackageError> {
        self.usable()?;
        if self.kind == Kind::File {
            return Ok(&self.path);
        }
        Err(PackageError::Unsafe {
            path: self.path.clone(),
            problem: "it is a directory where a file is needed".to_owned(),
            remedy: "put a regular file there",
        })
    }
}

impl Tree {
    /// The directory at `path`.
    ///
    /// # Errors
    /// When there is none, or it cannot be reached.
    pub(crate) fn open(path: &Path) -> Result<Self, PackageError> {
        let not = |problem: &str| PackageError::NotAPackage {
            path: path.to_owned(),
            problem: problem.to_owned(),
            remedy: "name the directory of a problem package",
        };
        let root = path.canonicalize().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => not("there is nothing there"),
            io::ErrorKind::NotADirectory => not("it lies below a file"),
            _ if error.raw_os_error() == Some(libc::ELOOP) => not("it is a symbolic link to itself"),
            _ => PackageError::io("open", path)(error),
        })?;
        let kind = root.metadata().map_err(PackageError::io("look at", path))?;
        if !kind.is_dir() {
            return Err(not("it is not a directory"));
        }
        Ok(Self { root, listed: Cell::new(0) })
    }

    /// The package's directory, absolute, without links.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// What a directory holds, in order of names as bytes, which is the order of Python's `sorted`. What macOS adds to
    /// folders and archives is not there.
    ///
    /// # Errors
    /// When it cannot be read, is nested too deep, or the package holds too much.
    pub(crate) fn entries(&self, directory: &Path, depth: usize) -> Result<Vec<Entry>, PackageError> {
        if depth > MAX_DEPTH {
            return Err(PackageError::Unsafe {
                path: directory.to_owned(),
                problem: format!("folders are nested more than {MAX_DEPTH} deep"),
                remedy: "flatten them, and look for symbolic links that form a circle",
            });
        }
        let reading = "list the directory";
        let listing = directory.read_dir().map_err(PackageError::io(reading, directory))?;
        let mut entries = Vec::new();
        for entry in listing {
            let entry = entry.map_err(PackageError::io(reading, directory))?;
            let kind = entry.file_type().map_err(PackageError::io(reading, directory))?;
            let (name, path) = (entry.file_name(), entry.path());
            if is_of_macos(name.as_encoded_bytes()) {
                continue;
            }
            entries.push(if kind.is_symlink() {
                self.resolve(directory, name, path)
            } else {
                Entry { name, path, kind: kind_of(kind) }
            });
            self.listed.set(self.listed.get() + 1);
            if self.listed.get() > MAX_ENTRIES {
                return Err(PackageError::Unsafe {
                    path: directory.to_owned(),
                    problem: format!("the package holds more than {MAX_ENTRIES} files"),
                    remedy: "split it, and look for symbolic links that form a circle",
                });
            }
        }
        entries.sort_unstable_by(|left, right| left.name.cmp(&right.name));
        Ok(entries)
    }

    /// The regular file at a path that a package names, links resolved; `None` where there is nothing.
    ///
    /// # Errors
    /// When it leads out of the package, or to something that is no file.
    pub(crate) fn file_at(&self, path: &Path) -> Result<Option<PathBuf>, PackageError> {
        let unusable = |problem: &str| PackageError::Unsafe {
            path: path.to_owned(),
            problem: problem.to_owned(),
            remedy: "put a regular file there",
        };
        let target = match path.canonicalize() {
            Ok(target) => target,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(error) => {
                return match error.raw_os_error() {
                    // Names that no file can have.
                    Some(libc::ENAMETOOLONG) => Ok(None),
                    Some(libc::ELOOP) => Err(unusable("it is a symbolic link to itself")),
                    _ => Err(PackageError::io("look at", path)(error)),
                };
            }
        };
        if !target.starts_with(&self.root) {
            return Err(unusable("it is a symbolic link out of the package"));
        }
        let kind = target.metadata().map_err(PackageError::io("look at", path))?.file_type();
        match kind_of(kind) {
            Kind::File => Ok(Some(target)),
            Kind::Directory => Err(unusable("it is a directory where a file is needed")),
            Kind::Unusable(problem) => Err(unusable(problem)),
        }
    }

    /// What lies at a path below the package's directory, with `/`; `None` where there is nothing.
    ///
    /// # Errors
    /// In words for the author, when the path leads out of the package.
    pub(crate) fn at(&self, name: &str) -> Result<Option<Entry>, String> {
        let shown = one_line(name);
        let plain = |part: &str| !part.is_empty() && part != "..";
        let name = name.strip_prefix("./").unwrap_or(name);
        if name.len() > 4096 || name.contains('\0') || !name.split('/').all(plain) {
            return Err(format!("'{shown}' is not a path below the package"));
        }
        let path = self.root.join(name);
        let Ok(target) = path.canonicalize() else { return Ok(None) };
        if !target.starts_with(&self.root) {
            return Err(format!("'{shown}' is a symbolic link out of the package"));
        }
        let Ok(metadata) = target.metadata() else { return Ok(None) };
        let own = path.file_name().map(OsString::from).unwrap_or_default();
        Ok(Some(Entry { name: own, kind: kind_of(metadata.file_type()), path: target }))
    }

    /// The paths of all files below, with `/`, in order.
    ///
    /// # Errors
    /// As [`Tree::entries`], and when a name is not UTF-8.
    pub(crate) fn files(&self, names: &mut Vec<String>) -> Result<(), PackageError> {
        self.files_below(&self.root, "", 0, names)
    }

    fn files_below(
        &self,
        directory: &Path,
        above: &str,
        depth: usize,
        names: &mut Vec<String>,
    ) -> Result<(), PackageError> {
        for entry in self.entries(directory, depth)? {
            let name = format!("{above}{}", entry.reportable()?);
            match entry.kind {
                Kind::Directory => self.files_below(&entry.path, &format!("{name}/"), depth + 1, names)?,
                Kind::File => names.push(name),
                Kind::Unusable(_) => {}
            }
        }
        Ok(())
    }

    fn resolve(&self, directory: &Path, name: OsString, path: PathBuf) -> Entry {
        let unusable = |problem| (path.clone(), Kind::Unusable(problem));
        let (path, kind) = match path.canonicalize() {
            Err(_) => unusable("it is a symbolic link that leads nowhere"),
            Ok(target) if !target.starts_with(&self.root) => {
                unusable("it is a symbolic link out of the package")
            }
            Ok(target) if directory.starts_with(&target) => {
                unusable("it is a symbolic link to a folder that holds it")
            }
            Ok(target) => match target.metadata() {
                Ok(metadata) => {
                    let kind = kind_of(metadata.file_type());
                    (target, kind)
                }
                Err(_) => unusable("it is a symbolic link that leads nowhere"),
            },
        };
        Entry { name, path, kind }
    }

    /// The entry of that name in the package's own directory; `None` where there is none.
    pub(crate) fn find<'a>(entries: &'a [Entry], name: &str) -> Option<&'a Entry> {
        entries
            .binary_search_by(|entry| entry.name.as_os_str().cmp(name.as_ref()))
            .ok()
            .map(|index| &entries[index])
    }
}

fn kind_of(kind: FileType) -> Kind {
    if kind.is_file() {
        Kind::File
    } else if kind.is_dir() {
        Kind::Directory
    } else if kind.is_fifo() {
        Kind::Unusable("it is a FIFO")
    } else if kind.is_socket() {
        Kind::Unusable("it is a socket")
    } else {
        Kind::Unusable("it is a device")
    }
}

/// Opens a regular file; never waits, whatever took its place meanwhile.
pub(crate) fn open_regular(path: &Path) -> Result<File, PackageError> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
        .map_err(PackageError::io("open", path))?;
    let metadata = file.metadata().map_err(PackageError::io("look at", path))?;
    if metadata.is_file() {
        return Ok(file);
    }
    Err(PackageError::Unsafe {
        path: path.to_owned(),
        problem: "it is not a regular file".to_owned(),
        remedy: "put a regular file there",
    })
}

/// The text of a configuration file, without a byte order mark.
///
/// # Errors
/// When it is no regular file, too large, or not UTF-8.
pub(crate) fn read_text(entry: &Entry) -> Result<String, PackageError> {
    read_text_at_most(entry, MAX_TEXT)
}

/// As [`read_text`], for files that may be longer or must be shorter.
///
/// # Errors
/// As [`read_text`].
pub(crate) fn read_text_at_most(entry: &Entry, limit: u64) -> Result<String, PackageError> {
    let path = entry.file()?;
    let wrong = |problem: String, remedy: &str| PackageError::Invalid {
        file: path.to_owned(),
        line: None,
        key: String::new(),
        problem,
        remedy: remedy.to_owned(),
    };
    let bytes = read_at_most(path, limit + 1)?;
    if bytes.len() as u64 > limit {
        return Err(wrong(format!("it is larger than {} KiB", limit >> 10), "keep only settings in it"));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let place = error.utf8_error().valid_up_to();
        wrong(format!("it is not UTF-8 (byte {place})"), "save it as UTF-8")
    })?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

/// The first bytes of a regular file.
pub(crate) fn read_at_most(path: &Path, limit: u64) -> Result<Vec<u8>, PackageError> {
    let mut bytes = Vec::new();
    open_regular(path)?.take(limit).read_to_end(&mut bytes).map_err(PackageError::io("read", path))?;
    Ok(bytes)
}

/// A path below the package's directory, for warnings.
pub(crate) fn below(root: &Path, path: &Path) -> String {
    one_line(&path.strip_prefix(root).unwrap_or(path).to_string_lossy())
}
