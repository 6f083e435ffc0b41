//! gavel judges programming-contest submissions.

pub mod cache;
pub mod checker;
pub mod cli;
pub mod commands;
pub mod judge;
pub mod language;
pub mod package;
pub mod report;
pub mod sandbox;
pub mod submission;
pub mod units;
pub mod verdict;
