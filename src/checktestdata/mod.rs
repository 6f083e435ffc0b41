//! Interprets checktestdata scripts: `.ctd` input validators that describe the format of an input.
//!
//! The language is DOMjudge's (`doc/format-spec.md` of checktestdata). Where its document and its program differ, the
//! program is followed: `&&` and `||` have the same precedence, `!` applies to everything after it up to the next closing
//! parenthesis, and a failed `UNIQUE` refuses the input wherever it stands. Numbers are exact: integers of any size, and
//! decimal numbers as fractions, where checktestdata rounds to some hundred bits.
//!
//! A script comes from a package and is not trusted. Its cost is bounded whatever it says: nesting, sizes of numbers and of
//! regular expressions, memory of variables, and CPU time ([`Bounds`]). Regular expressions match in linear time. The input
//! is read as a stream.
//!
//! [`Script::parse`] reports what is wrong with the script, and [`Script::check`] whether an input has its format.

mod input;
mod lexer;
mod machine;
mod number_token;
mod parser;
mod regex;
mod syntax;
#[cfg(test)]
mod tests;
mod value;
mod variables;

use std::io::Read;
use std::time::Duration;

use syntax::Command;
pub use syntax::Position;

/// A script that was parsed.
#[derive(Debug)]
pub struct Script {
    commands: Vec<Command>,
}

/// What is wrong with a script, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {}, column {}: {message}", at.line, at.column)]
pub struct ScriptError {
    /// Where in the script.
    pub at: Position,
    /// The error.
    pub message: String,
}

/// What a check may use.
#[derive(Clone, Copy)]
pub struct Bounds<'a> {
    /// CPU time of the thread that checks.
    pub time: Duration,
    /// Bytes of variables and of text that a regular expression looks at.
    pub memory: u64,
    /// Asked now and then; `true` ends the check with [`CheckError::Stopped`].
    pub should_stop: &'a dyn Fn() -> bool,
}

/// Whether an input has the format of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It has.
    Valid,
    /// It has not.
    Invalid(Mismatch),
}

/// Where an input differs from its format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Where in the input.
    pub input: Position,
    /// Where in the script: the command that does not match.
    pub script: Position,
    /// The command's name, and what is wrong.
    pub message: String,
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { input, script, message } = self;
        write!(
            formatter,
            "line {}, column {}: {message} (script line {}, column {})",
            input.line, input.column, script.line, script.column
        )
    }
}

/// Why a check has no answer.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The script asks for something that has no meaning: an undefined variable, a division by zero.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// The script needs more than its bounds.
    #[error("line {}, column {}: the script needs more {resource} than it may use", at.line, at.column)]
    Exceeded {
        /// Where in the script.
        at: Position,
        /// What it needs more of.
        resource: Resource,
    },
    /// The input cannot be read.
    #[error("the input cannot be read: {0}")]
    Input(#[from] std::io::Error),
    /// [`Bounds::should_stop`] asked for it.
    #[error("stopped")]
    Stopped,
}

/// What a check uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// CPU time.
    Time,
    /// Memory.
    Memory,
}

impl std::fmt::Display for Resource {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Time => "CPU time",
            Self::Memory => "memory",
        })
    }
}

impl Script {
    /// Bytes of a script; longer ones are refused.
    pub const LONGEST: u64 = 1 << 20;

    /// Parses a script.
    ///
    /// # Errors
    /// The first error of the script.
    pub fn parse(text: &[u8]) -> Result<Self, ScriptError> {
        parser::parse(text).map(|commands| Self { commands })
    }

    /// Checks an input.
    ///
    /// # Errors
    /// When the script has an error that only running it shows, exceeds its bounds, or when the input cannot be read.
    pub fn check(&self, input: &mut dyn Read, bounds: Bounds<'_>) -> Result<Answer, CheckError> {
        machine::run(&self.commands, input, bounds)
    }
}

impl std::fmt::Debug for Bounds<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Bounds").field("time", &self.time).field("memory", &self.memory).finish()
    }
}
