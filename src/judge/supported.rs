//! What of the package model is not judged yet: refused as a whole, before anything runs.
//!
//! Readers of formats refuse it first, naming file and key; this is for packages that reach judging all the same. Whoever
//! teaches the pipeline something takes its line out here.

use super::fault::Fault;
use crate::package::{Check, Interaction, Package, SubmissionKind, Test};

/// # Errors
/// [`Fault::Package`] naming the first thing that would be judged wrongly.
pub(super) fn check(package: &Package) -> Result<(), Fault> {
    let interacts = |test: &Test| matches!(test.check, Check::Interaction { .. });
    let wants = [
        (package.interaction != Interaction::None || package.tests.iter().any(interacts), "interaction"),
        (package.passes.is_some(), "several passes"),
        (
            package.submission_kind == SubmissionKind::Answers && package.interaction != Interaction::None,
            "answers and interaction at once",
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
