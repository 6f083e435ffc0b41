//! Reads the legacy ICPC/Kattis package format.

mod load;
mod problem_yaml;
mod test_data;
mod testdata_yaml;

pub(super) use load::load;
pub use problem_yaml::{ProblemYaml, Validation, parse_problem_yaml};
pub use testdata_yaml::{GroupSettings, parse_testdata_yaml};
