//! Reads CMS's Italian format.

mod gen_file;
mod generated;
mod keys;
mod load;
mod programs;
mod scores;
mod solutions;

pub use gen_file::{GenFile, GenSource, GenSubtask, GenTest, parse_gen_file};
pub(super) use keys::FILE;
pub(super) use load::{load, recognises};
