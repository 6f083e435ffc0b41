//! Bounds the total time and size of a package's generated tests.
//!
//! Each run has limits of its own, but a list of tests can ask for fifty thousand runs and a thousand attempts at each.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::judge::fault::Fault;
use crate::units::Bytes;

/// Bytes of all inputs and answers together.
const MOST_BYTES: Bytes = Bytes::gib(16);
/// Time of all runs together; the largest problems of contests take minutes.
const MOST_TIME: Duration = Duration::from_secs(6 * 3600);

/// The remaining budget, shared by the threads of one generation.
#[derive(Debug)]
pub(crate) struct Budget {
    most_bytes: Bytes,
    most_time: Duration,
    bytes: AtomicU64,
    nanoseconds: AtomicU64,
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(MOST_BYTES, MOST_TIME)
    }
}

impl Budget {
    fn new(most_bytes: Bytes, most_time: Duration) -> Self {
        Self { most_bytes, most_time, bytes: AtomicU64::new(0), nanoseconds: AtomicU64::new(0) }
    }

    /// Counts a file that is about to be written.
    ///
    /// # Errors
    /// [`Fault::Package`] when all files together are too large.
    pub(crate) fn write(&self, bytes: u64) -> Result<(), Fault> {
        if add(&self.bytes, bytes) <= self.most_bytes.0 {
            return Ok(());
        }
        Err(Fault::Package(format!(
            "its generated tests have more than {} in all; make fewer or smaller tests",
            self.most_bytes
        )))
    }

    /// Counts a run, by its CPU time or by its wall time, whichever is longer.
    ///
    /// # Errors
    /// [`Fault::Package`] when all runs together took too long.
    pub(crate) fn run(&self, cpu: Duration, wall: Duration) -> Result<(), Fault> {
        let took = u64::try_from(cpu.max(wall).as_nanos()).unwrap_or(u64::MAX);
        if Duration::from_nanos(add(&self.nanoseconds, took)) <= self.most_time {
            return Ok(());
        }
        Err(Fault::Package(format!(
            "its generators and solutions ran for more than {} s in all; make fewer tests, or put them into the package",
            self.most_time.as_secs()
        )))
    }
}

/// Adds to a sum, which stays at its largest value; returns the sum.
fn add(sum: &AtomicU64, more: u64) -> u64 {
    let added = |sum: u64| sum.saturating_add(more);
    let before = sum.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |sum| Some(added(sum)));
    added(before.unwrap_or_else(|sum| sum))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_small_things_are_bounded_together() {
        let budget = Budget::new(Bytes::kib(1), Duration::from_secs(10));
        assert!((0..4).all(|_| budget.write(256).is_ok()));
        let Err(Fault::Package(problem)) = budget.write(1) else { panic!("more bytes than there may be") };
        assert!(problem.contains("KiB in all"), "{problem}");
        let second = Duration::from_secs(1);
        assert!((0..10).all(|_| budget.run(second / 2, second).is_ok()));
        let Err(Fault::Package(problem)) = budget.run(second, second / 2) else { panic!("too long") };
        assert!(problem.contains("more than 10 s in all"), "{problem}");
        assert!(budget.write(u64::MAX).is_err() && budget.write(u64::MAX).is_err(), "no sum overflows");
    }
}
