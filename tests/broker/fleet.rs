//! Several workers of one scene that are started, stopped, frozen and killed at will.
#![allow(dead_code)] // Every test file uses a part of it.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use procfs::process::{Process, Status};

use super::common::{Said, Scene};
use super::node::PATIENCE;
use super::worker::{Worker, children};

/// Places for workers; those whose worker has ended can have another.
pub(crate) struct Fleet<'a> {
    scene: &'a Scene,
    arguments: Vec<String>,
    places: Vec<Place>,
}

struct Place {
    /// Brokers, in the order its workers try them.
    addresses: String,
    worker: Option<Worker>,
    /// What those said that have ended.
    said: String,
}

impl<'a> Fleet<'a> {
    /// A fleet with a place for a worker for each list of addresses; none is started.
    pub(crate) fn new(scene: &'a Scene, addresses: &[String], arguments: &[&str]) -> Self {
        let place =
            |addresses: &String| Place { addresses: addresses.clone(), worker: None, said: String::new() };
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        Self { scene, arguments, places: addresses.iter().map(place).collect() }
    }

    /// Starts a worker and waits until it says that it is ready, which does not wait for its broker.
    pub(crate) fn start(&mut self, place: usize) {
        assert!(!self.is_running(place), "worker {place} runs already");
        let arguments: Vec<_> =
            ["worker"].into_iter().chain(self.arguments.iter().map(String::as_str)).collect();
        let worker = Worker::run(self.scene, self.scene.gavel(&arguments), &self.places[place].addresses);
        self.places[place].worker = Some(worker);
    }

    pub(crate) fn start_all(&mut self) {
        for place in 0..self.places.len() {
            if !self.is_running(place) {
                self.start(place);
            }
        }
    }

    pub(crate) fn is_running(&self, place: usize) -> bool {
        self.places[place].worker.is_some()
    }

    fn worker(&self, place: usize) -> &Worker {
        self.places[place].worker.as_ref().unwrap()
    }

    pub(crate) fn id(&self, place: usize) -> u32 {
        self.worker(place).id().try_into().unwrap()
    }

    /// How many lines of a worker's log have this text.
    pub(crate) fn lines(&self, place: usize, text: &str) -> usize {
        self.worker(place).said(text)
    }

    /// The most memory that a worker has had so far, its keeper's with it, in KiB.
    pub(crate) fn peak_kib(&self, place: usize) -> u64 {
        self.memory_kib(place, |status| status.vmhwm)
    }

    /// The memory that a worker has now, its keeper's with it, in KiB.
    pub(crate) fn resident_kib(&self, place: usize) -> u64 {
        self.memory_kib(place, |status| status.vmrss)
    }

    /// The same without what is mapped of files, the program's own included.
    pub(crate) fn anonymous_kib(&self, place: usize) -> u64 {
        self.memory_kib(place, |status| status.rssanon)
    }

    fn memory_kib(&self, place: usize, figure: impl Fn(&Status) -> Option<u64>) -> u64 {
        let worker = self.worker(place).id();
        let of = |id: i32| {
            let status = Process::new(id).and_then(|process| process.status());
            status.ok().and_then(|status| figure(&status)).unwrap_or_default()
        };
        of(worker) + children(worker).into_iter().map(of).sum::<u64>()
    }

    pub(crate) fn signal(&self, place: usize, signal: Signal) {
        self.worker(place).signal(signal);
    }

    /// Waits for its end; nothing of it is left.
    pub(crate) fn wait(&mut self, place: usize) -> Said {
        let said = self.places[place].worker.take().unwrap().end();
        self.places[place].said.push_str(&said.stderr);
        said
    }

    /// Kills it at once; nothing of it is left.
    pub(crate) fn kill(&mut self, place: usize) {
        self.signal(place, Signal::SIGKILL);
        self.wait(place);
    }

    /// Tells it to stop, and sees that it ends as it should; nothing of it is left.
    pub(crate) fn stop(&mut self, place: usize) -> Said {
        self.signal(place, Signal::SIGTERM);
        let said = self.wait(place);
        assert_eq!(said.code, 0, "{said:?}");
        said
    }

    /// Stops all that run, together.
    pub(crate) fn stop_all(&mut self) -> Vec<Said> {
        let running: Vec<_> = (0..self.places.len()).filter(|place| self.is_running(*place)).collect();
        for place in &running {
            self.signal(*place, Signal::SIGTERM);
        }
        let said: Vec<_> = running.into_iter().map(|place| self.wait(place)).collect();
        assert!(said.iter().all(|said| said.code == 0), "{said:?}");
        said
    }
}

impl Drop for Fleet<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for (number, place) in self.places.iter().enumerate() {
                eprintln!("--- what was said at place {number} by those that have ended\n{}---", place.said);
            }
        }
    }
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
