//! Reads Library Checker's problems.

mod load;

pub(super) use load::{load, recognises};
