//! Programs of the jury's that bring their own `build` and `run` (Kattis problem package format, "Programs").
//!
//! `build` runs once, in a copy of the program's directory in a compile box, and what the directory holds afterwards is
//! the program; `run` is started from there. Scripts may use any compiler and interpreter of the host that some language
//! of the table shows.

use std::path::PathBuf;

use super::artifacts::{self, TakeError};
use super::compile::{self, CACHE_FORMAT, Program, compiler, read_log};
use super::exec::Finished;
use super::fault::Fault;
use super::request::Source;
use super::tool::{Tool, Workshop, complaint, program_path, run_limits};
use super::{BASE_ENVIRONMENT, Judge, SOURCE_DIRECTORY, toolchain};
use crate::cache::{Draft, Entry, KeyBuilder, Lookup};
use crate::cancel::CancelToken;
use crate::language::{CompileLimits, Table};
use crate::package::ProgramLimits;
use crate::sandbox::{Exit, Limits, Profile, Shape};
use crate::units::Bytes;

const BUILD: &str = "build";
const RUN: &str = "run";
/// Directory of the program inside a cache entry.
const PROGRAM_DIRECTORY: &str = "program";
/// Tools that the format promises to scripts, as languages of the table: an upgrade of theirs builds anew.
const PROMISED: &[&str] = &["c", "cpp", "python3"];
/// Processes of a running script and what it starts.
const PROCESSES: u32 = 64;

/// Builds, or finds it done before.
pub(super) fn make(
    workshop: &Workshop<'_>,
    name: &str,
    sources: &[Source],
    limits: ProgramLimits,
) -> Result<Tool, Fault> {
    let judge = workshop.judge;
    let entry = match judge.store.get_or_lock(&key(judge, sources, workshop.cancel)?)? {
        Lookup::Hit(entry) => entry,
        Lookup::Miss(draft) => build(judge, name, sources, draft, workshop.cancel)?,
    };
    let directory = entry.path().join(PROGRAM_DIRECTORY);
    compile::preload_program(judge, &directory);
    Ok(Tool {
        name: name.to_owned(),
        argv: vec![program_path(RUN)],
        env: environment(),
        shape: shape(&judge.table, Profile::Managed),
        limits: run_limits(limits.time, limits.memory, limits.output, PROCESSES),
        // Nothing is known of what they start.
        crash: Vec::new(),
        crash_end: Vec::new(),
        crash_codes: None,
        program: Program::of_entry(entry, directory, Vec::new()),
    })
}

fn key(judge: &Judge, sources: &[Source], cancel: &CancelToken) -> Result<crate::cache::Digest, Fault> {
    let mut key = KeyBuilder::default().field("kind", "scripts").field("format", CACHE_FORMAT);
    for language in PROMISED.iter().filter_map(|code| judge.table.named(code)) {
        match toolchain::detect(judge, language, cancel) {
            Ok(found) => key = key.field("tools", &found.identity),
            Err(toolchain::ToolchainError::Fault(fault)) => return Err(fault),
            Err(_) => key = key.field("tools", "none"),
        }
    }
    for source in sources {
        key = key.field("name", &source.name).field("file", &source.bytes);
    }
    Ok(key.finish())
}

fn build(
    judge: &Judge,
    name: &str,
    sources: &[Source],
    draft: Draft,
    cancel: &CancelToken,
) -> Result<Entry, Fault> {
    let directory = draft.path().join(PROGRAM_DIRECTORY);
    if sources.iter().any(|source| source.name == BUILD) {
        tracing::info!(program = %name, "building");
        let limits = CompileLimits::default();
        let mut shape = shape(&judge.table, Profile::Compile);
        shape.workspace = Bytes(limits.output.0.saturating_mul(2));
        shape.workspace_inodes = 1 << 16;
        judge.in_box(&shape, &[cancel], |sandbox_box| {
            // A first try that lost its box may have left files.
            let _ = std::fs::remove_dir_all(&directory);
            compile::make_directory(&directory)?;
            artifacts::fill_workspace(sandbox_box.fresh_workspace()?, sources)?;
            run_build(judge, name, sandbox_box, &limits, cancel)?;
            let workspace = sandbox_box.workspace();
            let taken = artifacts::take_directory(workspace, artifacts::SRC, &directory, limits.output);
            taken.map_err(|error| of_the_package(name, error))
        })?;
    } else {
        compile::make_directory(&directory)?;
        artifacts::write_sources(&directory, sources).map_err(|error| of_the_package(name, error))?;
    }
    if !directory.join(RUN).is_file() {
        return Err(Fault::Checker(format!("{name}: its build script made no file '{RUN}'")));
    }
    Ok(judge.store.commit(draft)?)
}

/// Blames the package for files that cannot be kept.
fn of_the_package(name: &str, error: TakeError) -> Fault {
    match error {
        TakeError::Fault(fault) => fault,
        TakeError::Unusable(error) => {
            Fault::Checker(format!("{name}: the files it is made of cannot be used: {error}"))
        }
    }
}

fn run_build(
    judge: &Judge,
    name: &str,
    sandbox_box: &mut crate::sandbox::BoxHandle,
    limits: &CompileLimits,
    cancel: &CancelToken,
) -> Result<(), Fault> {
    let (argv, env) = ([format!("{SOURCE_DIRECTORY}/{BUILD}")], environment());
    let limits = Limits {
        cpu: Some(limits.cpu),
        wall: Some(limits.wall),
        memory: Some(limits.memory),
        file_size: Some(limits.output),
        processes: Some(limits.processes),
        ..Limits::default()
    };
    let command = compiler(&argv, &env, limits);
    let Finished { outcome, mut stdout, mut stderr, .. } = command.run(judge, sandbox_box, &[cancel])?;
    if cancel.is_cancelled() {
        return Err(Fault::Cancelled);
    }
    if outcome.stopped.is_empty() && outcome.exit == Exit::Code(0) {
        return Ok(());
    }
    let log = read_log(&mut stdout, &mut stderr, &judge.spill)?;
    Err(Fault::Checker(format!(
        "{name}: its build script failed ({:?} {:?}): {}",
        outcome.exit,
        outcome.stopped,
        complaint(&log)
    )))
}

fn environment() -> Vec<String> {
    BASE_ENVIRONMENT.iter().map(|entry| (*entry).to_owned()).collect()
}

/// A box with whatever any language shows.
fn shape(table: &Table, profile: Profile) -> Shape {
    let mut mounts: Vec<PathBuf> =
        table.languages.iter().flat_map(|language| language.mounts.iter().cloned()).collect();
    mounts.sort_unstable();
    mounts.dedup();
    Shape { profile, mounts, proc: true, ..Shape::default() }
}
