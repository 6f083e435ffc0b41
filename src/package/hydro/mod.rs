//! Reads Hydro's problems.

mod config;
mod load;
mod programs;
mod subtasks;

pub(super) use load::{load, recognises};
