//! What is wrong with a setting, in one line.

use super::layers::Origin;

/// Why a worker cannot be configured so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The file as a whole.
    #[error("{file}: {problem}")]
    File {
        /// Its path.
        file: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A line of the file.
    #[error("{file}:{line}: {problem}")]
    Line {
        /// Its path.
        file: String,
        /// From 1.
        line: usize,
        /// What is wrong, naming the key and what is accepted.
        problem: String,
    },
    /// A value from a flag, the environment or the file.
    #[error("{origin}: {key}{problem}")]
    Value {
        /// Where it is from.
        origin: Origin,
        /// The key with a colon, where the origin does not say it.
        key: String,
        /// What is wrong, and what is accepted.
        problem: String,
    },
    /// Settings that do not go together.
    #[error("{0}")]
    Conflict(String),
}
