//! Memory and CPU figures against programs of known appetite.
//!
//! CPU time is compared with what the program itself read and printed, so that a busy machine decides nothing.

use std::time::Duration;

use gavel::sandbox::{Exit, Limits, MemorySource, PACKAGE, ResourceControl, Stopped};
use gavel::units::Bytes;

use super::charges::{chill, cold_file, is_on_disk};
use super::harness::{Bench, Ran, each_control, roomy};

fn spacious() -> Limits {
    Limits { memory: Some(Bytes::gib(1)), ..roomy() }
}

/// Within 1 MiB or 2 % of `mebibytes` more than `idle`, what the same program is charged for when it does nothing.
#[track_caller]
fn assert_memory(ran: &Ran, mebibytes: u64, idle: Bytes) {
    let expected = mebibytes << 20;
    let tolerance = (1 << 20).max(expected / 50);
    let measured = ran.outcome.memory.0;
    assert!(measured + tolerance >= expected, "{mebibytes} MiB touched: {ran:?}");
    assert!(measured <= expected + idle.0 + tolerance, "{mebibytes} MiB touched, {idle} idle: {ran:?}");
}

#[test]
fn memory_is_what_was_touched() {
    each_control(|control| {
        let mut bench = Bench::new(control);
        let idle = match control {
            // `ru_maxrss` starts from box init's (see the module page): a floor, not a summand.
            ResourceControl::None => bench.run(&["exit", "0"]).outcome.memory,
            _ => Bytes(0),
        };
        // Box init of an unoptimised build maps a dozen MiB of itself, and more where pages are read ahead.
        assert!(idle < Bytes::mib(32), "{idle}");
        for mebibytes in [200, 1, 100, 10, 1] {
            for variant in ["touch", "touch-malloc"] {
                let ran = bench.run_within(&[variant, &mebibytes.to_string()], spacious());
                assert_eq!(ran.outcome.exit, Exit::Code(0), "{ran:?}");
                let floor = if mebibytes <= 10 { idle } else { Bytes(0) };
                assert_memory(&ran, mebibytes, floor);
            }
        }
    });
}

#[test]
fn memory_of_children_at_the_same_time_adds_up() {
    each_control(|control| {
        if control == ResourceControl::None {
            // Only the largest process is known for certain.
            let ran = Bench::new(control).run_within(&["children-touch", "4", "25"], spacious());
            assert!(ran.outcome.memory >= Bytes::mib(25), "{ran:?}");
            return;
        }
        let mut bench = Bench::new(control);
        for (children, mebibytes) in [(1, 10), (4, 25), (8, 25)] {
            let arguments = ["children-touch", &children.to_string(), &mebibytes.to_string()];
            let ran = bench.run_within(&arguments, spacious());
            ran.assert_well();
            // A process costs its kernel stack and page tables too.
            assert_memory(&ran, children * mebibytes, Bytes::kib(128 * children));
        }
    });
}

#[test]
fn memory_of_one_run_does_not_show_in_the_next() {
    each_control(|control| {
        let mut bench = Bench::new(control);
        let before = bench.run(&["touch", "4"]).outcome.memory;
        for hungry in [
            ["touch", "150", ""],
            ["children-touch", "30", "4"],
            ["fill-file", "50", ""],
            ["count-forks", "", ""],
        ] {
            bench.run(&hungry);
            let after = bench.run(&["touch", "4"]).outcome.memory;
            assert!(after.0.abs_diff(before.0) <= 1 << 20, "{hungry:?}: {before} before, {after} after");
        }
        // Each leaves a little that the kernel frees later.
        for _ in 0..100 {
            bench.run(&["exit", "0"]);
        }
        let after = bench.run(&["touch", "4"]).outcome.memory;
        assert!(after.0.abs_diff(before.0) <= 1 << 20, "many short runs: {before} before, {after} after");
        // Where the figure itself decides, nothing is added to it for what they left.
        for _ in 0..100 {
            bench.run(&["exit", "0"]);
        }
        bench.handle.compare_memory();
        let compared = bench.run(&["touch", "4"]).outcome.memory;
        assert!(compared.0 <= before.0 + (768 << 10), "compared: {before} before, {compared} after");
    });
}

/// Within 2 ms or 2 % of what the program read. What it read does not hold its birth and its end; those are
/// fractions of a millisecond a process.
#[track_caller]
fn assert_cpu(ran: &Ran, processes: u32) {
    let read = Duration::from_nanos(ran.facts()["cpu"].cast_unsigned());
    let tolerance = Duration::from_millis(2).max(read / 50) + Duration::from_millis(1) * (processes - 1);
    let measured = ran.outcome.cpu;
    assert!(
        measured + tolerance >= read && measured <= read + tolerance,
        "{read:?} read by the program: {ran:?}"
    );
}

#[test]
fn cpu_time_is_what_the_program_reads_itself() {
    each_control(|control| {
        let mut bench = Bench::new(control);
        for milliseconds in ["10", "100", "500"] {
            let ran = bench.run(&["spin-for", milliseconds]);
            ran.assert_well();
            assert_cpu(&ran, 1);
        }
    });
}

/// A program alone on its core is over when box init comes to look at the clock; its wall time is its own.
#[test]
fn wall_time_of_one_thread_is_no_less_than_its_cpu_time() {
    each_control(|control| {
        let mut bench = Bench::new(control);
        for milliseconds in ["0", "1", "2", "20"] {
            let ran = bench.run(&["spin-for", milliseconds]);
            ran.assert_well();
            let read = Duration::from_nanos(ran.facts()["cpu"].cast_unsigned());
            assert!(ran.outcome.wall >= read, "{read:?} read by the program: {ran:?}");
        }
    });
}

#[test]
fn cpu_time_of_children_is_charged() {
    each_control(|control| {
        let mut bench = Bench::new(control);
        let ran = bench.run(&["children-spin-for", "4", "50"]);
        ran.assert_well();
        assert_cpu(&ran, 5);
        let ran = bench.run(&["ignored-children-spin-for", "4", "50"]);
        ran.assert_well();
        if control == ResourceControl::None {
            // The kernel drops what they used; only sampling sees it, while they live.
            assert!(ran.outcome.cpu > Duration::from_millis(50), "{ran:?}");
        } else {
            assert_cpu(&ran, 5);
        }
    });
}

/// Children shorter than any sample, and more of them than the limit allows.
#[test]
fn cpu_time_of_children_that_nobody_waits_for_is_limited() {
    each_control(|control| {
        if control == ResourceControl::None {
            return; // `ResourceControl::limitations` says so.
        }
        let limits = Limits { cpu: Some(Duration::from_millis(200)), ..roomy() };
        let ran = Bench::new(control).run_within(&["ignored-children-spin-for", "40", "6"], limits);
        assert!(ran.outcome.cpu > Duration::from_millis(200), "{ran:?}");
    });
}

/// Allocated memory is shown whatever became of it, and of the page cache that the program filled.
#[test]
fn memory_is_what_was_allocated_whatever_is_read() {
    each_control(|control| {
        if control == ResourceControl::None {
            return;
        }
        let large = cold_file(160);
        let mut bench = Bench::new(control);
        bench.handle.attach(PACKAGE, large.path()).unwrap();
        for how in ["private", "shared", "file"] {
            for when in ["before", "during", "after"] {
                for read in ["read", "map"] {
                    let mebibytes = if how == "file" { 48 } else { 100 };
                    let amount = mebibytes.to_string();
                    let arguments = ["use-and-read", how, &amount, when, read, "/package/large"];
                    println!("{arguments:?}");
                    chill(large.path());
                    let ran = bench.run_within(&arguments, spacious());
                    ran.assert_well();
                    assert!(ran.outcome.memory_bound >= Some(ran.outcome.memory), "{ran:?}");
                    match ran.outcome.memory_source {
                        // A host that is too busy to look gives a figure that is none too small.
                        MemorySource::Resident | MemorySource::PeakWithCache => {
                            println!("a busy host: {ran:?}");
                            assert!(ran.outcome.memory.0 + (1 << 20) >= mebibytes << 20, "{ran:?}");
                        }
                        source => {
                            assert_memory(&ran, mebibytes, Bytes(0));
                            let expected = [MemorySource::Looks, MemorySource::Peak];
                            assert_eq!(source, expected[usize::from(!is_on_disk(large.path()))], "{ran:?}");
                        }
                    }
                }
            }
        }
        for when in ["before", "during", "after"] {
            chill(large.path());
            let arguments = ["use-and-read", "children", "100", when, "read", "/package/large"];
            let ran = bench.run_within(&arguments, spacious());
            ran.assert_well();
            assert!(ran.outcome.memory >= Bytes::mib(100), "{ran:?}");
            assert_eq!(ran.outcome.memory_bound, Some(ran.outcome.memory), "{ran:?}");
            if is_on_disk(large.path()) {
                assert_eq!(ran.outcome.memory_source, MemorySource::PeakWithCache, "{ran:?}");
            }
        }
        let ran = bench.run_within(&["touch", "100"], spacious());
        assert_eq!(ran.outcome.memory_source, MemorySource::Peak, "{ran:?}");
        assert_memory(&ran, 100, Bytes(0));
    });
}

/// What is no process's resident memory: files in the work directory, and page tables of memory that was only read.
#[test]
fn memory_outside_of_processes_is_counted_or_bounded() {
    each_control(|control| {
        let mut bench = Bench::new(control);
        let ran = bench.run_within(&["fill-file", "40"], spacious());
        ran.assert_well();
        assert!(ran.outcome.memory >= Bytes::mib(39), "{ran:?}");
        // A page of tables for each 2 MiB: 64 MiB of them.
        let limits = Limits { memory: Some(Bytes::mib(32)), processes: Some(1), ..roomy() };
        let ran = bench.run_within(&["page-tables", "32768"], limits.clone());
        assert!(
            ran.outcome.stopped == [Stopped::Memory] || ran.facts()["mmap"] == i64::from(libc::ENOMEM),
            "{ran:?}"
        );
        let ran = bench.run_within(&["sockets"], Limits { memory: Some(Bytes::mib(64)), ..limits });
        let pairs = ran.facts().get("pairs").copied().unwrap_or_default();
        assert!(ran.outcome.stopped == [Stopped::Memory] || pairs <= 128, "{ran:?}");
        bench.assert_as_new();
    });
}

#[test]
fn output_is_counted() {
    each_control(|control| {
        let mut bench = Bench::new(control);
        for bytes in [0, 1, 4096, 1_000_000] {
            let ran = bench.run(&["print", &bytes.to_string()]);
            ran.assert_well();
            assert_eq!((ran.outcome.output_bytes, ran.stdout.len() as u64), (bytes, bytes));
        }
    });
}
