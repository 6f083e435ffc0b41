//! Reads `data/` of the legacy format: tests, and the settings that folders inherit.

use std::path::Path;

use super::problem_yaml::ProblemYaml;
use super::testdata_yaml::parse_testdata_yaml;
use crate::checker::{Comparator, FlagError};
use crate::package::model::{Check, Test, ValidatorArguments, Verification};
use crate::package::shared::cases;
use crate::package::shared::grading::Folder;
use crate::package::shared::names::{stem, unpaired};
use crate::package::source::diagnostics::{Diagnostics, did_you_mean};
use crate::package::source::error::{PackageError, one_line};
use crate::package::source::tree::{Entry, Kind, Tree, below, read_text};
use crate::package::source::values::words;

/// The walk through `data/`.
pub(super) struct Walk<'a> {
    pub(super) tree: &'a Tree,
    pub(super) problem: &'a ProblemYaml,
    /// Name of the custom validator.
    pub(super) validator: Option<&'a str>,
    pub(super) tests: &'a mut Vec<Test>,
    /// What the folders say of grading.
    pub(super) folders: &'a mut Vec<Folder>,
    pub(super) verification: &'a mut Verification,
    pub(super) warnings: &'a mut Vec<String>,
    pub(super) diagnostics: &'a mut Diagnostics,
}

/// What the folders of tests inherit.
#[derive(Debug, Clone)]
struct Settings {
    check: Check,
    validator_arguments: ValidatorArguments,
}

/// A folder of tests while it is walked.
struct Group<'a> {
    directory: &'a Path,
    depth: usize,
    /// Its name and those of the folders above it, the outermost first.
    names: Vec<String>,
    sample: bool,
    settings: Settings,
}

impl Walk<'_> {
    /// Reads all of `data/`.
    pub(super) fn data(&mut self, data: &Entry) -> Result<(), PackageError> {
        let entries = self.tree.entries(&data.path, 1)?;
        let default = self.with_flags("").map_err(|problem| {
            wrong_flags(self.problem.validator_flags_line, "validator_flags", problem)
                .in_file(&self.tree.root().join("problem.yaml"))
        })?;
        let default = Settings { check: default, validator_arguments: ValidatorArguments::default() };
        let settings = self.settings("", &entries, &default);
        let mut loose = false;
        for entry in &entries {
            match (entry.kind, entry.text()) {
                (Kind::Directory, Some(name @ ("sample" | "secret"))) => self.group(&Group {
                    directory: &entry.path,
                    depth: 2,
                    names: vec![name.to_owned()],
                    sample: name == "sample",
                    settings: settings.clone(),
                })?,
                (Kind::Directory, Some(name)) if let Some(kind) = cases::Kind::of_folder(name) => {
                    let settings = self.settings(name, &self.tree.entries(&entry.path, 2)?, &settings);
                    let arguments = match &settings.check {
                        Check::BuiltIn(_) => Vec::new(),
                        Check::Program { arguments, .. } | Check::Interaction { arguments } => {
                            arguments.clone()
                        }
                    };
                    let inherited =
                        cases::Arguments { input: settings.validator_arguments, output: arguments };
                    let read = cases::read(
                        self.tree,
                        entry,
                        kind,
                        &inherited,
                        false,
                        self.verification,
                        self.warnings,
                    );
                    self.diagnostics.keep(read);
                }
                (Kind::Unusable(_), Some("sample" | "secret")) => self.diagnostics.errors(entry.usable()),
                (Kind::Directory, name) if !entry.is_hidden() => self.warnings.push(format!(
                    "{}: not judged: only data/sample and data/secret are{}",
                    below(self.tree.root(), &entry.path),
                    did_you_mean(name.unwrap_or_default(), ["sample", "secret"])
                )),
                _ => loose |= entry.ends_with(".in"),
            }
        }
        if loose {
            self.warnings.push("data/*.in: not judged: only data/sample and data/secret are".to_owned());
        }
        if self.tests.is_empty() && !self.diagnostics.is_broken() {
            return Err(PackageError::NotAPackage {
                path: data.path.clone(),
                problem: "there are no tests in sample or secret".to_owned(),
                remedy: "add pairs of files NAME.in and NAME.ans",
            });
        }
        Ok(())
    }

    /// What checks outputs, with the problem's flags and these.
    fn with_flags(&self, flags: &str) -> Result<Check, FlagError> {
        let flags = format!("{} {flags}", self.problem.validator_flags);
        if self.validator.is_none() {
            return Comparator::from_validator_flags(&flags).map(Check::BuiltIn);
        }
        let arguments = words(&flags);
        Ok(if self.problem.interactive {
            Check::Interaction { arguments }
        } else {
            Check::Program { checker: 0, arguments }
        })
    }

    /// What holds in a folder: as in the folder above but for what its `testdata.yaml` says.
    fn settings(&mut self, group: &str, entries: &[Entry], inherited: &Settings) -> Settings {
        let read = self.read_settings(group, entries, inherited);
        self.diagnostics.keep(read).unwrap_or_else(|| inherited.clone())
    }

    fn read_settings(
        &mut self,
        group: &str,
        entries: &[Entry],
        inherited: &Settings,
    ) -> Result<Settings, PackageError> {
        let mut held = inherited.clone();
        let Some(entry) = Tree::find(entries, "testdata.yaml") else { return Ok(held) };
        let mut settings =
            parse_testdata_yaml(&read_text(entry)?).map_err(|error| error.in_file(&entry.path))?;
        if let Some(arguments) = settings.input_validator_flags.take() {
            held.validator_arguments = arguments;
        }
        let place = below(self.tree.root(), &entry.path);
        let place = place.strip_suffix("testdata.yaml").unwrap_or_default();
        self.warnings.extend(settings.warnings.drain(..).map(|warning| format!("{place}{warning}")));
        let grading = std::mem::take(&mut settings.grading);
        self.folders.push(Folder { group: group.to_owned(), file: entry.path.clone(), grading });
        let Some((own, line)) = settings.output_validator_flags else { return Ok(held) };
        if let Some(name) = settings.output_validator
            && !self.validator.is_some_and(|used| is_called(used, &name))
        {
            return Err(PackageError::unsupported(
                line,
                "output_validator_flags.name",
                format!("'{}', another validator than the problem's", one_line(&name)),
                "leave the name out: every test has the problem's own",
            )
            .in_file(&entry.path));
        }
        held.check = self
            .with_flags(&own)
            .map_err(|problem| wrong_flags(line, "output_validator_flags", problem).in_file(&entry.path))?;
        Ok(held)
    }

    fn group(&mut self, above: &Group<'_>) -> Result<(), PackageError> {
        let entries = self.tree.entries(above.directory, above.depth)?;
        let name = above.names.last().map_or("", String::as_str);
        let settings = self.settings(name, &entries, &above.settings);
        for entry in entries.iter().filter(|entry| !entry.is_hidden()) {
            let read = self.entry(above, &entries, entry, &settings);
            self.diagnostics.keep(read);
        }
        Ok(())
    }

    fn entry(
        &mut self,
        above: &Group<'_>,
        entries: &[Entry],
        entry: &Entry,
        settings: &Settings,
    ) -> Result<(), PackageError> {
        // Whatever it was meant to be, tests could be missing without a word.
        entry.usable()?;
        if entry.kind == Kind::Directory {
            let name = format!("{}/{}", above.names.last().map_or("", String::as_str), entry.reportable()?);
            let names = above.names.iter().cloned().chain([name]).collect();
            let (depth, sample) = (above.depth + 1, above.sample);
            let settings = settings.clone();
            self.group(&Group { directory: &entry.path, depth, names, sample, settings })?;
        } else if entry.ends_with(".in") {
            let stem = stem(entry, ".in")?;
            if Tree::find(entries, &format!("{stem}.ans")).is_none() {
                return Err(unpaired(entry, above.directory, stem, "its answer is missing", ".ans"));
            }
        } else if entry.ends_with(".ans") {
            let stem = stem(entry, ".ans")?;
            let Some(input) = Tree::find(entries, &format!("{stem}.in")) else {
                return Err(unpaired(entry, above.directory, stem, "its input is missing", ".in"));
            };
            let name = format!("{}/{stem}", above.names.last().map_or("", String::as_str));
            self.tests.push(Test {
                groups: above.names.clone(),
                sample: above.sample,
                check: settings.check.clone(),
                validator_arguments: settings.validator_arguments.clone(),
                ..Test::new(name, input.file()?.to_owned(), entry.file()?.to_owned())
            });
        }
        Ok(())
    }
}

/// Whether a program at `output_validators/compare.cpp` is the one called `compare` or `compare.cpp`.
fn is_called(path: &str, name: &str) -> bool {
    let own = path.rsplit('/').next().unwrap_or(path);
    own == name || own.rsplit_once('.').is_some_and(|(stem, _)| stem == name)
}

fn wrong_flags(line: u64, key: &str, problem: FlagError) -> PackageError {
    PackageError::value(line, key, problem.to_string(), "correct or remove the flag")
}
