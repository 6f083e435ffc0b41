//! The legacy ICPC/Kattis format: <https://www.kattis.com/problem-package-format/spec/legacy.html>.
//!
//! Where the specification and Kattis' own problemtools differ, problemtools is followed: packages are tested
//! with it. That concerns the order of tests (files and folders of one folder together, by file name), the
//! inheritance of `testdata.yaml`, the flags of `problem.yaml` coming before those of a folder, and grading (`grading`).

use std::path::Path;
use std::time::Duration;

use super::problem_yaml::{ProblemYaml, Validation, read_problem_yaml};
use super::testdata_yaml::parse_testdata_yaml;
use crate::checker::{Comparator, FlagError, Protocol};
use crate::package::library::Stash;
use crate::package::model::{
    Check, CheckerProgram, Format, Interaction, Interactor, JuryProgram, MultiPass, Package, PackageLimits,
    Test, TimeLimit, TimeMargins, ValidatorArguments, Verification,
};
use crate::package::shared::bapctools::overlay as bapctools;
use crate::package::shared::constants::Constants;
use crate::package::shared::grading::Folder;
use crate::package::shared::names::{data_folder, mention_misspelt_folders, short_name, stem, unpaired};
use crate::package::shared::submissions::Demands;
use crate::package::shared::time_limit_files::{DomjudgeIni, parse_domjudge_ini, parse_timelimit};
use crate::package::shared::{
    cases, grading, included, programs, statement_title as title, submissions, validators,
};
use crate::package::source::diagnostics::{Trouble, did_you_mean};
use crate::package::source::error::{PackageError, one_line};
use crate::package::source::tree::{Entry, Kind, Tree, below, read_text};
use crate::package::source::values::words;

/// Stands for a limit that cannot be read, in a package that is refused for it.
const UNKNOWN_TIME: Duration = Duration::from_secs(1);

/// Where custom output validators are; the second is the newer formats' name, which DOMjudge reads as well.
const FOLDERS: [&str; 2] = ["output_validators", "output_validator"];

/// Loads the package at `tree`, whose own directory holds `entries`.
pub(crate) fn load(
    tree: &Tree,
    entries: &[Entry],
    stash: Option<&Stash>,
    trouble: &mut Trouble,
) -> Result<Package, PackageError> {
    let root = tree.root();
    let mut warnings = Vec::new();
    let mut problem = match Tree::find(entries, "problem.yaml") {
        Some(entry) => {
            let text = trouble.keep(read_text(entry)).unwrap_or_default();
            read_problem_yaml(&text, &entry.path, trouble)
        }
        None => ProblemYaml::default(),
    };
    let ini = Tree::find(entries, "domjudge-problem.ini").and_then(|entry| {
        let read = || parse_domjudge_ini(&read_text(entry)?).map_err(|error| error.in_file(&entry.path));
        trouble.keep(read())
    });
    let ini = ini.unwrap_or_default();
    warnings.append(&mut problem.warnings);
    if Tree::find(entries, "problem.yaml").is_none() {
        warnings.push("problem.yaml: it is missing; the format's defaults hold".to_owned());
    }
    mention_unused_folders(entries, &problem, &mut warnings);
    mention_misspelt_folders(entries, &mut warnings);
    let validator = output_validator(tree, entries, &problem, &mut warnings);
    let validator = trouble.keep(validator).flatten();
    let limits = problem.validation_limits;
    let mut verification = Verification {
        input_validators: validators::inputs(tree, entries, limits, &mut warnings),
        margins: TimeMargins {
            accepted: problem.time_multiplier,
            rejected: problem.time_safety_margin,
            ..TimeMargins::default()
        },
        ..Verification::default()
    };
    let submissions = match Tree::find(entries, "submissions") {
        Some(entry) => {
            let read = submissions::read(tree, entry, Demands::OfWhole, &mut warnings);
            trouble.keep_for_verification(read).unwrap_or_default()
        }
        None => Vec::new(),
    };
    let time = time_limit(entries, &problem, &ini, &mut warnings);
    let time = trouble.keep(time).unwrap_or(TimeLimit::Fixed(UNKNOWN_TIME));
    if matches!(time, TimeLimit::FromSubmissions { .. })
        && !submissions.iter().any(|submission| submission.sets_time_limit)
    {
        warnings.push(
            "no time limit: there is none in problem.yaml, domjudge-problem.ini or .timelimit, and no accepted \
             submission to derive it from"
                .to_owned(),
        );
    }
    let mut tests = Vec::new();
    let mut folders = Vec::new();
    let rules = bapctools::Problem {
        prints_answers: !problem.interactive && problem.passes.is_none(),
        reads_settings: false,
        constants: &Constants::default(),
    };
    let overlay = bapctools::overlay(tree, entries, &rules, stash, &mut warnings)?;
    let (shown, inside) = match &overlay {
        Some(overlay) => (&overlay.tree, overlay.entries.as_slice()),
        None => (tree, entries),
    };
    {
        let validator = validator.as_ref().map(|program| program.name.as_str());
        let mut walk = Walk {
            tree: shown,
            problem: &problem,
            validator,
            tests: &mut tests,
            folders: &mut folders,
            verification: &mut verification,
            warnings: &mut warnings,
            trouble: &mut *trouble,
        };
        let walked = data_folder(root, inside).and_then(|data| walk.data(data));
        bapctools::in_author_s_words(overlay.as_ref(), root, walked, &mut folders, trouble)?;
    }
    let mut checkers = Vec::new();
    let mut interaction = Interaction::None;
    if let Some(program) = validator {
        let (protocol, limits) = (Protocol::Kattis, problem.validation_limits);
        let scores = problem.grading.custom_score;
        if problem.interactive {
            interaction = Interaction::Interactive(Interactor {
                program,
                protocol,
                call: None,
                limits,
                scores,
                unbuffered: false,
            });
        } else {
            checkers.push(CheckerProgram { program, protocol, call: None, limits, scores });
        }
    }
    let includes = match Tree::find(entries, "include") {
        Some(entry) => trouble.keep(included::read(tree, entry, &mut warnings)).unwrap_or_default(),
        None => Vec::new(),
    };
    let limits = PackageLimits {
        time,
        wall: None,
        memory: problem.memory,
        output: problem.output,
        code: problem.code,
        processes: None,
        compilation_time: problem.compilation_time,
        compilation_memory: problem.compilation_memory,
    };
    let name = short_name(root);
    let title = problem.name.or(ini.name).or_else(|| title::of_statement(tree, entries));
    let mut package = Package {
        title: title.unwrap_or_else(|| name.clone()),
        tests,
        checkers,
        interaction,
        passes: problem.passes.map(|limit| MultiPass { limit }),
        includes,
        verification,
        submissions,
        warnings,
        ..Package::new(name, root.to_owned(), Format::KattisLegacy, limits)
    };
    if let Some(overlay) = overlay {
        overlay.fill(&mut package, trouble)?;
    }
    package.group_by_folders();
    let graders = match Tree::find(entries, "graders").filter(|entry| entry.kind == Kind::Directory) {
        Some(folder) => trouble.keep(programs::find(tree, folder)).unwrap_or_default(),
        None => Vec::new(),
    };
    trouble.keep(grading::apply(&mut package, &problem.grading, &folders, graders));
    Ok(package)
}

/// Mentions programs that have no effect.
fn mention_unused_folders(entries: &[Entry], problem: &ProblemYaml, warnings: &mut Vec<String>) {
    let is_custom = problem.validation == Validation::Custom;
    for name in FOLDERS.iter().filter(|_| !is_custom) {
        if Tree::find(entries, name).is_some_and(|entry| entry.kind == Kind::Directory) {
            warnings.push(format!("{name}: not used, because nothing asks for it"));
        }
    }
}

/// The custom output validator, where the problem has one: the first of several, as in problemtools.
fn output_validator(
    tree: &Tree,
    entries: &[Entry],
    problem: &ProblemYaml,
    warnings: &mut Vec<String>,
) -> Result<Option<JuryProgram>, PackageError> {
    if problem.validation == Validation::Default {
        return Ok(None);
    }
    let program = validators::output(tree, entries, &FOLDERS, warnings)?;
    if program.is_none() {
        let file = tree.root().join("problem.yaml");
        let missing = "'custom' asks for a program in output_validators, and there is none";
        return Err(PackageError::value(
            problem.validation_line,
            "validation",
            missing,
            "add it, or use default",
        )
        .in_file(&file));
    }
    Ok(program)
}

/// `problem.yaml`, then `domjudge-problem.ini`, then `.timelimit`, then the accepted submissions.
fn time_limit(
    entries: &[Entry],
    problem: &ProblemYaml,
    ini: &DomjudgeIni,
    warnings: &mut Vec<String>,
) -> Result<TimeLimit, PackageError> {
    let file = match Tree::find(entries, ".timelimit") {
        Some(entry) => Some(parse_timelimit(&read_text(entry)?).map_err(|error| error.in_file(&entry.path))?),
        None => None,
    };
    let found = [
        ("problem.yaml", problem.time_limit),
        ("domjudge-problem.ini", ini.time_limit),
        (".timelimit", file),
    ];
    let mut given = found.into_iter().filter_map(|(name, limit)| Some((name, limit?)));
    let Some((first, limit)) = given.next() else {
        return Ok(TimeLimit::FromSubmissions {
            multiplier: problem.time_multiplier,
            resolution: Duration::from_secs(1),
        });
    };
    for (other, differing) in given.filter(|(_, other)| *other != limit) {
        warnings.push(format!(
            "{other}: its time limit of {}s is ignored for that of {first}, {}s",
            differing.as_secs_f64(),
            limit.as_secs_f64()
        ));
    }
    Ok(TimeLimit::Fixed(limit))
}

struct Walk<'a> {
    tree: &'a Tree,
    problem: &'a ProblemYaml,
    /// Name of the custom validator.
    validator: Option<&'a str>,
    tests: &'a mut Vec<Test>,
    /// What the folders say of grading.
    folders: &'a mut Vec<Folder>,
    verification: &'a mut Verification,
    warnings: &'a mut Vec<String>,
    trouble: &'a mut Trouble,
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
    fn data(&mut self, data: &Entry) -> Result<(), PackageError> {
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
                    self.trouble.keep(read);
                }
                (Kind::Unusable(_), Some("sample" | "secret")) => self.trouble.errors(entry.usable()),
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
        if self.tests.is_empty() && !self.trouble.is_broken() {
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
        self.trouble.keep(read).unwrap_or_else(|| inherited.clone())
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
            self.trouble.keep(read);
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
