//! Builds and runs the programs that a package's jury wrote: checkers, interactors, validators, generators, solutions.
//!
//! They are trusted no more than submissions: they are compiled and run in boxes. When one cannot be built or breaks its
//! rules, the package is to blame ([`Fault::Checker`](crate::judge::fault::Fault::Checker)).

mod build_script;
pub(crate) mod builder;
pub(crate) mod generated;
mod generation;
mod generation_budget;
pub(crate) mod program;
pub(crate) mod verification;
