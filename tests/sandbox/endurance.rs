//! Long use of one box: nothing of ours grows.

use std::fs::File;
use std::os::fd::AsFd;
use std::process::Stdio;

use gavel::sandbox::{Capture, Command, Limits, Stream};
use gavel::units::Bytes;
use procfs::process::Process;

use super::harness::{Bench, controls, each_control, roomy};
use super::nothing_left::keeper_of;

/// Names the body that the re-executed test binary is to run: other tests in this process would show in its
/// figures.
const ALONE: &str = "GAVEL_TEST_ALONE";

/// Runs one test of this module in a process of its own.
fn alone(name: &str) -> bool {
    if std::env::var(ALONE).is_ok_and(|own| own == name) {
        return true;
    }
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("endurance::{name}"), "--nocapture", "--test-threads=1"])
        .env(ALONE, name)
        .env(super::harness::PROGRAMS, super::harness::programs())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    // A name that no test has is no failure to libtest.
    assert!(
        output.status.success() && String::from_utf8_lossy(&output.stdout).contains("1 passed"),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    false
}

fn descriptors(process: &Process) -> usize {
    process.fd_count().unwrap()
}

fn resident_kib(process: &Process) -> u64 {
    process.status().unwrap().vmrss.unwrap()
}

#[test]
fn large_output_is_captured_with_flat_memory() {
    if !alone("large_output_is_captured_with_flat_memory") {
        return;
    }
    let mut bench = Bench::new(controls()[0]);
    let peak = || Process::myself().unwrap().status().unwrap().vmhwm.unwrap();
    bench.run(&["print", "4000000"]).assert_well();
    let before = peak();
    let argv = ["/program/misbehave", "print", "100000000"].map(str::to_owned);
    let null = File::open("/dev/null").unwrap();
    let mut stdout = Capture::whole(&std::env::temp_dir());
    let mut stderr = Capture::at_most(1024, &std::env::temp_dir());
    let command = Command {
        argv: &argv,
        env: &[],
        directory: "/w",
        stdin: null.as_fd(),
        stdout: Stream::Capture(&mut stdout),
        stderr: Stream::Capture(&mut stderr),
        limits: Limits { output: Some(Bytes::mib(128)), ..roomy() },
    };
    let outcome = bench.handle.run(command, &[]).unwrap();
    assert_eq!(
        (outcome.stopped.as_slice(), outcome.output_bytes, stdout.total()),
        ([].as_slice(), 100_000_000, 100_000_000)
    );
    assert!(outcome.memory < super::harness::idle_memory(bench.control), "{outcome:?}");
    assert_eq!(std::io::copy(&mut stdout.reader().unwrap(), &mut std::io::sink()).unwrap(), 100_000_000);
    let after = peak();
    assert!(after < before + 4096, "our peak went from {before} KiB to {after} KiB");
}

#[test]
fn ten_thousand_runs_in_one_box_leak_nothing() {
    if !alone("ten_thousand_runs_in_one_box_leak_nothing") {
        return;
    }
    let mut bench = Bench::new(controls()[0]);
    let worker = Process::myself().unwrap();
    let keeper_id = keeper_of(&bench.sandbox);
    let keeper = Process::new(keeper_id.as_raw()).unwrap();
    let init = || {
        let boxes = super::nothing_left::children(keeper_id);
        Process::new(boxes.last().expect("box init").as_raw()).unwrap()
    };
    for _ in 0..100 {
        bench.run(&["exit", "0"]).assert_well();
    }
    // A busy host may be late in giving memory back: then the box is replaced, and its init with it.
    let sizes = || [resident_kib(&worker), resident_kib(&keeper), resident_kib(&init())];
    // Descriptors of box init belong to another user here; its memory tells enough.
    let open = || [&worker, &keeper].map(descriptors);
    let before = (open(), sizes());
    for round in 0..10_000 {
        if round % 100 == 0 {
            // The workspace is replaced after these.
            bench.run(&["leave-traces"]).assert_well();
        } else if round % 100 == 1 {
            bench.run(&["raise", "9"]);
        }
        bench.run(&["exit", "0"]).assert_well();
    }
    bench.assert_as_new();
    let after = (open(), sizes());
    assert_eq!(after.0, before.0);
    for (before, after) in before.1.into_iter().zip(after.1) {
        assert!(after < before + 1024, "{before:?} KiB became {after:?} KiB");
    }
}

#[test]
fn opening_and_closing_boxes_leaks_nothing() {
    if !alone("opening_and_closing_boxes_leaks_nothing") {
        return;
    }
    each_control(|control| {
        let mut bench = Bench::new(control);
        let worker = Process::myself().unwrap();
        let keeper = Process::new(keeper_of(&bench.sandbox).as_raw()).unwrap();
        let shape = bench.handle.shape().clone();
        drop(bench.sandbox.open_box(&shape, None).unwrap());
        let before = [&worker, &keeper].map(descriptors);
        for _ in 0..50 {
            drop(bench.sandbox.open_box(&shape, None).unwrap());
        }
        assert_eq!([&worker, &keeper].map(descriptors), before);
        bench.assert_as_new();
    });
}
