//! Defines the one internal model that every package format fills.
//!
//! Plain data: nothing here knows a format. Only `digest` reads files, those that a package names.

mod checkers;
mod digest;
mod generated;
mod groups;
mod lease;
mod limits;
mod package;
mod program;
mod submission;
mod verification;

pub use checkers::{Channel, Check, CheckerProgram, Communication, Interaction, Interactor, MultiPass};
pub(crate) use generated::seeds;
pub use generated::{GeneratedAnswer, GeneratedData, GeneratedInput, GeneratedTest, GeneratorOutput, Seeds};
pub use groups::{Aggregation, Group, GroupVerdict, Member, Objective, OnReject, ScoreRange, Scoring};
pub use lease::Lease;
pub use limits::{PackageLimits, TestLimits, TimeLimit};
pub use package::{Digest, Format, Package, Test};
pub use program::{JuryProgram, LanguageHint, ProgramBuild, ProgramFile, ProgramLimits};
pub use submission::{Include, OutputFile, Streams, SubmissionKind, WorkLink};
pub use verification::{
    Expectation, GeneratorRun, InputValidator, InvalidInput, JurySubmission, OutputCase, PartialExpectation,
    TimeMargins, ValidatorArguments, Verification,
};
