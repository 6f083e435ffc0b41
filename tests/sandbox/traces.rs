//! What one run leaves behind is not there in the next.

use std::time::Duration;

use gavel::sandbox::{Exit, Limits, Profile, Shape};

use super::harness::{Bench, each_control, roomy};

/// Limits for programs that would never end.
fn brief() -> Limits {
    Limits {
        cpu: Some(Duration::from_millis(50)),
        wall: Some(Duration::from_millis(300)),
        processes: Some(16),
        ..roomy()
    }
}

#[test]
fn files_ipc_and_settings_of_one_run_are_gone_in_the_next() {
    for profile in [Profile::Native, Profile::Managed] {
        each_control(|control| {
            let mut bench = Bench::shaped(control, &Shape { profile, ..Shape::default() });
            for _ in 0..3 {
                let ran = bench.run(&["leave-traces"]);
                ran.assert_well();
                let facts = ran.facts();
                for name in ["file", "directory", "tmp", "dev_shm"] {
                    assert_eq!(facts[name], 0, "{name}: {ran:?}");
                }
                for name in ["shmget", "msgget", "semget", "mq_open", "add_key"] {
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

/// The lines of `state` but those that tell one box from another: device and time of change of the box's own files.
fn without_the_box_s_age(said: &str) -> Vec<&str> {
    said.lines().filter(|line| !line.contains(".device ") && !line.contains(".changed ")).collect()
}

#[test]
fn every_run_finds_the_same_process_ids_inodes_and_times() {
    for proc in [false, true] {
        each_control(|control| {
            let mut bench = Bench::shaped(control, &Shape { proc, ..Shape::default() });
            let first = bench.run(&["state"]);
            first.assert_well();
            let facts = first.facts();
            for (name, id) in [("process", 2), ("session", 2), ("group", 2), ("child", 3), ("grandchild", 4)]
            {
                assert_eq!(facts[name], id, "{name}: {first:?}");
            }
            for disturbance in ["0", "1", "7", "40"] {
                // What a run leaves may grow the group of the box, and then another box takes its place: with a device
                // number from the kernel's own counter, and made at another time (SECURITY.md).
                let assert_same = |found: &str, after: &str| {
                    let wanted = without_the_box_s_age(&first.stdout);
                    assert_eq!(without_the_box_s_age(found), wanted, "after {disturbance}{after}");
                };
                let ran = bench.run(&["disturb", disturbance]);
                ran.assert_well();
                assert_same(&bench.run(&["state"]).stdout, "");
                bench.run_within(&["fork-bomb"], brief());
                bench.run_within(&["many-files"], brief());
                assert_same(&bench.run(&["state"]).stdout, " and a fork bomb");
            }
        });
    }
}

#[test]
fn what_boxes_share_with_the_host_cannot_be_marked() {
    each_control(|control| {
        let mut bench = Bench::new(control);
        let times = || {
            let status = nix::sys::stat::stat("/dev/null").unwrap();
            (status.st_mtime, status.st_mtime_nsec, status.st_ctime, status.st_ctime_nsec)
        };
        let before = times();
        let ran = bench.run(&["disturb", "1"]);
        ran.assert_well();
        for (name, errno) in ran.facts() {
            assert_ne!(errno, 0, "{name}: {ran:?}");
        }
        assert_eq!(times(), before);
    });
}

#[test]
fn box_init_keeps_no_right_but_those_it_uses() {
    each_control(|control| {
        let bench = Bench::new(control);
        let status = |key: &str| {
            let path = format!("/proc/{}/status", bench.handle.init_id());
            let text = std::fs::read_to_string(path).unwrap();
            let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap().trim().to_owned();
            u64::from_str_radix(&line, 16).unwrap()
        };
        let restore = 1 << 40;
        let (kill, setgid, setuid) = (1 << 5, 1 << 6, 1 << 7);
        let privileged = nix::unistd::Uid::effective().is_root();
        let kept = if privileged { restore | kill | setgid | setuid } else { restore };
        assert_eq!((status("CapEff:"), status("CapPrm:")), (kept, kept));
        assert_eq!((status("CapInh:"), status("CapBnd:"), status("CapAmb:")), (0, 0, 0));
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
            bench.run_within(&variant, brief());
            bench.assert_as_new();
        }
    });
}
