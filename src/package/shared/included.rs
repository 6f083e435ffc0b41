//! Reads `include/` of the Kattis formats: files that are added to submissions, one folder a language.
//!
//! Legacy, "Included Code", and 2025-09, "Included files". A file called `main` is the entry point, as in problemtools,
//! which starts it whatever a submission is called. Of packages without one, problemtools starts the source whose name
//! comes first in the alphabet, which may be an included one; here it is the submission's own. `default` is for every
//! language, as in problemtools; a file of a language's own folder stands in for one of the same name there.

use super::programs;
use crate::package::model::{Include, LanguageHint, ProgramFile};
use crate::package::source::diagnostics::Diagnostics;
use crate::package::source::error::PackageError;
use crate::package::source::tree::{Entry, Kind, Tree};

const DEFAULT: &str = "default";

/// Reads `include/`, where the package has it.
pub(crate) fn of_package(
    tree: &Tree,
    entries: &[Entry],
    diagnostics: &mut Diagnostics,
    warnings: &mut Vec<String>,
) -> Vec<Include> {
    let Some(folder) = Tree::find(entries, "include") else { return Vec::new() };
    diagnostics.keep(read(tree, folder, warnings)).unwrap_or_default()
}

/// What `include/` holds, in order of names.
///
/// # Errors
/// When something in it cannot be read, or has a name that cannot be reported.
fn read(tree: &Tree, folder: &Entry, warnings: &mut Vec<String>) -> Result<Vec<Include>, PackageError> {
    folder.usable()?;
    let mut includes = Vec::new();
    if folder.kind != Kind::Directory {
        warnings.push("include is a file, not a folder: nothing is put beside submissions".to_owned());
        return Ok(includes);
    }
    let entries = tree.entries(&folder.path, 1)?;
    let common = match Tree::find(&entries, DEFAULT).filter(|entry| entry.kind == Kind::Directory) {
        Some(entry) => programs::files(tree, entry)?,
        None => Vec::new(),
    };
    for entry in entries.iter().filter(|entry| !entry.is_hidden()) {
        entry.usable()?;
        let name = entry.reportable()?;
        if entry.kind != Kind::Directory {
            warnings
                .push(format!("include/{name}: not used: put it into include/LANGUAGE or include/default"));
            continue;
        }
        let mut files = programs::files(tree, entry)?;
        if files.is_empty() {
            continue;
        }
        if name != DEFAULT {
            let own: Vec<_> = files.iter().map(|file| file.name.clone()).collect();
            files.extend(common.iter().filter(|file| !own.contains(&file.name)).cloned());
        }
        let language = (name != DEFAULT).then(|| LanguageHint::Kattis(name.to_owned()));
        includes.push(Include {
            entry_point: entry_point(&files),
            language,
            files,
            submission_name: None,
            submission_prefix: String::new(),
            submission_suffix: String::new(),
            flags: Vec::new(),
        });
    }
    Ok(includes)
}

/// The file called `main`, in whatever case.
fn entry_point(files: &[ProgramFile]) -> Option<String> {
    let is_main = |file: &&ProgramFile| {
        !file.name.contains('/')
            && !programs::is_header_name(&file.name)
            && file.name.split_once('.').is_some_and(|(stem, _)| stem.eq_ignore_ascii_case("main"))
    };
    files.iter().find(is_main).map(|file| file.name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_called_main_is_the_entry_point() {
        let files = |names: &[&str]| -> Vec<ProgramFile> {
            names.iter().map(|name| ProgramFile { name: (*name).to_owned(), path: name.into() }).collect()
        };
        for (names, entry) in [
            (&["grader.cpp", "main.cpp"][..], Some("main.cpp")),
            (&["Main.java"], Some("Main.java")),
            (&["main.h", "stub.c"], None),
            (&["lib/main.py", "domain.py", "main"], None),
        ] {
            assert_eq!(entry_point(&files(names)).as_deref(), entry);
        }
    }
}
