//! Reads the ICPC problem package format 2025-09, and its drafts:
//! <https://www.kattis.com/problem-package-format/spec/2025-09.html>.
//!
//! Where tools and specification differ, tools are followed:
//! - problemtools looks for programs in `output_validator/`, the specification takes the folder for the program: a
//!   folder that holds sources is the program, else the folder in it is. Drafts may still say `output_validators/`.
//! - BAPCtools and problemtools let `data/secret` of a pass-fail problem hold tests and folders: here it is a warning,
//!   and refused only where scores would be ambiguous.
//! - problemtools knows only the draft of 2023, in which folders are graded as in the legacy format: a draft's
//!   `testdata.yaml` with keys of grading means what it means there.
//! - The time limit comes from submissions in `accepted` and those that say so, as in problemtools.
//!
//! Names that the format does not allow (with spaces, say) are as if they were not there, which is said in a warning.
//! Submissions may always write into their work directory, which is theirs alone and gone after the run:
//! `allow_file_writing: false` is not enforced.

use super::problem_yaml::{IcpcProblemYaml, read_icpc_problem_yaml};
use super::scoring as icpc_scoring;
use super::test_data::{GroupSettings, Walk};
use crate::checker::CustomScore;
use crate::package::model::{
    Format, JuryProgram, MultiPass, Package, PackageLimits, SubmissionKind, TimeLimit, TimeMargins,
    Verification,
};
use crate::package::shared::bapctools::overlay as bapctools;
use crate::package::shared::grading::ProblemGrading;
use crate::package::shared::names::{data_folder, mention_misspelt_folders, short_name};
use crate::package::shared::submissions::Demands;
use crate::package::shared::time_limit_files::{parse_domjudge_ini, parse_timelimit};
use crate::package::shared::{grading, included, statement_title as title, submissions, validators};
use crate::package::source::derived::DerivedFiles;
use crate::package::source::diagnostics::Diagnostics;
use crate::package::source::error::PackageError;
use crate::package::source::tree::{Entry, Kind, Tree, read_text};

/// Versions that are read: the stable one, and the drafts.
const STABLE: &str = "2025-09";
const DRAFTS: [&str; 4] = ["2023-07", "2023-07-draft", "2025-09-draft", "draft"];

/// Whether this reader reads that `problem_format_version`.
pub(crate) fn reads(version: &str) -> bool {
    version == STABLE || DRAFTS.contains(&version)
}

/// Loads the package at `tree`, whose own directory holds `entries`.
pub(crate) fn load(
    tree: &Tree,
    entries: &[Entry],
    version: &str,
    derived: Option<&DerivedFiles>,
    diagnostics: &mut Diagnostics,
) -> Result<Package, PackageError> {
    let is_strict = version == STABLE;
    let file = tree.root().join("problem.yaml");
    let text = match Tree::find(entries, "problem.yaml") {
        Some(entry) => read_text(entry)?,
        None => String::new(),
    };
    let mut problem = read_icpc_problem_yaml(&text, is_strict, &file, diagnostics);
    let warnings = std::mem::take(&mut problem.warnings);
    let (mut package, validator) = outside_of_data(tree, entries, &problem, is_strict, warnings, diagnostics);
    let data =
        tests(tree, entries, &problem, is_strict, validator.is_some(), derived, &mut package, diagnostics)?;
    let time = time_limit(entries, &problem, is_strict, &mut package.warnings);
    package.limits.time = diagnostics.keep(time).unwrap_or(TimeLimit::Fixed(problem.time_resolution));
    if let Some(overlay) = data.overlay {
        overlay.fill(&mut package, diagnostics)?;
    }
    package.group_by_folders();
    let scores = if data.graded.is_empty() {
        let applied = icpc_scoring::apply(&mut package, &data.settings, &problem);
        diagnostics.keep(applied).unwrap_or_default()
    } else {
        grade_as_legacy(&mut package, &problem, &data.graded, diagnostics)
    };
    if let Some(program) = validator {
        let limits = problem.validation_limits;
        validators::use_output(&mut package, program, problem.interactive, limits, scores);
    }
    diagnostics.errors(problem.constants.apply(&mut package, derived));
    if matches!(package.limits.time, TimeLimit::FromSubmissions { .. })
        && !package.submissions.iter().any(|submission| submission.sets_time_limit)
    {
        package.warnings.push(
            "no time limit: there is none in problem.yaml, and no accepted submission to derive it from"
                .to_owned(),
        );
    }
    Ok(package)
}

/// Reads everything but `data/` and the time limit; returns the output validator too.
fn outside_of_data(
    tree: &Tree,
    entries: &[Entry],
    problem: &IcpcProblemYaml,
    is_strict: bool,
    mut warnings: Vec<String>,
    diagnostics: &mut Diagnostics,
) -> (Package, Option<JuryProgram>) {
    mention_misspelt_folders(entries, &mut warnings);
    diagnostics.errors(refuse_static_validator(tree, entries));
    let validator = output_validator(tree, entries, problem, is_strict, &mut warnings);
    let validator = diagnostics.keep(validator).flatten();
    let verification = Verification {
        input_validators: validators::inputs(tree, entries, problem.validation_limits, &mut warnings),
        margins: TimeMargins {
            accepted: problem.ac_to_time_limit,
            rejected: problem.time_limit_to_tle,
            resolution: problem.time_resolution,
        },
        ..Verification::default()
    };
    let includes = included::of_package(tree, entries, diagnostics, &mut warnings);
    let submissions = submissions::of_package(tree, entries, Demands::OfTests, diagnostics, &mut warnings);
    let limits = PackageLimits {
        memory: problem.memory,
        output: problem.output,
        code: problem.code,
        compilation_time: problem.compilation_time,
        compilation_memory: problem.compilation_memory,
        ..PackageLimits::new(TimeLimit::Fixed(problem.time_resolution))
    };
    let name = short_name(tree.root());
    let title = problem.name.clone().or_else(|| title::of_statement(tree, entries));
    let kind = if problem.submit_answer { SubmissionKind::Answers } else { SubmissionKind::Program };
    let package = Package {
        title: title.unwrap_or_else(|| name.clone()),
        passes: problem.passes.map(|limit| MultiPass { limit }),
        submission_kind: kind,
        includes,
        verification,
        submissions,
        languages: problem.languages.clone(),
        warnings,
        ..Package::new(name, tree.root().to_owned(), Format::Icpc, limits)
    };
    (package, validator)
}

/// What `data/` says besides its tests.
struct Data {
    /// Replaces the files of tests that BAPCtools would generate.
    overlay: Option<bapctools::Overlay>,
    settings: Vec<GroupSettings>,
    /// Folders of a draft that are graded as in the legacy format.
    graded: Vec<grading::Folder>,
}

/// Reads `data/`, with the tests that BAPCtools would generate.
#[allow(clippy::too_many_arguments, reason = "each is a part of the package")]
fn tests(
    tree: &Tree,
    entries: &[Entry],
    problem: &IcpcProblemYaml,
    is_strict: bool,
    has_validator: bool,
    derived: Option<&DerivedFiles>,
    package: &mut Package,
    diagnostics: &mut Diagnostics,
) -> Result<Data, PackageError> {
    let rules = bapctools::Problem {
        prints_answers: !problem.interactive && problem.passes.is_none(),
        reads_settings: true,
        constants: &problem.constants,
    };
    let overlay = bapctools::overlay(tree, entries, &rules, derived, &mut package.warnings)?;
    let (shown, inside) = match &overlay {
        Some(overlay) => (&overlay.tree, overlay.entries.as_slice()),
        None => (tree, entries),
    };
    let mut walk = Walk {
        tree: shown,
        problem,
        is_strict,
        has_validator,
        tests: Vec::new(),
        groups: Vec::new(),
        graded: Vec::new(),
        verification: &mut package.verification,
        warnings: &mut package.warnings,
        diagnostics: &mut *diagnostics,
    };
    let walked = data_folder(tree.root(), inside).and_then(|data| walk.data(data));
    let (tests, settings, mut graded) = (walk.tests, walk.groups, walk.graded);
    package.tests = tests;
    bapctools::restore_paths(overlay.as_ref(), tree.root(), walked, &mut graded, diagnostics)?;
    Ok(Data { overlay, settings, graded })
}

/// Grades a draft whose folders have the legacy format's settings; returns whether the validator gives scores.
fn grade_as_legacy(
    package: &mut Package,
    problem: &IcpcProblemYaml,
    folders: &[grading::Folder],
    diagnostics: &mut Diagnostics,
) -> CustomScore {
    let custom_score = if problem.scoring { CustomScore::Allowed } else { CustomScore::Refused };
    let grading = ProblemGrading { is_scoring: problem.scoring, custom_score, ..ProblemGrading::default() };
    diagnostics.errors(grading::apply(package, &grading, folders, Vec::new()));
    custom_score
}

fn refuse_static_validator(tree: &Tree, entries: &[Entry]) -> Result<(), PackageError> {
    let Some(entry) = Tree::find(entries, "static_validator") else { return Ok(()) };
    if entry.kind != Kind::Directory || tree.entries(&entry.path, 1)?.iter().all(Entry::is_hidden) {
        return Ok(());
    }
    let found = "a static validator, which judges source code,";
    Err(PackageError::unsupported(0, "", found, "supported are validators of outputs").in_file(&entry.path))
}

/// The program that validates outputs, where the problem has one.
fn output_validator(
    tree: &Tree,
    entries: &[Entry],
    problem: &IcpcProblemYaml,
    is_strict: bool,
    warnings: &mut Vec<String>,
) -> Result<Option<JuryProgram>, PackageError> {
    let folders: &[&str] =
        if is_strict { &["output_validator"] } else { &["output_validator", "output_validators"] };
    if is_strict && Tree::find(entries, "output_validators").is_some() {
        warnings.push("output_validators: not used: this format's folder is output_validator".to_owned());
    }
    let program = validators::output(tree, entries, folders, warnings)?;
    if program.is_none() && (problem.interactive || problem.passes.is_some()) {
        let word = if problem.interactive { "interactive" } else { "multi-pass" };
        return Err(PackageError::value(
            problem.type_line,
            "type",
            format!("'{word}' asks for a program in output_validator, and there is none"),
            "add it, or change the type",
        )
        .in_file(&tree.root().join("problem.yaml")));
    }
    Ok(program)
}

/// `limits.time_limit`; in drafts also the files of older tools.
fn time_limit(
    entries: &[Entry],
    problem: &IcpcProblemYaml,
    is_strict: bool,
    warnings: &mut Vec<String>,
) -> Result<TimeLimit, PackageError> {
    let mut found = problem.time_limit;
    for name in [".timelimit", "domjudge-problem.ini"] {
        let Some(entry) = Tree::find(entries, name) else { continue };
        if is_strict || found.is_some() {
            if found.is_none() || name == ".timelimit" {
                warnings.push(format!("{name}: ignored: limits.time_limit of problem.yaml is this format's"));
            }
            continue;
        }
        let text = read_text(entry)?;
        found = if name == ".timelimit" {
            Some(parse_timelimit(&text).map_err(|error| error.in_file(&entry.path))?)
        } else {
            parse_domjudge_ini(&text).map_err(|error| error.in_file(&entry.path))?.time_limit
        };
    }
    Ok(match found {
        Some(limit) => TimeLimit::Fixed(limit),
        None => TimeLimit::FromSubmissions {
            multiplier: problem.ac_to_time_limit,
            resolution: problem.time_resolution,
        },
    })
}
