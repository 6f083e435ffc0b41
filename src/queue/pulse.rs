//! Whether the judging threads do anything.
//!
//! A thread may rightly wait for very long: for work, or for a broker to confirm. While it judges it may not: a
//! program runs, within its limits, or something is told. So what is looked for is judging in which for a long
//! time neither happens anywhere in the process, and threads that are no more.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Longer than anything takes between two signs of life in which no program runs: comparing the largest
/// outputs, digesting or fetching the largest package from the slowest disk.
const LONGEST_SILENCE: Duration = Duration::from_secs(15 * 60);

/// Signs of life of a process's judging threads.
#[derive(Debug)]
pub struct Pulse {
    begun: Instant,
    /// Milliseconds from `begun` to the last sign of life.
    last: AtomicU64,
    judging: AtomicUsize,
    lost: AtomicUsize,
}

/// A thread judges; until this is dropped.
#[derive(Debug)]
pub(super) struct Judging<'a>(&'a Pulse);

/// A judging thread lives; counted as lost when it dies of a panic.
#[derive(Debug)]
pub(super) struct Thread<'a>(&'a Pulse);

impl Default for Pulse {
    fn default() -> Self {
        Self {
            begun: Instant::now(),
            last: AtomicU64::new(0),
            judging: AtomicUsize::new(0),
            lost: AtomicUsize::new(0),
        }
    }
}

impl Pulse {
    /// Something has happened.
    pub fn beat(&self) {
        let now = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.fetch_max(now, Ordering::Relaxed);
    }

    pub(super) fn judging(&self) -> Judging<'_> {
        self.beat();
        self.judging.fetch_add(1, Ordering::SeqCst);
        Judging(self)
    }

    pub(super) fn thread(&self) -> Thread<'_> {
        Thread(self)
    }

    /// What is wrong with the threads; `None` is nothing. A program that runs in a box, within its time, is a
    /// sign of life, too.
    pub fn complaint(&self, a_program_runs: bool) -> Option<String> {
        if a_program_runs {
            self.beat();
        }
        let lost = self.lost.load(Ordering::SeqCst);
        if lost > 0 {
            return Some(format!("{lost} judging threads have died"));
        }
        let silent =
            self.begun.elapsed().saturating_sub(Duration::from_millis(self.last.load(Ordering::Relaxed)));
        let judging = self.judging.load(Ordering::SeqCst);
        (judging > 0 && silent > LONGEST_SILENCE)
            .then(|| format!("{judging} judging threads have done nothing for {} s", silent.as_secs()))
    }
}

impl Drop for Judging<'_> {
    fn drop(&mut self) {
        self.0.judging.fetch_sub(1, Ordering::SeqCst);
        self.0.beat();
    }
}

impl Drop for Thread<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.lost.fetch_add(1, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn silent_for(silence: Duration) -> Pulse {
        Pulse { begun: Instant::now().checked_sub(silence).unwrap(), ..Pulse::default() }
    }

    #[test]
    fn only_judging_must_show_signs_of_life() {
        let pulse = silent_for(LONGEST_SILENCE + Duration::from_secs(2));
        assert_eq!(pulse.complaint(false), None, "it waits for work");
        pulse.judging.fetch_add(1, Ordering::SeqCst);
        let complaint = pulse.complaint(false).unwrap();
        assert!(complaint.contains("done nothing for 90"), "{complaint}");
        assert_eq!(pulse.complaint(true), None, "a program runs");
        assert_eq!(pulse.complaint(false), None, "it did a moment ago");
    }

    #[test]
    fn a_thread_that_panics_is_missed() {
        let pulse = Pulse::default();
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let _alive = pulse.thread();
                panic!("of the test");
            });
            assert!(thread.join().is_err());
            scope.spawn(|| drop(pulse.thread()));
        });
        assert_eq!(pulse.complaint(true).unwrap(), "1 judging threads have died");
    }
}
