//! Reads HUSTOJ's exchange format.

mod parse;

pub(super) use parse::{LARGEST, parse, recognises};
