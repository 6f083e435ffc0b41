//! Compiles a program once, a submission or one of the jury's: through the cache, in a box of its own, with its own limits.
//!
//! What decides the program is in the cache's key: the sources and their names, the expanded argv, the
//! environment, the limits, the toolchain's version and files, and what was prepared. Rejections are not kept:
//! a part of the compiler may have been killed by the host, and then another time does better.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::artifacts::{self, TakeError};
use super::exec::{Exec, Finished, Keep, read_all};
use super::fault::Fault;
use super::outside_kill::{self, may_have_ended_compiler, named};
use super::prepare::{self, Prepared};
use super::request::Source;
use super::toolchain::{self, Toolchain, ToolchainError};
use super::{
    EXECUTABLE, Judge, OUTPUT_DIRECTORY, SOURCE_DIRECTORY, compile_limits, compile_shape, derived_wall,
    environment,
};
use crate::cache::{Digest, Draft, Entry, KeyBuilder, Lookup};
use crate::cancel::CancelToken;
use crate::instruments;
use crate::language::{Artifact, Language, Placeholders, expand};
use crate::package::Package;
use crate::report::CompileReport;
use crate::sandbox::{BoxHandle, Capture, Exit, Limits, Outcome, PREPARED, Stopped};
use crate::units::{Bytes, milliseconds};
use crate::verdict::Reason;

/// Counted up whenever the meaning or the layout of cache entries changes.
pub(super) const CACHE_FORMAT: &str = "1";
/// Directory of the program inside a cache entry.
const PROGRAM_DIRECTORY: &str = "program";
/// How compiling went, inside a cache entry.
const RESULT_FILE: &str = "compile.json";
/// What is kept of a compiler's output.
const LOG_LIMIT: usize = 64 << 10;

/// A compiled program, ready to be shown at `/program`.
#[derive(Debug)]
pub(super) struct Program {
    /// Keeps the files from being evicted.
    _entry: Entry,
    /// The directory to show.
    pub(super) directory: PathBuf,
    /// Names of the source files, the entry point first.
    pub(super) source_names: Vec<String>,
}

impl Program {
    /// A program that is a part of a cache entry.
    pub(super) fn of_entry(entry: Entry, directory: PathBuf, source_names: Vec<String>) -> Self {
        Self { _entry: entry, directory, source_names }
    }
}

/// What compiling came to.
#[derive(Debug)]
pub(super) struct Compilation {
    pub(super) report: CompileReport,
    /// `None` is CE.
    pub(super) program: Option<Program>,
    /// Version line for the provenance.
    pub(super) toolchain: String,
}

/// What is to be compiled.
pub(super) struct Recipe<'a> {
    pub(super) language: &'a Language,
    /// The entry point first.
    pub(super) sources: &'a [Source],
    /// Arguments of the compiler after the language's own.
    pub(super) flags: &'a [String],
    /// Limits of the compiler.
    pub(super) limits: Limits,
}

/// Everything fixed before the compiler starts.
struct Plan<'a> {
    language: &'a Language,
    sources: &'a [Source],
    argv: Option<Vec<String>>,
    env: Vec<String>,
    limits: Limits,
    prepared: Option<&'a Prepared>,
    /// Whether a preparation was asked for and failed.
    unprepared: bool,
}

/// Compiles, or finds it done before; `on_start` is called when a compiler is about to run.
pub(super) fn compile(
    judge: &Judge,
    recipe: &Recipe<'_>,
    on_start: &dyn Fn(),
    cancel: &CancelToken,
) -> Result<Compilation, Fault> {
    let Recipe { language, sources, flags, ref limits } = *recipe;
    let toolchain = find_toolchain(judge, language, cancel)?;
    let prepared = prepare_for(judge, language, &toolchain, cancel)?;
    let plan = Plan {
        language,
        sources,
        argv: language.compile.as_ref().map(|template| {
            let mut argv = compile_argv(template, language, sources);
            argv.extend_from_slice(flags);
            argv
        }),
        env: environment(language),
        limits: limits.clone(),
        unprepared: language.prepare.is_some() && prepared.is_none(),
        prepared: prepared.as_ref(),
    };
    let key = key(&plan, &toolchain);
    let (report, entry) = match judge.store.get_or_lock(&key)? {
        Lookup::Hit(entry) => {
            let report = read_result(&entry)?;
            let directory = entry.path().join(PROGRAM_DIRECTORY);
            preload_program(judge, &directory);
            (report, Some(entry))
        }
        Lookup::Miss(draft) => {
            if plan.argv.is_some() {
                on_start();
            }
            compile_into(judge, &plan, draft, cancel)?
        }
    };
    let program = entry.filter(|_| report.ok).map(|entry| {
        let directory = entry.path().join(PROGRAM_DIRECTORY);
        Program::of_entry(entry, directory, sources.iter().map(|source| source.name.clone()).collect())
    });
    Ok(Compilation { report, program, toolchain: toolchain.version.clone() })
}

fn find_toolchain(judge: &Judge, language: &Language, cancel: &CancelToken) -> Result<Arc<Toolchain>, Fault> {
    toolchain::detect(judge, language, cancel).map_err(|error| match error {
        ToolchainError::Fault(fault) => fault,
        error => Fault::Language(format!(
            "language '{}' cannot be used here: {error} ('gavel languages' shows all)",
            language.id
        )),
    })
}

/// The prepared files; `None` when the language has none, or when making them failed: compiling may work
/// without.
fn prepare_for(
    judge: &Judge,
    language: &Language,
    toolchain: &Toolchain,
    cancel: &CancelToken,
) -> Result<Option<Prepared>, Fault> {
    let Some(prepare) = &language.prepare else {
        return Ok(None);
    };
    match prepare::prepared(judge, language, prepare, toolchain, cancel) {
        Ok(prepared) => Ok(Some(prepared)),
        Err(Fault::Language(problem)) => {
            tracing::warn!(language = %language.id, %problem, "compiling without prepared files");
            Ok(None)
        }
        Err(fault) => Err(fault),
    }
}

fn compile_argv(template: &[String], language: &Language, sources: &[Source]) -> Vec<String> {
    let names: Vec<String> = sources.iter().map(|source| source.name.clone()).collect();
    let paths: Vec<String> =
        language.compiler_sources(&names).iter().map(|name| format!("{SOURCE_DIRECTORY}/{name}")).collect();
    expand(
        template,
        &Placeholders {
            sources: &paths,
            exe: &format!("{OUTPUT_DIRECTORY}/{EXECUTABLE}"),
            dir: OUTPUT_DIRECTORY,
            source: paths.first().map_or("", String::as_str),
            memory_mib: language.compile_limits.memory.as_mib(),
        },
    )
}

/// The language's limits, with the package's own where it states them: those of a submission's compiler.
pub(super) fn package_limits(language: &Language, package: &Package) -> Limits {
    let mut limits = compile_limits(language);
    if let Some(cpu) = package.limits.compilation_time {
        limits.cpu = Some(cpu);
        limits.wall = limits.wall.max(Some(derived_wall(cpu)));
    }
    if let Some(memory) = package.limits.compilation_memory {
        limits.memory = Some(memory);
    }
    limits
}

fn key(plan: &Plan<'_>, toolchain: &Toolchain) -> Digest {
    let limits = &plan.limits;
    let mut key = KeyBuilder::default()
        .field("kind", "program")
        .field("format", CACHE_FORMAT)
        .field("language", &plan.language.id)
        .field("artifact", format!("{:?}", plan.language.artifact))
        .field("argv", plan.argv.as_ref().map(|argv| argv.join("\0")).unwrap_or_default())
        .field("environment", plan.env.join("\0"))
        .field("limits", format!("{:?} {:?} {:?}", limits.memory, limits.file_size, limits.processes))
        .field("mounts", format!("{:?} {}", plan.language.mounts, plan.language.proc))
        .field("toolchain version", &toolchain.version)
        .field("toolchain identity", &toolchain.identity)
        .field("prepared", plan.prepared.map(|prepared| prepared.digest.to_string()).unwrap_or_default());
    for source in plan.sources {
        key = key.field("source name", &source.name).field("source", &source.bytes);
    }
    key.finish()
}

/// The kept result of a compilation; its figures are those of a cache hit.
fn read_result(entry: &Entry) -> Result<CompileReport, Fault> {
    let path = entry.path().join(RESULT_FILE);
    let bytes = std::fs::read(&path).map_err(|error| Fault::file("read", &path, error))?;
    let report: CompileReport =
        serde_json::from_slice(&bytes).map_err(|error| Fault::file("read", &path, error))?;
    Ok(CompileReport { cached: true, cpu_ms: 0.0, wall_ms: 0.0, memory_kib: 0, ..report })
}

/// Compiles into a draft of a cache entry, which becomes one when there is a program.
fn compile_into(
    judge: &Judge,
    plan: &Plan<'_>,
    draft: Draft,
    cancel: &CancelToken,
) -> Result<(CompileReport, Option<Entry>), Fault> {
    let directory = draft.path().join(PROGRAM_DIRECTORY);
    let report = match &plan.argv {
        None => {
            make_directory(&directory)?;
            taken(CompileReport::default(), artifacts::write_sources(&directory, plan.sources))?
        }
        Some(argv) => judge.in_box(&compile_shape(plan.language), &[cancel], |sandbox_box| {
            let mut again = 0..outside_kill::RECOMPILATIONS;
            loop {
                // An earlier try may have left files.
                let _ = std::fs::remove_dir_all(&directory);
                make_directory(&directory)?;
                let began = Instant::now();
                let (report, in_doubt) = compile_in_box(judge, plan, argv, sandbox_box, &directory, cancel)?;
                if report.reason == Some(Reason::Error) {
                    judge.host_memory.has_spared_what_began(began)?;
                }
                match (in_doubt, again.next()) {
                    (None, _) | (Some(Ended::Perhaps), None) => return Ok(report),
                    (Some(Ended::FromOutside), None) => {
                        return Err(Fault::EndedFromOutside(format!(
                            "{}, and nothing in its box has sent that signal: something on this host ends programs",
                            report.log.trim_end().lines().last().unwrap_or_default()
                        )));
                    }
                    (Some(_), Some(_)) => {}
                }
                tracing::info!("compiled again, because something outside may have ended the compiler");
            }
        })?,
    };
    if !report.ok && plan.unprepared && uses_prepared(plan) {
        return Err(Fault::Language(format!(
            "language '{}' could not prepare its files, and compiling without them failed",
            plan.language.id
        )));
    }
    if !report.ok {
        return Ok((report, None));
    }
    let path = draft.path().join(RESULT_FILE);
    let result = serde_json::to_vec(&report).map_err(|error| Fault::file("write", &path, error))?;
    std::fs::write(&path, result).map_err(|error| Fault::file("write", &path, error))?;
    Ok((report, Some(judge.store.commit(draft)?)))
}

/// Whether the compiler is pointed at prepared files.
fn uses_prepared(plan: &Plan<'_>) -> bool {
    let names = |text: &String| text.contains(PREPARED);
    plan.argv.iter().flatten().any(names) || plan.env.iter().any(names)
}

/// How a compiler ended that may not have failed by itself.
#[derive(Debug, Clone, Copy)]
enum Ended {
    /// It, or a part of it, may have been ended from outside.
    Perhaps,
    /// It was.
    FromOutside,
}

/// Returns the command of a compiler, or of anything else that builds in a compile box.
pub(super) fn compiler<'a>(argv: &'a [String], env: &'a [String], limits: Limits) -> Exec<'a> {
    let log = Keep::First(LOG_LIMIT as u64);
    Exec { argv, env, directory: SOURCE_DIRECTORY, stdin: None, stdout: log, stderr: log, limits }
}

/// Compiles and takes the program out; the report says how it went. Also tells whether something outside may have ended
/// the compiler.
fn compile_in_box(
    judge: &Judge,
    plan: &Plan<'_>,
    argv: &[String],
    sandbox_box: &mut BoxHandle,
    destination: &Path,
    cancel: &CancelToken,
) -> Result<(CompileReport, Option<Ended>), Fault> {
    match plan.prepared {
        Some(prepared) => sandbox_box.attach(PREPARED, &prepared.entry.path().join(prepare::FILES))?,
        // Another language that shares this box may have left its own there.
        None => sandbox_box.detach(PREPARED)?,
    }
    artifacts::fill_workspace(sandbox_box.fresh_workspace()?, plan.sources)?;
    let compiler = compiler(argv, &plan.env, plan.limits.clone());
    let Finished { outcome, mut stdout, mut stderr, .. } = compiler.run(judge, sandbox_box, &[cancel])?;
    if cancel.is_cancelled() {
        return Err(Fault::Cancelled);
    }
    instruments::compiled(&plan.language.id, outcome.wall);
    let mut report = CompileReport {
        log: read_log(&mut stdout, &mut stderr, &judge.spill)?,
        reason: rejection(&outcome, plan.language, argv)?,
        cpu_ms: milliseconds(outcome.cpu),
        wall_ms: milliseconds(outcome.wall),
        memory_kib: outcome.memory.as_kib(),
        ..CompileReport::default()
    };
    if report.reason.is_some() {
        let in_doubt = match report.reason {
            Some(Reason::Error) if outside_kill::has_ended(&outcome) => Some(Ended::FromOutside),
            Some(Reason::Error) if may_have_ended_compiler(&outcome, &report.log) => Some(Ended::Perhaps),
            _ => None,
        };
        if let Exit::Signal(signal) = outcome.exit
            && outcome.stopped.is_empty()
            && signal != libc::SIGXFSZ
        {
            report.log.push_str(&format!("the compiler died of {}\n", named(signal)));
        }
        if report.reason == Some(Reason::Error) && tells_of_no_room(&report.log) {
            report.reason = Some(Reason::Output);
        }
        if report.reason == Some(Reason::Output) {
            let most = plan.language.compile_limits.output;
            report.log.push_str(&format!(
                "the compiler wrote a file of more than {most}, the most that one may have: make large arrays smaller, \
                 or fill them when the program runs\n"
            ));
        }
        return Ok((report, in_doubt));
    }
    Ok((taken(report, take(plan, sandbox_box, destination))?, None))
}

/// The report of a compilation whose program was taken out, or cannot be.
fn taken(mut report: CompileReport, outcome: Result<(), TakeError>) -> Result<CompileReport, Fault> {
    match outcome {
        Ok(()) => report.ok = true,
        Err(TakeError::Fault(fault)) => return Err(fault),
        Err(TakeError::Unusable(error)) => {
            report.reason = Some(Reason::Output);
            report.log = format!("{}{error}\n", report.log);
        }
    }
    Ok(report)
}

fn take(plan: &Plan<'_>, sandbox_box: &BoxHandle, destination: &Path) -> Result<(), TakeError> {
    let limit = plan.language.compile_limits.output;
    match plan.language.artifact {
        Artifact::Executable => artifacts::take_file(sandbox_box.workspace(), EXECUTABLE, destination, limit),
        Artifact::Directory => {
            artifacts::take_directory(sandbox_box.workspace(), artifacts::OUT, destination, limit)
        }
        Artifact::Sources => artifacts::write_sources(destination, plan.sources),
    }
}

/// Why there is no program, from how the compiler ended.
fn rejection(outcome: &Outcome, language: &Language, argv: &[String]) -> Result<Option<Reason>, Fault> {
    if let Some(stopped) = outcome.stopped.first() {
        return match stopped {
            Stopped::Cancelled => Err(Fault::Cancelled),
            Stopped::Memory => Ok(Some(Reason::Memory)),
            Stopped::Cpu | Stopped::Wall => Ok(Some(Reason::Time)),
            Stopped::Output => Ok(Some(Reason::Output)),
        };
    }
    match outcome.exit {
        Exit::Code(0) => Ok(None),
        // The file size limit, which only kills who writes past it.
        Exit::Signal(libc::SIGXFSZ) => Ok(Some(Reason::Output)),
        Exit::Code(_) | Exit::Signal(_) => Ok(Some(Reason::Error)),
        Exit::NotStarted { step, errno } => Err(Fault::Language(format!(
            "language '{}': the compiler '{}' cannot be started ({step}: {})",
            language.id,
            argv.first().map_or("", String::as_str),
            nix::errno::Errno::from_raw(errno).desc()
        ))),
    }
}

/// Whether a compiler says that a part of it met the limit of file sizes, or filled its work directory. The signal
/// (SIGXFSZ) ends the part, and the driver of a compiler takes that for an internal error.
fn tells_of_no_room(log: &str) -> bool {
    let log = log.to_ascii_lowercase();
    [
        "file size limit exceeded",
        "file too large",
        "sigxfsz",
        "signal: 25",
        "signal 25",
        "no space left on device",
    ]
    .iter()
    .any(|told| log.contains(told))
}

pub(super) fn make_directory(path: &Path) -> Result<(), Fault> {
    std::fs::create_dir(path).map_err(|error| Fault::file("make directory", path, error))
}

/// Reads a program's files from outside, so that no run is charged for their pages.
pub(super) fn preload_program(judge: &Judge, directory: &Path) {
    let Ok(listing) = std::fs::read_dir(directory) else {
        return;
    };
    for entry in listing.flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => preload_program(judge, &entry.path()),
            Ok(kind) if kind.is_file() => judge.preload(&entry.path()),
            _ => {}
        }
    }
}

/// What a compiler said on both streams, cut, as text that is safe to show on a terminal.
pub(super) fn read_log(stdout: &mut Capture, stderr: &mut Capture, spill: &Path) -> Result<String, Fault> {
    let mut bytes = Vec::new();
    for capture in [&mut *stdout, &mut *stderr] {
        bytes.append(&mut read_all(capture, spill)?);
    }
    let truncated = bytes.len() > LOG_LIMIT || stdout.is_truncated() || stderr.is_truncated();
    bytes.truncate(LOG_LIMIT);
    let mut log = visible_text(&String::from_utf8_lossy(&bytes));
    if truncated {
        log.push_str(&format!("\n[cut to {}]\n", Bytes(LOG_LIMIT as u64)));
    }
    Ok(log)
}

/// Control characters other than newline and tab, made visible: a source's file name or a string in it may
/// carry escape sequences for the terminal of whoever reads the log.
fn visible_text(text: &str) -> String {
    let mut visible = String::with_capacity(text.len());
    for c in text.replace("\r\n", "\n").chars() {
        if c.is_control() && c != '\n' && c != '\t' {
            visible.extend(c.escape_default());
        } else {
            visible.push(c);
        }
    }
    visible
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_are_cut_and_carry_no_escape_sequences() {
        let directory = tempfile::tempdir().unwrap();
        let mut stdout = Capture::at_most(LOG_LIMIT as u64, directory.path());
        let mut stderr = Capture::at_most(LOG_LIMIT as u64, directory.path());
        stdout.push(b"a\x1b[31mred\r\n\xff\tb\n").unwrap();
        let log = read_log(&mut stdout, &mut stderr, directory.path()).unwrap();
        assert_eq!(log, "a\\u{1b}[31mred\n\u{fffd}\tb\n");
        stderr.push(&vec![b'x'; LOG_LIMIT + 1]).unwrap();
        let log = read_log(&mut stdout, &mut stderr, directory.path()).unwrap();
        assert!(log.len() < LOG_LIMIT + 100 && log.ends_with("[cut to 64KiB]\n"));
    }
}
