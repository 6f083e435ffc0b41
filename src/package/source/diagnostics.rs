//! Collects all errors and warnings of a package, not only the first.
//!
//! A reader goes on after an error that leaves something to look at, so that an author who mends one thing does not
//! learn of the next only then. Whoever loads gets the first error; `gavel package check` gets all.

use std::path::{Path, PathBuf};

use super::error::{PackageError, one_line};
use super::yaml::Node;
use crate::nearest::nearest;

/// The most errors that are kept: after so many the file is another one than meant.
const MOST: usize = 100;

/// Suggests the word that a misspelt one probably stands for, as the end of a message; empty where none is similar.
pub(crate) fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    let meant = nearest(word, candidates.into_iter());
    meant.map_or_else(String::new, |meant| format!(": did you mean '{meant}'?"))
}

/// Errors and warnings in the order in which they were found.
#[derive(Debug, Default)]
pub(crate) struct Diagnostics {
    errors: Vec<PackageError>,
    /// Errors in parts that only verification reads; they do not prevent judging.
    of_verification: Vec<PackageError>,
    /// Things that do not stop judging but the author should know.
    pub(crate) warnings: Vec<String>,
}

impl Diagnostics {
    /// The value, or nothing and the error kept.
    pub(crate) fn keep<T>(&mut self, result: Result<T, PackageError>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.error(error);
                None
            }
        }
    }

    /// Keeps an error.
    pub(crate) fn error(&mut self, error: PackageError) {
        // An error that many tests inherit is reported once.
        let text = error.to_string();
        if self.errors.len() < MOST && self.errors.iter().all(|known| known.to_string() != text) {
            self.errors.push(error);
        }
    }

    /// Whether an error was kept that ends the loading.
    pub(crate) fn has_errors(&self) -> bool {
        !self.errors.is_empty()
    }

    /// Keeps the error, where there is one.
    pub(crate) fn errors(&mut self, result: Result<(), PackageError>) {
        self.keep(result);
    }

    /// The value of what only verification reads, or nothing and the error kept apart.
    pub(crate) fn keep_for_verification<T>(&mut self, result: Result<T, PackageError>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) if error.is_ours() => self.keep(Err(error)),
            Err(error) => {
                if self.of_verification.len() < MOST {
                    self.of_verification.push(error);
                }
                None
            }
        }
    }

    /// The errors of what only verification reads, taken out.
    pub(crate) fn take_errors_of_verification(&mut self) -> Vec<PackageError> {
        std::mem::take(&mut self.of_verification)
    }

    /// Keeps all errors of a file.
    pub(crate) fn errors_in(&mut self, file: &Path, errors: Vec<PackageError>) {
        errors.into_iter().for_each(|error| self.error(error.in_file(file)));
    }

    /// Gives the files that all errors name other names.
    pub(crate) fn rename_files(&mut self, name: impl Fn(&Path) -> PathBuf) {
        let errors = std::mem::take(&mut self.errors);
        self.errors = errors.into_iter().map(|error| error.with_paths(&name)).collect();
    }

    /// Keeps a warning.
    pub(crate) fn warn(&mut self, warning: impl Into<String>) {
        self.warnings.push(warning.into());
    }

    /// Keeps a warning unless it is there.
    pub(crate) fn warn_once(&mut self, warning: String) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// Keeps warnings of the keys of `map` that the format does not have: tools pass them over without a word.
    pub(crate) fn unknown_keys(&mut self, file: &str, above: &str, map: &[(String, Node)], known: &[&str]) {
        for (key, node) in map.iter().filter(|(key, _)| !known.contains(&key.as_str())) {
            let meant = did_you_mean(key, known.iter().copied());
            let place = if node.line > 0 { format!(":{}", node.line) } else { String::new() };
            let dotted = if above.is_empty() { String::new() } else { format!("{above}.") };
            let warning =
                format!("{file}{place}: {dotted}{}: an unknown key is ignored{meant}", one_line(key));
            // A key that many tests inherit is reported once.
            if !self.warnings.iter().rev().take(MOST).any(|known| *known == warning) {
                self.warn(warning);
            }
        }
    }

    /// Whether there is any error.
    pub(crate) fn is_broken(&self) -> bool {
        !self.errors.is_empty()
    }

    /// All errors, taken out.
    pub(crate) fn take_errors(&mut self) -> Vec<PackageError> {
        std::mem::take(&mut self.errors)
    }
}
