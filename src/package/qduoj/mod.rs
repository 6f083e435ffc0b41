//! Reads QDUOJ's exported problems.

mod load;

pub(super) use load::{FILE, is_one, load};
