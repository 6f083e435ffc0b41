//! `gavel judge`: one submission, here and now.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;

use super::interrupt::Interrupts;
use super::output::{self, Progress};
use super::sources::{self, Program};
use super::start::{self, shown};
use super::{CommandError, exit};
use crate::cli::{Global, Judge as Arguments, JudgeFormat};
use crate::judge::UNSET_TIME_LIMIT;
use crate::language::Table;
use crate::package::{Package, SubmissionKind, TimeLimit};
use crate::report::{Event, EventKind, LimitsReport, Report, TestReport};
use crate::submission::{ANSWERS, Policy, ProblemRef, SCHEMA, Submission};
use crate::units::{Bytes, format_duration};
use crate::verdict::Verdict;

/// Runs the command.
///
/// # Errors
/// Whatever keeps the submission from being judged.
pub fn run(global: &Global, arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let table = start::languages(global)?;
    let packages = start::packages(global)?;
    let package = packages.load(&arguments.package).map_err(CommandError::usage)?;
    let submission = submission(arguments, &package, &table)?;
    for warning in &package.warnings {
        output::remark(&format!("{}: {warning}", shown(&package.directory)));
    }
    let is_program = package.submission_kind == SubmissionKind::Program;
    if is_program
        && matches!(package.limits.time, TimeLimit::FromSubmissions { .. })
        && arguments.limits.cpu.is_none()
    {
        output::remark(&format!(
            "problem '{}' leaves its time limit to its jury's submissions: {} assumed (give --cpu TIME, or \
             use 'gavel verify', which finds it)",
            package.name,
            format_duration(UNSET_TIME_LIMIT)
        ));
    }

    let interrupts = Interrupts::watch()?;
    let judge = start::judge_writing(global, vec![package.directory.clone()], arguments.transcript.clone())?;
    judge.check(&submission, &package).map_err(CommandError::usage)?;

    let progress = Progress::new(package.tests.len(), "judging");
    let closed = Mutex::new(None);
    let events = |event: Event| match arguments.format {
        JudgeFormat::Ndjson => {
            if let Err(error) = output::print_json(&event, false) {
                // Nobody listens any more: no reason to go on.
                interrupts.token().cancel();
                *closed.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(error);
            }
        }
        JudgeFormat::Human | JudgeFormat::Json => {
            if matches!(event.kind, EventKind::Test { .. }) {
                progress.step();
            }
        }
    };
    let report = judge.judge(&submission, &package, &events, interrupts.token());
    progress.finish();
    if let Some(error) = closed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        return Err(error);
    }
    match arguments.format {
        JudgeFormat::Human => output::print(&human(&report, judge.languages()))?,
        JudgeFormat::Json => output::print_json(&report, true)?,
        JudgeFormat::Ndjson => {}
    }
    interrupts.check()?;
    if let Some(error) = &report.error {
        output::complain(error);
    }
    Ok(ExitCode::from(match report.verdict {
        Verdict::AC => exit::ACCEPTED,
        Verdict::JE | Verdict::CX => exit::JUDGING_ERROR,
        _ => exit::REJECTED,
    }))
}

/// A submission from the command line.
fn submission(arguments: &Arguments, package: &Package, table: &Table) -> Result<Submission, CommandError> {
    let paths = sources::expand(&arguments.sources)?;
    let is_output = |path: &PathBuf| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| package.is_output_file(name))
    };
    let (outputs, paths): (Vec<_>, Vec<_>) = paths.into_iter().partition(is_output);
    let answers = |files| Program { language: ANSWERS.to_owned(), files, entry_point: None };
    let mut program = match package.submission_kind {
        SubmissionKind::Program if paths.is_empty() => answers(Vec::new()),
        SubmissionKind::Program => {
            let (language, entry_point) = (arguments.language.as_deref(), arguments.entry_point.as_deref());
            sources::program(paths, sources::order_of(&arguments.sources), language, entry_point, table)?
        }
        SubmissionKind::Answers => answers(sources::read_answers(&paths)?),
    };
    program.files.extend(sources::read_answers(&outputs)?);
    let id = arguments.package.file_name().unwrap_or(arguments.package.as_os_str());
    Ok(Submission {
        schema: SCHEMA,
        id: format!("{}-{}", id.to_string_lossy(), std::process::id()),
        judging: "1".to_owned(),
        language: program.language,
        files: program.files,
        entry_point: program.entry_point,
        problem: ProblemRef::reference(&arguments.package),
        limits: arguments.limits.overrides(),
        policy: Policy { stop: arguments.policy },
        tests: arguments.tests.clone(),
        feedback: arguments.feedback,
        reply_to: None,
        priority: None,
        meta: serde_json::Map::new(),
        warnings: Vec::new(),
    })
}

/// The table of tests and the verdict below it.
fn human(report: &Report, table: &Table) -> String {
    let mut text = String::new();
    if !report.compile.log.trim().is_empty() {
        text.push_str(report.compile.log.trim_end());
        text.push_str("\n\n");
    }
    if !report.tests.is_empty() {
        let is_scored = report.tests.iter().any(|test| test.score.is_some());
        let mut columns = vec!["test", "verdict", ">CPU", ">wall", ">memory", ">output", "message"];
        if is_scored {
            columns.insert(2, ">score");
        }
        let mut tests = output::table(&columns);
        for test in &report.tests {
            let ran = !matches!(test.verdict, Verdict::SK | Verdict::CX);
            let figure = |text: String| if ran { text } else { "-".to_owned() };
            let mut row = vec![
                comfy_table::Cell::new(output::one_line(&test.name)),
                output::verdict_cell(test.verdict),
                comfy_table::Cell::new(figure(output::milliseconds(test.cpu_ms))),
                comfy_table::Cell::new(figure(output::milliseconds(test.wall_ms))),
                comfy_table::Cell::new(figure(output::kibibytes(test.memory_kib))),
                comfy_table::Cell::new(figure(format!("{} B", test.output_bytes))),
                comfy_table::Cell::new(output::one_line(message(test))),
            ];
            if is_scored {
                row.insert(2, comfy_table::Cell::new(output::score(test.score)));
            }
            tests.add_row(row);
        }
        text.push_str(&tests.trim_fmt());
        text.push_str("\n\n");
    }
    text.push_str(&standard_error(report));
    if report.groups.iter().any(|group| group.score.is_some()) {
        let mut groups = output::table(&["group", "verdict", ">score", "range"]);
        for group in &report.groups {
            groups.add_row(vec![
                comfy_table::Cell::new(output::one_line(&group.name)),
                output::verdict_cell(group.verdict),
                comfy_table::Cell::new(output::score(group.score)),
                comfy_table::Cell::new(group.range.map_or_else(String::new, output::range)),
            ]);
        }
        text.push_str(&groups.trim_fmt());
        text.push_str("\n\n");
    }
    let is_over_limit = matches!(report.verdict, Verdict::TLE | Verdict::WTL | Verdict::MLE | Verdict::OLE);
    if let Some(limits) = report.limits.as_ref().filter(|_| is_over_limit) {
        text.push_str(&format!("limits: {}\n", limits_line(limits)));
    }
    text.push_str(&summary(report, table));
    text.push('\n');
    text
}

/// The limits that held, in one line.
fn limits_line(limits: &LimitsReport) -> String {
    let parts = [
        limits.cpu_ms.map(|cpu| format!("{} CPU", output::milliseconds(cpu))),
        limits.wall_ms.map(|wall| format!("{} wall", output::milliseconds(wall))),
        limits.memory_kib.map(|memory| format!("{} memory", output::kibibytes(memory))),
        limits.output_bytes.map(|bytes| format!("{} output", Bytes(bytes))),
        limits.processes.map(|processes| format!("{processes} processes")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// What the program wrote to standard error on the first test that it failed: the last lines of it.
fn standard_error(report: &Report) -> String {
    const LINES: usize = 12;
    let failed = report.tests.iter().find(|test| Some(&test.name) == report.first_failure.as_ref());
    let Some((test, stderr)) = failed.and_then(|test| Some((test, test.stderr.as_ref()?))) else {
        return String::new();
    };
    let lines: Vec<_> = stderr.lines().collect();
    let mut text = format!("standard error of {}:\n", output::one_line(&test.name));
    if lines.len() > LINES {
        text.push_str(&format!("  [{} lines before these]\n", lines.len() - LINES));
    }
    for line in &lines[lines.len().saturating_sub(LINES)..] {
        text.push_str(&format!("  {}\n", output::one_line(line)));
    }
    text.push('\n');
    text
}

pub(super) fn summary(report: &Report, table: &Table) -> String {
    let language = match table.get(&report.provenance.language) {
        Some(language) => language.name.as_str(),
        None if report.provenance.language == ANSWERS => ANSWERS,
        None => "",
    };
    let mut line = report.verdict.id().to_owned();
    if let Some(reason) = report.reason {
        line.push_str(&format!(" ({})", reason.id()));
    }
    if let Some(score) = report.score {
        line.push_str(&format!(", score {}", output::score(Some(score))));
        if let Some(range) = report.range {
            line.push_str(&format!(" ({})", output::range(range)));
        }
    }
    if let Some(first) = report.first_failure.as_ref().filter(|_| report.verdict != Verdict::AC) {
        line.push_str(&format!(" on {}", output::one_line(first)));
    }
    if !report.compile.ok {
        line.push_str(&format!(": {language}, nothing was run"));
        return line;
    }
    let accepted = report.tests.iter().filter(|test| test.verdict == Verdict::AC).count();
    line.push_str(&format!(
        ": {language}, {accepted} of {} tests accepted, at most {} CPU and {}",
        report.tests.len(),
        output::milliseconds(report.max_cpu_ms),
        output::kibibytes(report.max_memory_kib)
    ));
    if report.compile.cached {
        line.push_str(", compiled before");
    }
    line
}

/// What to show of a test in one line: whoever runs this has the package, and may read what its checker tells the jury.
fn message(test: &TestReport) -> &str {
    let of_jury = test.judge_message.as_deref().and_then(|text| text.lines().next());
    of_jury.filter(|_| test.message.is_empty()).unwrap_or(&test.message)
}
