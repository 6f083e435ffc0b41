//! Reads Hydro's problems.

mod load;
mod programs;
mod subtasks;

pub(super) use load::{is_one, load};
