//! `submissions.yaml`, and the tags in sources.
#![no_main]

use gavel::package::{find_expected_results, parse_submissions_yaml};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    find_expected_results(bytes);
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Err(error) = parse_submissions_yaml(text)
    {
        assert!(!error.to_string().contains('\n'), "{error}");
    }
});
