//! gavel judges programming-contest submissions: it compiles each once, runs it on every test in a sandbox,
//! checks its output and says what it got.
//!
//! # The way of a submission
//!
//! ```text
//! command line
//! or queue     ─▶ submission ─▶ package (tests, limits, checkers) ───┐
//!                            └▶ compile (through the cache) ──────────┤
//!                                                                     ▼
//!                                   for each test: run in a box ─▶ compare ─▶ verdict
//!                                                                     ▼
//!                                            report, with events all along
//! ```
//!
//! [`judge::Judge::judge`] is that picture as one call: a function of the submission, the package, the
//! language table and the machine, with a place for events and a token that cancels.
//!
//! # Where things are
//!
//! | module | what it knows | what it refuses to know |
//! |---|---|---|
//! | [`cli`], [`commands`] | flags, terminals, exit codes; the only place that wires layers together | how anything is judged |
//! | [`monitor`] | what operators see: the HTTP port, systemd | what is in a message |
//! | [`queue`] | messages, what waits, the worker's threads | how anything is judged, what a package is |
//! | [`workspace`] | package roots, inline tests, what changed on disk, what is fetched and unpacked | where submissions come from |
//! | [`judge`] | the order of steps, limits, verdicts, what runs when and where | queues, terminals, package formats |
//! | [`package`] | problem packages on disk, one file a format, one model | programs, sandboxes |
//! | [`language`] | the language table and its templates | how a command is run |
//! | [`checker`] | whether an output is right | where it came from |
//! | [`cache`] | directories named by what they were made from | what is in them |
//! | [`settings`] | what a worker is told, and where | what the settings are for |
//! | [`sandbox`] | boxes: commands with limits in, facts out | verdicts, languages, packages |
//! | [`submission`], [`verdict`], [`report`], [`units`], [`instruments`] | plain data and its text forms; what is measured | all input and output |
//!
//! Imports go one way: `commands → monitor → queue → workspace → judge → package, language, checker, cache → sandbox`;
//! the plain-data modules are for everyone. A test reads the `use crate::` lines and fails on a wrong arrow.
//!
//! # What always holds
//!
//! - A verdict against a contestant comes from what gavel did and counted, never from a signal a program can
//!   raise itself. Failures of ours, of the host or of the package are JE; in doubt it is JE, and never AC.
//! - When a run is over nothing it started is alive, and nothing it wrote is seen by the next.
//! - Whoever sends a submission to a worker gets one final verdict, and a reason for what cannot be read.
//! - A report does not depend on which test finished first, nor on how many slots there were.
//! - `unsafe` code is in `sandbox/syscalls.rs` and `sandbox/child.rs` and nowhere else.

pub mod cache;
pub mod checker;
pub mod cli;
pub mod commands;
pub mod instruments;
pub mod judge;
pub mod language;
pub mod monitor;
pub mod package;
pub mod queue;
pub mod report;
pub mod sandbox;
pub mod settings;
pub mod submission;
pub mod units;
pub mod verdict;
pub mod workspace;
