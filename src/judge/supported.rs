//! What of the package model is not judged yet: refused as a whole, before anything runs.
//!
//! Readers of formats refuse it first, naming file and key; this is for packages that reach judging all the same. Whoever
//! teaches the pipeline something takes its line out here.

use super::fault::Fault;
use crate::package::{Interaction, Package, SubmissionKind};

/// # Errors
/// [`Fault::Package`] naming the first thing that would be judged wrongly.
pub(super) fn check(package: &Package) -> Result<(), Fault> {
    let wants = [
        (
            package.submission_kind == SubmissionKind::Answers && package.interaction != Interaction::None,
            "answers and interaction at once",
        ),
        (
            package.takes_output_files()
                && (package.interaction != Interaction::None || package.passes.is_some()),
            "outputs beside a program that does not run alone",
        ),
        (
            package.submission_kind == SubmissionKind::Answers && package.passes.is_some(),
            "answers in several passes",
        ),
    ];
    match wants.into_iter().find(|(wanted, _)| *wanted) {
        Some((_, what)) => Err(Fault::Package(format!(
            "problem '{}' asks for {what}, which is not judged yet; judge it with another tool",
            package.name
        ))),
        None => Ok(()),
    }
}
