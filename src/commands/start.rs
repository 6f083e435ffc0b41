//! What several commands begin with: the language table, the cache's place, a judge, a package.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{CommandError, doctor, output};
use crate::cache::Store;
use crate::cancel::CancelToken;
use crate::cli::Global;
use crate::judge::{Judge, JudgeSettings, Prepared, Readers, StartError};
use crate::language::Table;
use crate::package::Library;
use crate::sandbox::{self, Account, Reachable, ResourceControl, SandboxError, Shape};
use crate::settings::Settings;
use crate::submission::Feedback;

/// Between what failed and what is wrong with the host.
pub(crate) const DOCTOR_SAYS: &str = "; 'gavel doctor' says: ";

/// The cache of a worker that root starts and that becomes another user.
const SYSTEM_CACHE: &str = "/var/cache/gavel";

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
    judge_writing(global, packages, None)
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
    settings.readers = Readers::Backend(Some(Feedback::Full));
    judge_with(global, settings)
}

/// Starts the judge of a worker on what it has opened.
///
/// # Errors
/// As [`judge`].
pub(crate) fn judge_of_worker(
    global: &Global,
    settings: JudgeSettings,
    prepared: Prepared,
) -> Result<Judge, CommandError> {
    let judge = Judge::start_on(settings, prepared).map_err(not_started)?;
    try_box(&judge)?;
    Ok(inform(global, judge))
}

/// Leases the cores of a worker and starts its sandbox, then gives up every right that it needs no more; `account` is the user it becomes. The
/// caller has one thread, and has not touched the network.
///
/// # Errors
/// When the host cannot run boxes, the cache cannot be used, or that user does not get at a package root.
pub(crate) fn prepare_worker(
    settings: &mut JudgeSettings,
    worker: &Settings,
    account: Option<&Account>,
) -> Result<Prepared, CommandError> {
    match account {
        Some(account) => {
            settings.cache =
                sandbox::hand_over_cache(&settings.cache, account).map_err(CommandError::judging)?;
            settings.sandbox.reader = Some((account.uid, account.gid));
        }
        // It looks whether the place is ours alone.
        None => drop(
            Store::open(&settings.cache, settings.cache_capacity)
                .map_err(|error| not_started(StartError::Cache(error)))?,
        ),
    }
    let files = [
        &worker.amqp.credentials_file,
        &worker.tls.ca_file,
        &worker.tls.certificate_file,
        &worker.tls.key_file,
        &worker.fetch.ca_file,
    ];
    settings.sandbox.directories.files = files.into_iter().flatten().cloned().collect();
    for path in settings.packages.iter().chain([&settings.cache]) {
        check_path(path)?;
    }
    let prepared = Judge::prepare(settings).map_err(not_started)?;
    let reachable = Reachable { packages: &settings.packages, cache: &settings.cache };
    prepared.sandbox().give_up_privileges(account, &reachable).map_err(CommandError::judging)?;
    if let Some(account) = account {
        tracing::info!(cache = %settings.cache.display(), "this worker has become {account}");
    }
    Ok(prepared)
}

/// What the judge of a worker is told that becomes `account`.
///
/// # Errors
/// When the language table is broken, or there is no place for the cache.
pub(crate) fn settings_of_worker(
    global: &Global,
    worker: &Settings,
    account: Option<&Account>,
) -> Result<JudgeSettings, CommandError> {
    let has_place = global.cache.is_some() || std::env::var_os("XDG_CACHE_HOME").is_some();
    let cache = match account {
        None => cache_directory(global)?,
        Some(_) if has_place => named_cache(global)?,
        // Its home, if it has one, is not that of this process.
        Some(_) => SYSTEM_CACHE.into(),
    };
    let mut settings = judge_settings_in(global, cache)?;
    settings.packages.clone_from(&worker.package_roots);
    settings.may_raise_limits = worker.raise_limits;
    settings.readers = Readers::Backend(worker.feedback);
    settings.cache_capacity = worker.cache_size;
    if let Some(name) = &worker.name {
        settings.worker.clone_from(name);
    }
    Ok(settings)
}

fn judge_settings(global: &Global) -> Result<JudgeSettings, CommandError> {
    judge_settings_in(global, cache_directory(global)?)
}

fn judge_settings_in(global: &Global, cache: PathBuf) -> Result<JudgeSettings, CommandError> {
    let mut settings = JudgeSettings::new(languages(global)?, cache);
    settings.slots = global.slots;
    settings.require_cores = global.require_cores;
    settings.core_locks = global.core_locks.clone().filter(|path| !path.as_os_str().is_empty());
    settings.sandbox = sandbox_settings(global);
    Ok(settings)
}

fn judge_with(global: &Global, settings: JudgeSettings) -> Result<Judge, CommandError> {
    for path in settings.packages.iter().chain([&settings.cache]) {
        check_path(path)?;
    }
    let judge = Judge::start(settings).map_err(not_started)?;
    try_box(&judge)?;
    Ok(inform(global, judge))
}

/// Refuses a path that cannot be named to the box keeper.
///
/// # Errors
/// When it is not UTF-8.
pub(crate) fn check_path(path: &Path) -> Result<(), CommandError> {
    if path.to_str().is_some() {
        return Ok(());
    }
    Err(CommandError::Usage(format!(
        "'{}': the path is not UTF-8, and boxes can show only paths that are: rename it",
        path.to_string_lossy()
    )))
}

/// Makes a box and removes it: what keeps this host from that is said once, at the start, and not for every submission.
fn try_box(judge: &Judge) -> Result<(), CommandError> {
    judge.sandbox().open_box(&Shape::default(), None).map(drop).map_err(|error| sandbox_failure(&error))
}

/// A sandbox that cannot work here, with what `gavel doctor` would say of the host.
pub(crate) fn sandbox_failure(error: &SandboxError) -> CommandError {
    let problems = doctor::problems();
    let mut message = match error {
        // What is wrong is known better than by the call that failed.
        SandboxError::Host { missing, .. } if !problems.is_empty() => {
            format!("this host cannot run boxes: {missing}")
        }
        error => error.to_string(),
    };
    if !problems.is_empty() {
        message.push_str(DOCTOR_SAYS);
        message.push_str(&problems.join("; "));
    } else if !matches!(error, SandboxError::Host { .. }) {
        message.push_str(" ('gavel doctor' shows what this host lacks)");
    }
    CommandError::Judging(message)
}

fn not_started(error: StartError) -> CommandError {
    match error {
        StartError::Slots(_) => CommandError::usage(error),
        StartError::Sandbox(error) => sandbox_failure(&error),
        StartError::Cache(_)
        | StartError::Directory { .. }
        | StartError::NoCore(_)
        | StartError::Cores(_) => CommandError::judging(error),
    }
}

/// Remarks on what limits cannot be held here.
fn inform(global: &Global, judge: Judge) -> Judge {
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
    judge
}

/// Where compiled programs are kept: absolute, so that it stays the same whatever the directory. Root does not use the cache
/// of a worker's user.
pub(crate) fn cache_directory(global: &Global) -> Result<PathBuf, CommandError> {
    named_cache(global).map(own_cache)
}

fn named_cache(global: &Global) -> Result<PathBuf, CommandError> {
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

/// The cache that root uses in place of one that a worker's user owns: what root wrote there that user could turn into
/// links to anywhere.
fn own_cache(path: PathBuf) -> PathBuf {
    static ONCE: std::sync::Once = std::sync::Once::new();
    let is_worker_s = nix::unistd::Uid::effective().is_root()
        && path.symlink_metadata().is_ok_and(|metadata| {
            let default = Account::choose(None).ok().flatten();
            default.is_some_and(|account| account.uid == metadata.uid())
        });
    let Some(own) = default_cache().filter(|own| is_worker_s && *own != path) else { return path };
    ONCE.call_once(|| {
        output::remark(&format!(
            "the cache '{}' belongs to a worker's user: '{}' is used instead",
            shown(&path),
            shown(&own)
        ));
    });
    own
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
pub(crate) fn packages(global: &Global) -> Result<Library, CommandError> {
    let cancel = CancelToken::new().map_err(CommandError::judging)?;
    Ok(Library::new(&cache_directory(global)?, cancel))
}

/// What a path is called in messages and tables.
pub(crate) fn shown(path: &Path) -> String {
    output::one_line(&path.display().to_string())
}
