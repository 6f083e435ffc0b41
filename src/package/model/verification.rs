//! Describes the parts of a package that only `gavel verify` reads: jury submissions, validators, invalid cases.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::groups::ScoreRange;
use super::limits::TestLimits;
use super::program::{JuryProgram, ProgramLimits};
use crate::verdict::Verdict;

/// A submission of the jury's.
#[derive(Debug, Clone, PartialEq)]
pub struct JurySubmission {
    /// Path below `submissions/`: `accepted/anna.cpp`.
    pub name: String,
    /// Its source files, the entry point first.
    pub files: Vec<PathBuf>,
    /// Language id, where the package names one; else guessed from the files.
    pub language: Option<String>,
    /// Its expected result.
    pub expectation: Expectation,
    /// Whether the package names the entry point, so that nothing is guessed (2025-09, `submissions.yaml`: `entrypoint`).
    pub names_entry: bool,
    /// Limits of its own in place of the package's, which they can only lower (DMOJ's test suite: `time`, `memory`).
    pub limits: TestLimits,
    /// Whether its time counts where the limit is [`crate::package::TimeLimit::FromSubmissions`].
    pub sets_time_limit: bool,
}

/// The expected result of a jury submission.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Expectation {
    /// The final verdict must be one of these; empty when only the test lists below count.
    pub verdicts: Vec<Verdict>,
    /// Every test's verdict must be one of these; empty is no demand.
    pub permitted: Vec<Verdict>,
    /// At least one test must get one of these; empty is no demand.
    pub required: Vec<Verdict>,
    /// The final score must lie in this; `None` is no demand (2025-09, `submissions.yaml`: `score`).
    pub score: Option<ScoreRange>,
    /// This text must stand in what the checker tells the jury about some test (2025-09, `submissions.yaml`:
    /// `message`).
    pub message: Option<String>,
    /// Demands on some tests only (2025-09, `submissions.yaml`, "Test data groups"; CMS and Polygon: per subtask).
    pub parts: Vec<PartialExpectation>,
}

/// Demands on the tests whose names, or whose groups' names, match a pattern.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PartialExpectation {
    /// A glob over names of tests and groups; `*` does not match `/`.
    pub pattern: String,
    /// Every matching test's verdict must be one of these; empty is no demand.
    pub permitted: Vec<Verdict>,
    /// At least one matching test must get one of these; empty is no demand.
    pub required: Vec<Verdict>,
    /// The score of the group of that name must lie in this.
    pub score: Option<ScoreRange>,
    /// This text must stand in what the checker tells the jury about some matching test.
    pub message: Option<String>,
}

/// A program that says whether an input is valid (Kattis: `input_validators/`; Polygon: validator).
#[derive(Debug, Clone, PartialEq)]
pub struct InputValidator {
    /// The program; it reads the input from its standard input.
    pub program: JuryProgram,
    /// Its exit code for a valid input: 42 for Kattis, 0 for testlib. Every other refuses.
    pub accepts: i32,
    /// Arguments on every test; a test's own come after them.
    pub arguments: Vec<String>,
    /// Its limits.
    pub limits: ProgramLimits,
}

/// Arguments for input validators on one test (Kattis: `input_validator_flags`, `input_validator_args`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValidatorArguments {
    /// The same for all.
    All(Vec<String>),
    /// For those named; the others get none. A name is the file's or folder's own, without its ending.
    Named(BTreeMap<String, Vec<String>>),
}

impl Default for ValidatorArguments {
    fn default() -> Self {
        Self::All(Vec::new())
    }
}

/// How a test's input was made (Polygon: a test's `cmd`; DMOJ: `generator`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratorRun {
    /// The generator's place in [`Verification::generators`].
    pub generator: usize,
    /// Its arguments.
    pub arguments: Vec<String>,
}

/// An output that the checker must accept, or must not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputCase {
    /// Path below the data directory without the ending.
    pub name: String,
    /// The input.
    pub input: PathBuf,
    /// The jury's answer.
    pub answer: PathBuf,
    /// The output under judgement.
    pub output: PathBuf,
    /// Whether the checker must accept it.
    pub is_valid: bool,
    /// Arguments of the checker.
    pub arguments: Vec<String>,
}

/// An input that some input validator must refuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidInput {
    /// Path below the data directory without the ending.
    pub name: String,
    /// The input.
    pub input: PathBuf,
    /// Arguments of the input validators.
    pub arguments: ValidatorArguments,
}

/// The data that only `gavel verify` reads; judging ignores it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Verification {
    /// Every one must accept every input.
    pub input_validators: Vec<InputValidator>,
    /// Programs that made inputs.
    pub generators: Vec<JuryProgram>,
    /// Inputs that must be refused (2025-09: `data/invalid_input`).
    pub invalid_inputs: Vec<InvalidInput>,
    /// Outputs with what the checker must say (2025-09: `data/invalid_output`, `data/valid_output`).
    pub outputs: Vec<OutputCase>,
    /// How far the time limit must be from the times of the jury's submissions.
    pub margins: TimeMargins,
}

/// How far a time limit must be from what must be accepted and from what must be rejected (2025-09:
/// `limits.time_multipliers`, `limits.time_resolution`; Kattis legacy: `limits.time_multiplier`,
/// `limits.time_safety_margin`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimeMargins {
    /// The slowest accepted run times this must fit into the limit (`ac_to_time_limit`).
    pub accepted: f64,
    /// The limit times this must still be too short for what must be too slow (`time_limit_to_tle`).
    pub rejected: f64,
    /// A limit that is derived is a multiple of this (`time_resolution`).
    pub resolution: Duration,
}

impl Default for TimeMargins {
    /// Those of 2025-09.
    fn default() -> Self {
        Self { accepted: 2.0, rejected: 1.5, resolution: Duration::from_secs(1) }
    }
}
