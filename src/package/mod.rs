//! Problem packages on disk: one file a format, one internal model.
mod model;

pub use model::{Expectation, Format, JurySubmission, Package, PackageLimits, Test, TimeLimit};
