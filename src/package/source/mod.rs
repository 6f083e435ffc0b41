//! Reads a package's files safely, without knowing any format.
//!
//! | file | what it does |
//! |---|---|
//! | `tree` | lists and opens a package's files without leaving its directory |
//! | `yaml` | parses YAML into a tree whose values know their lines |
//! | `scope` | looks keys up in nested maps, outwards |
//! | `values` | reads numbers with bounds, sizes, durations and arguments |
//! | `derived` | stores files derived from a package in the cache |
//! | `diagnostics` | collects every error and warning of a package |
//! | `error` | the error type of packages |
//! | `directory_writer` | writes files below a directory of the cache |

pub(crate) mod derived;
pub(crate) mod diagnostics;
pub(crate) mod directory_writer;
pub(crate) mod error;
pub(crate) mod scope;
pub(crate) mod tree;
pub(crate) mod values;
pub(crate) mod yaml;
