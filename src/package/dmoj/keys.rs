//! Lists the keys of `init.yml`, and limits on their values.

/// The file that marks a directory as a problem of DMOJ.
pub(crate) const FILE: &str = "init.yml";

/// Seconds beyond which a limit is a mistake.
pub(super) const LONGEST: f64 = 3600.0;

/// Keys of the top level, of batches and of cases: all are inherited, so each may stand at any level.
pub(super) const KEYS: &[&str] = &[
    "archive",
    "batched",
    "binary_data",
    "checker",
    "custom_judge",
    "dependencies",
    "file_io",
    "generator",
    "generator_args",
    "generator_in",
    "hints",
    "in",
    "interactive",
    "memory_limit",
    "meta",
    "out",
    "output_limit_length",
    "output_prefix_length",
    "points",
    "pretest_test_cases",
    "short_circuit",
    "signature_grader",
    "symlinks",
    "test_cases",
    "time_limit",
    "unbuffered",
    "wall_time_factor",
];
