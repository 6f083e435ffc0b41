//! What runs in the boxes of a gavel process, as the host sees it, and blows from outside.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A process in a box.
#[derive(Debug)]
pub(crate) struct Inside {
    /// The init of its box.
    pub(crate) init: i32,
    pub(crate) id: i32,
    /// Its name in `/proc/PID/comm`.
    pub(crate) name: String,
}

/// Every process in a box of that gavel process: its keeper's children are the inits.
pub(crate) fn inside(gavel: i32) -> Vec<Inside> {
    let mut found = Vec::new();
    for init in children(gavel).into_iter().flat_map(children) {
        let mut pending = children(init);
        while let Some(id) = pending.pop() {
            pending.extend(children(id));
            if let Ok(name) = std::fs::read_to_string(format!("/proc/{id}/comm")) {
                found.push(Inside { init, id, name: name.trim().to_owned() });
            }
        }
    }
    found
}

fn children(parent: i32) -> Vec<i32> {
    let tasks = std::fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().flat_map(str::parse).collect::<Vec<_>>()).collect()
}

/// What a [`Hunt`] kills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prey {
    /// The process itself.
    Program,
    /// The init of its box, and the box with it.
    Box,
}

/// Kills processes of one name in the boxes of some gavel processes as soon as they are there, as the host's
/// out-of-memory daemon would.
pub(crate) struct Hunt<'a> {
    pub(crate) gavels: &'a [i32],
    pub(crate) name: &'a str,
    pub(crate) prey: Prey,
    pub(crate) signal: Signal,
    /// So many kills at most.
    pub(crate) most: usize,
}

impl Hunt<'_> {
    /// Hunts while `work` runs; its result, and how many were killed.
    pub(crate) fn during<T>(&self, work: impl FnOnce() -> T) -> (T, usize) {
        let (over, killed) = (AtomicBool::new(false), AtomicUsize::new(0));
        let result = std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut last = 0;
                while !over.load(Ordering::SeqCst) && killed.load(Ordering::SeqCst) < self.most {
                    let found = self.gavels.iter().flat_map(|gavel| inside(*gavel));
                    for found in found.filter(|found| found.name == self.name) {
                        let target = if self.prey == Prey::Box { found.init } else { found.id };
                        if target != last && kill(Pid::from_raw(target), self.signal).is_ok() {
                            last = target;
                            killed.fetch_add(1, Ordering::SeqCst);
                        }
                    }
                    std::thread::sleep(Duration::from_millis(2));
                }
            });
            // Also when it panics.
            struct End<'a>(&'a AtomicBool);
            impl Drop for End<'_> {
                fn drop(&mut self) {
                    self.0.store(true, Ordering::SeqCst);
                }
            }
            let _end = End(&over);
            work()
        });
        (result, killed.load(Ordering::SeqCst))
    }
}
