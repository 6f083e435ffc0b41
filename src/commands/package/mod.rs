//! `gavel package`: what is done with packages without judging on them.

mod check;

use std::process::ExitCode;

use super::CommandError;
use crate::cli::{Global, Package as Arguments, PackageCommand};

/// Runs the command.
///
/// # Errors
/// Whatever keeps it from looking at the packages at all.
pub fn run(global: &Global, arguments: &Arguments) -> Result<ExitCode, CommandError> {
    match &arguments.command {
        PackageCommand::Check(arguments) => check::run(global, arguments),
    }
}
