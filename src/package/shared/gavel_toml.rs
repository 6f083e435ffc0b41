//! Reads `gavel.toml`, gavel's own settings in a package of any format.
//!
//! `feedback = "none" | "case" | "full"` is the most that workers tell of its secret tests. Anything else in the file is an
//! error: a misspelt `feedback` would tell everything.

use serde::Deserialize;

use crate::package::source::error::PackageError;
use crate::package::source::tree::{Entry, read_text};
use crate::submission::Feedback;

/// The file, in the package's own directory.
pub(crate) const FILE: &str = "gavel.toml";

/// The settings in it.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OwnFile {
    /// The most that workers tell of secret tests.
    pub(crate) feedback: Option<Feedback>,
}

/// Reads the file.
///
/// # Errors
/// When it is not TOML, or has another key or value, with the line.
pub(crate) fn read(entry: &Entry) -> Result<OwnFile, PackageError> {
    let text = read_text(entry)?;
    toml::from_str(&text).map_err(|error| PackageError::Invalid {
        file: entry.path.clone(),
        line: error.span().map(|span| 1 + text[..span.start].matches('\n').count() as u64),
        key: "feedback".to_owned(),
        problem: error.message().to_owned(),
        remedy: "the only key is feedback, with \"none\", \"case\" or \"full\"".to_owned(),
    })
}
