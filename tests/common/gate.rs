//! A place in a boxed program that it passes only when the test lets it: what happens "meanwhile" then depends on no
//! clock.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Far longer than anything takes; reached only by what hangs.
const PATIENCE: Duration = Duration::from_secs(180);

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A `sleep` of years with an argument of its own, which the test finds among the processes of the host and ends.
/// Needs a wall limit that outlasts the test.
pub(crate) struct Gate {
    mark: String,
}

impl Gate {
    pub(crate) fn new() -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self { mark: format!("7{}.{number}1", std::process::id()) }
    }

    /// The shell command that waits at the gate.
    pub(crate) fn command(&self) -> String {
        format!("sleep {}", self.mark)
    }

    /// A shell program that prints the sum of two numbers and waits at the gate when the first of them is this.
    pub(crate) fn sum_at(&self, first: i64) -> String {
        format!("read a b\nif [ $a = {first} ]; then {}; fi\necho $((a + b))\n", self.command())
    }

    fn waiting(&self) -> Vec<Pid> {
        let wanted = format!("sleep\0{}\0", self.mark);
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        processes
            .filter(|entry| {
                std::fs::read(entry.path().join("cmdline")).is_ok_and(|line| line == wanted.as_bytes())
            })
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok().map(Pid::from_raw))
            .collect()
    }

    /// Waits until so many programs wait at the gate.
    #[track_caller]
    pub(crate) fn wait_for(&self, programs: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.waiting().len() < programs {
            assert!(Instant::now() < deadline, "no program comes to the gate");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Opens each of these once, in the order in which programs come to them.
    #[track_caller]
    pub(crate) fn open_each(gates: &[&Self]) {
        let deadline = Instant::now() + PATIENCE;
        let mut closed = gates.to_vec();
        while !closed.is_empty() {
            assert!(Instant::now() < deadline, "no program comes to {} of the gates", closed.len());
            match closed.iter().position(|gate| !gate.waiting().is_empty()) {
                Some(place) => closed.remove(place).open(),
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    /// Waits until no program is there: those of a process that was killed are gone.
    #[track_caller]
    pub(crate) fn wait_until_left(&self) {
        let deadline = Instant::now() + PATIENCE;
        while !self.waiting().is_empty() {
            assert!(Instant::now() < deadline, "a program stays at the gate");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until a program is there, and lets all that are there pass.
    #[track_caller]
    pub(crate) fn open(&self) {
        self.wait_for(1);
        for program in self.waiting() {
            // One that has gone by itself needs no opening.
            let _ = kill(program, Signal::SIGTERM);
        }
    }
}
