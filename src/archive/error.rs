//! Why an archive cannot be unpacked, and whose fault that is.

use std::io;
use std::path::{Path, PathBuf};

/// Why an archive was not unpacked, on one line.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The archive is to blame.
    #[error("archive {archive}: {}{problem}", entry.as_ref().map_or_else(String::new, |entry| format!("'{entry}': ")))]
    Broken {
        /// Where it came from.
        archive: String,
        /// The entry, where it is one.
        entry: Option<String>,
        /// What is wrong and what to do.
        problem: String,
    },
    /// This host is.
    #[error("archive {archive}: cannot {operation} {}: {source}; check the disk of the cache", path.display())]
    Disk {
        /// Where it came from.
        archive: String,
        /// What was attempted.
        operation: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// Somebody asked to stop.
    #[error("cancelled")]
    Cancelled,
}

impl ArchiveError {
    /// Whether this host is to blame, not the archive.
    pub fn is_ours(&self) -> bool {
        matches!(self, Self::Disk { .. })
    }
}

/// The same before the archive's name is known.
#[derive(Debug)]
pub(super) enum Problem {
    Broken { entry: Option<String>, problem: String, scope: Scope },
    Disk { operation: &'static str, path: PathBuf, source: io::Error },
    Cancelled,
}

/// How much of an archive a problem spoils.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// All of it: it cannot be read on, or it is hostile.
    Archive,
    /// The content of one entry. What follows on a tape is lost as well.
    Content,
    /// One entry.
    Entry,
}

impl Problem {
    /// The archive as a whole is broken.
    pub(super) fn broken(problem: impl Into<String>) -> Self {
        Self::Broken { entry: None, problem: problem.into(), scope: Scope::Archive }
    }

    /// The archive is refused as a whole because of an entry.
    pub(super) fn hostile(name: &[u8], problem: impl Into<String>) -> Self {
        Self::Broken { entry: Some(visible(name)), problem: problem.into(), scope: Scope::Archive }
    }

    /// One entry is.
    pub(super) fn entry(name: &[u8], problem: impl Into<String>) -> Self {
        Self::Broken { entry: Some(visible(name)), problem: problem.into(), scope: Scope::Entry }
    }

    /// A file operation of ours failed.
    pub(super) fn disk(operation: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Disk { operation, path: path.to_owned(), source }
    }

    /// Reading the archive failed: decoders complain without the system's error numbers.
    pub(super) fn reading(entry: Option<&[u8]>, error: &io::Error) -> Self {
        if error.raw_os_error().is_some() {
            let source = io::Error::new(error.kind(), error.to_string());
            return Self::Disk { operation: "read", path: PathBuf::from("the fetched archive"), source };
        }
        let problem = match error.kind() {
            io::ErrorKind::UnexpectedEof => "the archive is cut short; pack it again".to_owned(),
            _ => format!("the archive is damaged ({}); pack it again", visible(error.to_string().as_bytes())),
        };
        let scope = if entry.is_some() { Scope::Content } else { Scope::Archive };
        Self::Broken { entry: entry.map(visible), problem, scope }
    }

    pub(super) fn of(self, archive: &str) -> ArchiveError {
        let archive = archive.to_owned();
        match self {
            Self::Broken { entry, problem, .. } => ArchiveError::Broken { archive, entry, problem },
            Self::Disk { operation, path, source } => ArchiveError::Disk { archive, operation, path, source },
            Self::Cancelled => ArchiveError::Cancelled,
        }
    }
}

/// Bytes of others' on one line: control characters and what is not UTF-8 escaped, cut.
fn visible(bytes: &[u8]) -> String {
    let mut line = String::new();
    for chunk in bytes.get(..200).unwrap_or(bytes).utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() {
                line.extend(character.escape_default());
            } else {
                line.push(character);
            }
        }
        line.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    if bytes.len() > 200 {
        line.push_str("...");
    }
    line
}
