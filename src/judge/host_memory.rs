//! Notices when the host, not a box, ran out of memory.
//!
//! The kernel's killer may then pick a program or a compiler, which looks like a crash of its own. That must
//! not cost a contestant a verdict: a run that ended this way is made again. The kernel's count includes kills
//! inside boxes, where a run that broke its own limit is meant, so a needless second run can happen; a missed
//! one cannot.

use std::sync::atomic::{AtomicU64, Ordering};

/// The count of kills for want of memory as last seen.
#[derive(Debug)]
pub(super) struct HostMemory {
    seen: AtomicU64,
}

impl HostMemory {
    /// Begins to watch.
    pub(super) fn watch() -> Self {
        Self { seen: AtomicU64::new(kills()) }
    }

    /// Whether the kernel has killed since the last look. Costs nothing until it is asked, so it is asked only
    /// about runs that look as if they had been killed.
    pub(super) fn has_killed(&self) -> bool {
        let now = kills();
        self.seen.swap(now, Ordering::SeqCst) != now
    }
}

/// `oom_kill` of /proc/vmstat; 0 where the kernel does not count.
fn kills() -> u64 {
    let text = std::fs::read_to_string("/proc/vmstat").unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix("oom_kill "))
        .and_then(|count| count.trim().parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kill_is_noticed_once() {
        let memory = HostMemory { seen: AtomicU64::new(u64::MAX) };
        assert!(memory.has_killed());
        // Other tests may run out of their boxes' memory meanwhile; the count moves then, and is noted.
        let seen = memory.seen.load(Ordering::SeqCst);
        assert!(!memory.has_killed() || memory.seen.load(Ordering::SeqCst) > seen);
    }
}
