//! Verdicts of the executable on packages that the tests write.

#![allow(clippy::unwrap_used)] // A helper that fails is a test that fails.

mod cancel;
#[path = "../common/mod.rs"]
mod common;
mod compile;
mod dmoj;
mod feedback;
mod forms;
mod generated;
mod last_words;
mod layouts;
mod policies;
mod scores;
mod sources;
mod trust;
mod verdicts;
