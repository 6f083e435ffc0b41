//! Runs a submission on one test and decides what it gets.
//!
//! `run` runs and checks one test; `runner` runs the submission's program in its `work_directory`, `outcome` turns the end
//! of a run into verdicts, `check` asks a checker, `output_only` finds outputs that were submitted as files.

pub(in crate::judge) mod check;
pub(in crate::judge) mod context;
pub(in crate::judge) mod outcome;
pub(in crate::judge) mod output_only;
pub(in crate::judge) mod result;
pub(in crate::judge) mod run;
pub(in crate::judge) mod runner;
pub(in crate::judge) mod stderr;
pub(in crate::judge) mod work_directory;
