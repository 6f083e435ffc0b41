//! Describes test files that the package's programs generate: plain data.
//!
//! Where a package has such tests, their [`crate::package::Test::input`] or [`crate::package::Test::answer`] is an empty path until judging has
//! had them made, in boxes and through the cache; nothing is written into the package.

use std::path::PathBuf;

use super::program::{JuryProgram, ProgramFile, ProgramLimits};
use crate::units::Bytes;

/// All generated files of a package's tests.
#[derive(Debug, Clone, PartialEq)]
pub struct GeneratedData {
    /// Programs that write inputs.
    pub generators: Vec<JuryProgram>,
    /// Programs that write the answer for the input they read. They are run as submissions of the package are: with its
    /// input and output files.
    pub solutions: Vec<JuryProgram>,
    /// Limits of one run of a generator.
    pub generator_limits: ProgramLimits,
    /// Limits of one run of a solution.
    pub solution_limits: ProgramLimits,
    /// Files in the work directory of every generator.
    pub data: Vec<ProgramFile>,
    /// The tests that lack something.
    pub tests: Vec<GeneratedTest>,
}

/// Inputs and answers may be larger than anything a checker says.
const OUTPUT: Bytes = Bytes::mib(512);

impl Default for GeneratedData {
    /// No tests, with the limits of other jury programs but a larger output.
    fn default() -> Self {
        let limits = ProgramLimits { output: OUTPUT, ..ProgramLimits::default() };
        Self {
            generators: Vec::new(),
            solutions: Vec::new(),
            generator_limits: limits,
            solution_limits: limits,
            data: Vec::new(),
            tests: Vec::new(),
        }
    }
}

/// The missing files of a test, and how they are generated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GeneratedTest {
    /// Its index in [`crate::package::Package::tests`].
    pub test: usize,
    /// Where the package asks for it, with the command: `gen/GEN:3: 5 10`. Empty where messages have nothing to add.
    pub origin: String,
    /// How its input is made, where it has none.
    pub input: Option<GeneratedInput>,
    /// How its answer is made, where it has none.
    pub answer: Option<GeneratedAnswer>,
}

/// A run of a generator. Tests with the same run share it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GeneratedInput {
    /// Its index in [`GeneratedData::generators`].
    pub generator: usize,
    /// Its arguments; of one with seeds see [`GeneratedInput::arguments_of`].
    pub arguments: Vec<String>,
    /// Its attempts, where there is more than one, and the seeds in its arguments (BAPCtools).
    pub seeds: Option<Seeds>,
    /// Its standard input; `None` is empty.
    pub stdin: Option<PathBuf>,
    /// Where it writes the input.
    pub written: GeneratorOutput,
}

/// Attempts at an input, each made where the one before failed and no limit ended it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Seeds {
    /// The seed of the first; each has the next one, below 2^31.
    pub first: u32,
    /// How many there may be.
    pub attempts: u32,
}

impl GeneratedInput {
    /// How many attempts there may be.
    pub fn attempts(&self) -> u32 {
        self.seeds.map_or(1, |seeds| seeds.attempts)
    }

    /// The arguments of an attempt, from 0: with seeds, `{seed}` and `{seed:7}` stand for a number.
    pub fn arguments_of(&self, attempt: u32) -> Vec<String> {
        let Some(seeds) = self.seeds else { return self.arguments.clone() };
        let seed = (u64::from(seeds.first) + u64::from(attempt)) % (1 << 31);
        self.arguments.iter().map(|argument| with_seed(argument, &seed.to_string())).collect()
    }
}

/// Where `{seed}` or `{seed:7}` stands.
pub(crate) fn seeds(argument: &str) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    for (start, _) in argument.match_indices("{seed") {
        let rest = argument.get(start + 5..).unwrap_or_default();
        let Some(end) = rest.find('}') else { continue };
        let inner = rest.get(..end).unwrap_or_default();
        let digits = inner.strip_prefix(':');
        let is_seed = inner.is_empty()
            || digits
                .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()));
        if is_seed {
            found.push(start..start + 5 + end + 1);
        }
    }
    found
}

fn with_seed(argument: &str, seed: &str) -> String {
    let mut text = argument.to_owned();
    for range in seeds(argument).into_iter().rev() {
        text.replace_range(range, seed);
    }
    text
}

/// Where a generator writes an input.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum GeneratorOutput {
    /// To its standard output.
    #[default]
    Output,
    /// Into the first of these files of its work directory that is there.
    File(Vec<String>),
    /// Into this file of its work directory, or to its standard output where there is no such file.
    FileOrOutput {
        /// The file.
        file: String,
        /// A file that it may write as well, and a word that must not be in it: it would say something of the test that
        /// is not read.
        refused: Option<(String, String)>,
    },
}

/// Where an answer comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GeneratedAnswer {
    /// The output of the solution at that place in [`GeneratedData::solutions`].
    Solution(usize),
    /// The generator's standard error (DMOJ).
    GeneratorErrors,
    /// A file that the generator may write, else as the other (BAPCtools).
    GeneratorFile {
        /// The file.
        file: String,
        /// How it is made where there is no such file; `None` is an error.
        otherwise: Option<Box<GeneratedAnswer>>,
    },
    /// An empty file: nothing reads it.
    Empty,
    /// What the package's interactor writes beside its verdict about the solution at that place (testlib).
    Interactor(usize),
}
