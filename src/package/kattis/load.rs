//! Reads the legacy ICPC/Kattis format: <https://www.kattis.com/problem-package-format/spec/legacy.html>.
//!
//! Where the specification and Kattis' own problemtools differ, problemtools is followed: packages are tested
//! with it. That concerns the order of tests (files and folders of one folder together, by file name), the
//! inheritance of `testdata.yaml`, the flags of `problem.yaml` coming before those of a folder, and grading (`grading`).

use std::time::Duration;

use super::problem_yaml::{ProblemYaml, Validation, read_problem_yaml};
use super::test_data::Walk;
use crate::package::model::{
    Format, JuryProgram, MultiPass, Package, PackageLimits, TimeLimit, TimeMargins, Verification,
};
use crate::package::shared::bapctools::overlay as bapctools;
use crate::package::shared::constants::Constants;
use crate::package::shared::grading::Folder;
use crate::package::shared::names::{data_folder, mention_misspelt_folders, short_name};
use crate::package::shared::submissions::Demands;
use crate::package::shared::time_limit_files::{DomjudgeIni, parse_domjudge_ini, parse_timelimit};
use crate::package::shared::{
    grading, included, programs, statement_title as title, submissions, validators,
};
use crate::package::source::derived::DerivedFiles;
use crate::package::source::diagnostics::Diagnostics;
use crate::package::source::error::PackageError;
use crate::package::source::tree::{Entry, Kind, Tree, read_text};

/// Stands for a limit that cannot be read, in a package that is refused for it.
const UNKNOWN_TIME: Duration = Duration::from_secs(1);

/// Where custom output validators are; the second is the newer formats' name, which DOMjudge reads as well.
const FOLDERS: [&str; 2] = ["output_validators", "output_validator"];

/// Loads the package at `tree`, whose own directory holds `entries`.
pub(crate) fn load(
    tree: &Tree,
    entries: &[Entry],
    derived: Option<&DerivedFiles>,
    diagnostics: &mut Diagnostics,
) -> Result<Package, PackageError> {
    let mut warnings = Vec::new();
    let (problem, ini) = problem_files(entries, diagnostics, &mut warnings);
    mention_unused_folders(entries, &problem, &mut warnings);
    mention_misspelt_folders(entries, &mut warnings);
    let validator = output_validator(tree, entries, &problem, &mut warnings);
    let validator = diagnostics.keep(validator).flatten();
    let verification = verification(tree, entries, &problem, &mut warnings);
    let submissions = submissions::of_package(tree, entries, Demands::OfWhole, diagnostics, &mut warnings);
    let time = time_limit(entries, &problem, &ini, &mut warnings);
    let time = diagnostics.keep(time).unwrap_or(TimeLimit::Fixed(UNKNOWN_TIME));
    let (root, name) = (tree.root(), short_name(tree.root()));
    let title = problem.name.clone().or(ini.name).or_else(|| title::of_statement(tree, entries));
    let mut package = Package {
        title: title.unwrap_or_else(|| name.clone()),
        passes: problem.passes.map(|limit| MultiPass { limit }),
        verification,
        submissions,
        warnings,
        ..Package::new(name, root.to_owned(), Format::KattisLegacy, limits(&problem, time))
    };
    mention_missing_time_limit(&mut package);
    let validator_name = validator.as_ref().map(|program| program.name.as_str());
    let (overlay, folders) =
        tests(tree, entries, &problem, validator_name, derived, &mut package, diagnostics)?;
    if let Some(program) = validator {
        let (limits, scores) = (problem.validation_limits, problem.grading.custom_score);
        validators::use_output(&mut package, program, problem.interactive, limits, scores);
    }
    package.includes = included::of_package(tree, entries, diagnostics, &mut package.warnings);
    if let Some(overlay) = overlay {
        overlay.fill(&mut package, diagnostics)?;
    }
    package.group_by_folders();
    let graders = match Tree::find(entries, "graders").filter(|entry| entry.kind == Kind::Directory) {
        Some(folder) => diagnostics.keep(programs::find(tree, folder)).unwrap_or_default(),
        None => Vec::new(),
    };
    diagnostics.keep(grading::apply(&mut package, &problem.grading, &folders, graders));
    Ok(package)
}

/// Reads `problem.yaml` and `domjudge-problem.ini`.
fn problem_files(
    entries: &[Entry],
    diagnostics: &mut Diagnostics,
    warnings: &mut Vec<String>,
) -> (ProblemYaml, DomjudgeIni) {
    let yaml = Tree::find(entries, "problem.yaml");
    let mut problem = match yaml {
        Some(entry) => {
            let text = diagnostics.keep(read_text(entry)).unwrap_or_default();
            read_problem_yaml(&text, &entry.path, diagnostics)
        }
        None => ProblemYaml::default(),
    };
    let ini = Tree::find(entries, "domjudge-problem.ini").and_then(|entry| {
        let read = || parse_domjudge_ini(&read_text(entry)?).map_err(|error| error.in_file(&entry.path));
        diagnostics.keep(read())
    });
    warnings.append(&mut problem.warnings);
    if yaml.is_none() {
        warnings.push("problem.yaml: it is missing; the format's defaults hold".to_owned());
    }
    (problem, ini.unwrap_or_default())
}

/// Reads the input validators, and the margins of the time limit.
fn verification(
    tree: &Tree,
    entries: &[Entry],
    problem: &ProblemYaml,
    warnings: &mut Vec<String>,
) -> Verification {
    Verification {
        input_validators: validators::inputs(tree, entries, problem.validation_limits, warnings),
        margins: TimeMargins {
            accepted: problem.time_multiplier,
            rejected: problem.time_safety_margin,
            ..TimeMargins::default()
        },
        ..Verification::default()
    }
}

fn limits(problem: &ProblemYaml, time: TimeLimit) -> PackageLimits {
    PackageLimits {
        memory: problem.memory,
        output: problem.output,
        code: problem.code,
        compilation_time: problem.compilation_time,
        compilation_memory: problem.compilation_memory,
        ..PackageLimits::new(time)
    }
}

/// Mentions that there is no time limit, nor a submission to derive it from.
fn mention_missing_time_limit(package: &mut Package) {
    if matches!(package.limits.time, TimeLimit::FromSubmissions { .. })
        && !package.submissions.iter().any(|submission| submission.sets_time_limit)
    {
        package.warnings.push(
            "no time limit: there is none in problem.yaml, domjudge-problem.ini or .timelimit, and no accepted \
             submission to derive it from"
                .to_owned(),
        );
    }
}

/// Reads `data/`, with the tests that BAPCtools would generate; returns what replaces those, and the folders' grading.
fn tests(
    tree: &Tree,
    entries: &[Entry],
    problem: &ProblemYaml,
    validator: Option<&str>,
    derived: Option<&DerivedFiles>,
    package: &mut Package,
    diagnostics: &mut Diagnostics,
) -> Result<(Option<bapctools::Overlay>, Vec<Folder>), PackageError> {
    let rules = bapctools::Problem {
        prints_answers: !problem.interactive && problem.passes.is_none(),
        reads_settings: false,
        constants: &Constants::default(),
    };
    let overlay = bapctools::overlay(tree, entries, &rules, derived, &mut package.warnings)?;
    let (shown, inside) = match &overlay {
        Some(overlay) => (&overlay.tree, overlay.entries.as_slice()),
        None => (tree, entries),
    };
    let mut folders = Vec::new();
    let mut walk = Walk {
        tree: shown,
        problem,
        validator,
        tests: &mut package.tests,
        folders: &mut folders,
        verification: &mut package.verification,
        warnings: &mut package.warnings,
        diagnostics: &mut *diagnostics,
    };
    let walked = data_folder(tree.root(), inside).and_then(|data| walk.data(data));
    bapctools::restore_paths(overlay.as_ref(), tree.root(), walked, &mut folders, diagnostics)?;
    Ok((overlay, folders))
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
