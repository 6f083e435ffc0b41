//! `gavel package`: what is done with packages without judging on them.

mod check;
mod convert;

use std::process::ExitCode;

use super::CommandError;
use crate::cli::{Global, Package as Arguments, PackageCommand};

/// Runs the command.
///
/// # Errors
/// Whatever keeps it from doing what was asked.
pub fn run(global: &Global, arguments: &Arguments) -> Result<ExitCode, CommandError> {
    match &arguments.command {
        PackageCommand::Check(arguments) => check::run(global, arguments),
        PackageCommand::Convert(arguments) => convert::run(global, arguments),
    }
}
