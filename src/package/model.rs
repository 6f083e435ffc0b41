//! The one internal model every package format fills.
//!
//! Judging reads nothing else of a package; it never learns which format a package came in. Paths are
//! resolved and checked by the format's reader: they exist and lie inside the package.

use std::path::PathBuf;
use std::time::Duration;

use super::digest::Digest;
use crate::checker::Comparator;
use crate::units::Bytes;
use crate::verdict::Verdict;

/// A problem as judging sees it.
#[derive(Debug, Clone)]
pub struct Package {
    /// Short name: the directory's own.
    pub name: String,
    /// Title for people; the short name where the package has none.
    pub title: String,
    /// The package's directory, absolute.
    pub directory: PathBuf,
    /// The format it was read from.
    pub format: Format,
    /// All tests, in judging order.
    pub tests: Vec<Test>,
    /// Limits of the problem.
    pub limits: PackageLimits,
    /// Submissions of the jury with what each must get.
    pub submissions: Vec<JurySubmission>,
    /// Language ids the problem allows; `None` is all.
    pub languages: Option<Vec<String>>,
    /// Things in the package that do not stop judging but its author should know.
    pub warnings: Vec<String>,
    /// Filled by [`Package::digest`] when first asked for.
    pub digest: Digest,
}

/// Where a package came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A bare folder of `*.in` with `*.ans` or `*.out`.
    Folder,
    /// ICPC/Kattis, legacy.
    KattisLegacy,
}

/// One test.
#[derive(Debug, Clone)]
pub struct Test {
    /// Path below the data directory without the ending: `secret/01`.
    pub name: String,
    /// Groups it stands in, the outermost first: `["secret", "secret/group1"]`.
    pub groups: Vec<String>,
    /// The input file.
    pub input: PathBuf,
    /// The jury's answer; never visible inside a box.
    pub answer: PathBuf,
    /// Whether contestants see it.
    pub sample: bool,
    /// How outputs are compared.
    pub comparator: Comparator,
}

/// Limits of a problem; a language's factor and extra come on top.
#[derive(Debug, Clone, PartialEq)]
pub struct PackageLimits {
    /// CPU time.
    pub time: TimeLimit,
    /// Wall time; `None` derives it from the CPU limit.
    pub wall: Option<Duration>,
    /// Memory over the process tree.
    pub memory: Bytes,
    /// Bytes on standard output.
    pub output: Bytes,
    /// Bytes of all source files together.
    pub code: Bytes,
    /// Processes and threads.
    pub processes: Option<u32>,
    /// CPU time of the compiler.
    pub compilation_time: Option<Duration>,
    /// Memory of the compiler.
    pub compilation_memory: Option<Bytes>,
}

/// The CPU limit, or how to find one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TimeLimit {
    /// The package says it.
    Fixed(Duration),
    /// From the slowest jury submission with [`JurySubmission::sets_time_limit`]: its time × `multiplier`, at least one second, rounded up
    /// to whole seconds.
    FromSubmissions {
        /// Kattis' `time_multiplier`.
        multiplier: f64,
    },
}

/// A submission of the jury's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JurySubmission {
    /// Path below `submissions/`: `accepted/anna.cpp`.
    pub name: String,
    /// Its source files, the entry point first.
    pub files: Vec<PathBuf>,
    /// Language id, where the package names one; else guessed from the files.
    pub language: Option<String>,
    /// What it must get.
    pub expectation: Expectation,
    /// Whether its time counts where the limit is [`TimeLimit::FromSubmissions`].
    pub sets_time_limit: bool,
}

/// What a jury submission must get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expectation {
    /// The final verdict must be one of these; empty when only the test lists below count.
    pub verdicts: Vec<Verdict>,
    /// Every test's verdict must be one of these; empty is no demand.
    pub permitted: Vec<Verdict>,
    /// At least one test must get one of these; empty is no demand.
    pub required: Vec<Verdict>,
}
