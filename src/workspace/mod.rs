//! Finds the package a submission is judged on: by name in the package roots, made from inline tests, or
//! fetched; and fetches source files that are not in the message.
//!
//! What always holds:
//! - a name reaches nothing outside the roots, whatever it is and wherever links lead;
//! - a package is loaded once and kept, and loaded again when anything in its directory changed;
//! - inline tests become files of the cache, so that equal tests are stored once, also between processes;
//! - nothing is fetched from where the operator did not allow it, nor used before its digest was compared.
//!
//! It refuses to know where submissions come from and how they are judged.

mod fetch;
mod inline;
mod packages;
mod remote;

pub use crate::archive::ArchiveError;
pub use fetch::{AddressError, AllowedUrl, FetchError, FetchSettings, RATIO_FREE, S3Settings};

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cache::{CacheError, Entry};
use crate::cancel::CancelToken;
use crate::checker::FlagError;
use crate::package::{Library, Package, PackageError};
use crate::submission::{ProblemSource, Remote, RemoteKind, Submission};
use crate::verdict::Reason;

/// Where packages are.
#[derive(Debug)]
pub struct Workspace {
    packages: packages::Packages,
    inline: inline::InlineTests,
    remotes: remote::Remotes,
}

/// A package ready to be judged on; what it needs on disk stays while this lives.
#[derive(Debug)]
pub struct Problem {
    package: Arc<Package>,
    files: Files,
}

/// What keeps a package's files where they are.
#[derive(Debug)]
enum Files {
    /// They belong to somebody else, and were in this state before they were loaded.
    Rooted(packages::State),
    /// They are an entry of the cache.
    Cached(#[expect(dead_code, reason = "held, never read: an entry in use is not evicted")] Entry),
    /// They are an entry of the cache that others use, too.
    Fetched(
        #[expect(dead_code, reason = "held, never read: an entry in use is not evicted")]
        Arc<remote::Fetched>,
    ),
}

impl std::ops::Deref for Problem {
    type Target = Package;

    fn deref(&self) -> &Package {
        &self.package
    }
}

/// Why there is no package for a submission.
#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    /// A package root that cannot be used.
    #[error("package root '{}': {problem}; give a directory of packages", path.display())]
    Root {
        /// As given.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A reference that is no plain name.
    #[error("problem '{0}' is not a name below a package root: use names separated by '/', without '..'")]
    Name(String),
    /// No root has it.
    #[error("problem '{name}' is in none of the package roots ({roots}): put the package there")]
    Unknown {
        /// The reference.
        name: String,
        /// Where it was looked for.
        roots: String,
    },
    /// The file system does not say whether a root has it.
    #[error("cannot look for problem '{name}' in package root '{}': {source}; make the root readable to gavel", root.display())]
    Unreadable {
        /// The reference.
        name: String,
        /// The root.
        root: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A link that leads out of the root.
    #[error("problem '{0}' is a link out of its package root: put the package itself there")]
    Outside(String),
    /// Too many or no inline tests.
    #[error("the submission has {0} inline tests; give 1 to {max}", max = inline::MAX_TESTS)]
    InlineCount(usize),
    /// A checker that is none.
    #[error("problem.checker '{0}' is not known; give 'tokens', with validator flags after it, or 'exact'")]
    InlineChecker(String),
    /// Flags of the checker that cannot be followed.
    #[error("problem.checker: {0}")]
    InlineFlags(#[from] FlagError),
    /// Something could not be fetched.
    #[error(transparent)]
    Fetch(FetchError),
    /// A source file could not be fetched.
    #[error(transparent)]
    File(FetchError),
    /// Somebody asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// The process has no descriptors left.
    #[error("{0}")]
    Descriptors(String),
    /// The package does not load.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// Inline tests cannot be stored.
    #[error("inline tests cannot be kept: {0}")]
    Cache(#[from] CacheError),
    /// A file of inline tests cannot be written.
    #[error("cannot write the inline test {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl WorkspaceError {
    /// Whether another worker may have the package that this one lacks.
    pub fn is_lack(&self) -> bool {
        matches!(self, Self::Unknown { .. })
    }

    /// Whether a server did not answer, or not as it should for long; nobody knows whose fault that is.
    pub fn is_network(&self) -> bool {
        matches!(self, Self::Fetch(error) | Self::File(error) if matches!(error, FetchError::Unreachable { .. }))
    }

    /// The reason beside a JE: which of the host, the submission and the package is to blame.
    pub fn reason(&self) -> Reason {
        match self {
            _ if self.is_ours() => Reason::Sandbox,
            Self::Name(_)
            | Self::InlineCount(_)
            | Self::InlineChecker(_)
            | Self::InlineFlags(_)
            | Self::File(_)
            | Self::Fetch(FetchError::Address { .. } | FetchError::Digest { .. }) => Reason::Submission,
            _ => Reason::Package,
        }
    }

    /// Whether this host is to blame, not the submission or the package.
    pub fn is_ours(&self) -> bool {
        match self {
            Self::Package(error) => error.is_ours(),
            Self::Fetch(error) | Self::File(error) => error.is_ours(),
            Self::Cache(_) | Self::Write { .. } | Self::Descriptors(_) | Self::Unreadable { .. } => true,
            Self::Root { .. }
            | Self::Name(_)
            | Self::Unknown { .. }
            | Self::Outside(_)
            | Self::InlineCount(_)
            | Self::InlineChecker(_)
            | Self::InlineFlags(_)
            | Self::Cancelled => false,
        }
    }
}

impl From<FetchError> for WorkspaceError {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Cancelled => Self::Cancelled,
            error => Self::Fetch(error),
        }
    }
}

/// The package roots, absolute and without links.
///
/// # Errors
/// When one is no directory.
pub fn resolve_roots(roots: &[PathBuf]) -> Result<Vec<PathBuf>, WorkspaceError> {
    packages::resolve(roots)
}

impl Workspace {
    /// Packages below these roots, the first that has a name wins; files of inline tests go below `cache`.
    /// Nothing is fetched.
    ///
    /// # Errors
    /// When a root is no directory, or the cache cannot be used.
    pub fn open(roots: &[PathBuf], cache: &Path) -> Result<Self, WorkspaceError> {
        Self::open_with_fetch(roots, cache, FetchSettings::default())
    }

    /// As [`Workspace::open`], with what may be fetched; that goes below `cache`, too.
    ///
    /// # Errors
    /// When a root is no directory, the cache cannot be used, or a setting is wrong.
    pub fn open_with_fetch(
        roots: &[PathBuf],
        cache: &Path,
        fetch: FetchSettings,
    ) -> Result<Self, WorkspaceError> {
        let cancel = CancelToken::new().map_err(|error| WorkspaceError::Descriptors(error.to_string()))?;
        let library = Arc::new(Library::new(cache, cancel));
        Ok(Self {
            packages: packages::Packages::open(roots, Arc::clone(&library))?,
            inline: inline::InlineTests::open(cache)?,
            remotes: remote::Remotes::open(cache, fetch, library)?,
        })
    }

    /// The package a submission is for, fetched where it must be. Reads the disk and perhaps the network; any
    /// number of threads may call it at once.
    ///
    /// # Errors
    /// [`WorkspaceError`], one line saying what is wrong and what to do.
    pub fn find(&self, submission: &Submission, cancel: &CancelToken) -> Result<Problem, WorkspaceError> {
        match &submission.problem.source {
            ProblemSource::Reference(reference) => {
                let (package, state) = self.packages.find(reference)?;
                Ok(Problem { package, files: Files::Rooted(state) })
            }
            ProblemSource::Inline(inline) => self.inline.find(inline),
            ProblemSource::Archive(remote) => {
                let fetched = self.remotes.package(remote, fetch::Urgency::Needed, cancel)?;
                Ok(Problem { package: Arc::clone(&fetched.package), files: Files::Fetched(fetched) })
            }
        }
    }

    /// Whether nothing in a problem's directory changed since before it was loaded. What lies in the cache never does.
    pub fn is_unchanged(&self, problem: &Problem) -> bool {
        match problem.files {
            Files::Rooted(state) => packages::is_in(&problem.directory, state),
            Files::Cached(_) | Files::Fetched(_) => true,
        }
    }

    /// The submission with its source files in it, fetched where they must be.
    ///
    /// # Errors
    /// [`WorkspaceError`] when one cannot be had.
    pub fn with_files<'a>(
        &self,
        submission: &'a Submission,
        cancel: &CancelToken,
    ) -> Result<Cow<'a, Submission>, WorkspaceError> {
        self.remotes.with_files(submission, cancel).map_err(|error| match error {
            FetchError::Cancelled => WorkspaceError::Cancelled,
            error => WorkspaceError::File(error),
        })
    }

    /// Fetches what a submission will need, before its turn. What fails is tried again when it is needed, and
    /// only then told.
    pub fn prefetch(&self, kind: RemoteKind, remote: &Remote, cancel: &CancelToken) {
        if let Err(error) = self.remotes.ahead(kind, remote, cancel) {
            tracing::debug!(%error, "not fetched ahead");
        }
    }
}
