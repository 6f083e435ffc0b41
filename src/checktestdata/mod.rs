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

/// A parsed script.
#[derive(Debug)]
pub struct Script {
    commands: Vec<Command>,
}

/// An error of a script and its position.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {}, column {}: {message}", at.line, at.column)]
pub struct ScriptError {
    /// Position in the script.
    pub at: Position,
    /// Description of the error.
    pub message: String,
}

/// Limits of a check.
#[derive(Clone, Copy)]
pub struct Bounds<'a> {
    /// CPU time of the checking thread.
    pub time: Duration,
    /// Bytes of variables and of text that a regular expression looks at.
    pub memory: u64,
    /// Called at short intervals; `true` ends the check with [`CheckError::Stopped`].
    pub should_stop: &'a dyn Fn() -> bool,
}

/// The result of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The input has the format.
    Valid,
    /// The input does not have the format.
    Invalid(Mismatch),
}

/// The first difference between an input and its format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Position in the input.
    pub input: Position,
    /// Position of the command that does not match.
    pub script: Position,
    /// The command's name and the reason.
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

/// Why a check has no result.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The script computes an undefined value: an undefined variable, a division by zero.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// The script exceeds a limit of [`Bounds`].
    #[error("line {}, column {}: the script needs more {resource} than it may use", at.line, at.column)]
    Exceeded {
        /// Position in the script.
        at: Position,
        /// The limit.
        resource: Resource,
    },
    /// The input cannot be read.
    #[error("the input cannot be read: {0}")]
    Input(#[from] std::io::Error),
    /// [`Bounds::should_stop`] returned `true`.
    #[error("stopped")]
    Stopped,
}

/// A resource of a check.
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
    /// Most bytes of a script.
    pub const LONGEST: u64 = 1 << 20;

    /// Parses a script.
    ///
    /// # Errors
    /// Returns the first error of the script.
    pub fn parse(text: &[u8]) -> Result<Self, ScriptError> {
        parser::parse(text).map(|commands| Self { commands })
    }

    /// Checks whether an input has the format.
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
