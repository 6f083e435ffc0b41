//! Recognises directories that are more than bare tests: packages of formats that gavel does not read, and tests with a checker
//! beside them.
//!
//! [`super::load`] compares tokens and knows no settings, so it must only read directories that hold nothing but tests.
//! Judging another one as bare tests would accept wrong programs without a word.

use std::path::Path;

use crate::package::source::error::{PackageError, one_line};
use crate::package::source::tree::{Entry, Kind, Tree};

/// Files and folders that identify a format, with the format's name; all names of a row must be there.
const FORMATS: &[(&[&str], &str)] = &[
    (&["settings.json", "cases"], "omegaUp"),
    (&["serve.cfg"], "ejudge"),
    (&["problem.cfg"], "ejudge"),
    (&["problem.properties"], "PCMS2"),
    (&["testset.properties"], "PCMS2"),
    (&["handler.yml"], "Jutge"),
    (&["data.yml"], "SYZOJ"),
    (&["judge.yml"], "SYZOJ"),
    (&["generators", "generators.yaml"], "BAPCtools, without its problem.yaml"),
];

/// Misspelt names of formats' own files, with the right one.
const MISSPELT: &[(&str, &str)] = &[
    ("init.yaml", "init.yml"),
    ("init.json", "init.yml"),
    ("problem.yml", "problem.yaml"),
    ("task.yml", "task.yaml"),
    ("problems.yaml", "problem.yaml"),
    ("config.yaml", "testdata/config.yaml (Hydro) or config.yml (sinol)"),
    ("problem.conf.txt", "problem.conf"),
];

/// Names of programs that decide about outputs: alone, before a sign that is no letter (`check_2.cpp`), or at the end
/// (`abcchk.cpp`).
const DECIDERS: &[&str] = &["checker", "chk", "spj", "interactor", "comparator"];
/// As [`DECIDERS`], for a word that other names end with.
const CHECK: &str = "check";
/// Endings of programs.
const PROGRAMS: &[&str] = &[
    "cpp", "cc", "cxx", "c++", "c", "py", "py3", "java", "pas", "pp", "dpr", "rs", "go", "kt", "cs", "hs",
    "rb", "js", "php", "pl", "sh", "exe",
];
/// Folders that only packages with settings have.
const FOLDERS: &[&str] = &[
    "output_validators",
    "output_validator",
    "output_checkers",
    "validators",
    "checker",
    "checkers",
    "interactor",
    "validator",
];

const CONVERT: &str =
    "convert it to a format that is (docs/packages.md), or name a folder with nothing but tests";

/// Refuses a directory, holding `entries`, that is more than bare tests.
///
/// # Errors
/// [`PackageError::NotAPackage`], which names the file or folder that shows it.
pub(crate) fn refuse(tree: &Tree, entries: &[Entry]) -> Result<(), PackageError> {
    let not = |path: &Path, problem: String, remedy: &'static str| {
        Err(PackageError::NotAPackage { path: path.to_owned(), problem, remedy })
    };
    for (names, format) in FORMATS {
        if names.iter().all(|name| Tree::find(entries, name).is_some()) {
            let problem = format!(
                "'{}' belongs to a package of {format}, a format that is not read",
                names.join("' and '")
            );
            return not(tree.root(), problem, CONVERT);
        }
    }
    let is_hoj = |entry: &&Entry| {
        entry.text().is_some_and(|name| name.starts_with("problem_") && name.ends_with(".json"))
    };
    if let Some(entry) = entries.iter().find(is_hoj) {
        let problem = format!(
            "'{}' belongs to an export of HOJ, a format that is not read",
            one_line(&entry.name.to_string_lossy())
        );
        return not(tree.root(), problem, CONVERT);
    }
    for (name, meant) in MISSPELT {
        if Tree::find(entries, name).is_some_and(|entry| entry.kind == Kind::File) {
            let problem = format!("'{name}' is not read; settings would be ignored without it");
            let remedy = match *meant {
                "init.yml" => "call it init.yml, or remove it",
                "problem.yaml" => "call it problem.yaml, or remove it",
                "task.yaml" => "call it task.yaml, or remove it",
                "problem.conf" => "call it problem.conf, or remove it",
                _ => "put it where its format has it (docs/packages.md), or remove it",
            };
            return not(tree.root(), problem, remedy);
        }
    }
    if let Some(entry) = entries.iter().find(|entry| decides(entry)) {
        let name = one_line(&entry.name.to_string_lossy());
        let problem = format!(
            "'{name}' looks like a checker, and a folder of bare tests has none: it would be ignored"
        );
        return not(
            tree.root(),
            problem,
            "add the file of a format that names it (problem.yaml, init.yml, ...), or move it elsewhere",
        );
    }
    Ok(())
}

/// Whether an entry is, by its name, a program that decides about outputs or a folder of such.
fn decides(entry: &Entry) -> bool {
    let Some(name) = entry.text().map(str::to_lowercase) else { return false };
    match entry.kind {
        Kind::Directory => FOLDERS.contains(&name.as_str()),
        Kind::File => {
            let Some((stem, ending)) = name.rsplit_once('.') else { return false };
            PROGRAMS.contains(&ending)
                && (DECIDERS.iter().any(|word| stem.ends_with(word) || is_word_at_start(stem, word))
                    || is_word_at_start(stem, CHECK))
        }
        Kind::Unusable(_) => false,
    }
}

fn is_word_at_start(stem: &str, word: &str) -> bool {
    stem.strip_prefix(word).is_some_and(|rest| !rest.starts_with(char::is_alphabetic))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::path::PathBuf;

    use super::*;

    fn entry(name: &str, kind: Kind) -> Entry {
        Entry { name: OsString::from(name), path: PathBuf::from(name), kind }
    }

    #[test]
    fn checkers_are_told_by_their_names() {
        for name in
            ["check.cpp", "chk.cc", "Checker.java", "spj.c", "abcchk.cpp", "my_checker.py", "interactor.cpp"]
        {
            assert!(decides(&entry(name, Kind::File)), "{name}");
        }
        for name in ["main.cpp", "check.txt", "gen.py", "checker", "checkers_game.cpp", "chkin.in", "1.in"] {
            assert!(!decides(&entry(name, Kind::File)), "{name}");
        }
        assert!(decides(&entry("output_validators", Kind::Directory)));
        assert!(!decides(&entry("easy", Kind::Directory)));
    }
}
