//! `gavel schema`: the messages' formats, for backends and for `deploy/schema/`.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use super::{CommandError, exit, output};
use crate::cli::Schema as Arguments;
use crate::queue::Document;

/// Prints one schema, or writes all of them.
///
/// # Errors
/// When standard output or the folder cannot be written.
pub fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    if let Some(message) = arguments.message {
        output::print(&text(message.into()))?;
    }
    if let Some(directory) = &arguments.into {
        write(directory)?;
    }
    Ok(ExitCode::from(exit::ACCEPTED))
}

fn write(directory: &Path) -> Result<(), CommandError> {
    let fail = |path: &Path, error| CommandError::usage(format!("{}: cannot write: {error}", path.display()));
    fs::create_dir_all(directory).map_err(|error| fail(directory, error))?;
    for document in Document::ALL {
        let path = directory.join(format!("{}.json", document.name()));
        fs::write(&path, text(document)).map_err(|error| fail(&path, error))?;
    }
    Ok(())
}

fn text(document: Document) -> String {
    format!("{:#}\n", document.schema())
}
