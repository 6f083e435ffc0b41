//! What several commands begin with: the language table, the cache's place, a judge, a package.

use std::path::{Path, PathBuf};

use super::{CommandError, output};
use crate::cli::Global;
use crate::judge::{Judge, JudgeSettings, StartError};
use crate::language::Table;
use crate::package::Stash;
use crate::sandbox::{self, CancelToken, ResourceControl};
use crate::settings::Settings;

/// The language table the options name, or the built-in one.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn languages(global: &Global) -> Result<Table, CommandError> {
    match &global.languages {
        Some(path) => Table::load(path),
        None => Table::built_in(),
    }
    .map_err(CommandError::usage)
}

/// Settings of the sandbox.
pub(crate) fn sandbox_settings(global: &Global) -> sandbox::Settings {
    sandbox::Settings { resource_control: global.cgroups.demanded(), ..sandbox::Settings::default() }
}

/// Starts a judge of these packages, or those below these directories, and those in the cache. On the command line whoever
/// runs it may raise limits.
///
/// # Errors
/// When the table is broken (usage), or the host cannot run boxes or keep a cache.
pub(crate) fn judge(global: &Global, packages: Vec<PathBuf>) -> Result<Judge, CommandError> {
    judge_for(global, packages, true)
}

/// As [`judge`], writing what interactors and programs say to each other into that directory.
///
/// # Errors
/// As [`judge`].
pub(crate) fn judge_writing(
    global: &Global,
    packages: Vec<PathBuf>,
    transcripts: Option<PathBuf>,
) -> Result<Judge, CommandError> {
    let mut settings = judge_settings(global)?;
    settings.packages = packages;
    settings.may_raise_limits = true;
    settings.transcripts = transcripts;
    judge_with(global, settings)
}

/// Starts a judge for submissions of others, which may raise limits only with permission.
///
/// # Errors
/// As [`judge`].
pub(crate) fn judge_for(
    global: &Global,
    packages: Vec<PathBuf>,
    may_raise_limits: bool,
) -> Result<Judge, CommandError> {
    let mut settings = judge_settings(global)?;
    settings.packages = packages;
    settings.may_raise_limits = may_raise_limits;
    judge_with(global, settings)
}

/// Starts the judge of a worker; `global` has what its settings say.
///
/// # Errors
/// As [`judge`].
pub(crate) fn judge_of_worker(global: &Global, worker: &Settings) -> Result<Judge, CommandError> {
    judge_with(global, settings_of_worker(global, worker)?)
}

/// What the judge of a worker is told.
///
/// # Errors
/// When the language table is broken, or there is no place for the cache.
pub(crate) fn settings_of_worker(global: &Global, worker: &Settings) -> Result<JudgeSettings, CommandError> {
    let mut settings = judge_settings(global)?;
    settings.packages.clone_from(&worker.package_roots);
    settings.may_raise_limits = worker.raise_limits;
    settings.cache_capacity = worker.cache_size;
    if let Some(name) = &worker.name {
        settings.worker.clone_from(name);
    }
    Ok(settings)
}

fn judge_settings(global: &Global) -> Result<JudgeSettings, CommandError> {
    let mut settings = JudgeSettings::new(languages(global)?, cache_directory(global)?);
    settings.slots = global.slots;
    settings.require_cores = global.require_cores;
    settings.core_locks = global.core_locks.clone().filter(|path| !path.as_os_str().is_empty());
    settings.sandbox = sandbox_settings(global);
    Ok(settings)
}

fn judge_with(global: &Global, settings: JudgeSettings) -> Result<Judge, CommandError> {
    let judge = Judge::start(settings).map_err(|error| match error {
        StartError::Slots(_) => CommandError::usage(error),
        StartError::Sandbox(_)
        | StartError::Cache(_)
        | StartError::Directory { .. }
        | StartError::NoCore(_)
        | StartError::Cores(_) => CommandError::judging(error),
    })?;
    let control = judge.sandbox().resource_control();
    // Whoever asked for it knows; whoever got it because there is nothing better must be told.
    if control == ResourceControl::None && sandbox_settings(global).resource_control.is_none() {
        output::remark(
            "no cgroup may be used here: limits hold for each process alone, not for all a program starts, and \
             figures are less exact; run as root or in a delegated cgroup ('gavel doctor' says how)",
        );
    }
    if let Some(shortage) = judge.cores().shortage() {
        output::remark(&format!(
            "{shortage}; programs run on any core there, and figures are less exact (--require-cores refuses)"
        ));
    }
    Ok(judge)
}

/// Where compiled programs are kept: absolute, so that it stays the same whatever the directory.
pub(crate) fn cache_directory(global: &Global) -> Result<PathBuf, CommandError> {
    let path = match &global.cache {
        Some(path) if !path.as_os_str().is_empty() => path.clone(),
        _ => default_cache().ok_or_else(|| {
            CommandError::usage(
                "no place for the cache: neither XDG_CACHE_HOME nor HOME is set; give --cache DIR",
            )
        })?,
    };
    std::path::absolute(&path)
        .map_err(|error| CommandError::Usage(format!("--cache '{}': {error}", path.display())))
}

fn default_cache() -> Option<PathBuf> {
    let directory = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    directory("XDG_CACHE_HOME")
        .or_else(|| directory("HOME").map(|home| home.join(".cache")))
        .map(|cache| cache.join("gavel"))
}

/// The way to packages, also archives of them and those that hold their tests in one.
///
/// # Errors
/// When there is no place for the cache.
pub(crate) fn packages(global: &Global) -> Result<Stash, CommandError> {
    let cancel = CancelToken::new().map_err(CommandError::judging)?;
    Ok(Stash::new(&cache_directory(global)?, cancel))
}

/// What a path is called in messages and tables.
pub(crate) fn shown(path: &Path) -> String {
    output::one_line(&path.display().to_string())
}
