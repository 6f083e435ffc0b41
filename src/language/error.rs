//! What is wrong with a language table, in one line that says where.

use std::fmt;

/// What is wrong with a language table: `file:line: key: what; what is accepted`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}: {problem}", Line(*line))]
pub struct LanguageError {
    /// The file.
    pub file: String,
    /// Line, from 1; 0 where the trouble is with the file as a whole.
    pub line: usize,
    /// What is wrong, naming the key and what is accepted.
    pub problem: String,
}

struct Line(usize);

impl fmt::Display for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            line => write!(formatter, ":{line}"),
        }
    }
}
