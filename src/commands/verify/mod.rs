//! `gavel verify`: whether a package does what it says.
//!
//! What a problem setter runs before anybody else sees the problem, and what gavel is tested with. Everything goes
//! through one list of work, so that one program compiles while another runs. One broken package is reported and the
//! others go on. What is found is bad or not by one rule (`finding`): errors are the package's fault, warnings are for
//! its author to look at, notes are for who wants to know.
//!
//! | file | what it looks at |
//! |---|---|
//! | `submission`, `expected`, `groups` | each submission against what it must get |
//! | `limit`, `coverage` | the time limit against their times; what they leave out |
//! | `data` | tests as files |
//! | `validators`, `generators` | inputs |
//! | `answers`, `fuzz` with `corrupt` | checkers |
//! | `selection`, `plan`, `pool` | nothing: what is done, when, and by which thread |
//! | `human`, `junit` | nothing: what is shown |

mod answers;
mod corrupt;
mod coverage;
mod data;
mod expected;
mod finding;
mod fuzz;
mod generators;
mod groups;
mod human;
mod junit;
mod limit;
mod plan;
mod pool;
mod selection;
mod submission;
mod validators;

use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;

use self::finding::{Inspection, Severity};
use self::groups::GroupResult;
use self::limit::Timing;
use self::selection::Selection;
use self::submission::Bench;
use super::interrupt::Interrupts;
use super::output;
use super::start::{self, shown};
use super::{CommandError, exit, sources};
use crate::cancel::CancelToken;
use crate::cli::{Global, Verify as Arguments, VerifyFormat, VerifyPart};
use crate::judge::Judge;
use crate::language::Table;
use crate::package::{Library, Package};
use crate::report::Report;
use crate::verdict::{Reason, Verdict};

/// One package with everything that came of it.
#[derive(Debug)]
struct Examined {
    /// As given or found.
    path: PathBuf,
    /// The package, or why there is none.
    package: Result<Package, String>,
    /// Its submissions, in the package's order.
    rows: Vec<Row>,
    /// The time limit against their times, where any was judged.
    timing: Option<Timing>,
    /// Everything else that was looked at.
    inspections: Vec<Inspection>,
}

/// One submission of a package's jury.
#[derive(Debug, Clone, Serialize)]
struct Row {
    name: String,
    language: String,
    /// What it must get, for people.
    expected: String,
    /// What it got; `None` when it could not be judged.
    verdict: Option<Verdict>,
    score: Option<f64>,
    ok: bool,
    /// Why it is not as expected.
    problem: Option<String>,
    /// What is to be said of one that is as expected.
    remark: Option<String>,
    groups: Vec<GroupResult>,
    report: Option<Report>,
}

/// How it all ended.
#[derive(Debug, Default, Serialize)]
struct Summary {
    /// Whether everything was looked at; a signal may have come before.
    complete: bool,
    packages: usize,
    broken_packages: usize,
    submissions: usize,
    as_expected: usize,
    judging_errors: usize,
    not_judged: usize,
    errors: usize,
    warnings: usize,
    notes: usize,
    unchecked: usize,
    failures: usize,
}

/// Runs the command.
///
/// # Errors
/// When the table cannot be read, the host cannot run boxes, or a signal came. A package that cannot be
/// loaded is not an error of the command's but a line of its result.
pub fn run(global: &Global, arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let table = start::languages(global)?;
    let selection = Selection::new(arguments)?;
    let packages = start::packages(global)?;
    let mut examined = load_all(&packages, &arguments.packages);
    let interrupts = Interrupts::watch()?;
    if examined.iter().any(|one| one.package.is_ok()) {
        let loaded = examined.iter().filter_map(|one| one.package.as_ref().ok());
        let mut directories: Vec<_> = loaded.map(|package| package.directory.clone()).collect();
        directories.extend(arguments.packages.iter().filter(|path| path.is_dir()).cloned());
        let judge = start::judge(global, directories)?;
        make_tests(&judge, &mut examined, interrupts.token());
        interrupts.check()?;
        let bench = Bench::new(&judge, &table, arguments.policy, interrupts.token());
        let left_out: Vec<_> =
            examined.iter_mut().map(|one| leave_out_unknown_languages(&table, &selection, one)).collect();
        plan::examine_all(&bench, &selection, &mut examined);
        for (one, left_out) in examined.iter_mut().zip(left_out) {
            one.inspections.splice(0..0, left_out);
        }
    }
    // Stopped by a signal, the results are what is known so far.
    let mut summary = summarize(&examined);
    summary.complete = interrupts.check().is_ok();
    match arguments.format {
        VerifyFormat::Human => output::print(&human::text(&examined, &summary, &selection))?,
        VerifyFormat::Json => output::print_json(&json(&examined, &summary, &selection), true)?,
        VerifyFormat::Junit => output::print(&junit::text(&examined)?)?,
    }
    for one in &examined {
        if let Err(problem) = &one.package {
            output::complain(problem);
        }
    }
    interrupts.check()?;
    Ok(ExitCode::from(exit_code(&summary, &selection, arguments.strict)))
}

/// Loads every package below the paths, in order.
fn load_all(packages: &Library, paths: &[PathBuf]) -> Vec<Examined> {
    let mut examined = Vec::new();
    for path in paths {
        match packages.discover(path) {
            Ok(found) if found.is_empty() => examined.push(Examined::new(
                path.clone(),
                Err(format!("{}: no package in it; give a package or a folder of them", shown(path))),
            )),
            Ok(found) => examined.extend(found.into_iter().map(|path| {
                let package = packages.load(&path).map_err(|error| error.to_string());
                Examined::new(packages.shown(&path), package)
            })),
            Err(error) => examined.push(Examined::new(path.clone(), Err(error.to_string()))),
        }
    }
    examined
}

/// Has made what packages leave to their programs; one that fails is a package that is broken.
fn make_tests(judge: &Judge, examined: &mut [Examined], cancel: &CancelToken) {
    for one in examined {
        if let Ok(package) = &one.package
            && package.generated.is_some()
        {
            one.package =
                judge.complete(package, cancel).map_err(|error| format!("{}: {error}", shown(&one.path)));
        }
    }
}

/// Takes out the submissions of which nothing says in what language they are: notes and placeholders must not stop the
/// rest.
fn leave_out_unknown_languages(
    table: &Table,
    selection: &Selection,
    one: &mut Examined,
) -> Option<Inspection> {
    let package = one.package.as_mut().ok()?;
    let mut found = Inspection::new(VerifyPart::Submissions, "languages");
    let kind = package.submission_kind;
    package.submissions.retain(|jury| {
        if jury.language.is_some() || !selection.has(VerifyPart::Submissions) {
            return true;
        }
        let Some(problem) = sources::unknown_language(table, kind, jury) else { return true };
        if selection.wants(&jury.name) {
            found.find(Severity::Warning, &jury.name, format!("not judged: {problem}"));
        }
        false
    });
    found.looked_at = found.findings.len();
    (!found.findings.is_empty()).then_some(found)
}

impl Examined {
    fn new(path: PathBuf, package: Result<Package, String>) -> Self {
        Self { path, package, rows: Vec::new(), timing: None, inspections: Vec::new() }
    }
}

fn summarize(examined: &[Examined]) -> Summary {
    let mut summary = Summary { packages: examined.len(), ..Summary::default() };
    for one in examined {
        summary.broken_packages += usize::from(one.package.is_err());
        for row in &one.rows {
            summary.submissions += 1;
            summary.as_expected += usize::from(row.ok);
            summary.judging_errors += usize::from(is_judging_error(row));
            summary.not_judged += usize::from(row.verdict.is_none());
        }
        for finding in one.inspections.iter().flat_map(|inspection| &inspection.findings) {
            *match finding.severity {
                Severity::Note => &mut summary.notes,
                Severity::Warning => &mut summary.warnings,
                Severity::Error => &mut summary.errors,
                Severity::Unchecked => &mut summary.unchecked,
                Severity::Failure => &mut summary.failures,
            } += 1;
        }
    }
    summary
}

/// Whether gavel or the host failed: a checker that crashes is the package's fault.
fn is_judging_error(row: &Row) -> bool {
    let of_package = |report: &Report| matches!(report.reason, Some(Reason::Package | Reason::Checker));
    match row.verdict {
        Some(Verdict::CX) => true,
        Some(Verdict::JE) => !row.report.as_ref().is_some_and(of_package),
        _ => false,
    }
}

/// A failure of gavel's or the host's says that nothing else can be trusted; then come packages and programs that could not
/// be looked at, and finding nothing to verify: a wrong path must not look like success.
fn exit_code(summary: &Summary, selection: &Selection, is_strict: bool) -> u8 {
    let nothing_judged = selection.has(VerifyPart::Submissions) && summary.submissions == 0;
    let is_faulty = summary.as_expected < summary.submissions
        || summary.errors > 0
        || (is_strict && summary.warnings > 0);
    if summary.failures > 0 || summary.judging_errors > 0 {
        exit::JUDGING_ERROR
    } else if summary.broken_packages > 0 || summary.not_judged > 0 || summary.unchecked > 0 || nothing_judged
    {
        exit::USAGE
    } else if is_faulty {
        exit::REJECTED
    } else {
        exit::ACCEPTED
    }
}

fn json(examined: &[Examined], summary: &Summary, selection: &Selection) -> serde_json::Value {
    let packages: Vec<serde_json::Value> = examined
        .iter()
        .map(|one| match &one.package {
            Ok(package) => serde_json::json!({
                "name": package.name,
                "title": package.title,
                "directory": package.directory,
                "tests": package.tests.len(),
                "time_limit_ms": limit::time_limit(package).map(crate::units::milliseconds),
                "memory_kib": package.limits.memory.as_kib(),
                "warnings": package.warnings,
                "error": null,
                "submissions": one.rows,
                "timing": one.timing,
                "inspections": one.inspections,
            }),
            Err(problem) => serde_json::json!({
                "name": null,
                "directory": one.path,
                "error": problem,
                "submissions": [],
            }),
        })
        .collect();
    serde_json::json!({
        "schema": crate::submission::SCHEMA,
        "seed": selection.seed,
        "packages": packages,
        "summary": summary,
    })
}
