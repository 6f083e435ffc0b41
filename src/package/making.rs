//! Files of tests that are not in a package because its programs make them: plain data.
//!
//! Where a package has such tests, their [`super::Test::input`] or [`super::Test::answer`] is an empty path until judging has
//! had them made, in boxes and through the cache; nothing is written into the package.

use std::path::PathBuf;

use super::program::{JuryProgram, ProgramLimits};

/// Everything that is to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct MadeData {
    /// Programs that write inputs to their standard output.
    pub generators: Vec<JuryProgram>,
    /// The program that writes the answer for the input it reads.
    pub solution: Option<JuryProgram>,
    /// What one run of a generator may use.
    pub generator_limits: ProgramLimits,
    /// What one run of the solution may use.
    pub solution_limits: ProgramLimits,
    /// The tests that lack something.
    pub tests: Vec<MadeTest>,
}

/// What a test lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeTest {
    /// Its place in [`super::Package::tests`].
    pub test: usize,
    /// How its input is made, where it has none.
    pub input: Option<MadeInput>,
    /// How its answer is made, where it has none.
    pub answer: Option<MadeAnswer>,
}

/// A run of a generator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeInput {
    /// Its place in [`MadeData::generators`].
    pub generator: usize,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// What it reads; `None` is nothing.
    pub stdin: Option<PathBuf>,
}

/// Where an answer comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MadeAnswer {
    /// The solution's standard output.
    Solution,
    /// The generator's standard error (DMOJ).
    GeneratorErrors,
}
