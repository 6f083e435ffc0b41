//! One file a command: the only place that wires the layers together.
//!
//! A command prints data on standard output and everything said to people on standard error, and ends with
//! an exit code: [`exit::ACCEPTED`] and the others.

pub mod cancel;
pub mod completions;
pub mod doctor;
pub mod grade;
pub mod judge;
pub mod languages;
pub mod output;
pub mod package;
pub mod queue;
pub mod replay;
pub mod run;
pub mod schema;
pub mod submit;
pub mod verify;
pub mod worker;

mod batch;
mod broker;
mod configure;
mod fitted_table;
mod interrupt;
mod log_writer;
mod relay;
mod sources;
mod start;

use std::process::ExitCode;

/// Exit codes, the same for every command.
pub mod exit {
    /// All accepted, or all as expected.
    pub const ACCEPTED: u8 = 0;
    /// Judged, and not.
    pub const REJECTED: u8 = 1;
    /// Wrong usage, configuration or package.
    pub const USAGE: u8 = 2;
    /// Judging error: this host's or gavel's own.
    pub const JUDGING_ERROR: u8 = 3;
}

/// Why a command ends early.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The caller can mend it: exit code 2.
    #[error("{0}")]
    Usage(String),
    /// The host or gavel is at fault: exit code 3.
    #[error("{0}")]
    Judging(String),
    /// Nobody reads standard output any more: not an error of ours, and not worth a message.
    #[error("standard output is closed")]
    OutputClosed,
    /// A signal asked to stop: 128 and its number.
    #[error("stopped by {0}")]
    Interrupted(nix::sys::signal::Signal),
}

impl CommandError {
    /// A fault of the caller's.
    pub(crate) fn usage(error: impl ToString) -> Self {
        Self::Usage(error.to_string())
    }

    /// A fault of ours or the host's.
    pub(crate) fn judging(error: impl ToString) -> Self {
        Self::Judging(error.to_string())
    }
}

/// Says on one line why a command ended early, and with which exit code.
pub fn fail(error: &CommandError) -> ExitCode {
    match error {
        CommandError::Usage(message) => {
            output::complain(message);
            ExitCode::from(exit::USAGE)
        }
        CommandError::Judging(message) => {
            output::complain(message);
            ExitCode::from(exit::JUDGING_ERROR)
        }
        CommandError::OutputClosed => ExitCode::from(exit::ACCEPTED),
        CommandError::Interrupted(signal) => {
            output::complain(&error.to_string());
            ExitCode::from(interrupt::exit_code(*signal))
        }
    }
}

/// Prints what clap has to say: help and versions on standard output, everything else on standard error.
pub fn usage(error: &clap::Error) -> ExitCode {
    // A closed stream is nothing to complain about.
    let _ = error.print();
    ExitCode::from(if error.use_stderr() { exit::USAGE } else { exit::ACCEPTED })
}
