//! After every kind of end: no process, no cgroup, no mount.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use gavel::sandbox::{ResourceControl, Sandbox};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use procfs::process::Process;

use super::harness::{Bench, each_control, roomy};

/// Names the control of the process that [`holder_of_a_sandbox`] becomes.
const HOLDER: &str = "GAVEL_TEST_HOLDS_A_SANDBOX";

/// The living children of a process.
pub(crate) fn children(parent: Pid) -> Vec<Pid> {
    let Ok(process) = Process::new(parent.as_raw()) else { return Vec::new() };
    let Ok(tasks) = process.tasks() else { return Vec::new() };
    let ids = tasks.flatten().filter_map(|task| task.children().ok()).flatten();
    ids.map(|id| Pid::from_raw(i32::try_from(id).unwrap())).collect()
}

/// All that descend from a process.
fn descendants(ancestor: Pid) -> Vec<Pid> {
    children(ancestor)
        .into_iter()
        .flat_map(|child| std::iter::once(child).chain(descendants(child)))
        .collect()
}

/// The keeper of a sandbox: the parent of the init of every box.
pub(crate) fn keeper_of(sandbox: &Sandbox) -> Pid {
    Pid::from_raw(i32::try_from(sandbox.keeper_id()).unwrap())
}

fn is_alive(pid: Pid) -> bool {
    // A zombie is gone but for its parent's taking note.
    Process::new(pid.as_raw()).and_then(|process| process.stat()).is_ok_and(|stat| stat.state != 'Z')
}

/// Waits for what the kernel has been told to end already; minutes, because the machine may be busy.
#[track_caller]
pub(crate) fn wait_until_gone(pid: Pid) {
    wait_until(|| !is_alive(pid));
}

#[track_caller]
fn wait_until(condition: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < end, "it never came true");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The groups of a keeper in every hierarchy, deepest first.
pub(crate) fn groups_of(keeper: Pid) -> Vec<PathBuf> {
    let prefix = format!("{keeper}-");
    let mut found = Vec::new();
    for mount in Process::myself().unwrap().mountinfo().unwrap() {
        if mount.fs_type.starts_with("cgroup") {
            find_groups(&mount.mount_point, &prefix, &mut found);
        }
    }
    found
}

fn find_groups(directory: &Path, prefix: &str, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        let of_gavel = directory.file_name().is_some_and(|name| name == "gavel");
        find_groups(&entry.path(), prefix, found);
        if of_gavel && entry.file_name().to_string_lossy().starts_with(prefix) {
            found.push(entry.path());
        }
    }
}

fn mounts() -> Vec<String> {
    std::fs::read_to_string("/proc/self/mountinfo").unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn nothing_is_left_when_a_sandbox_is_dropped() {
    let mounts_before = mounts();
    each_control(|control| {
        let mut bench = Bench::new(control);
        let keeper = keeper_of(&bench.sandbox);
        bench.run(&["daemon-and-leave", "write"]);
        let processes = descendants(keeper);
        assert!(!processes.is_empty());
        if control != ResourceControl::None {
            assert!(!groups_of(keeper).is_empty());
        }
        drop(bench);
        for process in processes.into_iter().chain([keeper]) {
            assert!(Process::new(process.as_raw()).is_err(), "{process} is still there");
        }
        assert_eq!(groups_of(keeper), Vec::<PathBuf>::new());
    });
    assert_eq!(mounts(), mounts_before);
}

#[test]
fn boxes_outlive_the_sandbox_they_came_from_and_then_leave_nothing() {
    each_control(|control| {
        let mut bench = Bench::new(control);
        let keeper = keeper_of(&bench.sandbox);
        let second = bench.sandbox.open_box(bench.handle.shape(), None).unwrap();
        let before = children(keeper).len();
        drop(second);
        assert_eq!((before, children(keeper).len()), (2, 1));
        bench.run(&["exit", "0"]).assert_well();
        let Bench { handle, sandbox, .. } = bench;
        drop(sandbox);
        assert!(is_alive(keeper));
        drop(handle);
        assert!(!is_alive(keeper));
        assert_eq!(groups_of(keeper), Vec::<PathBuf>::new());
    });
}

/// Not a check of its own: the process that holds a sandbox until it is killed.
#[test]
fn holder_of_a_sandbox() {
    let Ok(id) = std::env::var(HOLDER) else { return };
    let control = super::harness::controls().into_iter().find(|control| control.id() == id).unwrap();
    let mut bench = Bench::new(control);
    println!("\nkeeper {}", keeper_of(&bench.sandbox));
    bench.run_within(
        &["daemon-and-wait", "spin"],
        gavel::sandbox::Limits { cpu: None, wall: None, ..roomy() },
    );
}

/// Starts a process that runs an endless program in a box; returns it, its keeper and the box's processes.
fn start_holder(control: ResourceControl) -> (std::process::Child, Pid, Vec<Pid>) {
    let mut holder = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "nothing_left::holder_of_a_sandbox", "--nocapture", "--test-threads=1"])
        .env(HOLDER, control.id())
        .env(super::harness::PROGRAMS, super::harness::programs())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let keeper = BufReader::new(holder.stdout.as_mut().unwrap())
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("keeper ").map(|pid| Pid::from_raw(pid.parse().unwrap())))
        .expect("the holder names its keeper");
    // Init, the program and its daemon.
    wait_until(|| descendants(keeper).len() >= 3);
    let processes = descendants(keeper);
    (holder, keeper, processes)
}

#[test]
fn nothing_is_left_of_a_worker_that_was_killed() {
    each_control(|control| {
        let (mut holder, keeper, processes) = start_holder(control);
        holder.kill().unwrap();
        holder.wait().unwrap();
        for process in processes.into_iter().chain([keeper]) {
            wait_until_gone(process);
        }
        assert_eq!(groups_of(keeper), Vec::<PathBuf>::new());
    });
}

#[test]
fn nothing_is_left_of_a_keeper_that_was_killed_once_the_next_has_started() {
    each_control(|control| {
        let (mut holder, keeper, processes) = start_holder(control);
        kill(keeper, Signal::SIGKILL).unwrap();
        for process in processes.into_iter().chain([keeper]) {
            wait_until_gone(process);
        }
        // Its worker sees that the box is lost, fails and ends.
        assert!(!holder.wait().unwrap().success());
        drop(Bench::new(control));
        assert_eq!(groups_of(keeper), Vec::<PathBuf>::new());
    });
}

#[test]
fn nothing_is_left_when_keeper_and_worker_are_killed_together() {
    each_control(|control| {
        let (mut holder, keeper, processes) = start_holder(control);
        kill(keeper, Signal::SIGSTOP).unwrap();
        holder.kill().unwrap();
        holder.wait().unwrap();
        kill(keeper, Signal::SIGKILL).unwrap();
        for process in processes.into_iter().chain([keeper]) {
            wait_until_gone(process);
        }
        drop(Bench::new(control));
        assert_eq!(groups_of(keeper), Vec::<PathBuf>::new());
    });
}
