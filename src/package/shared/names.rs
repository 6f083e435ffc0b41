//! Defines names of packages, of tests' files and of the ICPC formats' folders.

use std::path::Path;

use crate::package::source::diagnostics::did_you_mean;
use crate::package::source::error::{PackageError, one_line, shown};
use crate::package::source::tree::{Entry, Kind, Tree};

/// The file of a problem that QDUOJ exports; problems of HUSTOJ's exchange format become such files.
pub(crate) const PROBLEM_JSON: &str = "problem.json";

/// Returns the directory's own name.
pub(crate) fn short_name(root: &Path) -> String {
    root.file_name().map_or_else(|| "/".to_owned(), |name| one_line(&name.to_string_lossy()))
}

/// The folder `data` of a package.
///
/// # Errors
/// When there is none.
pub(crate) fn data_folder<'a>(root: &Path, entries: &'a [Entry]) -> Result<&'a Entry, PackageError> {
    match Tree::find(entries, "data") {
        Some(entry) if entry.kind == Kind::Directory => Ok(entry),
        other => Err(PackageError::NotAPackage {
            path: root.join("data"),
            problem: match other.map(|entry| entry.kind) {
                None => "it is missing".to_owned(),
                Some(Kind::Unusable(problem)) => problem.to_owned(),
                Some(_) => "it is not a folder".to_owned(),
            },
            remedy: "put the tests into data/sample and data/secret",
        }),
    }
}

/// Mentions folders whose names are nearly those of the format's.
pub(crate) fn mention_misspelt_folders(entries: &[Entry], warnings: &mut Vec<String>) {
    const KNOWN: [&str; 14] = [
        "attachments",
        "data",
        "generators",
        "graders",
        "include",
        "input_format_validators",
        "input_validator",
        "input_validators",
        "output_validator",
        "output_validators",
        "problem_statement",
        "solution",
        "statement",
        "submissions",
    ];
    // Other tools' own, which are like one of these by chance.
    const OTHERS: [&str; 15] = [
        "answer_validator",
        "answer_validators",
        "attachment",
        "generator",
        "grader",
        "input_visualizer",
        "input_visualizers",
        "output_visualizer",
        "output_visualizers",
        "problem_slide",
        "solution_slide",
        "solutions",
        "statements",
        "static_validator",
        "static_validators",
    ];
    for entry in entries.iter().filter(|entry| entry.kind == Kind::Directory && !entry.is_hidden()) {
        let name = entry.text().unwrap_or_default();
        if matches!(name, "answer_validator" | "answer_validators") {
            warnings.push(format!(
                "{name}/: not run: only BAPCtools has validators of answers; 'gavel verify' shows the answers to the output \
                 validator"
            ));
        }
        if KNOWN.contains(&name) || OTHERS.contains(&name) {
            continue;
        }
        let meant = did_you_mean(name, KNOWN);
        if !meant.is_empty() {
            warnings.push(format!("{}: a folder of this name is not read{meant}", one_line(name)));
        }
    }
}

/// The name of a test's file without its ending.
pub(crate) fn stem<'a>(entry: &'a Entry, ending: &str) -> Result<&'a str, PackageError> {
    let name = entry.reportable()?;
    Ok(name.strip_suffix(ending).unwrap_or(name))
}

/// A test's file without the one that belongs to it.
pub(crate) fn unpaired(
    entry: &Entry,
    directory: &Path,
    stem: &str,
    problem: &'static str,
    missing: &str,
) -> PackageError {
    PackageError::Unpaired {
        file: directory.join(&entry.name),
        problem,
        remedy: format!("add {} or remove the file", shown(Path::new(&format!("{stem}{missing}")))),
    }
}
