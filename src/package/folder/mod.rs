//! Reads a bare folder of tests.

mod foreign;
mod load;
mod pairs;

pub(super) use foreign::refuse;
pub(super) use load::load;
pub(super) use pairs::{any, folders};
