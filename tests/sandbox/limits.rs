//! Every limit, provoked or read back; and a box that is as new right afterwards.

use std::time::{Duration, Instant};

use gavel::sandbox::{Exit, Limits, Profile, ResourceControl, Shape, Stopped};
use gavel::units::Bytes;

use super::harness::{Bench, each_control, first_core, programs, roomy};

fn cpu(milliseconds: u64) -> Limits {
    Limits { cpu: Some(Duration::from_millis(milliseconds)), ..roomy() }
}

fn wall(milliseconds: u64) -> Limits {
    Limits { wall: Some(Duration::from_millis(milliseconds)), ..roomy() }
}

fn memory(mebibytes: u64) -> Limits {
    Limits { memory: Some(Bytes::mib(mebibytes)), ..roomy() }
}

#[test]
fn cpu_time_of_the_whole_tree_is_limited() {
    each_control(|control| {
        let mut bench = Bench::new(control);
        for variant in [
            ["spin", ""],
            ["children-spin", ""],
            ["daemon-and-wait", "spin"],
            ["catch-xcpu", ""],
            ["threads-spin", ""],
            ["close-and-spin", ""],
        ] {
            println!("{variant:?}");
            let ran = bench.run_within(&variant, cpu(100));
            ran.assert_stopped_for(Stopped::Cpu);
            assert_eq!(ran.outcome.exit, Exit::Signal(libc::SIGKILL), "{ran:?}");
            assert!(ran.outcome.cpu > Duration::from_millis(100), "{ran:?}");
            bench.assert_as_new();
        }
    });
}

/// With cgroup v1 box init is in the programs' group, and what it uses is none of theirs.
#[test]
fn nobody_is_stopped_before_all_of_their_own_cpu_time_is_used() {
    each_control(|control| {
        let mut bench = Bench::new(control);
        for _ in 0..8 {
            let ran = bench.run_within(&["spin"], cpu(30));
            ran.assert_stopped_for(Stopped::Cpu);
            assert!(ran.outcome.cpu > Duration::from_millis(30), "{ran:?}");
        }
    });
}

#[test]
fn wall_time_is_limited_for_those_who_wait() {
    each_control(|control| {
        let mut bench = Bench::new(control);
        for variant in ["sleep", "stop"] {
            let begun = Instant::now();
            let ran = bench.run_within(&[variant], wall(100));
            assert_eq!(ran.outcome.stopped, [Stopped::Wall], "{ran:?}");
            // The limit counts from when the command was handed over, the figure from birth, which may be late.
            assert!(begun.elapsed() >= Duration::from_millis(100), "{ran:?}");
            assert!(ran.outcome.cpu < Duration::from_millis(50), "{ran:?}");
            bench.assert_as_new();
        }
    });
}

/// Threads that fight for the box's one core wait for each other, not for the host. What they use of it tells for how long
/// it was theirs, whatever else the host did meanwhile: all of that time, or half of it.
#[test]
fn a_wall_limit_is_not_stretched_by_waiting_for_ones_own_threads() {
    each_control(|control| {
        let mut bench = Bench::new(control);
        for (variant, most) in [("threads-spin", 2000), ("threads-burst", 800)] {
            let ran = bench.run_within(&[variant], Limits { cpu: None, ..wall(1000) });
            assert_eq!(ran.outcome.stopped, [Stopped::Wall], "{variant}: {ran:?}");
            assert!(ran.outcome.cpu < Duration::from_millis(most), "{variant}: {ran:?}");
        }
    });
}

/// A process outside of any box that competes for its core until dropped.
struct Rival(std::process::Child);

impl Rival {
    fn start() -> Self {
        let program = programs().join("misbehave");
        let core = first_core().to_string();
        Self(std::process::Command::new(program).args(["spin-on", &core]).spawn().unwrap())
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_program_that_shares_its_core_with_others_has_its_wall_limit_stretched() {
    each_control(|control| {
        let mut bench = Bench::new(control);
        let _rival = Rival::start();
        let ran = bench.run_within(&["spin-for", "600"], wall(1000));
        ran.assert_well();
        assert!(ran.outcome.cpu >= Duration::from_millis(600), "{ran:?}");
    });
}

/// Of twenty-one that want the core the program gets a twentieth, which is less than a wall limit is stretched for.
#[test]
fn a_program_that_the_host_gives_no_core_is_the_hosts_fault_and_ends_in_time() {
    each_control(|control| {
        if control == ResourceControl::CgroupV2 {
            // Its cpu controller shares a core by groups: the rivals here take no more than half of it.
            return;
        }
        let mut bench = Bench::new(control);
        let rivals: Vec<_> = (0..20).map(|_| Rival::start()).collect();
        let limits = Limits { cpu: None, ..wall(50) };
        let error = bench.try_command(&["/program/misbehave", "spin"], limits, &[]).unwrap_err();
        assert!(error.to_string().contains("the host gave its programs no core for"), "{error}");
        drop(rivals);
        // The box is given up, the keeper goes on.
        bench.handle = bench.sandbox.open_box(bench.handle.shape(), Some(first_core())).unwrap();
        bench.handle.attach(gavel::sandbox::PROGRAM, programs()).unwrap();
        bench.assert_as_new();
    });
}

#[test]
fn memory_over_the_limit_stops_and_under_it_does_not() {
    each_control(|control| {
        let mut bench = Bench::new(control);
        for variant in ["touch", "touch-malloc", "touch-stack"] {
            bench.run_within(&[variant, "24"], memory(32)).assert_well();
            let ran = bench.run_within(&[variant, "40"], memory(32));
            if variant == "touch-stack" {
                // The stack's own limit, which is as large, may be met first, and that is a crash.
                assert!(matches!(ran.outcome.exit, Exit::Signal(libc::SIGSEGV | libc::SIGKILL)), "{ran:?}");
            } else {
                ran.assert_stopped_for(Stopped::Memory);
            }
            bench.assert_as_new();
        }
    });
}

#[test]
fn memory_of_children_adds_up() {
    each_control(|control| {
        let mut bench = Bench::new(control);
        bench.run_within(&["children-touch", "3", "8"], memory(32)).assert_well();
        let ran = bench.run_within(&["children-touch", "4", "20"], memory(32));
        if control != ResourceControl::None {
            ran.assert_stopped_for(Stopped::Memory);
            assert!(ran.outcome.memory <= Bytes::mib(33), "{ran:?}");
        }
        bench.assert_as_new();
        // Many of them running out of memory at once leave no late notice for the next run.
        for _ in 0..5 {
            let ran = bench.run_within(&["children-touch", "40", "30"], memory(32));
            if control != ResourceControl::None {
                ran.assert_stopped_for(Stopped::Memory);
            }
            bench.assert_as_new();
        }
    });
}

#[test]
fn files_in_memory_count_as_memory() {
    each_control(|control| {
        let shape = Shape { profile: Profile::Managed, ..Shape::default() };
        let mut bench = Bench::shaped(control, &shape);
        for variant in ["fill-file", "fill-memfd"] {
            let ran = bench.run_within(&[variant, "48"], memory(32));
            if control == ResourceControl::None && variant == "fill-memfd" {
                // It would be no process's.
                assert_eq!(ran.facts()["memfd_create"], i64::from(libc::ENOSYS));
            } else {
                ran.assert_stopped_for(Stopped::Memory);
            }
            bench.assert_as_new();
        }
    });
}

#[test]
fn native_programs_get_no_memory_files() {
    each_control(|control| {
        let ran = Bench::new(control).run(&["fill-memfd", "1"]);
        assert_eq!(ran.facts()["memfd_create"], i64::from(libc::ENOSYS));
    });
}

#[test]
fn the_work_directory_is_capped_in_bytes_and_files() {
    each_control(|control| {
        let shape = Shape { workspace: Bytes::mib(4), workspace_inodes: 100, ..Shape::default() };
        let mut bench = Bench::shaped(control, &shape);
        let ran = bench.run(&["fill-file", "8"]);
        ran.assert_well();
        assert_eq!(
            (ran.facts()["errno"], ran.facts()["written"]),
            (i64::from(libc::ENOSPC), 4 << 20),
            "{ran:?}"
        );
        bench.assert_as_new();
        for variant in ["many-files", "deep-directories"] {
            let ran = bench.run(&[variant]);
            ran.assert_well();
            assert_eq!(ran.facts()["errno"], i64::from(libc::ENOSPC), "{ran:?}");
            bench.assert_as_new();
        }
    });
}

#[test]
fn file_size_is_limited() {
    each_control(|control| {
        let mut bench = Bench::new(control);
        let limits = Limits { file_size: Some(Bytes::mib(1)), ..roomy() };
        let ran = bench.run_within(&["fill-file", "2"], limits.clone());
        ran.assert_well();
        assert_eq!(
            (ran.facts()["errno"], ran.facts()["written"]),
            (i64::from(libc::EFBIG), 1 << 20),
            "{ran:?}"
        );
        let ran = bench.run_within(&["sparse-file"], limits);
        assert_eq!((ran.facts()["ftruncate"], ran.facts()["pwrite"]), (27, 27), "{ran:?}");
        bench.assert_as_new();
    });
}

#[test]
fn output_over_the_limit_stops_and_exactly_the_limit_does_not() {
    each_control(|control| {
        let mut bench = Bench::new(control);
        let limits = Limits { output: Some(Bytes(100_000)), ..roomy() };
        let ran = bench.run_within(&["print", "100000"], limits.clone());
        ran.assert_well();
        assert_eq!((ran.outcome.output_bytes, ran.stdout.len()), (100_000, 100_000));
        let ran = bench.run_within(&["print", "100001"], limits.clone());
        ran.assert_stopped_for(Stopped::Output);
        let ran = bench.run_within(&["print-forever"], limits);
        ran.assert_stopped_for(Stopped::Output);
        bench.assert_as_new();
    });
}

#[test]
fn endless_diagnostics_are_cut_and_end_at_a_limit_of_time() {
    each_control(|control| {
        let mut bench = Bench::new(control);
        let limits = Limits { cpu: Some(Duration::from_millis(200)), ..wall(20_000) };
        let ran = bench.run_within(&["complain-forever"], limits);
        assert!(matches!(ran.outcome.stopped[..], [Stopped::Cpu | Stopped::Wall]), "{:?}", ran.outcome);
        assert_eq!((ran.stderr.len(), ran.outcome.output_bytes), (65_536, 0));
        bench.assert_as_new();
    });
}

#[test]
fn processes_and_threads_are_limited() {
    each_control(|control| {
        let mut bench = Bench::new(control);
        for limit in [1, 2, 10] {
            let limits = Limits { processes: Some(limit), ..roomy() };
            for variant in ["count-forks", "zombies", "thread-bomb"] {
                let ran = bench.run_within(&[variant], limits.clone());
                ran.assert_well();
                let facts = ran.facts();
                let expected = (i64::from(libc::EAGAIN), i64::from(limit));
                assert_eq!((facts["errno"], facts["processes"]), expected, "{variant}: {ran:?}");
                bench.assert_as_new();
            }
        }
        let limits = Limits { processes: Some(10), ..cpu(300) };
        bench.run_within(&["fork-bomb"], limits).assert_stopped_for(Stopped::Cpu);
        bench.assert_as_new();
        bench.run(&["chain"]);
        bench.assert_as_new();
    });
}

/// The stack of a thread is as large as the stack limit, which is the memory limit: untouched, it costs nothing.
#[test]
fn threads_with_large_stacks_are_born_within_the_memory_limit() {
    each_control(|control| {
        let limits = Limits { processes: Some(32), ..memory(64) };
        let ran = Bench::new(control).run_within(&["threads", "20"], limits);
        ran.assert_well();
        assert_eq!(ran.facts()["started"], 20, "{ran:?}");
    });
}

#[test]
fn open_files_are_limited() {
    each_control(|control| {
        let mut bench = Bench::new(control);
        let ran = bench.run_within(&["count-files"], Limits { open_files: 20, ..roomy() });
        assert_eq!(
            (ran.facts()["errno"], ran.facts()["descriptors"]),
            (i64::from(libc::EMFILE), 20),
            "{ran:?}"
        );
        let ran = bench.run_within(&["pipes"], memory(64));
        ran.assert_well();
        assert_eq!(ran.facts()["errno"], i64::from(libc::EMFILE), "{ran:?}");
        bench.assert_as_new();
    });
}

#[test]
fn kernel_limits_read_back_as_set_and_cannot_be_raised() {
    each_control(|control| {
        let mut bench = Bench::new(control);
        let limits = Limits { cpu: Some(Duration::from_millis(1500)), ..memory(96) };
        let ran = bench.run_within(&["limits"], limits);
        let facts = ran.facts();
        assert_eq!(facts["stack"], 96 << 20);
        // 1, not 0, also keeps a core handler behind a pipe from being started (core(5)).
        assert_eq!(facts["core"], 1);
        assert_eq!(facts["file_size"], 512 << 20);
        let open_files = if control == ResourceControl::None { 128 } else { 256 };
        assert_eq!(facts["open_files"], open_files);
        assert_eq!(facts["cpu"], 3);
        assert_eq!(facts["raise"], i64::from(libc::EPERM));
        assert!(!facts.contains_key("hard_differs"), "{ran:?}");
    });
}

#[test]
fn endless_recursion_crashes_without_a_core_file() {
    each_control(|control| {
        let mut bench = Bench::new(control);
        let ran = bench.run_within(&["recurse"], memory(64));
        assert!(matches!(ran.outcome.exit, Exit::Signal(libc::SIGSEGV | libc::SIGKILL)), "{ran:?}");
        let ran = bench.run(&["abort"]);
        assert_eq!(
            (ran.outcome.exit, ran.outcome.stopped.as_slice()),
            (Exit::Signal(libc::SIGABRT), [].as_slice())
        );
        assert_eq!(
            std::fs::read_dir(format!("/proc/self/fd/{}", {
                use std::os::fd::AsRawFd;
                bench.handle.workspace().as_raw_fd()
            }))
            .unwrap()
            .count(),
            0
        );
        bench.assert_as_new();
    });
}

#[test]
fn signals_a_program_raises_itself_are_not_taken_for_limits() {
    each_control(|control| {
        let mut bench = Bench::new(control);
        for signal in [libc::SIGKILL, libc::SIGXCPU, libc::SIGXFSZ, libc::SIGSYS, libc::SIGTERM, 34, 64] {
            let ran = bench.run(&["raise", &signal.to_string()]);
            assert_eq!(
                (ran.outcome.exit, ran.outcome.stopped.as_slice()),
                (Exit::Signal(signal), [].as_slice())
            );
        }
        for code in [0, 1, 127, 255] {
            let ran = bench.run(&["exit", &code.to_string()]);
            assert_eq!((ran.outcome.exit, ran.outcome.stopped.as_slice()), (Exit::Code(code), [].as_slice()));
        }
    });
}
