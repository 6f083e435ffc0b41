//! Builds programs that bring their own `build` and `run` scripts (Kattis problem package format, "Programs").
//!
//! `build` runs once, in a compile box, in a copy of the program's directory; what the directory holds afterwards is the
//! program, and `run` starts it. Scripts may use every compiler and interpreter that a language of the table mounts.

use std::path::PathBuf;

use crate::cache::{Digest, Draft, Entry, KeyBuilder, Lookup};
use crate::cancel::CancelToken;
use crate::judge::compile::artifacts::{self, TakeError};
use crate::judge::compile::compiler::{self, CACHE_FORMAT, error_line, make_directory, read_log};
use crate::judge::compile::program::Program;
use crate::judge::compile::toolchain::{self, ToolchainError};
use crate::judge::engine::Engine;
use crate::judge::exec::Finished;
use crate::judge::fault::Fault;
use crate::judge::jury::program::{BuiltProgram, program_path, run_limits};
use crate::judge::language_box::{COMPILE_INODES, SOURCE_DIRECTORY, base_environment};
use crate::judge::request::Source;
use crate::language::{CompileLimits, Table};
use crate::package::ProgramLimits;
use crate::sandbox::{BoxHandle, Exit, Limits, Profile, Shape};
use crate::units::Bytes;

const BUILD: &str = "build";
const RUN: &str = "run";
/// Directory of the program inside a cache entry.
const PROGRAM_DIRECTORY: &str = "program";
/// Languages whose toolchains the format promises to scripts: an upgrade builds the program anew.
const PROMISED: &[&str] = &["c", "cpp", "python3"];
/// Processes of a running script and what it starts.
const PROCESSES: u32 = 64;

/// Builds a program by its scripts, or returns what was built before.
///
/// # Errors
/// [`Fault::Checker`] when the build fails or leaves no `run`.
pub(crate) fn build(
    engine: &Engine,
    name: &str,
    sources: &[Source],
    limits: ProgramLimits,
    cancel: &CancelToken,
) -> Result<BuiltProgram, Fault> {
    let entry = match engine.store.get_or_lock(&key(engine, sources, cancel)?)? {
        Lookup::Hit(entry) => entry,
        Lookup::Miss(draft) => build_into(engine, name, sources, draft, cancel)?,
    };
    let directory = entry.path().join(PROGRAM_DIRECTORY);
    engine.preload_directory(&directory);
    Ok(BuiltProgram {
        name: name.to_owned(),
        argv: vec![program_path(RUN)],
        env: base_environment(),
        shape: shape(&engine.table, Profile::Managed),
        limits: run_limits(limits.time, limits.memory, limits.output, PROCESSES),
        // A script may start any runtime.
        crash: Vec::new(),
        crash_end: Vec::new(),
        crash_codes: None,
        program: Program::of_entry(entry, directory, Vec::new()),
    })
}

fn key(engine: &Engine, sources: &[Source], cancel: &CancelToken) -> Result<Digest, Fault> {
    let mut key = KeyBuilder::default().field("kind", "scripts").field("format", CACHE_FORMAT);
    for language in PROMISED.iter().filter_map(|code| engine.table.named(code)) {
        match toolchain::detect(engine, language, cancel) {
            Ok(found) => key = key.field("tools", &found.identity),
            Err(ToolchainError::Fault(fault)) => return Err(fault),
            Err(_) => key = key.field("tools", "none"),
        }
    }
    for source in sources {
        key = key.field("name", &source.name).field("file", &source.bytes);
    }
    Ok(key.finish())
}

/// Builds into the draft of a cache entry, and commits it.
fn build_into(
    engine: &Engine,
    name: &str,
    sources: &[Source],
    draft: Draft,
    cancel: &CancelToken,
) -> Result<Entry, Fault> {
    let directory = draft.path().join(PROGRAM_DIRECTORY);
    if sources.iter().any(|source| source.name == BUILD) {
        tracing::info!(program = %name, "building");
        let limits = CompileLimits::default();
        let mut shape = shape(&engine.table, Profile::Compile);
        shape.workspace = Bytes(limits.output.0.saturating_mul(2));
        shape.workspace_inodes = COMPILE_INODES;
        engine.in_box(&shape, &[cancel], |sandbox_box| {
            // A first try that lost its box may have left files.
            let _ = std::fs::remove_dir_all(&directory);
            make_directory(&directory)?;
            artifacts::fill_workspace(sandbox_box.fresh_workspace()?, sources)?;
            run_build(engine, name, sandbox_box, &limits, cancel)?;
            let workspace = sandbox_box.workspace();
            let taken = artifacts::take_directory(workspace, artifacts::SRC, &directory, limits.output);
            taken.map_err(|error| of_the_package(name, error))
        })?;
    } else {
        make_directory(&directory)?;
        artifacts::write_sources(&directory, sources).map_err(|error| of_the_package(name, error))?;
    }
    if !directory.join(RUN).is_file() {
        return Err(Fault::Checker(format!("{name}: its build script made no file '{RUN}'")));
    }
    Ok(engine.store.commit(draft)?)
}

/// Blames the package for files that cannot be stored.
fn of_the_package(name: &str, error: TakeError) -> Fault {
    match error {
        TakeError::Fault(fault) => fault,
        TakeError::Unusable(error) => {
            Fault::Checker(format!("{name}: the files it is made of cannot be used: {error}"))
        }
    }
}

fn run_build(
    engine: &Engine,
    name: &str,
    sandbox_box: &mut BoxHandle,
    limits: &CompileLimits,
    cancel: &CancelToken,
) -> Result<(), Fault> {
    let (argv, env) = ([format!("{SOURCE_DIRECTORY}/{BUILD}")], base_environment());
    let limits = Limits {
        cpu: Some(limits.cpu),
        wall: Some(limits.wall),
        memory: Some(limits.memory),
        file_size: Some(limits.output),
        processes: Some(limits.processes),
        ..Limits::default()
    };
    let command = compiler::command(&argv, &env, limits);
    let Finished { outcome, mut stdout, mut stderr, .. } = command.run(engine, sandbox_box, &[cancel])?;
    if cancel.is_cancelled() {
        return Err(Fault::Cancelled);
    }
    if outcome.stopped.is_empty() && outcome.exit == Exit::Code(0) {
        return Ok(());
    }
    let log = read_log(&mut stdout, &mut stderr, &engine.spill)?;
    Err(Fault::Checker(format!(
        "{name}: its build script failed ({:?} {:?}): {}",
        outcome.exit,
        outcome.stopped,
        error_line(&log)
    )))
}

/// Returns a box with the mounts of all languages.
fn shape(table: &Table, profile: Profile) -> Shape {
    let mut mounts: Vec<PathBuf> =
        table.languages.iter().flat_map(|language| language.mounts.iter().cloned()).collect();
    mounts.sort_unstable();
    mounts.dedup();
    Shape { profile, mounts, proc: true, ..Shape::default() }
}
