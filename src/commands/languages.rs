//! `gavel languages`: the table, with what is really installed, and whether it really works.
//!
//! A missing compiler is reported and fails nothing: nobody needs all of them. `--check` judges each
//! language's own small program on a one-test package, the same way any submission is judged.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde::Serialize;

use super::interrupt::Interrupts;
use super::output::{self, Progress};
use super::start;
use super::{CommandError, exit};
use crate::cancel::CancelToken;
use crate::cli::{Global, Languages as Arguments, TableFormat};
use crate::judge::{Judge, ToolchainState};
use crate::language::Language;
use crate::package::{Format, Package, PackageLimits, Test, TimeLimit};
use crate::submission::{Content, LimitOverrides, Policy, ProblemRef, SCHEMA, SourceFile, Submission};
use crate::units::Bytes;
use crate::verdict::Verdict;

/// What is known of one language.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) name: String,
    /// `ok`, `missing`, `broken`, or with `--check` `failed`.
    pub(super) status: &'static str,
    pub(super) version: Option<String>,
    pub(super) detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compile_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_kib: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Listing {
    schema: u32,
    languages: Vec<Row>,
}

/// Runs the command.
///
/// # Errors
/// When the table cannot be read or the host cannot run boxes.
pub fn run(global: &Global, arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let interrupts = Interrupts::watch()?;
    let folder = tempfile::tempdir().map_err(CommandError::judging)?;
    let judge = start::judge(global, vec![folder.path().to_owned()])?;
    let package = sum_package(folder.path()).map_err(CommandError::judging)?;
    let check = arguments.check.then_some(&package);
    let rows = examine_all(&judge, check, interrupts.token());
    interrupts.check()?;
    let failed = rows.iter().any(|row| matches!(row.status, "failed" | "broken"));
    match arguments.format {
        TableFormat::Json => output::print_json(&Listing { schema: SCHEMA, languages: rows }, true)?,
        TableFormat::Human => output::print(&human(&rows, arguments.check))?,
    }
    Ok(ExitCode::from(if arguments.check && failed { exit::REJECTED } else { exit::ACCEPTED }))
}

/// All languages, as many at once as there are slots, in the table's order.
pub(super) fn examine_all(judge: &Judge, check: Option<&Package>, cancel: &CancelToken) -> Vec<Row> {
    let languages = &judge.languages().languages;
    let progress = Progress::new(languages.len(), "languages");
    let next = AtomicUsize::new(0);
    let rows: Mutex<Vec<(usize, Row)>> = Mutex::new(Vec::new());
    let work = || {
        while let Some((place, language)) = {
            let place = next.fetch_add(1, Ordering::SeqCst);
            languages.get(place).map(|language| (place, language))
        } {
            if cancel.is_cancelled() {
                return;
            }
            let row = examine(judge, language, check, cancel);
            rows.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((place, row));
            progress.step();
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..judge.slots() {
            // Fewer threads only take longer.
            let _ = std::thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    progress.finish();
    let mut rows = rows.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    rows.sort_by_key(|(place, _)| *place);
    rows.into_iter().map(|(_, row)| row).collect()
}

fn examine(judge: &Judge, language: &Language, check: Option<&Package>, cancel: &CancelToken) -> Row {
    let mut row = Row {
        id: language.id.clone(),
        name: language.name.clone(),
        status: "ok",
        version: None,
        detail: None,
        compile_ms: None,
        cpu_ms: None,
        memory_kib: None,
    };
    match judge.toolchain(language, cancel) {
        ToolchainState::Found(version) => row.version = Some(version),
        ToolchainState::Missing(program) => {
            row.status = "missing";
            row.detail = Some(format!("'{program}' is not installed"));
            return row;
        }
        ToolchainState::Broken(problem) => {
            row.status = "broken";
            row.detail = Some(problem);
            return row;
        }
    }
    if let Some(package) = check {
        let report = judge.judge(&hello(language), package, &|_| {}, cancel);
        row.compile_ms = Some(report.compile.wall_ms);
        row.cpu_ms = Some(report.max_cpu_ms);
        row.memory_kib = Some(report.max_memory_kib);
        if report.verdict != Verdict::AC {
            row.status = "failed";
            let log = report.compile.log.lines().find(|line| !line.trim().is_empty()).map(str::to_owned);
            let message =
                report.tests.first().map(|test| test.message.clone()).filter(|text| !text.is_empty());
            let why = report.error.or(message).or(log).unwrap_or_default();
            row.detail = Some(format!("{}: {why}", report.verdict));
        }
    }
    row
}

/// The language's own program, as a submission.
fn hello(language: &Language) -> Submission {
    Submission {
        schema: SCHEMA,
        id: format!("hello-{}", language.id),
        judging: "1".to_owned(),
        language: language.id.clone(),
        files: vec![SourceFile {
            name: language.default_source.clone(),
            content: Content::Text(language.hello.clone()),
        }],
        problem: ProblemRef::reference("hello"),
        limits: LimitOverrides::default(),
        policy: Policy::default(),
        tests: Vec::new(),
        entry_point: None,
        feedback: None,
        reply_to: None,
        priority: None,
        meta: serde_json::Map::new(),
        warnings: Vec::new(),
    }
}

/// A package whose one test is the sum of two integers.
fn sum_package(directory: &Path) -> std::io::Result<Package> {
    let (input, answer) = (directory.join("1.in"), directory.join("1.ans"));
    std::fs::write(&input, "20 22\n")?;
    std::fs::write(&answer, "42\n")?;
    let limits = PackageLimits {
        time: TimeLimit::Fixed(Duration::from_secs(10)),
        wall: None,
        memory: Bytes::mib(512),
        output: Bytes::mib(1),
        code: Bytes::mib(1),
        processes: None,
        compilation_time: None,
        compilation_memory: None,
    };
    let mut package = Package {
        title: "Sum of two integers".to_owned(),
        tests: vec![Test { sample: true, ..Test::new("1", input, answer) }],
        ..Package::new("hello", directory.to_owned(), Format::Folder, limits)
    };
    package.group_by_folders();
    Ok(package)
}

fn human(rows: &[Row], checked: bool) -> String {
    let columns: &[&str] = if checked {
        &["id", "name", "status", ">compile", ">CPU", ">memory", "version"]
    } else {
        &["id", "name", "status", "version"]
    };
    let mut table = output::table(columns);
    for row in rows {
        let note = row.detail.as_ref().or(row.version.as_ref()).map(|text| output::one_line(text));
        let mut cells = vec![
            comfy_table::Cell::new(&row.id),
            comfy_table::Cell::new(&row.name),
            output::word_cell(row.status, row.status == "ok"),
        ];
        if checked {
            let milliseconds =
                |value: Option<f64>| value.map_or_else(|| "-".to_owned(), output::milliseconds);
            cells.push(comfy_table::Cell::new(milliseconds(row.compile_ms)));
            cells.push(comfy_table::Cell::new(milliseconds(row.cpu_ms)));
            let memory = row.memory_kib.map_or_else(|| "-".to_owned(), output::kibibytes);
            cells.push(comfy_table::Cell::new(memory));
        }
        cells.push(comfy_table::Cell::new(note.unwrap_or_default()));
        table.add_row(cells);
    }
    let count = |status| rows.iter().filter(|row| row.status == status).count();
    format!(
        "{}\n\n{} languages: {} ok, {} missing, {} not working\n",
        table.trim_fmt(),
        rows.len(),
        count("ok"),
        count("missing"),
        count("failed") + count("broken")
    )
}
