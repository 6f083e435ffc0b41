//! `include/` of the ICPC formats: files that are compiled with every submission.
//!
//! As in problemtools, the files of `include/default` go to every language, and those of `include/LANGUAGE` with them,
//! replacing a default of the same name. A file called `main` is where the program starts.

use super::error::{PackageError, one_line};
use super::program::{LanguageHint, ProgramFile};
use super::programs;
use super::submitting::Include;
use super::tree::{Entry, Kind, Tree, below};

const DEFAULT: &str = "default";

/// Reads the folder `include/`, where there is one.
///
/// # Errors
/// When something in it cannot be read, or has a name that cannot be reported.
pub(super) fn read(
    tree: &Tree,
    entries: &[Entry],
    warnings: &mut Vec<String>,
) -> Result<Vec<Include>, PackageError> {
    let Some(folder) = Tree::find(entries, "include") else { return Ok(Vec::new()) };
    folder.usable()?;
    if folder.kind != Kind::Directory {
        warnings.push("include: it is a file, not a folder: nothing is included".to_owned());
        return Ok(Vec::new());
    }
    let inside = tree.entries(&folder.path, 1)?;
    let common = match Tree::find(&inside, DEFAULT).filter(|entry| entry.kind == Kind::Directory) {
        Some(entry) => programs::files(tree, entry, 2)?,
        None => Vec::new(),
    };
    let mut includes = Vec::new();
    for entry in inside.iter().filter(|entry| !entry.is_hidden()) {
        entry.usable()?;
        if entry.kind != Kind::Directory {
            if entry.text().is_none_or(|name| !name.to_ascii_lowercase().starts_with("readme")) {
                let place = below(tree.root(), &entry.path);
                warnings
                    .push(format!("{place}: not included: only include/default and include/LANGUAGE are"));
            }
            continue;
        }
        let code = entry.reportable()?;
        let mut files = programs::files(tree, entry, 2)?;
        if files.is_empty() {
            warnings.push(format!("include/{}: the folder is empty", one_line(code)));
            continue;
        }
        let language = if code == DEFAULT {
            None
        } else {
            for file in &common {
                if !files.iter().any(|own| own.name == file.name) {
                    files.push(file.clone());
                }
            }
            Some(LanguageHint::Kattis(code.to_owned()))
        };
        includes.push(Include { entry_point: entry_point(&files), language, files, submission_name: None });
    }
    Ok(includes)
}

/// The file that is called `main`, where one is.
fn entry_point(files: &[ProgramFile]) -> Option<String> {
    const HEADERS: [&str; 4] = ["h", "hh", "hpp", "hxx"];
    let is_main = |file: &&ProgramFile| match file.name.rsplit_once('.') {
        Some((stem, ending)) => matches!(stem, "main" | "Main" | "__main__") && !HEADERS.contains(&ending),
        None => false,
    };
    files.iter().find(is_main).map(|file| file.name.clone())
}
