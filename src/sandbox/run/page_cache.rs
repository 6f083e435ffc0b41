//! Separates the memory that a single process allocates from the page cache that is charged to its group.
//!
//! The kernel's peak of a group includes page cache. Where a run fills the cache, the worker looks at the group every few
//! milliseconds: usage, cache, and the peak since the last look. Between two looks the allocated memory is at most the
//! peak minus the smaller cache, and at some moment at least the peak minus the larger one. Where a look is late (a busy
//! host), that is too imprecise, and the largest resident size of the process decides.

/// The largest insignificant difference: charges in advance, and statistics that lag behind.
pub(crate) const NOISE: u64 = 512 * 1024;

/// The figures of one look at the group, in bytes above the charge when the run began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Look {
    /// Largest usage since the last look.
    pub peak: u64,
    /// Current usage.
    pub usage: u64,
    /// Page cache in the current usage.
    pub cache: u64,
    /// Whether the cache did not grow while usage and cache were read.
    pub consistent: bool,
    /// Whether it came soon after the last look, and was short.
    pub brief: bool,
}

/// The memory that a single process allocated at its peak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Allocated {
    /// Exactly this.
    Found(u64),
    /// At most this, its largest resident size, which may include pages of mapped files.
    Resident(u64),
    /// At most this, which may include page cache.
    AtMost(u64),
}

/// Summarises the looks at one run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Looks {
    /// Largest amount of allocated memory found.
    found: u64,
    /// Largest amount that may have been allocated at a time when no look separates it from page cache.
    doubtful: u64,
    /// Largest peak found.
    peak: u64,
    /// Allocated memory at the last consistent look.
    held: u64,
    /// Whether it was the same at the look before, or the process was reading already.
    is_steady: bool,
    last: Look,
    most_cache: u64,
}

impl Looks {
    /// Adds a look; returns whether the page cache has grown since the one before.
    pub(crate) fn add(&mut self, look: Look) -> bool {
        let before = self.last.cache;
        let grows = look.cache > before.saturating_add(NOISE / 2);
        let (least, most) = bounds(look.peak, look.cache, before);
        let now = look.usage.saturating_sub(look.cache);
        // A peak equal to the current usage contains the current cache. An earlier one may be from before the cache grew,
        // unless the memory held at the last look and the current cache explain it.
        let is_now = look.consistent && look.peak.saturating_sub(look.usage) <= NOISE;
        self.found = self.found.max(least);
        if most - least <= NOISE {
            self.found = self.found.max(most);
        } else if look.brief && is_now {
            self.found = self.found.max(now);
        } else if !(look.brief && self.is_held(least)) {
            self.doubtful = self.doubtful.max(most);
        }
        if look.consistent {
            self.is_steady = self.held.abs_diff(now) <= NOISE || grows;
            self.held = now;
        }
        self.peak = self.peak.max(look.peak);
        self.most_cache = self.most_cache.max(look.cache);
        self.last = look;
        grows
    }

    /// Returns whether that amount was allocated at the last look, and no longer grew: then the process held it while the
    /// cache grew. An amount that was still growing may be the same by chance, and have grown further before it was freed.
    fn is_held(&self, bytes: u64) -> bool {
        self.held > 0 && self.is_steady && self.held.abs_diff(bytes) <= NOISE
    }

    /// Returns whether a significant amount of page cache was seen.
    pub(crate) fn saw_cache(&self) -> bool {
        self.most_cache > NOISE
    }

    /// Returns the peak of the whole run; `peak` is the one since the last look.
    pub(crate) fn whole_peak(&self, peak: u64) -> u64 {
        self.peak.max(peak)
    }

    /// Returns the memory that the process allocated. `peak` is the one since the last look, `cache` the page cache when the
    /// process is dead, `resident` its largest resident size (`None` where it may have had memory that it had not mapped),
    /// and `brief` whether the last look was recent.
    pub(crate) fn allocated(
        mut self,
        peak: u64,
        cache: u64,
        resident: Option<u64>,
        brief: bool,
    ) -> Allocated {
        let (least, most) = bounds(peak, cache, self.last.cache);
        self.found = self.found.max(least);
        if most - least <= NOISE {
            self.found = self.found.max(most);
        } else if !(brief && self.is_held(least)) {
            self.doubtful = self.doubtful.max(most);
        }
        if self.doubtful <= self.found.saturating_add(NOISE) {
            return Allocated::Found(self.found.max(self.doubtful));
        }
        match resident {
            Some(resident) if resident <= self.found => Allocated::Found(self.found),
            Some(resident) => Allocated::Resident(resident.min(self.doubtful)),
            None => Allocated::AtMost(self.doubtful),
        }
    }
}

/// Returns the least and the most that can have been allocated at a peak between two looks at the cache.
fn bounds(peak: u64, cache: u64, before: u64) -> (u64, u64) {
    (peak.saturating_sub(cache.max(before)), peak.saturating_sub(cache.min(before)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn look(peak: u64, usage: u64, cache: u64) -> Look {
        Look { peak: peak * MIB, usage: usage * MIB, cache: cache * MIB, consistent: true, brief: true }
    }

    fn after(looks: &[Look]) -> Looks {
        let mut all = Looks::default();
        for look in looks {
            all.add(*look);
        }
        all
    }

    #[test]
    fn memory_that_grew_until_it_was_freed_is_not_taken_for_what_the_last_look_saw() {
        // 42 MiB were there while 48 were on their way; then 6 MiB of a file were read.
        let looks = after(&[look(20, 20, 0), look(42, 42, 0), look(48, 6, 6)]);
        assert_eq!(looks.allocated(30 * MIB, 30 * MIB, None, true), Allocated::AtMost(48 * MIB));
    }

    #[test]
    fn memory_freed_before_files_are_read_is_found() {
        let looks = after(&[look(60, 60, 0), look(100, 30, 20), look(60, 60, 58)]);
        assert!(looks.saw_cache());
        assert_eq!(looks.whole_peak(90 * MIB), 100 * MIB);
        assert_eq!(looks.allocated(90 * MIB, 88 * MIB, None, true), Allocated::AtMost(100 * MIB));
        let resident = Some(104 * MIB);
        assert_eq!(looks.allocated(90 * MIB, 88 * MIB, resident, true), Allocated::Resident(100 * MIB));
        let looks = after(&[look(100, 100, 0), look(100, 30, 20), look(60, 60, 58)]);
        assert_eq!(looks.allocated(90 * MIB, 88 * MIB, None, true), Allocated::Found(100 * MIB));
    }

    #[test]
    fn memory_held_while_files_are_read_is_not_more_than_it_is() {
        let looks = after(&[look(100, 100, 0), look(120, 120, 20), look(150, 150, 50)]);
        let found = looks.allocated(158 * MIB, 58 * MIB, Some(158 * MIB), true);
        assert_eq!(found, Allocated::Found(100 * MIB));
    }

    #[test]
    fn memory_given_back_after_files_were_read_is_not_more_than_it_was() {
        let looks = after(&[look(250, 250, 150), look(260, 160, 160)]);
        assert_eq!(looks.allocated(160 * MIB, 160 * MIB, None, true), Allocated::Found(100 * MIB));
    }

    #[test]
    fn a_late_look_does_not_lower_the_figure() {
        // 100 MiB, given back, and 160 MiB read, all before the first look.
        let looks = after(&[Look { brief: false, ..look(160, 160, 158) }]);
        let resident = Some(101 * MIB);
        assert_eq!(looks.allocated(160 * MIB, 158 * MIB, resident, true), Allocated::Resident(101 * MIB));
        assert_eq!(looks.allocated(160 * MIB, 158 * MIB, None, true), Allocated::AtMost(160 * MIB));
    }

    #[test]
    fn a_run_without_a_look_is_measured_by_the_resident_size_of_its_process() {
        let looks = Looks::default();
        assert!(!looks.saw_cache());
        let allocated = |resident| looks.allocated(40 * MIB, 30 * MIB, resident, true);
        assert_eq!(allocated(Some(38 * MIB)), Allocated::Resident(38 * MIB));
        assert_eq!(allocated(Some(4 * MIB)), Allocated::Found(10 * MIB));
        assert_eq!(allocated(Some(70 * MIB)), Allocated::Resident(40 * MIB));
        assert_eq!(allocated(None), Allocated::AtMost(40 * MIB));
    }
}
