//! What a [`Judge`](super::Judge) is started with, and why it may not start.

use std::io;
use std::path::PathBuf;

use crate::cache::CacheError;
use crate::language::Table;
use crate::sandbox::{self, SandboxError};
use crate::submission::Feedback;
use crate::units::Bytes;

/// How to start a judge.
#[derive(Debug, Clone)]
pub struct JudgeSettings {
    /// The languages it knows.
    pub languages: Table,
    /// Directory of compiled programs, prepared files and spilled outputs; made where missing.
    pub cache: PathBuf,
    /// What the compiled programs may take on disk.
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
    /// Where what programs and interactors say to each other is written down, a file a test; `None` is nowhere.
    pub transcripts: Option<PathBuf>,
    /// Whether a submission may raise limits above the package's, or only lower them.
    pub may_raise_limits: bool,
    /// Who reads the reports, and so what they may tell of secret tests.
    pub readers: Readers,
}

/// Who reads the reports of a judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// One who has the packages: reports tell what the submission asks for, and everything where it asks for nothing.
    Jury,
    /// A backend and whomever it shows them to: this is the most that reports tell of secret tests, and a package may allow
    /// less. Where neither these settings nor the package nor the submission say anything, what programs wrote is left out.
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

    /// The settings of the sandbox with every directory that judging shows.
    pub(in crate::judge) fn sandbox(&self) -> sandbox::Settings {
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

/// The directories without those below another one, so that thousands of packages in a directory cost one descriptor.
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

/// The host's own name; `unknown` where it is not UTF-8.
fn host_name() -> String {
    nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok())
        .unwrap_or_else(|| "unknown".to_owned())
}

/// Why a judge cannot be started: the host's or the operator's to mend.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No boxes on this host.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The cache cannot be opened.
    #[error("the cache cannot be used: {0} (choose another place with --cache)")]
    Cache(#[from] CacheError),
    /// A directory of ours cannot be made.
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
    /// A number of slots that cannot be.
    #[error("{0} slots are not possible: use 1 to 1024")]
    Slots(usize),
}
