//! `gavel completions`: a completion script, made from the command line's own definition.

use std::process::ExitCode;

use clap::CommandFactory;

use super::{CommandError, exit, output};
use crate::cli::{Cli, Completions};

/// Prints the script.
///
/// # Errors
/// When standard output cannot be written.
pub fn run(arguments: &Completions) -> Result<ExitCode, CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "gavel", &mut script);
    output::print(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::from(exit::ACCEPTED))
}
