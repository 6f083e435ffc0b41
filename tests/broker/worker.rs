//! A worker under test: what it says goes to a file that can be waited on, and its end is looked at closely.
#![allow(dead_code)] // Every test file uses a part of it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use procfs::process::Process;

use super::common::{Said, Scene, guardian};
use super::node::PATIENCE;

/// A worker that does not outlive its test.
pub(crate) struct Worker {
    child: Child,
    log: PathBuf,
    keepers: Vec<i32>,
    keepers_were_killed: bool,
    has_ended: bool,
}

impl Worker {
    /// Starts one and waits until it says that it has started, which does not wait for its broker.
    pub(crate) fn start(scene: &Scene, address: &str, more: &[&str]) -> Self {
        Self::run(scene, scene.gavel(&[&["worker", "-v", "--slots", "1"], more].concat()), address)
    }

    /// The same for a command that becomes a worker.
    pub(crate) fn run(scene: &Scene, mut command: Command, address: &str) -> Self {
        let log = (0..).map(|number| scene.path(&format!("worker-{number}.log")));
        let log = log.into_iter().find(|path| !path.exists()).unwrap();
        command.env("GAVEL_QUEUE", address).env("NO_COLOR", "1");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log).unwrap());
        let child = command.spawn().unwrap();
        guardian::watch(&child);
        let mut worker =
            Self { child, log, keepers: Vec::new(), keepers_were_killed: false, has_ended: false };
        worker.wait_for(" started: ");
        worker.keepers = children(worker.id());
        worker
    }

    pub(crate) fn id(&self) -> i32 {
        self.child.id().try_into().unwrap()
    }

    /// The keeper of its boxes.
    pub(crate) fn keepers(&self) -> Vec<i32> {
        self.keepers.clone()
    }

    /// Kills the keeper of its boxes. What that leaves is removed by the next to start on this host.
    pub(crate) fn kill_keeper(&mut self) {
        self.keepers_were_killed = true;
        for keeper in &self.keepers {
            kill(Pid::from_raw(*keeper), Signal::SIGKILL).unwrap();
        }
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// How many lines of its log have this text.
    pub(crate) fn said(&self, text: &str) -> usize {
        self.log().lines().filter(|line| line.contains(text)).count()
    }

    /// Waits for a line of its log.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) {
        self.wait_for_more(text, 0);
    }

    /// Waits for more lines of its log with this text than there were.
    #[track_caller]
    pub(crate) fn wait_for_more(&mut self, text: &str, than: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.said(text) <= than {
            if let Some(status) = self.child.try_wait().unwrap() {
                self.has_ended = true;
                panic!("the worker ended with {status} before it said '{text}':\n{}", self.log());
            }
            assert!(Instant::now() < deadline, "the worker never says '{text}':\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.id()), signal).unwrap();
    }

    /// Tells it to stop; what it said. Nothing of it is left.
    pub(crate) fn stop(self) -> Said {
        self.signal(Signal::SIGTERM);
        self.end()
    }

    /// Kills it. Nothing of it is left.
    pub(crate) fn kill(self) {
        self.signal(Signal::SIGKILL);
        self.end();
    }

    /// Waits for its end; what it said. Nothing of it is left.
    #[track_caller]
    pub(crate) fn end(mut self) -> Said {
        use std::os::unix::process::ExitStatusExt;
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "the worker does not end:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        };
        self.has_ended = true;
        if !self.keepers_were_killed {
            nothing_is_left_of(&self.keepers);
        }
        Said {
            code: status.code().unwrap_or_else(|| 128 + status.signal().unwrap()),
            stdout: String::new(),
            stderr: self.log(),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if !self.has_ended {
            let _ = self.child.kill();
            let _ = self.child.wait();
            if std::thread::panicking() {
                eprintln!(
                    "--- what the worker said\n{}---",
                    std::fs::read_to_string(&self.log).unwrap_or_default()
                );
            }
        }
    }
}

pub(crate) fn children(parent: i32) -> Vec<i32> {
    let Ok(tasks) = Process::new(parent).and_then(|process| process.tasks()) else { return Vec::new() };
    let ids = tasks.flatten().filter_map(|task| task.children().ok()).flatten();
    ids.map(|id| id.try_into().unwrap()).collect()
}

fn is_alive(id: i32) -> bool {
    // A zombie is gone but for its parent's taking note.
    Process::new(id).and_then(|process| process.stat()).is_ok_and(|stat| stat.state != 'Z')
}

/// Whether a keeper's groups, named after it, are in any hierarchy.
/// Waits until neither keepers nor anything they made is there any more.
#[track_caller]
pub(crate) fn nothing_is_left_of(keepers: &[i32]) {
    for keeper in keepers {
        let deadline = Instant::now() + PATIENCE;
        while is_alive(*keeper) || has_groups(*keeper) {
            assert!(Instant::now() < deadline, "something of keeper {keeper} is left");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn has_groups(keeper: i32) -> bool {
    let prefix = format!("{keeper}-");
    let mounts = Process::myself().unwrap().mountinfo().unwrap();
    let mut hierarchies = mounts.into_iter().filter(|mount| mount.fs_type.starts_with("cgroup"));
    hierarchies.any(|mount| has_group(&mount.mount_point, &prefix))
}

fn has_group(directory: &Path, prefix: &str) -> bool {
    let Ok(entries) = std::fs::read_dir(directory) else { return false };
    let is_of_gavel = directory.file_name().is_some_and(|name| name == "gavel");
    entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).any(|entry| {
        (is_of_gavel && entry.file_name().to_string_lossy().starts_with(prefix))
            || has_group(&entry.path(), prefix)
    })
}
