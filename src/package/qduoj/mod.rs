//! Reads QDUOJ's exported problems.

mod load;

pub(super) use load::{load, recognises};
