//! Defines how a run is checked: comparator, checker, interactor, several passes.

use super::program::{JuryProgram, ProgramLimits};
use crate::checker::{Comparator, CustomScore, Protocol};

/// How the output of one test is checked.
#[derive(Debug, Clone, PartialEq)]
pub enum Check {
    /// gavel itself, comparing with the jury's answer.
    BuiltIn(Comparator),
    /// A program of the package.
    Program {
        /// Its index in [`crate::package::Package::checkers`].
        checker: usize,
        /// Arguments for this test, after those the protocol demands (Kattis: `validator_flags` and
        /// `output_validator_flags`, 2025-09: `output_validator_args`).
        arguments: Vec<String>,
    },
    /// The interactor's or the manager's own word; nothing is checked afterwards.
    Interaction {
        /// Arguments for this test, after those the protocol demands.
        arguments: Vec<String>,
    },
}

/// A checker that the package brings.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckerProgram {
    /// The program.
    pub program: JuryProgram,
    /// How it is called and how it answers.
    pub protocol: Protocol,
    /// Its arguments where the package has an order of its own, with the placeholders of
    /// [`crate::checker::CheckerPaths::put_into`] (DMOJ: `args_format_string`); `None` is the protocol's order.
    pub call: Option<Vec<String>>,
    /// Its limits.
    pub limits: ProgramLimits,
    /// Whether it may, or must, give scores.
    pub scores: CustomScore,
}

/// The program that the contestant's program interacts with.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Interaction {
    /// Nothing: it reads the input and writes its output.
    #[default]
    None,
    /// A program it talks with through two pipes (Kattis: `interactive`; testlib: interactor).
    Interactive(Interactor),
    /// A manager that talks with one or several processes of the contestant's (CMS: Communication).
    Communication(Communication),
    /// A second process of the contestant's, which reads what the first one writes into a named pipe (CMS: TwoSteps). The
    /// first has the input, and the second writes the output.
    TwoSteps,
}

/// The other side of an interactive problem.
#[derive(Debug, Clone, PartialEq)]
pub struct Interactor {
    /// The program.
    pub program: JuryProgram,
    /// How it is called and how it answers. A testlib interactor accepts provisionally: what it wrote to its
    /// output file is then checked by the test's [`Check::Program`], where there is one.
    pub protocol: Protocol,
    /// Its arguments where the package has an order of its own, as in [`CheckerProgram::call`].
    pub call: Option<Vec<String>>,
    /// Its limits, apart from those of the contestant.
    pub limits: ProgramLimits,
    /// Whether it may, or must, give scores.
    pub scores: CustomScore,
    /// Whether it writes its standard output without a buffer (DMOJ: interactors do unless they say otherwise).
    pub unbuffered: bool,
}

/// A manager and the processes it talks with (CMS, "Communication").
#[derive(Debug, Clone, PartialEq)]
pub struct Communication {
    /// The manager; its score on standard output decides.
    pub manager: JuryProgram,
    /// Its limits.
    pub limits: ProgramLimits,
    /// How many processes of the contestant's program run at once, each told its number (`task_type_parameters`:
    /// `num_processes`).
    pub processes: u32,
    /// How each process is reached.
    pub channel: Channel,
}

/// How a manager reaches the contestant's processes (CMS: `user_io`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Their standard input and output.
    StandardStreams,
    /// FIFOs whose paths stand in their arguments.
    Fifos,
}

/// A program that is run several times on one test, each pass on what the checker wrote (Kattis: `multi-pass`,
/// "Multi-pass validation"). Each pass has the whole time and memory limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MultiPass {
    /// `limits.validation_passes`: a checker that asks for more is wrong.
    pub limit: u32,
}
