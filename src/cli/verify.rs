//! Flags of `gavel verify`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::submission::Stop;

/// What `gavel verify --help` ends with.
pub(super) const VERIFY_HELP: &str = "\
Errors are what keeps a problem from being judged as its authors say; warnings are what they should look at; notes are \
what they may want to know.

Exit codes: 0 all as expected; 1 the package is at fault; 2 wrong usage, or something could not be looked at; 3 the host or \
gavel failed.";

/// `gavel verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// Packages, or folders of packages
    #[arg(value_name = "PACKAGE", required = true)]
    pub packages: Vec<PathBuf>,
    /// What to print
    #[arg(short, long, value_enum, default_value_t = VerifyFormat::Human, value_name = "FORMAT")]
    pub format: VerifyFormat,
    /// When to stop a submission: first-failure, group or full
    #[arg(short, long, value_name = "POLICY")]
    pub policy: Option<Stop>,
    /// Only submissions whose name, like `accepted/anna.cpp`, matches this pattern, or lies in such a folder; may be
    /// repeated
    #[arg(short, long = "submission", value_name = "PATTERN")]
    pub submissions: Vec<String>,
    /// Check only these parts
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PART,...", conflicts_with = "skip")]
    pub only: Vec<VerifyPart>,
    /// Leave these parts out
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PART,...")]
    pub skip: Vec<VerifyPart>,
    /// Which corrupted answers are made; the same number makes the same ones
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
    /// Corrupted answers shown to each checker
    #[arg(long, value_name = "COUNT", default_value_t = 200)]
    pub fuzz_runs: usize,
    /// Warnings count as faults of the package
    #[arg(long)]
    pub strict: bool,
}

/// A part of what `verify` looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum)]
pub enum VerifyPart {
    /// The jury's submissions against what each must get, and the time limit against their times
    Submissions,
    /// Tests as files: duplicates, contradictions, line ends, sizes
    Tests,
    /// Input validators on every test, on the package's invalid inputs, and on spoilt tests
    Validators,
    /// Generators against the tests they are said to have made
    Generators,
    /// The checker on the jury's answers, and on the package's right and wrong outputs
    Answers,
    /// The checker on corrupted answers
    Fuzz,
}

/// What `verify` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum VerifyFormat {
    /// A table a package
    Human,
    /// One JSON object
    Json,
    /// JUnit XML
    Junit,
}
