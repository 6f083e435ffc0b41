//! Reads Polygon's packages.

mod document;
mod load;
mod points;
mod programs;
mod solutions;
mod testset;

pub use load::parse_problem_xml;
pub(super) use load::{FILE, load};
