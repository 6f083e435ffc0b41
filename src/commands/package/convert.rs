//! `gavel package convert`: a package of any format, written in ICPC 2025-09.

use std::process::ExitCode;

use crate::cli::{Global, PackageConvert as Arguments};
use crate::commands::interrupt::Interrupts;
use crate::commands::{CommandError, exit, output, start};
use crate::package::{self, ConvertError};

/// Runs the command.
///
/// # Errors
/// When the package cannot be read or expressed, or the system refuses.
pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let interrupts = Interrupts::watch()?;
    let packages = start::packages(global)?;
    let package = packages.load(&arguments.path).map_err(|error| {
        if error.is_ours() { CommandError::judging(error) } else { CommandError::usage(error) }
    })?;
    // Here, where the package's directory is written anew, its tests are not left to its programs.
    let package = if package.generated.is_some() {
        let complete =
            start::judge(global, vec![package.directory.clone()])?.complete(&package, interrupts.token());
        interrupts.check()?;
        complete.map_err(CommandError::judging)?
    } else {
        package
    };
    let notes = package::convert(&package, &arguments.out).map_err(|error| match &error {
        ConvertError::Io { .. } => CommandError::judging(error),
        ConvertError::Package(inner) if inner.is_ours() => CommandError::judging(error),
        ConvertError::Package(_) | ConvertError::Exists { .. } | ConvertError::Inexpressible { .. } => {
            CommandError::usage(error)
        }
    })?;
    for note in package.warnings.iter().chain(&notes) {
        output::remark(note);
    }
    Ok(ExitCode::from(exit::ACCEPTED))
}
