//! Finds the package a submission is judged on: by name in the package roots, or made from inline tests.
//!
//! What always holds:
//! - a name reaches nothing outside the roots, whatever it is and wherever links lead;
//! - a package is loaded once and kept, and loaded again when anything in its directory changed;
//! - inline tests become files of the cache, so that equal tests are stored once, also between processes.
//!
//! It refuses to know where submissions come from and how they are judged.

mod inline;
mod packages;

use std::path::PathBuf;
use std::sync::Arc;

use crate::cache::{CacheError, Entry};
use crate::package::{Package, PackageError};
use crate::submission::{ProblemSource, Submission};

/// Where packages are.
#[derive(Debug)]
pub struct Workspace {
    packages: packages::Packages,
    inline: inline::InlineTests,
}

/// A package ready to be judged on; what it needs on disk stays while this lives.
#[derive(Debug)]
pub struct Problem {
    package: Arc<Package>,
    _files: Option<Entry>,
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
    /// A link that leads out of the root.
    #[error("problem '{0}' is a link out of its package root: put the package itself there")]
    Outside(String),
    /// Too many or no inline tests.
    #[error("the submission has {0} inline tests; give 1 to {max}", max = inline::MAX_TESTS)]
    InlineCount(usize),
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
    /// Whether this host is to blame, not the submission or the package.
    pub fn is_ours(&self) -> bool {
        match self {
            Self::Package(error) => error.is_ours(),
            Self::Cache(_) | Self::Write { .. } => true,
            Self::Root { .. }
            | Self::Name(_)
            | Self::Unknown { .. }
            | Self::Outside(_)
            | Self::InlineCount(_) => false,
        }
    }
}

impl Workspace {
    /// Packages below these roots, the first that has a name wins; files of inline tests go below `cache`.
    ///
    /// # Errors
    /// When a root is no directory, or the cache cannot be used.
    pub fn open(roots: &[PathBuf], cache: &std::path::Path) -> Result<Self, WorkspaceError> {
        Ok(Self { packages: packages::Packages::open(roots)?, inline: inline::InlineTests::open(cache)? })
    }

    /// The package a submission is for. Reads the disk; any number of threads may call it at once.
    ///
    /// # Errors
    /// [`WorkspaceError`], one line saying what is wrong and what to do.
    pub fn find(&self, submission: &Submission) -> Result<Problem, WorkspaceError> {
        match &submission.problem.source {
            ProblemSource::Reference(reference) => {
                Ok(Problem { package: self.packages.find(reference)?, _files: None })
            }
            ProblemSource::Inline(tests) => self.inline.find(tests),
        }
    }
}
