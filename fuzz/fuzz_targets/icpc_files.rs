//! `problem.yaml`, `test_group.yaml` and `NAME.yaml` of ICPC 2025-09 and its drafts.
#![no_main]

use gavel::package::{SettingsFile, parse_icpc_problem_yaml, parse_test_settings};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for is_strict in [true, false] {
        let read = [
            parse_icpc_problem_yaml(text, is_strict).err(),
            parse_test_settings(text, SettingsFile::Group, is_strict).err(),
            parse_test_settings(text, SettingsFile::Case, is_strict).err(),
        ];
        for error in read.into_iter().flatten() {
            assert!(!error.to_string().contains('\n'), "{error}");
        }
    }
});
