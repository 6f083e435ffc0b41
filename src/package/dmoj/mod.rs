//! Reads DMOJ's problems.

mod case_names;
mod cases;
mod checker;
mod data;
mod generator;
mod grader;
mod interaction;
mod links;
mod load;
mod suite;

pub(super) use load::{FILE, load};
