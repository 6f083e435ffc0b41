//! `gavel package check`: everything that is wrong with packages, in their authors' words.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;

use crate::cli::{Global, PackageCheck as Arguments, TableFormat};
use crate::commands::start::{self, shown};
use crate::commands::{CommandError, exit, output, sources};
use crate::language::Table;
use crate::package::{Format, Library, Package, PackageError, SubmissionKind};
use crate::submission::SCHEMA;
use crate::verdict::Verdict;

/// One package with what was found.
#[derive(Debug, Serialize)]
struct Examined {
    path: PathBuf,
    name: Option<String>,
    format: Option<Format>,
    tests: usize,
    submissions: usize,
    findings: Vec<Finding>,
}

/// Something about a package.
#[derive(Debug, Serialize)]
struct Finding {
    severity: Severity,
    file: Option<PathBuf>,
    line: Option<u64>,
    key: Option<String>,
    /// One line, with file, line and key in it.
    message: String,
    #[serde(skip)]
    is_ours: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Severity {
    /// The package cannot be judged on.
    Error,
    Warning,
}

/// Runs the command.
///
/// # Errors
/// When there is no place for what archives unpack to.
pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let packages = start::packages(global)?;
    let table = start::languages(global)?;
    let mut examined = Vec::new();
    let mut missing = false;
    for path in &arguments.paths {
        match packages.discover(path) {
            Ok(found) => examined.extend(found.iter().map(|path| examine(&packages, &table, path))),
            Err(error) => {
                missing |= !error.is_ours();
                examined.push(nothing(path, error));
            }
        }
    }
    let errors: Vec<_> = examined
        .iter()
        .flat_map(|one| &one.findings)
        .filter(|finding| finding.severity == Severity::Error)
        .collect();
    let code = if errors.iter().any(|error| error.is_ours) {
        exit::JUDGING_ERROR
    } else if missing {
        exit::USAGE
    } else if errors.is_empty() {
        exit::ACCEPTED
    } else {
        exit::REJECTED
    };
    match arguments.format {
        TableFormat::Human => output::print(&human(&examined))?,
        TableFormat::Json => {
            let summary = serde_json::json!({
                "packages": examined.len(),
                "errors": errors.len(),
                "warnings": examined.iter().map(|one| one.findings.len()).sum::<usize>() - errors.len(),
            });
            output::print_json(
                &serde_json::json!({ "schema": SCHEMA, "packages": examined, "summary": summary }),
                true,
            )?;
        }
    }
    Ok(ExitCode::from(code))
}

fn examine(packages: &Library, table: &Table, path: &Path) -> Examined {
    let checked = packages.check(path);
    let mut findings: Vec<_> = checked.errors.into_iter().map(error).collect();
    findings.extend(checked.warnings.into_iter().map(warning));
    let package = checked.package;
    if let Some(package) =
        package.as_ref().filter(|_| findings.iter().all(|one| one.severity == Severity::Warning))
    {
        findings.extend(of_author(package).into_iter().map(warning));
        findings.extend(of_languages(table, package).map(warning));
    }
    Examined {
        path: packages.shown(path),
        name: package.as_ref().map(|package| package.name.clone()),
        format: package.as_ref().map(|package| package.format),
        tests: package.as_ref().map_or(0, |package| package.tests.len()),
        submissions: package.as_ref().map_or(0, |package| package.submissions.len()),
        findings,
    }
}

/// Where no package was found.
fn nothing(path: &Path, problem: PackageError) -> Examined {
    let findings = vec![error(problem)];
    Examined { path: path.to_owned(), name: None, format: None, tests: 0, submissions: 0, findings }
}

fn error(error: PackageError) -> Finding {
    let (file, line, key) = error.place();
    Finding {
        severity: Severity::Error,
        file: file.map(Path::to_owned),
        line,
        key: (!key.is_empty()).then(|| key.to_owned()),
        message: error.to_string(),
        is_ours: error.is_ours(),
    }
}

fn warning(message: String) -> Finding {
    Finding { severity: Severity::Warning, file: None, line: None, key: None, message, is_ours: false }
}

/// Submissions in languages that the table does not have.
fn of_languages(table: &Table, package: &Package) -> impl Iterator<Item = String> {
    package.submissions.iter().filter_map(|jury| {
        let problem = sources::unknown_language(table, package.submission_kind, jury)?;
        Some(format!("{}: not judged: {problem}", jury.name))
    })
}

/// What is right in any format, and yet not what an author wants.
fn of_author(package: &Package) -> Vec<String> {
    let mut found = Vec::new();
    if package.submission_kind == SubmissionKind::Program {
        let accepts = |verdicts: &[Verdict]| verdicts == [Verdict::AC];
        if package.submissions.is_empty() {
            found.push("there are no jury submissions, so 'gavel verify' has nothing to show".to_owned());
        } else if !package.submissions.iter().any(|submission| {
            let expectation = &submission.expectation;
            accepts(&expectation.verdicts) || accepts(&expectation.permitted)
        }) {
            found.push(
                "no jury submission must be accepted, so nothing shows that the problem can be solved"
                    .to_owned(),
            );
        }
    }
    found
}

fn human(examined: &[Examined]) -> String {
    let mut text = String::new();
    let (mut errors, mut warnings) = (0, 0);
    for one in examined {
        let format = match serde_json::to_value(one.format) {
            Ok(serde_json::Value::String(name)) => name,
            _ => "no package".to_owned(),
        };
        let tests = output::counted(one.tests, "test");
        let counts = format!("{tests}, {}", output::counted(one.submissions, "submission"));
        text.push_str(&format!("{}: {format}, {counts}\n", shown(&one.path)));
        for finding in &one.findings {
            let severity = match finding.severity {
                Severity::Error => {
                    errors += 1;
                    "error"
                }
                Severity::Warning => {
                    warnings += 1;
                    "warning"
                }
            };
            text.push_str(&format!("  {severity}: {}\n", output::one_line(&finding.message)));
        }
    }
    let counts = [(examined.len(), "package"), (errors, "error"), (warnings, "warning")];
    let counts = counts.map(|(count, thing)| output::counted(count, thing));
    text.push_str(&format!("\n{}\n", counts.join(", ")));
    text
}
