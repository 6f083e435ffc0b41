//! `problem.xml` of Polygon.
#![no_main]

use gavel::package::parse_problem_xml;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(error) = parse_problem_xml(text) {
        assert!(!error.to_string().contains('\n'), "{error}");
    }
});
