//! Problem packages on disk: one file a format, one internal model.
//!
//! A format's reader checks everything it reads and either fills the whole [`Package`] or refuses with a
//! [`PackageError`] that names file, key and remedy. What gavel does not judge yet is refused, never ignored;
//! what does not change a verdict is a warning. Nothing here runs a program or knows of sandboxes.
//!
//! | file | what it reads |
//! |---|---|
//! | `model` | nothing: the model itself, with `program`, `checking`, `groups`, `submitting`, `jury` |
//! | `load` | which format a directory is in, and which packages lie below one |
//! | `folder` | a bare folder of tests, with `folder_pairs` |
//! | `foreign` | nothing: it recognises what must not be taken for bare tests |
//! | `cms` | CMS's Italian format |
//! | `dmoj` | DMOJ's `init.yml`, with its archives, checkers and test suite |
//! | `kattis` | the legacy ICPC/Kattis format, with `problem_yaml`, `testdata`, `grading`, `time_limit_files`, `title`, `flags` |
//! | `icpc` | ICPC 2025-09 and its drafts, with `icpc_problem_yaml`, `icpc_settings`, `icpc_tests`, `icpc_scoring`, `icpc_constants` |
//! | `validators`, `cases` | folders that both ICPC formats have |
//! | `polygon` | Polygon's packages |
//! | `submissions` | the jury's submissions, with `submissions_yaml` and `expectation` |
//! | `programs` | the programs of the jury's in a folder of them |
//! | `convert` | nothing: it writes a package in the format ICPC 2025-09 |
//! | `settings` | numbers, sizes and arguments in YAML, with bounds |
//! | `library_checker` | Library Checker's `info.toml` |
//! | `making` | nothing: what programs of the package make |
//! | `fps` | HUSTOJ's exchange format, into what `qduoj` reads |
//! | `qduoj` | QDUOJ's `problem.json` |
//! | `stash` | archives of packages, and what a package holds in another form |
//! | `hydro` | Hydro's `problem.yaml` with `testdata/` |
//! | `sinol` | sinol's `config.yml` with `prog/`, `in/` and `out/` |
//! | `uoj` | UOJ's `problem.conf` |
//! | `included` | `include/`, what is put beside submissions |
//! | `tree`, `yaml` | the disk and YAML, made safe for all of them |

mod bapctools;
mod cases;
mod checking;
mod cms;
mod convert;
mod digest;
mod dmoj;
mod draft;
mod error;
mod expectation;
mod folder;
mod folder_pairs;
mod foreign;
mod fps;
mod grading;
mod groups;
mod hydro;
mod icpc;
mod icpc_constants;
mod icpc_problem_yaml;
mod icpc_scoring;
mod icpc_settings;
mod icpc_tests;
mod included;
mod jury;
mod kattis;
mod library_checker;
mod load;
mod making;
mod model;
mod own_file;
mod polygon;
mod problem_yaml;
mod program;
mod programs;
mod qduoj;
mod scope;
mod settings;
mod sinol;
mod stash;
mod submissions;
mod submissions_yaml;
mod submitting;
mod testdata;
mod time_limit_files;
mod title;
mod tree;
mod trouble;
mod uoj;
mod validators;
mod yaml;

pub use checking::{Channel, Check, CheckerProgram, Communication, Interaction, Interactor, MultiPass};
pub use cms::{GenFile, GenSource, GenSubtask, GenTest, parse_gen_file};
pub use convert::{ConvertError, convert};
pub use digest::Digest;
pub use error::PackageError;
pub use expectation::find_expected_results;
pub use grading::{Grading, ProblemGrading, Said};
pub use groups::{Aggregation, Group, GroupVerdict, Member, Objective, OnReject, ScoreRange, Scoring};
pub use icpc_problem_yaml::{IcpcProblemYaml, parse_icpc_problem_yaml};
pub use icpc_settings::{
    CaseSettings, GroupScoring, MaxScore, ScoreAggregation, SettingsFile, parse_test_settings,
};
pub use jury::{
    Expectation, GeneratorRun, InputValidator, InvalidInput, JurySubmission, OutputCase, PartialExpectation,
    TimeMargins, ValidatorArguments, Verification,
};
pub use load::{discover, load};
pub use making::{MadeAnswer, MadeData, MadeInput, MadeTest, Seeds, Written};
pub use model::{Format, Package, PackageLimits, Test, TestLimits, TimeLimit};
pub use polygon::parse_problem_xml;
pub use problem_yaml::{ProblemYaml, Validation, parse_problem_yaml};
pub use program::{JuryProgram, LanguageHint, Making, ProgramFile, ProgramLimits};
pub use stash::{Checked, Held, Stash};
pub use submissions_yaml::{SubmissionRule, SubmissionsYaml, name_pattern, parse_submissions_yaml};
pub use submitting::{Include, OutputFile, Streams, SubmissionKind, WorkLink};
pub use testdata::{GroupSettings, parse_testdata_yaml};
pub use time_limit_files::{DomjudgeIni, parse_domjudge_ini};
