//! Reads files and folders that several formats have in common.
//!
//! Formats do not import each other: what two of them need is here.
//!
//! | file | what it reads |
//! |---|---|
//! | `validators` | output and input validators of the ICPC formats |
//! | `names` | names of packages, of tests' files and of folders |
//! | `programs` | the programs in a folder of programs |
//! | `cases` | `data/invalid_input` and the like |
//! | `included` | `include/`, the files added to submissions |
//! | `submissions` | the jury's submissions, with `submissions_yaml` and `expectation` |
//! | `grading` | grading of the legacy ICPC format, which drafts of the newer one use as well |
//! | `test_settings` | `NAME.yaml` and `test_group.yaml` of ICPC 2025-09, which `cases` uses in both formats |
//! | `constants` | `constants` of ICPC packages, which `bapctools` uses as well |
//! | `bapctools` | `generators/generators.yaml` in packages of both ICPC formats |
//! | `time_limit_files` | `.timelimit` and `domjudge-problem.ini` |
//! | `statement_title` | the title in a LaTeX statement |
//! | `gavel_toml` | `gavel.toml`, gavel's own settings in a package of any format |

pub(crate) mod bapctools;
pub(crate) mod cases;
pub(crate) mod constants;
pub(crate) mod expectation;
pub(crate) mod gavel_toml;
pub(crate) mod grading;
pub(crate) mod included;
pub(crate) mod names;
pub(crate) mod programs;
pub(crate) mod statement_title;
pub(crate) mod submissions;
pub(crate) mod submissions_yaml;
pub(crate) mod test_settings;
pub(crate) mod time_limit_files;
pub(crate) mod validators;
