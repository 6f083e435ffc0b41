//! What of the package model is not judged yet: refused as a whole, before anything runs.
//!
//! Readers of formats refuse it first, naming file and key; this is for packages that reach judging all the same. Whoever
//! teaches the pipeline something takes its line out here.

use super::fault::Fault;
use crate::package::{Group, GroupVerdict, Package, SubmissionKind};

/// # Errors
/// [`Fault::Package`] naming the first thing that would be judged wrongly.
pub(super) fn check(package: &Package) -> Result<(), Fault> {
    let graded = |group: &Group| {
        group.verdict != GroupVerdict::FirstError || !group.counts || !group.dependencies.is_empty()
    };
    let wants = [
        (package.scoring.is_some() || package.grader.is_some(), "scores"),
        (package.groups.iter().any(graded), "groups with rules of their own"),
        (package.submission_kind != SubmissionKind::Program, "answers instead of a program"),
        (!package.includes.is_empty(), "files compiled with submissions"),
        (
            package.streams.input_file.is_some() || package.streams.output_file.is_some(),
            "input or output files",
        ),
        (package.tests.iter().any(|test| !test.arguments.is_empty()), "arguments for the program"),
        (package.tests.iter().any(|test| !test.files.is_empty()), "files beside the program"),
    ];
    match wants.into_iter().find(|(wanted, _)| *wanted) {
        Some((_, what)) => Err(Fault::Package(format!(
            "problem '{}' asks for {what}, which is not judged yet; judge it with another tool",
            package.name
        ))),
        None => Ok(()),
    }
}
