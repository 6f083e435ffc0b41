//! What a program can see, reach and be.

use std::io::Read;
use std::os::fd::{AsFd, AsRawFd};

use gavel::sandbox::{Capture, Command, Exit, Limits, Profile, ResourceControl, Shape, Stream};

use super::harness::{Bench, Ran, each_control, roomy};

const ENOENT: i64 = libc::ENOENT as i64;
const ENOSYS: i64 = libc::ENOSYS as i64;

const PROFILES: [Profile; 3] = [Profile::Native, Profile::Managed, Profile::Compile];

/// The best control: none of this depends on which.
fn bench() -> Bench {
    Bench::new(super::harness::controls()[0])
}

fn unprivileged() -> bool {
    !nix::unistd::Uid::effective().is_root()
}

#[test]
fn a_program_is_nobody_with_nothing() {
    each_control(|control| {
        let mut bench = Bench::new(control);
        bench.environment = vec!["ONE=1".to_owned(), "TWO=".to_owned()];
        let ran = bench.run(&["identity", "two", "three"]);
        ran.assert_well();
        let facts = ran.facts();
        for (name, expected) in [
            ("parent", 1),
            ("session_is_own", 1),
            ("uid", 1000),
            ("euid", 1000),
            ("gid", 1000),
            ("egid", 1000),
            ("capget", 0),
            ("effective", 0),
            ("permitted", 0),
            ("inheritable", 0),
            ("bounding", 0),
            ("no_new_privileges", 1),
            ("seccomp", 2),
            ("umask", 0o022),
            ("blocked_signals", 0),
            ("changed_signals", 0),
            ("sched_getaffinity", 0),
            ("cores", 1),
            ("descriptors_beyond_2", 0),
            ("variables", 2),
            ("arguments", 4),
        ] {
            assert_eq!(facts[name], expected, "{name}: {ran:?}");
        }
        assert_ne!(facts["pid"], 1);
        // Without privileges the groups of the user cannot be given up, and mean nothing inside.
        assert!(facts["groups"] == 0 || unprivileged(), "{ran:?}");
        for line in ["directory /w", "host box", "name /program/misbehave"] {
            assert!(ran.stdout.lines().any(|own| own == line), "{line}: {ran:?}");
        }
        let ran = bench.run(&["environment"]);
        assert_eq!(ran.stdout, "ONE=1\nTWO=\n");
    });
}

#[test]
fn arguments_arrive_as_they_are() {
    let arguments = ["arguments", "", " ", "a b", "new\nline", "ünïcödé", "--", "'\"$`\\", "*"];
    let ran = bench().run(&arguments);
    let expected: String = arguments[1..].iter().map(|text| format!("[{text}]")).collect();
    assert_eq!(ran.stdout, expected);
}

#[test]
fn there_are_no_files_of_the_host_but_its_programs() {
    let here = std::env::current_dir().unwrap();
    let hidden = [
        "/etc/shadow",
        "/root",
        "/home",
        "/var",
        "/var/cache",
        "/sys",
        "/proc/1/exe",
        "/run",
        "/boot",
        "/opt",
        "/srv",
        "/etc/hostname",
        "/etc/resolv.conf",
        "/etc/ssh",
        "/dev/kmsg",
        "/dev/mem",
        "/dev/tty",
        "/dev/ptmx",
        here.to_str().unwrap(),
    ];
    let arguments: Vec<&str> = std::iter::once("open").chain(hidden).collect();
    let ran = bench().run(&arguments);
    ran.assert_well();
    let facts = ran.facts();
    for path in hidden {
        assert_eq!(facts[path], ENOENT, "{path}");
    }
    let ran = bench().run(&["list", "/etc"]);
    for name in ran.stdout.lines() {
        assert!(
            [".", "..", "alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "passwd", "group"]
                .contains(&name)
                || ["nsswitch.conf", "hosts"].contains(&name),
            "/etc/{name} is shown"
        );
    }
}

#[test]
fn nothing_but_the_work_directory_is_writable() {
    let refused = ["/", "/usr", "/usr/bin", "/etc", "/dev", "/program", "/prepared", "/lib"];
    let arguments: Vec<&str> = std::iter::once("write").chain(refused).chain(["/w", "/tmp"]).collect();
    let ran = bench().run(&arguments);
    ran.assert_well();
    let facts = ran.facts();
    for path in refused {
        assert!(
            [i64::from(libc::EROFS), i64::from(libc::EACCES)].contains(&facts[path]),
            "{path}: {}",
            facts[path]
        );
    }
    assert_eq!((facts["/w"], facts["/tmp"]), (0, 0));
}

#[test]
fn devices_can_be_written_to_and_not_marked() {
    let script = "echo x > /dev/null && echo written; touch /dev/null; chmod 600 /dev/zero";
    let ran = bench().try_command(&["sh", "-c", script], roomy(), &[]).unwrap();
    assert_eq!(ran.stdout, "written\n", "{ran:?}");
    assert_eq!(ran.stderr.matches("Read-only file system").count(), 2, "{ran:?}");
}

/// Entries of a directory as a program sees them.
fn listed(bench: &mut Bench, directory: &str) -> Vec<String> {
    let ran = bench.run(&["list", directory]);
    ran.assert_well();
    let mut names: Vec<_> =
        ran.stdout.lines().filter(|name| ![".", ".."].contains(name)).map(str::to_owned).collect();
    names.sort();
    names
}

#[test]
fn every_box_has_the_same_devices_and_nothing_more() {
    for profile in PROFILES {
        let shape = Shape { profile, ..Shape::default() };
        let mut bench = Bench::shaped(super::harness::controls()[0], &shape);
        assert_eq!(
            listed(&mut bench, "/dev"),
            ["fd", "full", "null", "random", "shm", "stderr", "stdin", "stdout", "urandom", "zero"]
        );
        assert_eq!(listed(&mut bench, "/dev/fd"), ["0", "1", "2", "3"], "the last reads the directory");
        assert_eq!(listed(&mut bench, "/dev/shm"), [""; 0]);
    }
}

#[test]
fn proc_shows_a_programs_own_processes_only_and_is_not_writable() {
    let mut bench = bench();
    let paths = [
        "/proc/self/status",
        "/proc/self/fd/0",
        "/proc/meminfo",
        "/proc/cpuinfo",
        "/proc/sys",
        "/proc/kcore",
        "/proc/1/environ",
        "/proc/1/maps",
        "/proc/1/exe",
        "/proc/1/root",
        "/proc/1/fd",
    ];
    let arguments: Vec<&str> = std::iter::once("open").chain(paths).collect();
    let ran = bench.run(&arguments);
    ran.assert_well();
    let facts = ran.facts();
    assert_eq!((facts["/proc/self/status"], facts["/proc/self/fd/0"]), (0, 0), "{ran:?}");
    for path in &paths[2..] {
        assert!([ENOENT, i64::from(libc::EACCES)].contains(&facts[path]), "{path}: {ran:?}");
    }
    let shown: Vec<_> = listed(&mut bench, "/proc")
        .into_iter()
        .filter(|name| name.starts_with(|c: char| c.is_ascii_digit()))
        .collect();
    // Where programs have the uid of box init its name is listed, but nothing in it opens.
    assert!(
        shown.len() == 1 || (unprivileged() && shown.contains(&"1".to_owned()) && shown.len() == 2),
        "{shown:?}"
    );
    // Writing there would reset a memory peak, or the score of the out-of-memory killer.
    let script = "for file in clear_refs oom_score_adj comm coredump_filter timerslack_ns mem; do \
                  echo 5 > /proc/self/$file; done; exit 0";
    let ran = bench.try_command(&["sh", "-c", script], roomy(), &[]).unwrap();
    assert_eq!(ran.stderr.matches("Read-only file system").count(), 6, "{ran:?}");
}

#[test]
fn nothing_tells_of_the_hosts_mounts() {
    let script =
        "cat /proc/self/mountinfo /proc/self/mounts /proc/self/mountstats; readlink /proc/self/root; pwd";
    let ran = bench().try_command(&["sh", "-c", script], roomy(), &[]).unwrap();
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("/\n/w\n", ""), "{ran:?}");
}

#[test]
fn standard_streams_open_again_by_name() {
    let script = "echo one > /dev/stdout; echo two >> /dev/fd/1; echo three | cat /dev/stdin; cat < /dev/stdin; \
                  echo four > /dev/stderr; cat <(echo five); [ -w /dev/stdout ] && echo six | tee /dev/stderr";
    let ran = bench().try_command(&["bash", "-c", script], roomy(), &[]).unwrap();
    assert_eq!(
        (ran.outcome.exit, ran.stdout.as_str()),
        (Exit::Code(0), "one\ntwo\nthree\nfive\nsix\n"),
        "{ran:?}"
    );
    assert_eq!(ran.stderr, "four\nsix\n", "{ran:?}");
}

#[test]
fn what_a_program_is_handed_cannot_be_changed_by_it() {
    each_control(|control| {
        let mut bench = Bench::new(control);
        let content = "the input\n".repeat(1000);
        let input = gavel::sandbox::sealed(content.as_bytes()).unwrap();
        let argv = ["/program/misbehave".to_owned(), "handed-in".to_owned()];
        let mut stdout = Capture::whole(&std::env::temp_dir());
        let mut stderr = Capture::whole(&std::env::temp_dir());
        let command = Command {
            argv: &argv,
            env: &[],
            directory: "/w",
            stdin: input.as_fd(),
            stdout: Stream::Capture(&mut stdout),
            stderr: Stream::Capture(&mut stderr),
            limits: roomy(),
        };
        let outcome = bench.handle.run(command, &[]).unwrap();
        let (stdout, stderr) = (stdout.head(1 << 20).unwrap(), stderr.head(1 << 20).unwrap());
        let ran = Ran { outcome, stdout, stderr };
        ran.assert_well();
        let facts = ran.facts();
        for name in ["truncate", "ftruncate", "write", "map", "truncate-again"] {
            assert_ne!(facts[format!("stdin-{name}").as_str()], 0, "{name}: {ran:?}");
        }
        let mut found = String::new();
        let mut file = std::fs::File::open(format!("/proc/self/fd/{}", input.as_raw_fd())).unwrap();
        file.read_to_string(&mut found).unwrap();
        assert!(found == content, "{found}");
        assert!(ran.stdout.contains("stdin is called /memfd:input (deleted)\n"), "{ran:?}");
        // Nothing of what was written is taken back, and what is written again comes through in its order.
        for name in ["stdout-truncate", "stdout-ftruncate", "stdout-seek", "stdout-truncate-again"] {
            assert_ne!(facts[name], 0, "{name}: {ran:?}");
        }
        assert!(ran.stdout.starts_with("stdin-fchmod ") && ran.stdout.contains("forged\n"), "{ran:?}");
        bench.assert_as_new();
    });
}

#[test]
fn shared_memory_and_named_semaphores_are_capped_and_gone_with_the_run() {
    each_control(|control| {
        let mut bench = Bench::new(control);
        let script = "import multiprocessing, os\n\
                      with multiprocessing.Pool(4) as pool: print(sum(pool.map(abs, range(-10, 10))))\n\
                      lock = multiprocessing.Lock()\n\
                      open('/dev/shm/trace', 'w').write('trace')\n\
                      print(os.path.exists('/w/trace'), os.listdir('/w') == os.listdir('/dev/shm'))\n";
        let ran = bench.try_command(&["python3", "-c", script], roomy(), &[]).unwrap();
        assert_eq!(ran.stdout, "100\nTrue True\n", "{ran:?}");
        bench.assert_as_new();
        let script = "head -c 1G /dev/zero > /dev/shm/full; i=0; \
                      while : 2> /dev/null > /dev/shm/$i; do i=$((i + 1)); done; echo $((i < 5000))";
        let limits = Limits { file_size: None, ..roomy() };
        let ran = bench.try_command(&["sh", "-c", script], limits, &[]).unwrap();
        assert!(ran.stderr.contains("No space left on device"), "{ran:?}");
        bench.assert_as_new();
    });
}

#[test]
fn there_is_no_network() {
    for profile in [Profile::Native, Profile::Managed, Profile::Compile] {
        let shape = Shape { profile, ..Shape::default() };
        let ran = Bench::shaped(super::harness::controls()[0], &shape).run(&["network"]);
        ran.assert_well();
        assert_eq!(ran.facts().len(), 8);
        assert!(ran.facts().values().all(|errno| *errno == ENOSYS), "{profile:?}: {ran:?}");
    }
}

#[test]
fn namespaces_cannot_be_made() {
    for profile in [Profile::Native, Profile::Managed, Profile::Compile] {
        let shape = Shape { profile, ..Shape::default() };
        let ran = Bench::shaped(super::harness::controls()[0], &shape).run(&["namespaces"]);
        ran.assert_well();
        assert!(ran.facts().len() >= 31, "{ran:?}");
        for (name, errno) in ran.facts() {
            assert_ne!(errno, 0, "{profile:?}: {name}");
        }
    }
}

/// The answer to each attempt of a variant, under every profile.
fn attempts(arguments: &[&str]) -> Vec<(Profile, Vec<(String, i64)>)> {
    let attempts = |profile| {
        let shape = Shape { profile, ..Shape::default() };
        let ran = Bench::shaped(super::harness::controls()[0], &shape).run(arguments);
        ran.assert_well();
        let mut facts: Vec<_> =
            ran.facts().into_iter().map(|(name, errno)| (name.to_owned(), errno)).collect();
        facts.sort();
        (profile, facts)
    };
    PROFILES.map(attempts).into()
}

/// Every attempt but these is answered as on a kernel that never had it.
fn assert_unknown_but(arguments: &[&str], count: usize, allowed: &[&str]) {
    for (profile, facts) in attempts(arguments) {
        assert_eq!(facts.len(), count, "{profile:?}: {facts:?}");
        for (name, errno) in facts {
            let expected = if allowed.contains(&name.as_str()) { 0 } else { ENOSYS };
            assert_eq!(errno, expected, "{profile:?}: {name}");
        }
    }
}

#[test]
fn locks_on_files_that_boxes_share_are_neither_taken_nor_seen() {
    let path = "/usr/bin/env";
    assert_unknown_but(&["locks", path], 11, &[]);
    let without = attempts(&["locks", path]);
    // As another box would hold it.
    let file = std::fs::File::open(path).unwrap();
    let held = nix::fcntl::Flock::lock(file, nix::fcntl::FlockArg::LockExclusiveNonblock).unwrap();
    assert_eq!(attempts(&["locks", path]), without);
    drop(held);
}

#[test]
fn sockets_take_no_filter_programs() {
    assert_unknown_but(&["socket-filters"], 7, &["socketpair", "size"]);
}

#[test]
fn descriptors_send_no_signals_and_go_through_the_page_cache() {
    assert_unknown_but(&["status-flags"], 10, &["nonblock"]);
}

#[test]
fn box_init_survives_its_programs() {
    each_control(|control| {
        let mut bench = Bench::new(control);
        for _ in 0..2 {
            let ran = bench.run(&["attack-init"]);
            ran.assert_well();
            let facts = ran.facts();
            assert!(!facts.contains_key("prlimit_of_init"), "{ran:?}");
            for name in [
                "ptrace",
                "setpriority",
                "sched_setscheduler",
                "sched_setaffinity",
                "setuid",
                "chroot",
                "mount",
            ] {
                assert_ne!(facts[name], 0, "{name}: {ran:?}");
            }
            bench.assert_as_new();
        }
    });
}

#[test]
fn extended_attributes_are_read_and_not_written() {
    let ran = bench().run(&["attributes"]);
    let facts = ran.facts();
    for name in ["getxattr", "lgetxattr", "fgetxattr"] {
        assert!(
            [i64::from(libc::ENODATA), i64::from(libc::EOPNOTSUPP), 0].contains(&facts[name]),
            "{name}: {ran:?}"
        );
    }
    for name in ["listxattr", "llistxattr", "flistxattr"] {
        assert!([i64::from(libc::EOPNOTSUPP), 0].contains(&facts[name]), "{name}: {ran:?}");
    }
    assert_eq!((facts["setxattr"], facts["removexattr"]), (ENOSYS, ENOSYS));
}

#[test]
fn a_long_listing_has_no_complaints() {
    let ran = bench().try_command(&["ls", "-la", "/", "/w"], roomy(), &[]).unwrap();
    assert_eq!((ran.outcome.exit, ran.stderr.as_str()), (Exit::Code(0), ""), "{ran:?}");
}

#[test]
fn a_box_without_a_core_of_its_own_may_use_all() {
    let sandbox =
        gavel::sandbox::Sandbox::start(&super::harness::settings(Some(ResourceControl::None))).unwrap();
    let handle = sandbox.open_box(&Shape::default(), None).unwrap();
    let mut bench = Bench { handle, sandbox, control: ResourceControl::None, environment: Vec::new() };
    bench.handle.attach(gavel::sandbox::PROGRAM, super::harness::programs()).unwrap();
    let cores = std::thread::available_parallelism().unwrap().get();
    assert_eq!(bench.run(&["identity"]).facts()["cores"], i64::try_from(cores).unwrap());
}
