//! Notices when the host, not a box, ran out of memory, on hosts whose boxes have no cgroup to tell.
//!
//! The kernel's OOM killer may then end a program or a compiler, which looks like a crash. That must not cost a contestant a
//! verdict: the box counts as lost, and the run is repeated as after any other loss. With cgroups the box's own group counts
//! its kills, and this file does nothing. The kernel's count is for the whole host, so a needless second run can happen; a
//! missed one cannot: every caller learns of all kills since its run began.

use std::time::Instant;

use parking_lot::Mutex;

use crate::sandbox::{ResourceControl, SandboxError};

/// The host's count of OOM kills, and when it was last seen to grow.
#[derive(Debug)]
pub(crate) struct HostMemory {
    is_needed: bool,
    seen: Mutex<Seen>,
}

#[derive(Debug)]
struct Seen {
    kills: u64,
    /// Later than the kills themselves, so that no run takes them for earlier ones.
    grew: Option<Instant>,
}

impl HostMemory {
    /// Reads the count and begins to watch it.
    pub(crate) fn watch(control: ResourceControl) -> Self {
        let is_needed = control == ResourceControl::None;
        let kills = if is_needed { kills() } else { 0 };
        Self { is_needed, seen: Mutex::new(Seen { kills, grew: None }) }
    }

    /// Checks that no OOM kill happened since a run began; called when the run may have been killed from outside.
    ///
    /// # Errors
    /// [`SandboxError::BoxLost`], when the kernel may have killed it for want of memory.
    pub(crate) fn has_spared_what_began(&self, began: Instant) -> Result<(), SandboxError> {
        if self.is_needed && self.has_killed_since(began, kills()) {
            return Err(SandboxError::BoxLost {
                name: "a box".to_owned(),
                detail: "the host ran out of memory while it worked".to_owned(),
            });
        }
        Ok(())
    }

    fn has_killed_since(&self, began: Instant, kills: u64) -> bool {
        let mut seen = self.seen.lock();
        if seen.kills != kills {
            *seen = Seen { kills, grew: Some(Instant::now()) };
        }
        seen.grew.is_some_and(|grew| grew >= began)
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

    fn memory() -> HostMemory {
        HostMemory { is_needed: true, seen: Mutex::new(Seen { kills: 7, grew: None }) }
    }

    #[test]
    fn everybody_who_ran_during_a_kill_learns_of_it_and_nobody_who_began_later() {
        let memory = memory();
        let began = Instant::now();
        assert!(!memory.has_killed_since(began, 7));
        assert!(memory.has_killed_since(began, 9));
        assert!(memory.has_killed_since(began, 9), "it was killed together with the first");
        std::thread::sleep(std::time::Duration::from_millis(1));
        let later = Instant::now();
        assert!(!memory.has_killed_since(later, 9));
        assert!(memory.has_killed_since(later, 10));
    }

    #[test]
    fn boxes_with_groups_of_their_own_tell_it_themselves() {
        let memory = HostMemory::watch(ResourceControl::CgroupV2);
        assert!(memory.has_spared_what_began(Instant::now()).is_ok());
        assert!(!memory.is_needed);
    }
}
