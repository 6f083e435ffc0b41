//! Settings of a [`Judge`](crate::judge::Judge), and why it may not start.

use std::io;
use std::path::PathBuf;

use crate::cache::CacheError;
use crate::language::Table;
use crate::sandbox::{self, SandboxError};
use crate::submission::Feedback;
use crate::units::Bytes;

/// Settings of a judge.
#[derive(Debug, Clone)]
pub struct JudgeSettings {
    /// The languages it knows.
    pub languages: Table,
    /// Directory of compiled programs, prepared files and spilled outputs; made where missing.
    pub cache: PathBuf,
    /// Largest size of the compiled programs on disk.
    pub cache_capacity: Bytes,
    /// Programs run at once; one per core of the process's affinity mask when `None`.
    pub slots: Option<usize>,
    /// Whether to start only with a leased core for each slot, instead of running programs on any.
    pub require_cores: bool,
    /// Directory of core leases; the host's usual one when `None`.
    pub core_locks: Option<PathBuf>,
    /// How boxes are made. The cache, the packages below and the language table's mounts are added to the directories
    /// they may show.
    pub sandbox: sandbox::Settings,
    /// Directories of packages that are judged on, besides those in the cache: the packages themselves or directories above
    /// them. No other package can be judged on.
    pub packages: Vec<PathBuf>,
    /// Name of this worker in events and reports.
    pub worker: String,
    /// Directory of transcripts of interactive tests, a file for each test; none are written when `None`.
    pub transcripts: Option<PathBuf>,
    /// Whether a submission may raise limits above the package's, or only lower them.
    pub may_raise_limits: bool,
    /// The readers of the reports, which decide what is reported of secret tests.
    pub readers: Readers,
}

/// The readers of a judge's reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// The jury, which has the packages: reports contain what the submission asks for, and everything by default.
    Jury,
    /// A backend and its contestants: the highest level of feedback on secret tests, which a package may lower. Where neither
    /// the settings nor the package nor the submission name a level, output of programs is left out.
    Backend(Option<Feedback>),
}

impl JudgeSettings {
    /// Settings of a judge on this host with everything at its default.
    pub fn new(languages: Table, cache: PathBuf) -> Self {
        Self {
            languages,
            cache,
            cache_capacity: Bytes::gib(4),
            slots: None,
            require_cores: false,
            core_locks: None,
            sandbox: sandbox::Settings::default(),
            packages: Vec::new(),
            worker: host_name(),
            transcripts: None,
            may_raise_limits: false,
            readers: Readers::Jury,
        }
    }

    /// Returns the sandbox's settings with every directory that judging mounts.
    pub(crate) fn sandbox(&self) -> sandbox::Settings {
        let mut sandbox = self.sandbox.clone();
        let directories = &mut sandbox.directories;
        directories.packages.extend(outermost(&self.packages));
        directories.stores.push(self.cache.clone());
        directories
            .mounts
            .extend(self.languages.languages.iter().flat_map(|language| language.mounts.clone()));
        directories.mounts.sort_unstable();
        directories.mounts.dedup();
        sandbox
    }
}

/// Removes directories below another one, so that thousands of packages in a directory cost one descriptor.
fn outermost(paths: &[PathBuf]) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        paths.iter().map(|path| path.canonicalize().unwrap_or_else(|_| path.clone())).collect();
    paths.sort_unstable();
    let mut kept: Vec<PathBuf> = Vec::with_capacity(paths.len());
    for path in paths {
        if !kept.last().is_some_and(|outer| path.starts_with(outer)) {
            kept.push(path);
        }
    }
    kept
}

/// Returns the host's name; `unknown` where it is not UTF-8.
fn host_name() -> String {
    nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok())
        .unwrap_or_else(|| "unknown".to_owned())
}

/// Why a judge cannot start, for the operator.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No boxes on this host.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The cache cannot be opened.
    #[error("the cache cannot be used: {0} (choose another place with --cache)")]
    Cache(#[from] CacheError),
    /// A directory of gavel cannot be made.
    #[error("cannot make {path}: {source} (choose another place with --cache)", path = path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The cores this process may use cannot be read.
    #[error("cannot read the cores this process may use: {0}")]
    Cores(nix::Error),
    /// Fewer free cores than slots, where each must have one.
    #[error("{0} (give fewer --slots, or do without --require-cores)")]
    NoCore(String),
    /// The number of slots is out of range.
    #[error("{0} slots are not possible: use 1 to 1024")]
    Slots(usize),
}
