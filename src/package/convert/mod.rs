//! Writes a package of any format in the format ICPC 2025-09.
//!
//! Everything comes from the model; what the format has no words for is refused by name, and what has no effect there is a
//! note. The package is written beside its place under another name and renamed when it is whole, so nothing half-written
//! is ever found there.
//!
//! Checkers that answer otherwise than output validators do get `run` and `build` scripts around them (`shims/`): the
//! checker itself goes along as source. Built-in comparisons other than the default validator's become scripts that compare
//! alike; those that have none are refused, unless the package has the source of the checker they stand for.
//!
//! | file | what it writes |
//! |---|---|
//! | `problem` | `problem.yaml` |
//! | `data` | tests, groups, settings |
//! | `validators` | output and input validators, with their scripts |
//! | `extra_files` | included files, generators, what verification reads, statements |
//! | `writer` | files of any kind, below the new directory |
//! | `submissions` | submissions and `submissions.yaml` |

mod data;
mod extra_files;
mod problem;
mod submissions;
mod validators;
mod writer;

use std::fs;
use std::path::Path;

use super::model::{Package, TestLimits};
use super::source::error::one_line;
pub use writer::ConvertError;
use writer::{Writer, io_error};

/// Writes `package` to `out`, which must not exist; says what was left out because it has no effect on verdicts there.
///
/// # Errors
/// When something cannot be expressed, read or written; then nothing is at `out`.
pub fn convert(package: &Package, out: &Path) -> Result<Vec<String>, ConvertError> {
    if out.symlink_metadata().is_ok() {
        return Err(ConvertError::Exists { path: out.to_owned() });
    }
    if let Some(made) = &package.generated {
        return Err(ConvertError::Inexpressible {
            problem: one_line(&package.name),
            what: format!("a package whose programs make {} of its tests", made.tests.len()),
            remedy: "have them made first",
        });
    }
    if let Some(test) = package.tests.iter().find(|test| test.limits != TestLimits::default()) {
        return Err(ConvertError::Inexpressible {
            problem: one_line(&package.name),
            what: format!("limits of single tests, such as those of {},", one_line(&test.name)),
            remedy: "give all tests the same limits",
        });
    }
    let parent = match out.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let draft = tempfile::Builder::new()
        .prefix(".gavel-convert-")
        .tempdir_in(parent)
        .map_err(io_error("make a directory in", parent))?;
    let mut writer = Writer { package, root: draft.path().join("package"), notes: Vec::new() };
    fs::create_dir(&writer.root).map_err(io_error("make", &writer.root))?;
    let layout = data::plan(&mut writer)?;
    problem::write(&mut writer)?;
    let arguments = validators::write_output(&mut writer)?;
    data::write(&mut writer, &layout, &arguments)?;
    validators::write_inputs(&mut writer)?;
    extra_files::write(&mut writer)?;
    submissions::write(&mut writer, &layout)?;
    fs::rename(&writer.root, out).map_err(io_error("rename to", out))?;
    Ok(writer.notes)
}
