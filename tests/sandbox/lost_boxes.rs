//! Commands that cannot be started, and boxes that die under a run.

use std::time::Duration;

use gavel::sandbox::{Exit, Limits, SandboxError};
use gavel::units::Bytes;
use nix::sys::signal::{Signal, kill};

use super::harness::{Bench, each_control, roomy};
use super::nothing_left::{children, keeper_of};

#[test]
fn what_cannot_be_executed_was_not_started_and_says_why() {
    each_control(|control| {
        let mut bench = Bench::new(control);
        let directory = tempfile::Builder::new()
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .tempdir()
            .unwrap();
        let place = |name: &str, text: &str, mode: u32| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        };
        place("plain", "text", 0o644);
        place("garbage", "\x7fELFgarbage", 0o755);
        place("empty", "", 0o755);
        place("script", "#!/nowhere/interpreter\n", 0o755);
        place("loop", "#!/program/loop\n", 0o755);
        std::fs::create_dir(directory.path().join("directory")).unwrap();
        std::fs::set_permissions(
            directory.path().join("directory"),
            std::os::unix::fs::PermissionsExt::from_mode(0o755),
        )
        .unwrap();
        bench.handle.attach(gavel::sandbox::PROGRAM, directory.path()).unwrap();
        for (program, expected) in [
            ("/program/missing", libc::ENOENT),
            ("no-such-command", libc::ENOENT),
            ("/program/plain", libc::EACCES),
            ("/program/directory", libc::EACCES),
            ("/program/garbage", libc::ENOEXEC),
            ("/program/empty", libc::ENOEXEC),
            ("/program/script", libc::ENOENT),
            ("/program/loop", libc::ELOOP),
            ("/program/plain/below", libc::ENOTDIR),
            ("/", libc::EACCES),
        ] {
            let ran = bench.try_command(&[program], roomy(), &[]).unwrap();
            assert_eq!(ran.outcome.exit, Exit::NotStarted { step: "execve", errno: expected }, "{program}");
            assert_eq!(ran.outcome.stopped, [], "{program}");
        }
        bench.handle.attach(gavel::sandbox::PROGRAM, super::harness::programs()).unwrap();
        bench.assert_as_new();
    });
}

#[test]
fn commands_that_cannot_be_handed_over_are_refused_and_leave_the_box_usable() {
    each_control(|control| {
        let mut bench = Bench::new(control);
        let huge = "x".repeat(200 * 1024);
        let many = ["argument"; 40_000];
        let refused: [&[&str]; 5] =
            [&[], &["/bin/echo\0"], &["/bin/echo", "a\0b"], &["/bin/echo", &huge], &many];
        for argv in refused {
            let error = bench.try_command(argv, roomy(), &[]).unwrap_err();
            assert!(matches!(error, SandboxError::Command { .. }), "{error}");
            bench.assert_as_new();
        }
        bench.environment = vec![huge.clone()];
        let error = bench.try_command(&["/bin/true"], roomy(), &[]).unwrap_err();
        assert!(matches!(error, SandboxError::Command { .. }), "{error}");
        bench.environment = vec!["A=\0".to_owned()];
        let error = bench.try_command(&["/bin/true"], roomy(), &[]).unwrap_err();
        assert!(matches!(error, SandboxError::Command { .. }), "{error}");
        bench.environment.clear();
        // An empty name is no file.
        let ran = bench.try_command(&[""], roomy(), &[]).unwrap();
        assert!(matches!(ran.outcome.exit, Exit::NotStarted { step: "execve", .. }), "{ran:?}");
        // A quarter of the stack limit is for arguments (execve(2)), and the stack limit is the memory limit.
        let long = "x".repeat(100 * 1024);
        let limits = Limits { memory: Some(Bytes::kib(256)), ..roomy() };
        let ran = bench.try_command(&["/program/misbehave", &long], limits, &[]).unwrap();
        assert!(ran.outcome.exit != Exit::Code(0), "{ran:?}");
        bench.assert_as_new();
    });
}

/// Kills box init from outside at different moments of a run.
#[test]
fn a_box_whose_init_is_killed_is_lost_and_says_so() {
    each_control(|control| {
        for delay in [0, 1, 5, 30] {
            let mut bench = Bench::new(control);
            let init = children(keeper_of(&bench.sandbox))[0];
            let killer = std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(delay));
                kill(init, Signal::SIGKILL).unwrap();
            });
            let argv = ["/program/misbehave", "daemon-and-wait", "write"];
            let error = bench.try_command(&argv, roomy(), &[]).unwrap_err();
            killer.join().unwrap();
            assert!(matches!(error, SandboxError::BoxLost { .. }), "{error}");
            let error = bench.try_command(&argv, roomy(), &[]).unwrap_err();
            assert!(matches!(error, SandboxError::BoxLost { .. }), "{error}");
            // The keeper goes on: another box works.
            let handle =
                bench.sandbox.open_box(bench.handle.shape(), Some(super::harness::first_core())).unwrap();
            bench.handle = handle;
            bench.handle.attach(gavel::sandbox::PROGRAM, super::harness::programs()).unwrap();
            bench.assert_as_new();
        }
    });
}

/// The kernel tells nobody who sent a signal; box init hears the call.
#[test]
fn a_signal_from_outside_is_told_from_a_programs_own() {
    each_control(|control| {
        let mut bench = Bench::new(control);
        for (script, asked) in [
            ("exit 9", false),
            ("kill -9 $$", true),
            ("kill -15 $$", true),
            // Of a child, to its parent and to its own child; both must go on as if nobody listened.
            ("(kill -9 $$) & wait; sleep 5", true),
            ("sleep 60 & kill -9 $!; wait; exit 3", true),
            ("kill -0 $$; kill -CONT $$; exit 4", false),
            ("exit 5", false),
        ] {
            let ran = bench.try_command(&["/bin/sh", "-c", script], roomy(), &[]).unwrap();
            assert_eq!(ran.outcome.asked_to_end, Some(asked), "{script}: {ran:?}");
            match script.rsplit_once("exit ") {
                Some((_, code)) => {
                    assert_eq!(ran.outcome.exit, Exit::Code(code.parse().unwrap()), "{script}")
                }
                None => assert!(matches!(ran.outcome.exit, Exit::Signal(9 | 15)), "{script}: {ran:?}"),
            }
        }
        let keeper = keeper_of(&bench.sandbox);
        let killer = std::thread::spawn(move || {
            loop {
                if let Some(program) = children(keeper).into_iter().flat_map(children).next() {
                    return kill(program, Signal::SIGKILL).unwrap();
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let ran = bench.try_command(&["/bin/sleep", "60"], roomy(), &[]).unwrap();
        killer.join().unwrap();
        assert_eq!((ran.outcome.exit, ran.outcome.asked_to_end), (Exit::Signal(9), Some(false)));
        bench.assert_as_new();
    });
}

#[test]
fn a_killed_keeper_takes_the_boxes_along_and_is_named() {
    each_control(|control| {
        let mut bench = Bench::new(control);
        let keeper = keeper_of(&bench.sandbox);
        let init = children(keeper)[0];
        let killer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            kill(keeper, Signal::SIGKILL).unwrap();
        });
        let error = bench.try_command(&["/program/misbehave", "sleep"], roomy(), &[]).unwrap_err();
        killer.join().unwrap();
        assert!(matches!(error, SandboxError::BoxLost { .. }), "{error}");
        super::nothing_left::wait_until_gone(init);
        let error = bench.sandbox.open_box(bench.handle.shape(), None).unwrap_err();
        assert!(matches!(error, SandboxError::KeeperGone), "{error}");
        let error = bench.sandbox.open_box(bench.handle.shape(), None).unwrap_err();
        assert!(matches!(error, SandboxError::KeeperGone), "{error}");
        drop(bench);
        // What its groups leave, the next start clears.
        drop(Bench::new(control));
        assert_eq!(super::nothing_left::groups_of(keeper), Vec::<std::path::PathBuf>::new());
    });
}
