//! `gavel verify`: a package's own submissions against what each must get.
//!
//! What a problem setter runs before anybody else sees the problem, and what gavel is tested with. Several
//! submissions are judged at once, so that one compiles while another's tests run. One broken package is
//! reported and the others go on.

mod expected;
mod human;
mod junit;
mod plan;

use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;

use super::interrupt::Interrupts;
use super::output;
use super::start::{self, shown};
use super::{CommandError, exit};
use crate::cli::{Global, Verify as Arguments, VerifyFormat};
use crate::judge::Judge;
use crate::package::{Package, Stash};
use crate::report::Report;
use crate::sandbox::CancelToken;
use crate::verdict::Verdict;

/// One package with everything that came of it.
#[derive(Debug)]
struct Examined {
    /// As given or found.
    path: PathBuf,
    /// The package, or why there is none.
    package: Result<Package, String>,
    /// Its submissions, in the package's order.
    rows: Vec<Row>,
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
    ok: bool,
    /// Why it is not as expected.
    problem: Option<String>,
    report: Option<Report>,
}

/// How it all ended.
#[derive(Debug, Default, Serialize)]
struct Summary {
    packages: usize,
    broken_packages: usize,
    submissions: usize,
    as_expected: usize,
    judging_errors: usize,
    not_judged: usize,
}

/// Runs the command.
///
/// # Errors
/// When the table cannot be read, the host cannot run boxes, or a signal came. A package that cannot be
/// loaded is not an error of the command's but a line of its result.
pub fn run(global: &Global, arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let table = start::languages(global)?;
    let packages = start::packages(global)?;
    let mut examined = load_all(&packages, &arguments.packages);
    let interrupts = Interrupts::watch()?;
    if examined.iter().any(|one| one.package.is_ok()) {
        let judge = start::judge(global)?;
        make_tests(&judge, &mut examined, interrupts.token());
        plan::judge_all(&judge, &table, arguments.policy, &mut examined, interrupts.token());
    }
    interrupts.check()?;
    let summary = summarize(&examined);
    match arguments.format {
        VerifyFormat::Human => output::print(&human::text(&examined, &summary))?,
        VerifyFormat::Json => output::print_json(&json(&examined, &summary), true)?,
        VerifyFormat::Junit => output::print(&junit::text(&examined)?)?,
    }
    for one in &examined {
        if let Err(problem) = &one.package {
            output::complain(problem);
        }
    }
    Ok(ExitCode::from(exit_code(&summary)))
}

/// Loads every package below the paths, in order.
fn load_all(packages: &Stash, paths: &[PathBuf]) -> Vec<Examined> {
    let mut examined = Vec::new();
    for path in paths {
        match packages.discover(path) {
            Ok(found) if found.is_empty() => examined.push(Examined {
                path: path.clone(),
                package: Err(format!(
                    "{}: no package in it; give a package or a folder of them",
                    shown(path)
                )),
                rows: Vec::new(),
            }),
            Ok(found) => examined.extend(found.into_iter().map(|path| Examined {
                package: packages.load(&path).map_err(|error| error.to_string()),
                path: packages.shown(&path),
                rows: Vec::new(),
            })),
            Err(error) => examined.push(Examined {
                path: path.clone(),
                package: Err(error.to_string()),
                rows: Vec::new(),
            }),
        }
    }
    examined
}

/// Has made what packages leave to their programs; one that fails is a package that is broken.
fn make_tests(judge: &Judge, examined: &mut [Examined], cancel: &CancelToken) {
    for one in examined {
        if let Ok(package) = &one.package
            && package.made.is_some()
        {
            one.package =
                judge.complete(package, cancel).map_err(|error| format!("{}: {error}", shown(&one.path)));
        }
    }
}

fn summarize(examined: &[Examined]) -> Summary {
    let mut summary = Summary { packages: examined.len(), ..Summary::default() };
    for one in examined {
        summary.broken_packages += usize::from(one.package.is_err());
        for row in &one.rows {
            summary.submissions += 1;
            summary.as_expected += usize::from(row.ok);
            summary.judging_errors += usize::from(matches!(row.verdict, Some(Verdict::JE | Verdict::CX)));
            summary.not_judged += usize::from(row.verdict.is_none());
        }
    }
    summary
}

/// A judging error says that nothing else can be trusted; then come packages that could not be looked at, and
/// finding nothing to verify: a wrong path must not look like success.
fn exit_code(summary: &Summary) -> u8 {
    if summary.judging_errors > 0 {
        exit::JUDGING_ERROR
    } else if summary.broken_packages > 0 || summary.not_judged > 0 || summary.submissions == 0 {
        exit::USAGE
    } else if summary.as_expected < summary.submissions {
        exit::REJECTED
    } else {
        exit::ACCEPTED
    }
}

fn json(examined: &[Examined], summary: &Summary) -> serde_json::Value {
    let packages: Vec<serde_json::Value> = examined
        .iter()
        .map(|one| match &one.package {
            Ok(package) => serde_json::json!({
                "name": package.name,
                "title": package.title,
                "directory": package.directory,
                "tests": package.tests.len(),
                "time_limit_ms": plan::time_limit(package).map(crate::units::milliseconds),
                "memory_kib": package.limits.memory.as_kib(),
                "warnings": package.warnings,
                "error": null,
                "submissions": one.rows,
            }),
            Err(problem) => serde_json::json!({
                "name": null,
                "directory": one.path,
                "error": problem,
                "submissions": [],
            }),
        })
        .collect();
    serde_json::json!({ "schema": crate::submission::SCHEMA, "packages": packages, "summary": summary })
}
