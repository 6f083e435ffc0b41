//! Reads the ICPC problem package format 2025-09 and its drafts.

mod load;
mod problem_yaml;
mod scoring;
mod test_data;

pub(super) use load::{load, reads};
pub use problem_yaml::{IcpcProblemYaml, parse_icpc_problem_yaml};
