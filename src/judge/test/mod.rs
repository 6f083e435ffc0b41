//! Runs a submission on one test and decides what it gets.
//!
//! `run` runs and checks one test; `runner` runs the submission's program in its `work_directory`, `outcome` turns the end
//! of a run into verdicts, `check` asks a checker, `output_only` finds outputs that were submitted as files.

pub(crate) mod check;
pub(crate) mod context;
pub(crate) mod outcome;
pub(crate) mod output_only;
pub(crate) mod result;
pub(crate) mod run;
pub(crate) mod runner;
pub(crate) mod stderr;
pub(crate) mod work_directory;
