//! Reads UOJ's problems.

mod load;

pub(super) use load::{load, recognises};
