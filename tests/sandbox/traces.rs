//! What one run leaves behind is not there in the next.

use std::time::Duration;

use gavel::sandbox::{Exit, Limits, Profile, Shape};

use super::harness::{Bench, each_control, roomy};

#[test]
fn files_ipc_and_settings_of_one_run_are_gone_in_the_next() {
    for profile in [Profile::Native, Profile::Managed] {
        each_control(|control| {
            let mut bench = Bench::shaped(control, &Shape { profile, ..Shape::default() });
            for _ in 0..3 {
                let ran = bench.run(&["leave-traces"]);
                ran.assert_well();
                let facts = ran.facts();
                assert_eq!((facts["file"], facts["directory"], facts["tmp"]), (0, 0, 0), "{ran:?}");
                for name in ["shmget", "msgget", "semget", "mq_open", "add_key", "dev_shm"] {
                    assert_ne!(facts[name], 0, "{name}: {ran:?}");
                }
                assert_ne!(facts.get("bind"), Some(&0), "{ran:?}");
                bench.assert_as_new();
            }
        });
    }
}

#[test]
fn files_put_into_a_fresh_work_directory_are_seen_by_one_run_only() {
    each_control(|control| {
        let mut bench = Bench::new(control);
        for _ in 0..2 {
            let workspace = bench.handle.fresh_workspace().unwrap();
            let flags = nix::fcntl::OFlag::O_CREAT | nix::fcntl::OFlag::O_WRONLY;
            let mode = nix::sys::stat::Mode::from_bits_truncate(0o644);
            drop(nix::fcntl::openat(workspace, "given", flags, mode).unwrap());
            let ran = bench.run(&["list", "/w"]);
            assert!(ran.stdout.lines().any(|name| name == "given"), "{ran:?}");
            let ran = bench.run(&["list", "/w"]);
            assert!(!ran.stdout.lines().any(|name| name == "given"), "{ran:?}");
        }
    });
}

#[test]
fn daemons_of_one_run_are_dead_before_the_next() {
    each_control(|control| {
        let mut bench = Bench::new(control);
        for _ in 0..3 {
            let ran = bench.run(&["daemon-and-leave", "write"]);
            assert_eq!(ran.outcome.exit, Exit::Code(0), "{ran:?}");
            // The run ended with its leader although the daemon held its output open, and the daemon died with
            // it: neither it nor anything it could still write is there.
            let workspace =
                format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&bench.handle.workspace()));
            let alive = || std::fs::metadata(format!("{workspace}/alive")).map(|file| file.len()).unwrap();
            let length = alive();
            assert!(length > 0);
            std::thread::sleep(Duration::from_millis(20));
            assert_eq!(alive(), length);
            bench.assert_as_new();
        }
    });
}

#[test]
fn a_box_serves_after_every_misbehaviour_in_turn() {
    each_control(|control| {
        let mut bench = Bench::shaped(control, &Shape { proc: true, ..Shape::default() });
        let limits = Limits {
            cpu: Some(Duration::from_millis(50)),
            wall: Some(Duration::from_millis(300)),
            processes: Some(16),
            ..roomy()
        };
        for variant in [
            ["fork-bomb", ""],
            ["thread-bomb", ""],
            ["sleep", ""],
            ["touch", "300"],
            ["stop", ""],
            ["print-forever", ""],
            ["daemon-and-wait", "write"],
            ["zombies", ""],
            ["raise", "9"],
            ["many-files", ""],
            ["deep-directories", ""],
            ["close-and-spin", ""],
        ] {
            bench.run_within(&variant, limits.clone());
            bench.assert_as_new();
        }
    });
}
