//! Reads `data/` of ICPC 2025-09 packages: tests with their settings and files.
//!
//! The `.in` file makes the test, its `.ans` must be there, and what else carries its name without it is refused.
//! `sample` holds tests, `secret` tests or groups, each a folder; folders in groups only sort their tests.

use std::path::Path;

use super::problem_yaml::IcpcProblemYaml;
use crate::checker::Comparator;
use crate::package::model::{Check, Test, ValidatorArguments, Verification};
use crate::package::shared::grading::Grading;
use crate::package::shared::names::{stem, unpaired};
use crate::package::shared::test_settings::{CaseSettings, GroupScoring, SettingsFile, parse_test_settings};
use crate::package::shared::{cases, grading, programs};
use crate::package::source::diagnostics::{Diagnostics, did_you_mean};
use crate::package::source::error::{PackageError, one_line};
use crate::package::source::tree::{Entry, Kind, Tree, below, read_text};

/// Files that may lie beside a test, or in `sample` without one: what statements show and people download.
const SHOWN: &[&str] = &[
    ".ans.download",
    ".ans.statement",
    ".desc",
    ".hint",
    ".in.download",
    ".in.statement",
    ".interaction",
    ".jpeg",
    ".jpg",
    ".out",
    ".png",
    ".svg",
];

/// What a group's file says about scores, by the group's name.
pub(crate) type GroupSettings = (String, GroupScoring);

/// The walk through `data/`.
pub(crate) struct Walk<'a> {
    pub(crate) tree: &'a Tree,
    pub(crate) problem: &'a IcpcProblemYaml,
    pub(crate) is_strict: bool,
    pub(crate) has_validator: bool,
    pub(crate) tests: Vec<Test>,
    pub(crate) groups: Vec<GroupSettings>,
    /// Folders of a draft that are graded as in the legacy format.
    pub(crate) graded: Vec<grading::Folder>,
    pub(crate) verification: &'a mut Verification,
    pub(crate) warnings: &'a mut Vec<String>,
    pub(crate) diagnostics: &'a mut Diagnostics,
}

/// What a test inherits.
#[derive(Debug, Clone)]
struct Inherited {
    arguments: Vec<String>,
    validator_arguments: ValidatorArguments,
    output_arguments: Vec<String>,
    check: Check,
}

/// A folder of tests while it is walked.
struct Folder<'a> {
    directory: &'a Path,
    depth: usize,
    /// Its path below `data`.
    name: String,
    /// The groups its tests stand in.
    groups: Vec<String>,
    inherited: Inherited,
}

impl Walk<'_> {
    /// Reads all of `data/`.
    pub(crate) fn data(&mut self, data: &Entry) -> Result<(), PackageError> {
        let entries = self.tree.entries(&data.path, 1)?;
        let inherited = Inherited {
            arguments: Vec::new(),
            validator_arguments: ValidatorArguments::default(),
            output_arguments: Vec::new(),
            check: self
                .check(&[], 0)
                .map_err(|error| error.in_file(&self.tree.root().join("problem.yaml")))?,
        };
        let inherited = match self.settings_file(&entries) {
            // The format has them in sample, secret and its groups; problems of BAPCtools have them for all tests here.
            Some(entry) => {
                let read = self.group_settings(entry, "", &inherited);
                self.diagnostics.keep(read).unwrap_or(inherited)
            }
            None => inherited,
        };
        for entry in &entries {
            match (entry.kind, entry.text()) {
                (Kind::Directory, Some(name @ ("sample" | "secret"))) => self.folder(&Folder {
                    directory: &entry.path,
                    depth: 2,
                    name: name.to_owned(),
                    groups: vec![name.to_owned()],
                    inherited: inherited.clone(),
                })?,
                (Kind::Unusable(_), Some("sample" | "secret")) => self.diagnostics.errors(entry.usable()),
                (Kind::Directory, Some(name)) if let Some(kind) = cases::Kind::of_folder(name) => {
                    let inherited = cases::Arguments {
                        input: inherited.validator_arguments.clone(),
                        output: inherited.output_arguments.clone(),
                    };
                    let strict = self.is_strict;
                    let read = cases::read(
                        self.tree,
                        entry,
                        kind,
                        &inherited,
                        strict,
                        self.verification,
                        self.warnings,
                    );
                    self.diagnostics.keep(read);
                }
                (Kind::Directory, name) if !entry.is_hidden() => self.warnings.push(format!(
                    "{}: not judged: only data/sample and data/secret are{}",
                    below(self.tree.root(), &entry.path),
                    did_you_mean(name.unwrap_or_default(), ["sample", "secret"])
                )),
                _ if entry.ends_with(".in") => self.warnings.push(format!(
                    "{}: not judged: only data/sample and data/secret are",
                    below(self.tree.root(), &entry.path)
                )),
                _ => {}
            }
        }
        if self.tests.is_empty() {
            if self.diagnostics.is_broken() {
                return Ok(());
            }
            return Err(PackageError::NotAPackage {
                path: data.path.clone(),
                problem: "there are no tests in sample or secret".to_owned(),
                remedy: "add pairs of files NAME.in and NAME.ans",
            });
        }
        // The format demands some; what is there can be judged all the same, and problems are prepared samples first.
        if self.tests.iter().all(|test| test.sample) {
            self.warnings
                .push("data/secret: there are no tests in it: only the samples are judged".to_owned());
        }
        Ok(())
    }

    /// The file of a folder's settings; drafts called it `testdata.yaml`.
    fn settings_file<'e>(&self, entries: &'e [Entry]) -> Option<&'e Entry> {
        let older = || Tree::find(entries, "testdata.yaml").filter(|_| !self.is_strict);
        Tree::find(entries, "test_group.yaml").or_else(older)
    }

    fn group_settings(
        &mut self,
        entry: &Entry,
        name: &str,
        inherited: &Inherited,
    ) -> Result<Inherited, PackageError> {
        let (inherited, settings) = self.read_settings(entry, SettingsFile::Group, inherited)?;
        if settings.grading != Grading::default() {
            let (group, file) = (name.to_owned(), entry.path.clone());
            self.graded.push(grading::Folder { group, file, grading: settings.grading });
        }
        let scoring = settings.scoring;
        if let Some((key, line)) = &scoring.first_key {
            let wrong = |problem: &str, remedy: &str| {
                Err(PackageError::value(*line, key, problem, remedy).in_file(&entry.path))
            };
            if !self.problem.scoring {
                return wrong("only scoring problems have it", "remove it, or add scoring to type");
            }
            if name == "sample" {
                return wrong("samples have no score", "remove it");
            }
            self.groups.push((name.to_owned(), scoring));
        }
        Ok(inherited)
    }

    /// Settings of a folder in a group, which BAPCtools allows: its arguments hold there, and nothing else makes sense.
    fn inner_settings(&mut self, entry: &Entry, inherited: &Inherited) -> Result<Inherited, PackageError> {
        let (inherited, settings) = self.read_settings(entry, SettingsFile::Group, inherited)?;
        if let Some((key, line)) = settings.scoring.first_key {
            let problem = "a folder in a group has no score of its own";
            return Err(PackageError::value(line, &key, problem, "move it to the group's folder")
                .in_file(&entry.path));
        }
        Ok(inherited)
    }

    /// What holds with the settings of a file, and the settings themselves.
    fn read_settings(
        &mut self,
        entry: &Entry,
        which: SettingsFile,
        inherited: &Inherited,
    ) -> Result<(Inherited, CaseSettings), PackageError> {
        let mut text = read_text(entry)?;
        if which == SettingsFile::Group
            && let Some(replaced) = self.problem.constants.replace(text.as_bytes())
        {
            text = String::from_utf8_lossy(&replaced).into_owned();
        }
        let mut settings =
            parse_test_settings(&text, which, self.is_strict).map_err(|error| error.in_file(&entry.path))?;
        let place = below(self.tree.root(), &entry.path);
        self.warnings.extend(settings.warnings.drain(..).map(|warning| format!("{place}{warning}")));
        let mut inherited = inherited.clone();
        if let Some(arguments) = settings.args.take() {
            inherited.arguments = arguments;
        }
        if let Some(arguments) = settings.input_validator_args.take() {
            inherited.validator_arguments = arguments;
        }
        if let Some(arguments) = settings.output_validator_args.take() {
            inherited.check = self
                .check(&arguments, settings.output_validator_line)
                .map_err(|error| error.in_file(&entry.path))?;
            inherited.output_arguments = arguments;
        }
        Ok((inherited, settings))
    }

    /// What checks outputs with these arguments.
    fn check(&self, arguments: &[String], line: u64) -> Result<Check, PackageError> {
        if let Some(check) = custom_check(self.problem, self.has_validator, arguments) {
            return Ok(check);
        }
        let flags: Vec<_> =
            self.problem.validator_flags.iter().chain(arguments).map(String::as_str).collect();
        Comparator::from_validator_flags(&flags.join(" ")).map(Check::BuiltIn).map_err(|problem| {
            PackageError::value(
                line,
                "output_validator_args",
                problem.to_string(),
                "correct or remove the argument",
            )
        })
    }

    fn folder(&mut self, folder: &Folder<'_>) -> Result<(), PackageError> {
        let entries = self.tree.entries(folder.directory, folder.depth)?;
        let is_group = folder.groups.last() == Some(&folder.name);
        let inherited = match self.settings_file(&entries) {
            Some(entry) if is_group || !self.is_strict => {
                let read = self.group_settings(entry, &folder.name, &folder.inherited);
                self.diagnostics.keep(read).unwrap_or_else(|| folder.inherited.clone())
            }
            Some(entry) => {
                let read = self.inner_settings(entry, &folder.inherited);
                self.diagnostics.keep(read).unwrap_or_else(|| folder.inherited.clone())
            }
            None => folder.inherited.clone(),
        };
        let before = self.tests.len();
        let mut subfolders = 0_usize;
        for entry in entries.iter().filter(|entry| !entry.is_hidden()) {
            subfolders += usize::from(entry.kind == Kind::Directory && !entry.ends_with(".files"));
            let read = self.entry(folder, &entries, entry, &inherited);
            self.diagnostics.keep(read);
        }
        let own = self.tests[before..].iter().filter(|test| test.groups == folder.groups).count();
        if folder.name == "secret" && own > 0 && subfolders > 0 {
            self.mixed(folder)?;
        }
        let is_whole = !self.diagnostics.is_broken();
        if is_group && folder.name.contains('/') && self.tests.len() == before && self.is_strict && is_whole {
            return Err(PackageError::NotAPackage {
                path: folder.directory.to_owned(),
                problem: "there are no tests in the group".to_owned(),
                remedy: "add pairs of files NAME.in and NAME.ans, or remove the folder",
            });
        }
        Ok(())
    }

    fn entry(
        &mut self,
        folder: &Folder<'_>,
        entries: &[Entry],
        entry: &Entry,
        inherited: &Inherited,
    ) -> Result<(), PackageError> {
        if !is_allowed_name(entry) {
            if self.is_strict {
                self.warnings.push(not_allowed(self.tree.root(), &folder.directory.join(&entry.name)));
                return Ok(());
            }
            entry.reportable()?;
        }
        entry.usable()?;
        if entry.kind == Kind::Directory {
            if entry.ends_with(".files") {
                return self.belongs_to_a_test(folder, entries, entry, ".files");
            }
            self.subfolder(folder, entry, inherited)?;
        } else if entry.ends_with(".in") {
            self.test(folder, entries, entry, inherited)?;
        } else if entry.ends_with(".ans") {
            self.belongs_to_a_test(folder, entries, entry, ".ans")?;
        } else if entry.ends_with(".yaml")
            && !matches!(entry.text(), Some("test_group.yaml" | "testdata.yaml"))
        {
            self.belongs_to_a_test(folder, entries, entry, ".yaml")?;
        } else if !SHOWN.iter().any(|ending| entry.ends_with(ending))
            && !matches!(entry.text(), Some("test_group.yaml" | "testdata.yaml"))
        {
            let place = below(self.tree.root(), &folder.directory.join(&entry.name));
            self.warnings.push(format!("{place}: not looked at"));
        }
        Ok(())
    }

    /// Tests beside groups.
    fn mixed(&mut self, folder: &Folder<'_>) -> Result<(), PackageError> {
        let problem = "it holds both tests and groups of tests";
        if self.problem.scoring && self.is_strict {
            return Err(PackageError::Invalid {
                file: folder.directory.to_owned(),
                line: None,
                key: String::new(),
                problem: problem.to_owned(),
                remedy: "put every test into a group".to_owned(),
            });
        }
        self.warnings.push(format!("data/{}: {problem}", folder.name));
        Ok(())
    }

    fn subfolder(
        &mut self,
        above: &Folder<'_>,
        entry: &Entry,
        inherited: &Inherited,
    ) -> Result<(), PackageError> {
        let name = format!("{}/{}", above.name, entry.reportable()?);
        let mut groups = above.groups.clone();
        // Folders of `secret` are groups; those further down only sort.
        if above.name == "secret" || !self.is_strict {
            groups.push(name.clone());
        }
        if above.name == "sample" && self.is_strict {
            return Err(PackageError::Invalid {
                file: entry.path.clone(),
                line: None,
                key: String::new(),
                problem: "samples have no groups".to_owned(),
                remedy: "move its tests to data/sample".to_owned(),
            });
        }
        self.folder(&Folder {
            directory: &entry.path,
            depth: above.depth + 1,
            name,
            groups,
            inherited: inherited.clone(),
        })
    }

    fn test(
        &mut self,
        folder: &Folder<'_>,
        entries: &[Entry],
        input: &Entry,
        inherited: &Inherited,
    ) -> Result<(), PackageError> {
        let stem = stem(input, ".in")?;
        let beside = |ending: &str| Tree::find(entries, &format!("{stem}{ending}"));
        let Some(answer) = beside(".ans") else {
            return Err(unpaired(input, folder.directory, stem, "its answer is missing", ".ans"));
        };
        let inherited = match beside(".yaml") {
            Some(entry) if stem != "test_group" && stem != "testdata" => {
                self.read_settings(entry, SettingsFile::Case, inherited)?.0
            }
            _ => inherited.clone(),
        };
        let files = match beside(".files") {
            Some(entry) if entry.kind == Kind::Directory => programs::files(self.tree, entry)?,
            _ => Vec::new(),
        };
        self.tests.push(Test {
            groups: folder.groups.clone(),
            sample: folder.groups.first().is_some_and(|name| name == "sample"),
            check: inherited.check,
            arguments: inherited.arguments,
            files,
            validator_arguments: inherited.validator_arguments,
            ..Test::new(
                format!("{}/{stem}", folder.name),
                input.file()?.to_owned(),
                answer.file()?.to_owned(),
            )
        });
        Ok(())
    }

    /// Refuses what carries the name of a test that is not there.
    fn belongs_to_a_test(
        &mut self,
        folder: &Folder<'_>,
        entries: &[Entry],
        entry: &Entry,
        ending: &str,
    ) -> Result<(), PackageError> {
        let stem = stem(entry, ending)?;
        if Tree::find(entries, &format!("{stem}.in")).is_some() {
            return Ok(());
        }
        if !self.is_strict && ending != ".ans" {
            let place = below(self.tree.root(), &folder.directory.join(&entry.name));
            self.warnings.push(format!("{}: not used: there is no {}.in", place, one_line(stem)));
            return Ok(());
        }
        Err(unpaired(entry, folder.directory, stem, "its input is missing", ".in"))
    }
}

/// The check of a test whose validator gets these arguments; `None` where it is the default validator.
fn custom_check(problem: &IcpcProblemYaml, has_validator: bool, arguments: &[String]) -> Option<Check> {
    let arguments = problem.validator_flags.iter().chain(arguments).cloned().collect();
    match (has_validator, problem.interactive) {
        (false, _) => None,
        (true, true) => Some(Check::Interaction { arguments }),
        (true, false) => Some(Check::Program { checker: 0, arguments }),
    }
}

/// Whether the format allows the name of a file or folder; others are as if they were not there.
fn is_allowed_name(entry: &Entry) -> bool {
    let name = entry.name.as_encoded_bytes();
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.-".contains(byte);
    name.first().is_some_and(|first| first.is_ascii_alphanumeric() || *first == b'_')
        && name.iter().all(is_allowed)
        && name.len() <= 255
}

/// What to say about a name that is not.
fn not_allowed(root: &Path, path: &Path) -> String {
    let place = path.strip_prefix(root).unwrap_or(path);
    format!(
        "{}: not looked at: the format's names are letters, digits, '_', '.' and '-'",
        one_line(&place.to_string_lossy())
    )
}
