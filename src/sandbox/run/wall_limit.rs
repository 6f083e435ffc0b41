//! Extends a wall limit by the time in which the host gave a box no core.

use std::time::Duration;

/// A wall limit is extended by the time the host gave the box no core, but never beyond this factor: a run that the host
/// starved for longer ends as a fault of the host.
pub(crate) const LARGEST_STRETCH: u32 = 10;

/// Returns how much longer than its wall limit a run may take because the host gave its programs no core for `starved`.
/// Time in which they were served does not count, whatever the kernel's counter says.
pub(crate) fn stretch(limit: Duration, elapsed: Duration, served: Duration, starved: Duration) -> Stretch {
    let starved = starved.min(elapsed.saturating_sub(served));
    let most = limit.saturating_mul(LARGEST_STRETCH - 1);
    Stretch { by: starved.min(most), starved: (starved >= most && !most.is_zero()).then_some(starved) }
}

/// The result of [`stretch`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    /// The extension of the wall limit.
    pub by: Duration,
    /// The time without a core, where it is too long to judge the program.
    pub starved: Option<Duration>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretched(limit: u64, elapsed: u64, served: u64, starved: u64) -> Stretch {
        let of = Duration::from_millis;
        stretch(of(limit), of(elapsed), of(served), of(starved))
    }

    #[test]
    fn a_wall_limit_is_extended_only_by_the_time_the_host_withheld() {
        let by = |by: u64| Stretch { by: Duration::from_millis(by), starved: None };
        assert_eq!(stretched(100, 100, 60, 0), by(0));
        assert_eq!(stretched(100, 100, 60, 40), by(40));
        // The host withheld no time from a box that had a core all the time.
        assert_eq!(stretched(100, 100, 100, 70), by(0));
        assert_eq!(stretched(100, 1000, 101, 899), by(899));
    }

    #[test]
    fn a_run_that_the_host_starves_for_too_long_is_a_fault_of_the_host() {
        let starved = Some(Duration::from_millis(901));
        assert_eq!(stretched(100, 1000, 99, 901), Stretch { by: Duration::from_millis(900), starved });
        assert_eq!(stretched(0, 10, 0, 10), Stretch { by: Duration::ZERO, starved: None });
    }
}
