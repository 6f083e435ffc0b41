//! Reads problem packages from disk: one folder a format, one internal model.
//!
//! A format's reader checks everything it reads and either fills the whole [`Package`] or refuses with a
//! [`PackageError`] that names file, key and remedy. What gavel does not judge yet is refused, never ignored;
//! what does not change a verdict is a warning. Nothing here runs a program or knows of sandboxes.
//!
//! | module | what it does |
//! |---|---|
//! | `load` | recognises the format of a directory, and finds the packages below one |
//! | `library` | loads packages that come as archives |
//! | `model` | the model that every format fills |
//! | `source` | reads files safely, without knowing a format |
//! | `shared` | reads files and folders that several formats have in common |
//! | `kattis`, `icpc` | the legacy ICPC/Kattis format; ICPC 2025-09 and its drafts |
//! | `cms`, `dmoj`, `hydro`, `library_checker`, `polygon`, `qduoj`, `sinol`, `uoj` | the format of that site or tool |
//! | `fps` | HUSTOJ's exchange format, turned into the files that `qduoj` reads |
//! | `folder` | a bare folder of tests |
//! | `convert` | writes a package in the format ICPC 2025-09 |

mod cms;
mod convert;
mod dmoj;
mod folder;
mod fps;
mod hydro;
mod icpc;
mod kattis;
mod library;
mod library_checker;
mod load;
mod model;
mod polygon;
mod qduoj;
mod shared;
mod sinol;
mod source;
mod uoj;

pub use cms::{GenFile, GenSource, GenSubtask, GenTest, parse_gen_file};
pub use convert::{ConvertError, convert};
pub use icpc::{IcpcProblemYaml, parse_icpc_problem_yaml};
pub use kattis::{GroupSettings, ProblemYaml, Validation, parse_problem_yaml, parse_testdata_yaml};
pub use library::{Checked, Library};
pub use load::{discover, load};
pub use model::*;
pub use polygon::parse_problem_xml;
pub use shared::expectation::find_expected_results;
pub use shared::grading::{Grading, Located, ProblemGrading};
pub use shared::submissions_yaml::{SubmissionRule, SubmissionsYaml, name_pattern, parse_submissions_yaml};
pub use shared::test_settings::{
    CaseSettings, GroupScoring, MaxScore, ScoreAggregation, SettingsFile, parse_test_settings,
};
pub use shared::time_limit_files::{DomjudgeIni, parse_domjudge_ini};
pub use source::error::PackageError;
