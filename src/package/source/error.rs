//! Defines the errors of a problem package, each with file, key and remedy.
//!
//! Every variant but [`PackageError::Io`] and [`PackageError::Cache`] is the package author's fault and names the file, the key and what
//! to do about it, in one line. These are the machine's: the same package may load elsewhere.

use std::io;
use std::path::{Path, PathBuf};

use crate::archive::ArchiveError;
use crate::cache::CacheError;

/// Why a package could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// There is nothing at that path, or nothing that looks like a package.
    #[error("{}: {problem}; {remedy}", shown(path))]
    NotAPackage {
        /// The path as given.
        path: PathBuf,
        /// The value found.
        problem: String,
        /// The remedy.
        remedy: &'static str,
    },
    /// A file of the package says something wrong.
    #[error("{}{}: {}{problem}; {remedy}", shown(file), colon(*line), named(key))]
    Invalid {
        /// The file.
        file: PathBuf,
        /// Line, from 1, where it is known.
        line: Option<u64>,
        /// The key, dotted (`limits.memory`); empty where the fault is not with one key.
        key: String,
        /// The problem.
        problem: String,
        /// The remedy.
        remedy: String,
    },
    /// The package asks for something that is not judged yet; refused instead of judged wrongly.
    #[error("{}{}: {}{found} is not supported; {supported}", shown(file), colon(*line), named(key))]
    Unsupported {
        /// The file or directory that asks for it.
        file: PathBuf,
        /// Line, from 1, where it is known.
        line: Option<u64>,
        /// The key; empty where a file's mere presence asks for it.
        key: String,
        /// The unsupported feature.
        found: String,
        /// The features supported today.
        supported: &'static str,
    },
    /// A test without its input or its answer.
    #[error("{}: {problem}; {remedy}", shown(file))]
    Unpaired {
        /// The file that is alone.
        file: PathBuf,
        /// Which one is missing.
        problem: &'static str,
        /// The remedy.
        remedy: String,
    },
    /// A link out of the package, a FIFO, a device, a name no report can carry.
    #[error("{}: {problem}; {remedy}", shown(path))]
    Unsafe {
        /// The offending entry.
        path: PathBuf,
        /// Its kind.
        problem: String,
        /// The remedy.
        remedy: &'static str,
    },
    /// An archive that cannot be unpacked.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Derived files cannot be stored.
    #[error("what the package unpacks to cannot be kept: {0}")]
    Cache(#[from] CacheError),
    /// The system refused: permissions, a failing disk, a file that went away.
    #[error("{}: cannot {operation}: {source}; check its permissions and the disk", shown(path))]
    Io {
        /// The operation.
        operation: &'static str,
        /// To what.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

impl PackageError {
    /// The same error with the file it is about, for parsers that only saw the text.
    #[must_use]
    pub fn in_file(mut self, path: &Path) -> Self {
        if let Self::Invalid { file, .. } | Self::Unsupported { file, .. } = &mut self {
            path.clone_into(file);
        }
        self
    }

    /// The same error with other words for the paths it names.
    #[must_use]
    pub(crate) fn with_paths(mut self, name: impl Fn(&Path) -> PathBuf) -> Self {
        match &mut self {
            Self::NotAPackage { path, .. } | Self::Unsafe { path, .. } | Self::Io { path, .. } => {
                *path = name(path)
            }
            Self::Invalid { file, .. } | Self::Unsupported { file, .. } | Self::Unpaired { file, .. } => {
                *file = name(file);
            }
            Self::Archive(_) | Self::Cache(_) => {}
        }
        self
    }

    /// The file, line and key it is about, as far as they are known; the key is empty where the fault is not with one.
    pub fn place(&self) -> (Option<&Path>, Option<u64>, &str) {
        match self {
            Self::Invalid { file, line, key, .. } | Self::Unsupported { file, line, key, .. } => {
                (Some(file), *line, key)
            }
            Self::NotAPackage { path, .. } | Self::Unsafe { path, .. } | Self::Io { path, .. } => {
                (Some(path), None, "")
            }
            Self::Unpaired { file, .. } => (Some(file), None, ""),
            Self::Archive(_) | Self::Cache(_) => (None, None, ""),
        }
    }

    /// Whether the machine is to blame and not the package.
    pub fn is_ours(&self) -> bool {
        match self {
            Self::Io { .. } | Self::Cache(_) => true,
            Self::Archive(error) => error.is_ours(),
            _ => false,
        }
    }

    /// A wrong value at `key`; the file is filled in by [`PackageError::in_file`].
    pub(crate) fn value(line: u64, key: &str, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Invalid {
            file: PathBuf::new(),
            line: (line > 0).then_some(line),
            key: key.to_owned(),
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }

    /// A feature asked for at `key`; the file is filled in by [`PackageError::in_file`].
    pub(crate) fn unsupported(
        line: u64,
        key: &str,
        found: impl Into<String>,
        supported: &'static str,
    ) -> Self {
        Self::Unsupported {
            file: PathBuf::new(),
            line: (line > 0).then_some(line),
            key: key.to_owned(),
            found: found.into(),
            supported,
        }
    }

    /// For `map_err`: an operation of the system's that failed.
    pub(crate) fn io(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { operation, path, source }
    }
}

fn colon(line: Option<u64>) -> String {
    line.map_or_else(String::new, |line| format!(":{line}"))
}

fn named(key: &str) -> String {
    if key.is_empty() { String::new() } else { format!("{}: ", one_line(key)) }
}

/// A path on one line, whatever its name holds.
pub(crate) fn shown(path: &Path) -> String {
    one_line(&path.to_string_lossy())
}

/// Text on one line and of bounded length: control characters escaped.
pub(crate) fn one_line(text: &str) -> String {
    const LONGEST: usize = 300;
    let mut line = String::with_capacity(text.len().min(LONGEST));
    for (count, character) in text.chars().enumerate() {
        if count == LONGEST {
            line.push('…');
            break;
        }
        if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}
