//! Reads Library Checker's problems.

mod load;

pub(super) use load::{is_one, load};
