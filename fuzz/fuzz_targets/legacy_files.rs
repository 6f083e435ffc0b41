//! `problem.yaml`, `testdata.yaml` and `domjudge-problem.ini` of the legacy format.
#![no_main]

use gavel::package::{parse_domjudge_ini, parse_problem_yaml, parse_testdata_yaml};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let read =
        [parse_problem_yaml(text).err(), parse_testdata_yaml(text).err(), parse_domjudge_ini(text).err()];
    for error in read.into_iter().flatten() {
        assert!(!error.to_string().contains('\n'), "{error}");
    }
});
