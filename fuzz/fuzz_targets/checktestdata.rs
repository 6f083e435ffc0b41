//! Scripts of checktestdata on inputs: every script ends within its bounds.
#![no_main]

use std::cell::Cell;
use std::time::Duration;

use gavel::checktestdata::{Bounds, Script};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|parts: (&[u8], &[u8])| {
    let (script, mut input) = parts;
    let Ok(script) = Script::parse(script) else { return };
    let looks = Cell::new(0);
    let should_stop = || {
        looks.set(looks.get() + 1);
        looks.get() > 100
    };
    let bounds = Bounds { time: Duration::from_secs(5), memory: 16 << 20, should_stop: &should_stop };
    if let Err(error) = script.check(&mut input, bounds) {
        assert!(!error.to_string().contains('\n'), "{error}");
    }
});
