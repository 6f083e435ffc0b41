//! Reads Polygon's packages.

mod document;
mod load;
mod points;
mod programs;
mod solutions;
mod testset;

pub(super) use document::FILE;
pub(super) use load::load;
pub use load::parse_problem_xml;
