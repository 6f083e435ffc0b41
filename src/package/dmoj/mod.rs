//! Reads DMOJ's problems.

mod case_names;
mod cases;
mod checker;
mod data;
mod generator;
mod grader;
mod interaction;
mod keys;
mod links;
mod load;
mod suite;

pub(super) use keys::FILE;
pub(super) use load::load;
