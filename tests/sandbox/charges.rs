//! Memory that the kernel keeps charged after a run: the next run in the box has its whole limit, and no more.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use gavel::sandbox::{Exit, Limits, PACKAGE, ResourceControl, Stopped};
use gavel::units::Bytes;

use super::harness::{Bench, each_control, roomy};

fn memory(mebibytes: u64) -> Limits {
    Limits { memory: Some(Bytes::mib(mebibytes)), ..roomy() }
}

/// A directory with a file of that size, none of it in the page cache where it is on a disk.
pub(super) fn cold_file(mebibytes: usize) -> tempfile::TempDir {
    let directory = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .tempdir()
        .unwrap();
    let mut file = File::create(directory.path().join("large")).unwrap();
    let block = vec![0x5a; 1 << 20];
    for _ in 0..mebibytes {
        file.write_all(&block).unwrap();
    }
    file.sync_all().unwrap();
    chill(directory.path());
    directory
}

/// Drops the file of [`cold_file`] from the page cache.
pub(super) fn chill(directory: &Path) {
    use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
    let file = File::open(directory.join("large")).unwrap();
    posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED).unwrap();
}

/// Whether a file system keeps page cache of files that could be dropped.
pub(super) fn is_on_disk(directory: &Path) -> bool {
    nix::sys::statfs::statfs(directory).unwrap().filesystem_type() != nix::sys::statfs::TMPFS_MAGIC
}

#[test]
fn a_memory_limit_is_the_same_whatever_ran_before_in_the_box() {
    each_control(|control| {
        if control == ResourceControl::None {
            // Nothing is charged to anything.
            return;
        }
        let large = cold_file(96);
        let mut bench = Bench::new(control);
        bench.handle.attach(PACKAGE, large.path()).unwrap();
        for before in [
            ["look-up", "400000", "", "", "", ""],
            ["use-and-read", "private", "1", "before", "read", "/package/large"],
            ["pipes", "", "", "", "", ""],
            ["sockets", "", "", "", "", ""],
            ["many-files", "", "", "", "", ""],
            ["fill-file", "50", "", "", "", ""],
        ] {
            println!("{before:?}");
            bench.run_within(&before, memory(512)).assert_well();
            let ran = bench.run_within(&["touch", "136"], memory(128));
            ran.assert_stopped_for(Stopped::Memory);
            chill(large.path());
            bench.run_within(&before, memory(512)).assert_well();
            let ran = bench.run_within(&["touch", "120"], memory(128));
            ran.assert_well();
            assert!(ran.outcome.memory.0.abs_diff(120 << 20) < 3 << 20, "{ran:?}");
            chill(large.path());
        }
        bench.assert_as_new();
    });
}

/// A box that runs what most programs are keeps its groups: a new box costs milliseconds.
#[test]
fn a_box_is_not_replaced_for_what_every_program_leaves() {
    each_control(|control| {
        let mut bench = Bench::new(control);
        bench.run(&["exit", "0"]).assert_well();
        let mut names = std::collections::BTreeSet::new();
        for variant in [["touch", "100"], ["count-forks", ""], ["leave-traces", ""], ["exit", "0"]] {
            for _ in 0..10 {
                assert_eq!(bench.run(&variant).outcome.exit, Exit::Code(0));
                names.insert(format!("{:?}", bench.handle));
            }
        }
        // A host that is busy may be late in giving memory back.
        assert!(names.len() < 10, "{names:?}");
    });
}
