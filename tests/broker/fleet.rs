//! Several workers of one scene that are started, stopped, frozen and killed at will, and what they leave.
#![allow(dead_code)] // Every test file uses a part of it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use procfs::process::{Process, Status};

use super::common::Scene;
use super::node::PATIENCE;

/// Workers by place; those that are dead keep theirs.
pub(crate) struct Fleet<'a> {
    scene: &'a Scene,
    arguments: Vec<String>,
    members: Vec<Member>,
    /// The keepers of all workers there ever were.
    keepers: Vec<u32>,
}

struct Member {
    /// Brokers, in the order it tries them.
    addresses: String,
    generation: usize,
    process: Option<Child>,
}

impl<'a> Fleet<'a> {
    /// A fleet with a place for a worker for each list of addresses; none is started.
    pub(crate) fn new(scene: &'a Scene, addresses: &[String], arguments: &[&str]) -> Self {
        let members = addresses
            .iter()
            .map(|addresses| Member { addresses: addresses.clone(), generation: 0, process: None })
            .collect();
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        Self { scene, arguments, members, keepers: Vec::new() }
    }

    /// Starts a worker and waits until it says that it is ready, which does not wait for its broker.
    pub(crate) fn start(&mut self, place: usize) {
        let member = &mut self.members[place];
        assert!(member.process.is_none(), "worker {place} runs already");
        member.generation += 1;
        let log = log(self.scene, place, member.generation);
        std::fs::create_dir_all(log.parent().unwrap()).unwrap();
        let file = File::create(&log).unwrap();
        let arguments: Vec<_> =
            std::iter::once("worker").chain(self.arguments.iter().map(String::as_str)).collect();
        let mut command = self.scene.gavel(&arguments);
        command.env("GAVEL_QUEUE", &member.addresses).env("GAVEL_LOG", "info");
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file).spawn().unwrap();
        let id = process.id();
        wait_until("a worker is ready", || {
            let said = std::fs::read_to_string(&log).unwrap();
            if let Some(status) = process.try_wait().unwrap() {
                panic!("worker {place} ended with {status}:\n{said}");
            }
            said.contains(" ready: ")
        });
        self.keepers.extend(children(id));
        member.process = Some(process);
    }

    pub(crate) fn start_all(&mut self) {
        for place in 0..self.members.len() {
            if self.members[place].process.is_none() {
                self.start(place);
            }
        }
    }

    pub(crate) fn is_running(&self, place: usize) -> bool {
        self.members[place].process.is_some()
    }

    pub(crate) fn id(&self, place: usize) -> u32 {
        self.members[place].process.as_ref().unwrap().id()
    }

    /// The most memory that a worker has had so far, its keeper's with it, in KiB.
    pub(crate) fn peak_kib(&self, place: usize) -> u64 {
        self.memory_kib(place, |status| status.vmhwm)
    }

    /// The memory that a worker has now, its keeper's with it, in KiB.
    pub(crate) fn resident_kib(&self, place: usize) -> u64 {
        self.memory_kib(place, |status| status.vmrss)
    }

    fn memory_kib(&self, place: usize, figure: impl Fn(&Status) -> Option<u64>) -> u64 {
        let worker = self.id(place);
        let of = |id: u32| {
            let status = Process::new(id.try_into().unwrap()).and_then(|process| process.status());
            status.ok().and_then(|status| figure(&status)).unwrap_or_default()
        };
        of(worker) + children(worker).into_iter().map(of).sum::<u64>()
    }

    pub(crate) fn signal(&self, place: usize, signal: Signal) {
        kill(Pid::from_raw(self.id(place).try_into().unwrap()), signal).unwrap();
    }

    /// The same for one that may have ended.
    pub(crate) fn try_signal(&self, place: usize, signal: Signal) {
        // Not waited for yet, so its number is nobody else's.
        let _ = kill(Pid::from_raw(self.id(place).try_into().unwrap()), signal);
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self, place: usize) -> ExitStatus {
        let mut process = self.members[place].process.take().unwrap();
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = process.try_wait().unwrap() {
                return status;
            }
            if Instant::now() > end {
                let _ = process.kill();
                let _ = process.wait();
                panic!("worker {place} does not end\n{}", self.tail(place));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Kills it at once.
    pub(crate) fn kill(&mut self, place: usize) {
        self.signal(place, Signal::SIGKILL);
        self.wait(place);
    }

    /// Tells it to stop, and sees that it ends as it should.
    pub(crate) fn stop(&mut self, place: usize) {
        self.signal(place, Signal::SIGTERM);
        let status = self.wait(place);
        assert_eq!(status.code(), Some(0), "worker {place}\n{}", self.tail(place));
    }

    pub(crate) fn stop_all(&mut self) {
        let running: Vec<_> = (0..self.members.len()).filter(|place| self.is_running(*place)).collect();
        for place in &running {
            self.signal(*place, Signal::SIGTERM);
        }
        for place in running {
            let status = self.wait(place);
            assert_eq!(status.code(), Some(0), "worker {place}\n{}", self.tail(place));
        }
    }

    /// The end of what a worker said last.
    pub(crate) fn tail(&self, place: usize) -> String {
        let generation = self.members[place].generation;
        let said = std::fs::read_to_string(log(self.scene, place, generation)).unwrap_or_default();
        let lines: Vec<_> = said.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }

    /// Everything any worker ever said.
    pub(crate) fn logs(&self) -> String {
        let mut text = String::new();
        for (place, member) in self.members.iter().enumerate() {
            for generation in 1..=member.generation {
                let said = std::fs::read_to_string(log(self.scene, place, generation)).unwrap_or_default();
                text.push_str(&format!("== worker {place}, life {generation}\n{said}"));
            }
        }
        text
    }

    /// Waits until no keeper lives and none left a cgroup, in which a box could live on.
    pub(crate) fn assert_nothing_is_left(&self) {
        for keeper in &self.keepers {
            wait_until("a keeper is gone", || !is_alive(*keeper));
            wait_until("the groups of a keeper are gone", || groups_of(*keeper).is_empty());
        }
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let scene = self.scene.path("");
        let scene = scene.to_str().unwrap().trim_end_matches('/');
        assert!(!mounts.contains(scene), "a mount is left: {mounts}");
    }
}

impl Drop for Fleet<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.logs());
        }
        for member in &mut self.members {
            if let Some(mut process) = member.process.take() {
                let _ = process.kill();
                let _ = process.wait();
            }
        }
    }
}

fn log(scene: &Scene, place: usize, generation: usize) -> PathBuf {
    scene.path(&format!("logs/{place}-{generation}"))
}

/// Waits for what the kernel or a process has been told to do already; minutes, because the machine may be busy.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "it never came true that {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn children(parent: u32) -> Vec<u32> {
    let process = Process::new(parent.try_into().unwrap()).unwrap();
    process.tasks().unwrap().flatten().filter_map(|task| task.children().ok()).flatten().collect()
}

fn is_alive(id: u32) -> bool {
    // A zombie is gone but for its parent's taking note.
    Process::new(id.try_into().unwrap())
        .and_then(|process| process.stat())
        .is_ok_and(|stat| stat.state != 'Z' && stat.comm.starts_with("gavel"))
}

/// Groups that a keeper made, in every hierarchy.
fn groups_of(keeper: u32) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for mount in Process::myself().unwrap().mountinfo().unwrap() {
        if mount.fs_type.starts_with("cgroup") {
            find_groups(&mount.mount_point, &format!("{keeper}-"), &mut found);
        }
    }
    found
}

fn find_groups(directory: &Path, prefix: &str, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        find_groups(&entry.path(), prefix, found);
        if directory.ends_with("gavel") && entry.file_name().to_string_lossy().starts_with(prefix) {
            found.push(entry.path());
        }
    }
}
