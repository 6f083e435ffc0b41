//! The ICPC problem package format 2025-09, and its drafts:
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

use std::path::Path;

use super::problem_yaml::{IcpcProblemYaml, read_icpc_problem_yaml};
use super::scoring as icpc_scoring;
use super::test_data::Walk;
use crate::checker::{CustomScore, Protocol};
use crate::package::library::Stash;
use crate::package::model::{
    Check, CheckerProgram, Format, Interaction, Interactor, JuryProgram, MultiPass, Package, PackageLimits,
    SubmissionKind, TimeLimit, TimeMargins, Verification,
};
use crate::package::shared::bapctools::overlay as bapctools;
use crate::package::shared::grading::ProblemGrading;
use crate::package::shared::names::{data_folder, mention_misspelt_folders, short_name};
use crate::package::shared::submissions::Demands;
use crate::package::shared::time_limit_files::{parse_domjudge_ini, parse_timelimit};
use crate::package::shared::{grading, included, statement_title as title, submissions, validators};
use crate::package::source::diagnostics::Trouble;
use crate::package::source::error::{PackageError, one_line};
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
    stash: Option<&Stash>,
    trouble: &mut Trouble,
) -> Result<Package, PackageError> {
    let is_strict = version == STABLE;
    let root = tree.root();
    let file = root.join("problem.yaml");
    let text = match Tree::find(entries, "problem.yaml") {
        Some(entry) => read_text(entry)?,
        None => String::new(),
    };
    let mut problem = read_icpc_problem_yaml(&text, is_strict, &file, trouble);
    let mut warnings = std::mem::take(&mut problem.warnings);
    mention_misspelt_folders(entries, &mut warnings);
    trouble.errors(refuse_static_validator(tree, entries));
    let validator = output_validator(tree, entries, &problem, is_strict, &mut warnings);
    let validator = trouble.keep(validator).flatten();
    let validation_limits = problem.validation_limits;
    let mut verification = Verification {
        input_validators: validators::inputs(tree, entries, validation_limits, &mut warnings),
        margins: TimeMargins {
            accepted: problem.ac_to_time_limit,
            rejected: problem.time_limit_to_tle,
            resolution: problem.time_resolution,
        },
        ..Verification::default()
    };
    let includes = match Tree::find(entries, "include") {
        Some(entry) => trouble.keep(included::read(tree, entry, &mut warnings)).unwrap_or_default(),
        None => Vec::new(),
    };
    let submissions = match Tree::find(entries, "submissions") {
        Some(entry) => {
            let read = submissions::read(tree, entry, Demands::OfTests, &mut warnings);
            trouble.keep_for_verification(read).unwrap_or_default()
        }
        None => Vec::new(),
    };
    let rules = bapctools::Problem {
        prints_answers: !problem.interactive && problem.passes.is_none(),
        reads_settings: true,
        constants: &problem.constants,
    };
    let overlay = bapctools::overlay(tree, entries, &rules, stash, &mut warnings)?;
    let (shown, inside) = match &overlay {
        Some(overlay) => (&overlay.tree, overlay.entries.as_slice()),
        None => (tree, entries),
    };
    let mut walk = Walk {
        tree: shown,
        problem: &problem,
        is_strict,
        has_validator: validator.is_some(),
        tests: Vec::new(),
        groups: Vec::new(),
        graded: Vec::new(),
        verification: &mut verification,
        warnings: &mut warnings,
        trouble: &mut *trouble,
    };
    let walked = data_folder(root, inside).and_then(|data| walk.data(data));
    let (tests, settings, mut graded) = (walk.tests, walk.groups, walk.graded);
    bapctools::in_author_s_words(overlay.as_ref(), root, walked, &mut graded, trouble)?;
    let time = time_limit(entries, &problem, is_strict, &mut warnings);
    let time = trouble.keep(time).unwrap_or(TimeLimit::Fixed(problem.time_resolution));
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
    let title = problem.name.clone().or_else(|| title::of_statement(tree, entries));
    let mut package = Package {
        title: title.unwrap_or_else(|| name.clone()),
        tests,
        passes: problem.passes.map(|limit| MultiPass { limit }),
        submission_kind: if problem.submit_answer {
            SubmissionKind::Answers
        } else {
            SubmissionKind::Program
        },
        includes,
        verification,
        submissions,
        languages: problem.languages.clone(),
        warnings,
        ..Package::new(name, root.to_owned(), Format::Icpc, limits)
    };
    if let Some(overlay) = overlay {
        overlay.fill(&mut package, trouble)?;
    }
    package.group_by_folders();
    let scores = if graded.is_empty() {
        let applied = icpc_scoring::apply(&mut package, &settings, &problem);
        trouble.keep(applied).unwrap_or_default()
    } else {
        let custom_score = if problem.scoring { CustomScore::Allowed } else { CustomScore::Refused };
        let problem =
            ProblemGrading { is_scoring: problem.scoring, custom_score, ..ProblemGrading::default() };
        trouble.errors(grading::apply(&mut package, &problem, &graded, Vec::new()));
        custom_score
    };
    if let Some(program) = validator {
        use_validator(&mut package, program, &problem, scores);
    }
    trouble.errors(problem.constants.apply(&mut package, stash));
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

fn use_validator(
    package: &mut Package,
    program: JuryProgram,
    problem: &IcpcProblemYaml,
    scores: CustomScore,
) {
    let (protocol, limits) = (Protocol::Kattis, problem.validation_limits);
    if problem.interactive {
        package.interaction = Interaction::Interactive(Interactor {
            program,
            protocol,
            call: None,
            limits,
            scores,
            unbuffered: false,
        });
    } else {
        package.checkers.push(CheckerProgram { program, protocol, call: None, limits, scores });
    }
}

/// The check of a test whose validator gets these arguments; `None` where it is the default validator.
pub(crate) fn custom_check(
    problem: &IcpcProblemYaml,
    has_validator: bool,
    arguments: &[String],
) -> Option<Check> {
    let arguments = problem.validator_flags.iter().chain(arguments).cloned().collect();
    match (has_validator, problem.interactive) {
        (false, _) => None,
        (true, true) => Some(Check::Interaction { arguments }),
        (true, false) => Some(Check::Program { checker: 0, arguments }),
    }
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

/// Whether the format allows the name of a file or folder; others are as if they were not there.
pub(crate) fn is_allowed_name(entry: &Entry) -> bool {
    let name = entry.name.as_encoded_bytes();
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.-".contains(byte);
    name.first().is_some_and(|first| first.is_ascii_alphanumeric() || *first == b'_')
        && name.iter().all(is_allowed)
        && name.len() <= 255
}

/// What to say about a name that is not.
pub(crate) fn not_allowed(root: &Path, path: &Path) -> String {
    let place = path.strip_prefix(root).unwrap_or(path);
    format!(
        "{}: not looked at: the format's names are letters, digits, '_', '.' and '-'",
        one_line(&place.to_string_lossy())
    )
}
