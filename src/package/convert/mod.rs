//! Writes a package, whatever format it was read from, in the ICPC format 2025-09.
//!
//! Everything comes from the model; what the format has no words for is refused by name, and what has no effect there is a
//! note. The package is written beside its place under another name and renamed when it is whole, so nothing half-written
//! is ever found there.
//!
//! Checkers that answer otherwise than output validators do get `run` and `build` scripts around them (`shims/`): the
//! checker itself goes along as source. Built-in comparisons other than the default validator's become scripts that compare
//! alike; those that have none are refused, unless the package has the source of the checker they stand for.
//!
//! | file | what it writes |
//! |---|---|
//! | `problem` | `problem.yaml` |
//! | `data` | tests, groups, settings |
//! | `validators` | output and input validators, with their scripts |
//! | `rest` | included files, generators, what verification reads, statements |
//! | `submissions` | submissions and `submissions.yaml` |

mod data;
mod problem;
mod rest;
mod submissions;
mod validators;

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

use super::error::{PackageError, one_line, shown};
use super::model::{Package, TestLimits};

/// Why a package could not be converted.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// The format cannot say what the package does.
    #[error("problem '{problem}': {what} cannot be expressed in ICPC 2025-09; {remedy}")]
    Inexpressible {
        /// The problem.
        problem: String,
        /// What it has.
        what: String,
        /// What to do.
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
        /// What was being done.
        operation: &'static str,
        /// To what.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

/// Writes `package` to `out`, which must not exist; says what was left out because it has no effect on verdicts there.
///
/// # Errors
/// When something cannot be expressed, read or written; then nothing is at `out`.
pub fn convert(package: &Package, out: &Path) -> Result<Vec<String>, ConvertError> {
    if out.symlink_metadata().is_ok() {
        return Err(ConvertError::Exists { path: out.to_owned() });
    }
    if let Some(made) = &package.made {
        return Err(ConvertError::Inexpressible {
            problem: one_line(&package.name),
            what: format!("a package whose programs make {} of its tests", made.tests.len()),
            remedy: "have them made first",
        });
    }
    if let Some(test) = package.tests.iter().find(|test| test.limits != TestLimits::default()) {
        return Err(ConvertError::Inexpressible {
            problem: one_line(&package.name),
            what: format!("limits of single tests, such as those of {},", one_line(&test.name)),
            remedy: "give all tests the same limits",
        });
    }
    let parent = match out.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let draft = tempfile::Builder::new()
        .prefix(".gavel-convert-")
        .tempdir_in(parent)
        .map_err(io_error("make a directory in", parent))?;
    let mut writer = Writer { package, root: draft.path().join("package"), notes: Vec::new() };
    fs::create_dir(&writer.root).map_err(io_error("make", &writer.root))?;
    let layout = data::plan(&mut writer)?;
    problem::write(&mut writer)?;
    let arguments = validators::write_output(&mut writer)?;
    data::write(&mut writer, &layout, &arguments)?;
    validators::write_inputs(&mut writer)?;
    rest::write(&mut writer)?;
    submissions::write(&mut writer, &layout)?;
    fs::rename(&writer.root, out).map_err(io_error("rename to", out))?;
    Ok(writer.notes)
}

/// What all parts share.
struct Writer<'a> {
    package: &'a Package,
    /// Where the package grows.
    root: PathBuf,
    notes: Vec<String>,
}

impl Writer<'_> {
    /// Something the format has no words for.
    fn refuse(&self, what: impl Into<String>, remedy: &'static str) -> ConvertError {
        ConvertError::Inexpressible { problem: one_line(&self.package.name), what: what.into(), remedy }
    }

    /// Mentions something that is left out.
    fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// The place of a file of the new package, its folder made.
    fn place(&self, name: &str) -> Result<PathBuf, ConvertError> {
        let path = self.root.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(io_error("make", folder))?;
        }
        Ok(path)
    }

    /// Writes a text file.
    fn text(&self, name: &str, text: &str) -> Result<(), ConvertError> {
        let path = self.place(name)?;
        fs::write(&path, text).map_err(io_error("write", &path))
    }

    /// Writes a script that can be run.
    fn script(&self, name: &str, text: &str) -> Result<(), ConvertError> {
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
    fn copy(&self, from: &Path, name: &str) -> Result<(), ConvertError> {
        let path = self.place(name)?;
        let mut source = super::tree::open_regular(from)?;
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
    fn link(&self, to: &str, name: &str) -> Result<(), ConvertError> {
        let path = self.place(name)?;
        let up = "../".repeat(name.matches('/').count());
        symlink(format!("{up}{to}"), &path).map_err(io_error("link", &path))
    }
}

/// For `map_err`.
fn io_error(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ConvertError {
    let path = path.to_owned();
    move |source| ConvertError::Io { operation, path, source }
}

/// Text as YAML has it between quotes.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A list of texts.
fn list(texts: &[String]) -> String {
    format!("[{}]", texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", "))
}

/// A name that the format allows: other characters become dashes.
fn allowed(name: &str) -> String {
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
fn is_allowed_path(path: &str) -> bool {
    path.split('/').all(|name| allowed(name) == name)
}
