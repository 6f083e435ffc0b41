//! Writes the files of a converted package; defines the errors of conversion.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::package::model::Package;
use crate::package::source::error::{PackageError, one_line, shown};

/// Why a package could not be converted.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// The format cannot say what the package does.
    #[error("problem '{problem}': {what} cannot be expressed in ICPC 2025-09; {remedy}")]
    Inexpressible {
        /// The problem.
        problem: String,
        /// The feature.
        what: String,
        /// The remedy.
        remedy: &'static str,
    },
    /// There is something at the place already.
    #[error("{}: there is something already; name a place that is free", shown(path))]
    Exists {
        /// The place.
        path: PathBuf,
    },
    /// The package cannot be read.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The system refused.
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

/// The writer that all parts share.
pub(super) struct Writer<'a> {
    pub(super) package: &'a Package,
    /// Where the package grows.
    pub(super) root: PathBuf,
    pub(super) notes: Vec<String>,
}

impl Writer<'_> {
    /// Something the format has no words for.
    pub(super) fn refuse(&self, what: impl Into<String>, remedy: &'static str) -> ConvertError {
        ConvertError::Inexpressible { problem: one_line(&self.package.name), what: what.into(), remedy }
    }

    /// Mentions something that is left out.
    pub(super) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// The place of a file of the new package, its folder made.
    pub(super) fn place(&self, name: &str) -> Result<PathBuf, ConvertError> {
        let path = self.root.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(io_error("make", folder))?;
        }
        Ok(path)
    }

    /// Writes a text file.
    pub(super) fn text(&self, name: &str, text: &str) -> Result<(), ConvertError> {
        let path = self.place(name)?;
        fs::write(&path, text).map_err(io_error("write", &path))
    }

    /// Writes a script that can be run.
    pub(super) fn script(&self, name: &str, text: &str) -> Result<(), ConvertError> {
        let path = self.place(name)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o755)
            .open(&path)
            .map_err(io_error("make", &path))?;
        io::Write::write_all(&mut file, text.as_bytes()).map_err(io_error("write", &path))
    }

    /// Copies a file of the package; scripts of programs stay executable.
    pub(super) fn copy(&self, from: &Path, name: &str) -> Result<(), ConvertError> {
        let path = self.place(name)?;
        let mut source = crate::package::source::tree::open_regular(from)?;
        let mode = if matches!(name.rsplit('/').next(), Some("build" | "run")) { 0o755 } else { 0o644 };
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&path)
            .map_err(io_error("make", &path))?;
        io::copy(&mut source, &mut file).map_err(io_error("write", &path))?;
        Ok(())
    }

    /// A link to another file of the new package.
    pub(super) fn link(&self, to: &str, name: &str) -> Result<(), ConvertError> {
        let path = self.place(name)?;
        let up = "../".repeat(name.matches('/').count());
        symlink(format!("{up}{to}"), &path).map_err(io_error("link", &path))
    }
}

/// For `map_err`.
pub(super) fn io_error(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ConvertError {
    let path = path.to_owned();
    move |source| ConvertError::Io { operation, path, source }
}

/// Text as YAML has it between quotes.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A list of texts.
pub(super) fn list(texts: &[String]) -> String {
    format!("[{}]", texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", "))
}

/// A name that the format allows: other characters become dashes.
pub(super) fn allowed(name: &str) -> String {
    let mut allowed: String = name
        .chars()
        .map(
            |character| {
                if character.is_ascii_alphanumeric() || "_.-".contains(character) { character } else { '-' }
            },
        )
        .take(100)
        .collect();
    if allowed.is_empty() || allowed.starts_with(['-', '.']) {
        allowed.insert(0, '_');
    }
    allowed
}

/// Whether a path consists of names that the format allows.
pub(super) fn is_allowed_path(path: &str) -> bool {
    path.split('/').all(|name| allowed(name) == name)
}
