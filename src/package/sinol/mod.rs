//! Reads sinol packages of SIO2.

mod load;

pub(super) use load::{load, recognises};
