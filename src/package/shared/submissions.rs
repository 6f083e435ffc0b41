//! Reads the jury's submissions in `submissions/`, with the expected result of each.

use std::path::{Path, PathBuf};

use super::expectation;
use super::expectation::{OFFICIAL, PerTest};
use super::submissions_yaml::{SubmissionRule, SubmissionsYaml, combine, parse_submissions_yaml};
use crate::nearest::nearest;
use crate::package::model::{Expectation, JurySubmission, ScoreRange, TestLimits};
use crate::package::source::diagnostics::Diagnostics;
use crate::package::source::error::{PackageError, one_line, shown};
use crate::package::source::tree::{Entry, Kind, Tree, read_at_most, read_text};

/// Endings of files that are no programs: notes, data, what compilers and editors leave.
const NO_PROGRAMS: &[&str] = &[
    ".ans",
    ".bak",
    ".class",
    ".desc",
    ".disabled",
    ".exe",
    ".in",
    ".json",
    ".log",
    ".md",
    ".o",
    ".orig",
    ".out",
    ".pdf",
    ".png",
    ".pyc",
    ".rej",
    ".swp",
    ".txt",
    ".yaml",
    ".yml",
    "~",
];

/// Results that tags name.
const RESULTS: [&str; 6] =
    ["CORRECT", "WRONG-ANSWER", "TIMELIMIT", "RUN-ERROR", "COMPILER-ERROR", "OUTPUT-LIMIT"];

/// Where tags are looked for in a source; no code limit comes near it.
const TAG_SEARCH: u64 = 4 << 20;

/// The meaning of a folder's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Demands {
    /// A final verdict (legacy, as problemtools checks it).
    OfWhole,
    /// Verdicts that tests may get, and one that some test must (2025-09, "Default directories").
    OfTests,
}

/// Reads the submissions of a package, where it has any. Errors concern verification alone.
pub(crate) fn of_package(
    tree: &Tree,
    entries: &[Entry],
    demands: Demands,
    diagnostics: &mut Diagnostics,
    warnings: &mut Vec<String>,
) -> Vec<JurySubmission> {
    let Some(directory) = Tree::find(entries, "submissions") else { return Vec::new() };
    let read = read(tree, directory, demands, warnings);
    diagnostics.keep_for_verification(read).unwrap_or_default()
}

/// Reads all submissions, folders and names in order.
///
/// # Errors
/// When `submissions.yaml` or a tag is wrong, or something cannot be read.
pub(crate) fn read(
    tree: &Tree,
    directory: &Entry,
    demands: Demands,
    warnings: &mut Vec<String>,
) -> Result<Vec<JurySubmission>, PackageError> {
    if directory.kind != Kind::Directory {
        directory.usable()?;
        warnings.push("submissions is a file, not a folder: there are no jury submissions".to_owned());
        return Ok(Vec::new());
    }
    let entries = tree.entries(&directory.path, 1)?;
    let rules = match Tree::find(&entries, "submissions.yaml") {
        Some(entry) => {
            parse_submissions_yaml(&read_text(entry)?).map_err(|error| error.in_file(&entry.path))?
        }
        None => SubmissionsYaml::default(),
    };
    warnings.extend(rules.warnings.iter().cloned());
    let mut reader =
        Reader { tree, demands, rules: &rules.rules, used: vec![false; rules.rules.len()], warnings };
    let mut submissions = Vec::new();
    for folder in entries.iter().filter(|entry| !entry.is_hidden()) {
        match folder.kind {
            Kind::Directory => reader.folder(folder, &mut submissions)?,
            Kind::Unusable(problem) => reader.skip(&folder.path, problem),
            Kind::File => {}
        }
    }
    for (rule, used) in rules.rules.iter().zip(&reader.used) {
        if !used && expectation::of_folder(&rule.pattern).is_none() {
            reader.warnings.push(format!(
                "submissions/submissions.yaml:{}: '{}' matches no submission",
                rule.line,
                one_line(&rule.pattern)
            ));
        }
    }
    Ok(submissions)
}

struct Reader<'a> {
    tree: &'a Tree,
    demands: Demands,
    rules: &'a [SubmissionRule],
    used: Vec<bool>,
    warnings: &'a mut Vec<String>,
}

impl Reader<'_> {
    fn skip(&mut self, path: &Path, problem: &str) {
        let place = path.strip_prefix(self.tree.root()).unwrap_or(path);
        self.warnings.push(format!("{}: not judged: {problem}", shown(place)));
    }

    fn folder(&mut self, folder: &Entry, submissions: &mut Vec<JurySubmission>) -> Result<(), PackageError> {
        let Ok(folder_name) = folder.reportable() else {
            self.skip(&folder.path, "its name is not UTF-8 or holds control characters");
            return Ok(());
        };
        for entry in self.tree.entries(&folder.path, 2)? {
            if entry.is_hidden() || entry.name == "__pycache__" || is_no_program(&entry) {
                continue;
            }
            let Ok(name) = entry.reportable() else {
                self.skip(&entry.path, "its name is not UTF-8 or holds control characters");
                continue;
            };
            let name = format!("{folder_name}/{name}");
            let files = match entry.kind {
                Kind::File => vec![entry.path.clone()],
                Kind::Directory => self.directory(&entry)?,
                Kind::Unusable(problem) => {
                    self.skip(&entry.path, problem);
                    continue;
                }
            };
            if files.is_empty() {
                continue;
            }
            if let Some(submission) = self.submission(folder_name, name, files)? {
                submissions.push(submission);
            }
        }
        Ok(())
    }

    /// The files of a submission that is a directory: those directly in it.
    fn directory(&mut self, entry: &Entry) -> Result<Vec<PathBuf>, PackageError> {
        let mut files = Vec::new();
        for file in self.tree.entries(&entry.path, 3)? {
            if file.is_hidden()
                || file.name == "__pycache__"
                || file.ends_with(".class")
                || file.ends_with("~")
            {
                continue;
            }
            if matches!(file.text(), Some("build" | "run")) && file.kind == Kind::File {
                self.skip(&entry.path, "it brings its own build or run script");
                return Ok(Vec::new());
            }
            match file.kind {
                Kind::File if file.reportable().is_ok() => files.push(entry.path.join(&file.name)),
                Kind::File => self.skip(&file.path, "its name is not UTF-8 or holds control characters"),
                Kind::Directory => self.skip(&file.path, "folders within a submission are left out"),
                Kind::Unusable(problem) => self.skip(&file.path, problem),
            }
        }
        if files.is_empty() {
            self.skip(&entry.path, "there are no source files in it");
        }
        Ok(files)
    }

    fn submission(
        &mut self,
        folder: &str,
        name: String,
        mut files: Vec<PathBuf>,
    ) -> Result<Option<JurySubmission>, PackageError> {
        let mut rules = Vec::new();
        for (rule, used) in self.rules.iter().zip(&mut self.used) {
            if rule.matches(&name) {
                *used = true;
                rules.push(rule);
            }
        }
        let last = |of: fn(&SubmissionRule) -> Option<&String>| rules.iter().rev().find_map(|rule| of(rule));
        let language = last(|rule| rule.language.as_ref()).cloned();
        let names_entry = order(&mut files, &name, last(|rule| rule.entrypoint.as_ref()).map(String::as_str));
        let warned = self.warnings.len();
        let score = self.expected_score(&name, &files)?;
        let expectation = self.expectation(folder, &name, &files, &rules, score)?;
        let Some(expectation) = expectation else {
            // Unless the reason was given already.
            if self.warnings.len() == warned {
                self.warnings.push(format!(
                    "submissions/{name}: not judged: neither its folder nor a tag nor submissions.yaml says what it \
                     must get{}",
                    meant_folder(folder)
                ));
            }
            return Ok(None);
        };
        let sets_time_limit =
            rules.iter().rev().find_map(|rule| rule.sets_time_limit).unwrap_or(folder == "accepted");
        let limits = TestLimits::default();
        Ok(Some(JurySubmission { name, files, language, expectation, names_entry, limits, sets_time_limit }))
    }

    /// The score that a tag demands.
    fn expected_score(&mut self, name: &str, files: &[PathBuf]) -> Result<Option<ScoreRange>, PackageError> {
        for file in files {
            match expectation::find_expected_score(&read_at_most(file, TAG_SEARCH)?) {
                Some((_, Ok(score))) => return Ok(Some(score)),
                Some((line, Err(word))) => self.warnings.push(format!(
                    "submissions/{name}:{line}: @EXPECTED_SCORE@ is ignored: '{}' is not a number",
                    one_line(&word)
                )),
                None => {}
            }
        }
        Ok(None)
    }

    /// `submissions.yaml`, else the official folders, else the tag, else any other folder that has a meaning.
    fn expectation(
        &mut self,
        folder: &str,
        name: &str,
        files: &[PathBuf],
        rules: &[&SubmissionRule],
        score: Option<ScoreRange>,
    ) -> Result<Option<Expectation>, PackageError> {
        let file = self.tree.root().join("submissions/submissions.yaml");
        if let Some(expectation) = combine(folder, rules).map_err(|error| error.in_file(&file))? {
            return Ok(Some(expectation));
        }
        let by_folder = match self.demands {
            Demands::OfWhole => expectation::of_folder(folder),
            Demands::OfTests => expectation::per_test(folder)
                .map(PerTest::into_expectation)
                .or_else(|| expectation::of_folder(folder)),
        };
        let by_folder = match (by_folder, score) {
            (None, Some(_)) => Some(Expectation { score, ..Expectation::default() }),
            (expectation, _) => expectation.map(|expectation| Expectation { score, ..expectation }),
        };
        let official = OFFICIAL.contains(&folder);
        for file in files {
            let Some((line, names)) = expectation::find_expected_results(&read_at_most(file, TAG_SEARCH)?)
            else {
                continue;
            };
            let mut verdicts = Vec::new();
            for result in &names {
                match expectation::of_tag(result) {
                    Some(named) => verdicts.extend(named),
                    None if official => {}
                    // One wrong file must not keep the others from being judged.
                    None => {
                        self.warnings.push(unknown_result(name, line, result));
                        return Ok(None);
                    }
                }
            }
            verdicts.sort_by_key(|verdict| *verdict as u8);
            verdicts.dedup();
            if official {
                let folder_allows = expectation::of_folder(folder).map(|expectation| expectation.verdicts);
                if folder_allows
                    .is_some_and(|allowed| verdicts.iter().any(|verdict| !allowed.contains(verdict)))
                {
                    self.warnings.push(format!(
                        "submissions/{name}:{line}: @EXPECTED_RESULTS@ is ignored in the folder {folder}, which says \
                         what it must get"
                    ));
                }
            } else if !verdicts.is_empty() {
                return Ok(Some(Expectation { verdicts, score, ..Expectation::default() }));
            }
        }
        Ok(by_folder)
    }
}

/// The warning about a tag with a result that does not exist.
fn unknown_result(name: &str, line: u64, result: &str) -> String {
    let meant = nearest(&result.to_ascii_uppercase(), RESULTS.iter().copied());
    let meant = meant.map_or_else(String::new, |meant| format!(": did you mean '{meant}'?"));
    format!(
        "submissions/{name}:{line}: not judged: @EXPECTED_RESULTS@: '{}' is not a result{meant} (use {} or gavel's ids, with \
         commas)",
        one_line(result),
        RESULTS.join(", ")
    )
}

/// The folder that a misspelt name may mean, as the end of a warning.
fn meant_folder(folder: &str) -> String {
    const MORE: [&str; 4] = ["partially_accepted", "rejected", "brute_force", "compiler_error"];
    let meant = nearest(folder, OFFICIAL.into_iter().chain(MORE));
    meant.map_or_else(String::new, |meant| format!("; did you mean the folder '{meant}'?"))
}

/// Whether a file is none by its name: notes, data, what compilers and editors leave.
pub(crate) fn is_no_program(entry: &Entry) -> bool {
    if entry.kind == Kind::Directory {
        return false;
    }
    let name = entry.name.to_string_lossy().to_ascii_lowercase();
    name == "readme" || name == "makefile" || NO_PROGRAMS.iter().any(|ending| name.ends_with(ending))
}

/// Puts the entry point first: the named one, else a file called main, else one called like the submission. Returns
/// whether it is the named one.
fn order(files: &mut [PathBuf], name: &str, entrypoint: Option<&str>) -> bool {
    let stem = |path: &Path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let submission = name.rsplit('/').next().unwrap_or(name);
    let rank = |path: &PathBuf| {
        let stem = stem(path).unwrap_or_default();
        let is_entry = |entry: &str| stem == entry || path.file_name().is_some_and(|name| name == entry);
        match entrypoint {
            Some(entry) if is_entry(entry) || stem == entry.rsplit('.').next().unwrap_or(entry) => 0,
            _ if stem.eq_ignore_ascii_case("main") || stem == "__main__" => 1,
            _ if stem.eq_ignore_ascii_case(submission) => 2,
            _ => 3,
        }
    };
    files.sort_by_key(rank);
    entrypoint.is_some() && files.first().is_some_and(|first| rank(first) == 0)
}
