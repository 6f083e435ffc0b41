//! Compiles a program through the cache, in a compile box with limits of its own.
//!
//! The cache's key holds everything that decides the program: the sources and their names, the expanded command line, the
//! environment, the limits, the toolchain's version and files, and the precompiled files. Rejections are not cached: the
//! host may have killed a part of the compiler, and then the next attempt succeeds.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use crate::cache::{Digest, Draft, Entry, KeyBuilder, Lookup};
use crate::cancel::CancelToken;
use crate::instruments;
use crate::judge::compile::artifacts::{self, TakeError};
use crate::judge::compile::compiler::{self, CACHE_FORMAT, make_directory, read_log};
use crate::judge::compile::precompiled::{self, Prepared};
use crate::judge::compile::toolchain::{self, ToolchainError};
use crate::judge::engine::{Engine, Toolchain};
use crate::judge::exec::Finished;
use crate::judge::external_kill::{self, may_have_ended_compiler, named};
use crate::judge::fault::Fault;
use crate::judge::language_box::{
    EXECUTABLE, compile_argv, compile_limits, compile_shape, derived_wall, environment,
};
use crate::judge::request::Source;
use crate::language::{Artifact, Language};
use crate::package::Package;
use crate::report::CompileReport;
use crate::sandbox::{BoxHandle, Exit, Limits, Outcome, PREPARED, Stopped};
use crate::units::milliseconds;
use crate::verdict::Reason;

/// Directory of the program inside a cache entry.
const PROGRAM_DIRECTORY: &str = "program";
/// How compiling went, inside a cache entry.
const RESULT_FILE: &str = "compile.json";
/// A compiled program, ready to be shown at `/program`.
#[derive(Debug)]
pub(crate) struct Program {
    /// Keeps the files from being evicted.
    _entry: Entry,
    /// The directory to show.
    pub(crate) directory: PathBuf,
    /// Names of the source files, the entry point first.
    pub(crate) source_names: Vec<String>,
}

impl Program {
    /// Returns a program that lies in a cache entry.
    pub(crate) fn of_entry(entry: Entry, directory: PathBuf, source_names: Vec<String>) -> Self {
        Self { _entry: entry, directory, source_names }
    }
}

/// The result of compiling.
#[derive(Debug)]
pub(crate) struct Compilation {
    pub(crate) report: CompileReport,
    /// `None` when the compiler rejected the sources.
    pub(crate) program: Option<Program>,
    /// Version line of the toolchain.
    pub(crate) toolchain: String,
}

/// Sources and how to compile them.
pub(crate) struct Recipe<'a> {
    pub(crate) language: &'a Language,
    /// The entry point first.
    pub(crate) sources: &'a [Source],
    /// Arguments of the compiler after the language's own.
    pub(crate) flags: &'a [String],
    /// Limits of the compiler.
    pub(crate) limits: Limits,
}

/// A compilation with everything that decides its result.
struct Plan<'a> {
    language: &'a Language,
    sources: &'a [Source],
    argv: Option<Vec<String>>,
    env: Vec<String>,
    limits: Limits,
    prepared: Option<&'a Prepared>,
    /// Whether the language has precompiled files and building them failed.
    unprepared: bool,
}

/// Compiles, or returns what was compiled before; calls `on_start` when a compiler is about to run.
pub(crate) fn compile(
    engine: &Engine,
    recipe: &Recipe<'_>,
    on_start: &dyn Fn(),
    cancel: &CancelToken,
) -> Result<Compilation, Fault> {
    let Recipe { language, sources, flags, ref limits } = *recipe;
    let toolchain = find_toolchain(engine, language, cancel)?;
    let prepared = prepare_for(engine, language, &toolchain, cancel)?;
    let plan = Plan {
        language,
        sources,
        argv: language.compile.as_ref().map(|template| {
            let names: Vec<String> = sources.iter().map(|source| source.name.clone()).collect();
            let mut argv = compile_argv(template, language, &language.compiler_sources(&names));
            argv.extend_from_slice(flags);
            argv
        }),
        env: environment(language),
        limits: limits.clone(),
        unprepared: language.prepare.is_some() && prepared.is_none(),
        prepared: prepared.as_ref(),
    };
    let key = key(&plan, &toolchain);
    let (report, entry) = match engine.store.get_or_lock(&key)? {
        Lookup::Hit(entry) => {
            let report = read_result(&entry)?;
            let directory = entry.path().join(PROGRAM_DIRECTORY);
            engine.preload_directory(&directory);
            (report, Some(entry))
        }
        Lookup::Miss(draft) => {
            if plan.argv.is_some() {
                on_start();
            }
            compile_into(engine, &plan, draft, cancel)?
        }
    };
    let program = entry.filter(|_| report.ok).map(|entry| {
        let directory = entry.path().join(PROGRAM_DIRECTORY);
        Program::of_entry(entry, directory, sources.iter().map(|source| source.name.clone()).collect())
    });
    Ok(Compilation { report, program, toolchain: toolchain.version.clone() })
}

fn find_toolchain(
    engine: &Engine,
    language: &Language,
    cancel: &CancelToken,
) -> Result<Arc<Toolchain>, Fault> {
    toolchain::detect(engine, language, cancel).map_err(|error| match error {
        ToolchainError::Fault(fault) => fault,
        error => Fault::Language(format!(
            "language '{}' cannot be used here: {error} ('gavel languages' shows all)",
            language.id
        )),
    })
}

/// Returns the precompiled files; `None` when the language has none, or when building them failed: compiling may work
/// without.
fn prepare_for(
    engine: &Engine,
    language: &Language,
    toolchain: &Toolchain,
    cancel: &CancelToken,
) -> Result<Option<Prepared>, Fault> {
    let Some(prepare) = &language.prepare else {
        return Ok(None);
    };
    match precompiled::prepared(engine, language, prepare, toolchain, cancel) {
        Ok(prepared) => Ok(Some(prepared)),
        Err(Fault::Language(problem)) => {
            tracing::warn!(language = %language.id, %problem, "compiling without prepared files");
            Ok(None)
        }
        Err(fault) => Err(fault),
    }
}

/// Returns the limits of a submission's compiler: the language's, or the package's own where it states them.
pub(crate) fn package_limits(language: &Language, package: &Package) -> Limits {
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

/// Reads the result of an earlier compilation, with the figures of a cache hit.
fn read_result(entry: &Entry) -> Result<CompileReport, Fault> {
    let path = entry.path().join(RESULT_FILE);
    let bytes = std::fs::read(&path).map_err(|error| Fault::file("read", &path, error))?;
    let report: CompileReport =
        serde_json::from_slice(&bytes).map_err(|error| Fault::file("read", &path, error))?;
    Ok(CompileReport { cached: true, cpu_ms: 0.0, wall_ms: 0.0, memory_kib: 0, ..report })
}

/// Compiles into the draft of a cache entry, and commits it when there is a program.
fn compile_into(
    engine: &Engine,
    plan: &Plan<'_>,
    draft: Draft,
    cancel: &CancelToken,
) -> Result<(CompileReport, Option<Entry>), Fault> {
    let directory = draft.path().join(PROGRAM_DIRECTORY);
    let report = match &plan.argv {
        None => {
            make_directory(&directory)?;
            with_artifact(CompileReport::default(), artifacts::write_sources(&directory, plan.sources))?
        }
        Some(argv) => engine.in_box(&compile_shape(plan.language), &[cancel], |sandbox_box| {
            let mut again = 0..external_kill::RECOMPILATIONS;
            loop {
                // An earlier try may have left files.
                let _ = std::fs::remove_dir_all(&directory);
                make_directory(&directory)?;
                let began = Instant::now();
                let (report, in_doubt) = compile_in_box(engine, plan, argv, sandbox_box, &directory, cancel)?;
                if report.reason == Some(Reason::Error) {
                    engine.host_memory.has_spared_what_began(began)?;
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
    Ok((report, Some(engine.store.commit(draft)?)))
}

/// Returns whether the compiler is pointed at precompiled files.
fn uses_prepared(plan: &Plan<'_>) -> bool {
    let names = |text: &String| text.contains(PREPARED);
    plan.argv.iter().flatten().any(names) || plan.env.iter().any(names)
}

/// Whether something outside of the box ended a compiler.
#[derive(Debug, Clone, Copy)]
enum Ended {
    /// It may have ended the compiler or a part of it.
    Perhaps,
    /// It has ended the compiler.
    FromOutside,
}

/// Runs the compiler and takes the program out of the box. Returns the report, and whether something outside may have ended
/// the compiler.
fn compile_in_box(
    engine: &Engine,
    plan: &Plan<'_>,
    argv: &[String],
    sandbox_box: &mut BoxHandle,
    destination: &Path,
    cancel: &CancelToken,
) -> Result<(CompileReport, Option<Ended>), Fault> {
    match plan.prepared {
        Some(prepared) => sandbox_box.attach(PREPARED, &prepared.entry.path().join(precompiled::FILES))?,
        // Another language may have used this box.
        None => sandbox_box.detach(PREPARED)?,
    }
    artifacts::fill_workspace(sandbox_box.fresh_workspace()?, plan.sources)?;
    let compiler = compiler::command(argv, &plan.env, plan.limits.clone());
    let Finished { outcome, mut stdout, mut stderr, .. } = compiler.run(engine, sandbox_box, &[cancel])?;
    if cancel.is_cancelled() {
        return Err(Fault::Cancelled);
    }
    instruments::compiled(&plan.language.id, outcome.wall);
    let mut report = CompileReport {
        log: read_log(&mut stdout, &mut stderr, &engine.spill)?,
        reason: rejection(&outcome, plan.language, argv)?,
        cpu_ms: milliseconds(outcome.cpu),
        wall_ms: milliseconds(outcome.wall),
        memory_kib: outcome.memory.as_kib(),
        ..CompileReport::default()
    };
    if report.reason.is_some() {
        let in_doubt = explain_rejection(&mut report, &outcome, plan.language);
        return Ok((report, in_doubt));
    }
    Ok((with_artifact(report, take_artifact(plan, sandbox_box, destination))?, None))
}

/// Adds to the log why the compiler failed. Returns whether something outside may have ended it.
fn explain_rejection(report: &mut CompileReport, outcome: &Outcome, language: &Language) -> Option<Ended> {
    let in_doubt = match report.reason {
        Some(Reason::Error) if external_kill::has_ended(outcome) => Some(Ended::FromOutside),
        Some(Reason::Error) if may_have_ended_compiler(outcome, &report.log) => Some(Ended::Perhaps),
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
        let most = language.compile_limits.output;
        report.log.push_str(&format!(
            "the compiler wrote a file of more than {most}, the most that one may have: make large arrays smaller, \
             or fill them when the program runs\n"
        ));
    }
    in_doubt
}

/// Adds to the report whether the program could be taken out of the box.
fn with_artifact(mut report: CompileReport, outcome: Result<(), TakeError>) -> Result<CompileReport, Fault> {
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

/// Takes the program out of the box.
fn take_artifact(plan: &Plan<'_>, sandbox_box: &BoxHandle, destination: &Path) -> Result<(), TakeError> {
    let limit = plan.language.compile_limits.output;
    match plan.language.artifact {
        Artifact::Executable => artifacts::take_file(sandbox_box.workspace(), EXECUTABLE, destination, limit),
        Artifact::Directory => {
            artifacts::take_directory(sandbox_box.workspace(), artifacts::OUT, destination, limit)
        }
        Artifact::Sources => artifacts::write_sources(destination, plan.sources),
    }
}

/// Returns why there is no program, by how the compiler ended; `None` where it succeeded.
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
        // The kernel sends it to a process that writes past the limit of file sizes (setrlimit(2)).
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

/// Returns whether a log says that a part of the compiler met the limit of file sizes or filled its work directory. SIGXFSZ
/// ends the part, and the compiler's driver reports that as an internal error.
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
    .any(|message| log.contains(message))
}
