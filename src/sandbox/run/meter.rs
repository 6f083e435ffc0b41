//! Sets the limits of a box's cgroups and reads their counters, through the descriptors that the keeper hands over.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::sys::uio::{pread, pwrite};

use super::page_cache::{Allocated, Look, Looks, NOISE};
use crate::sandbox::command::{Limits, MemorySource};
use crate::sandbox::error::SandboxError;
use crate::sandbox::keeper::message::{Files, Role};
use crate::sandbox::resource_control::ResourceControl;
use crate::units::Bytes;

/// How much more than a new box a box may be charged when a run begins: charges in advance, and kernel objects of
/// earlier processes, which the kernel frees some 20 ms after their end (RCU). Runs of 1 ms in a row leave up to 1.7 MiB
/// of them, so a limit that is not small has room for that: a [`SHARE`] of the limit, between these two.
const LEAST_GROWTH: u64 = 768 * 1024;
const LARGEST_GROWTH: u64 = 2 << 20;
const SHARE: u64 = 64;

/// How often and how long [`Meter::has_grown`] waits for the kernel to free memory.
const SETTLING_STEPS: u32 = 50;
const SETTLING_STEP: Duration = Duration::from_millis(2);

/// How far the base may move before a v1 limit, which includes it, is written again.
const LIMIT_TOLERANCE: u64 = 256 * 1024;

/// The amount that the kernel charges a group in advance on each core: MEMCG_CHARGE_BATCH pages (mm/memcontrol.c).
const STOCK: u64 = 64 * 4096;

/// A look that takes longer was interrupted, so its figures are not of one moment. Neither are they if the cache grows
/// during each of [`TRIES`] attempts.
const LONGEST_LOOK: Duration = Duration::from_millis(1);
const TRIES: u32 = 4;

/// The longest pause between two looks on a host that is not overloaded.
const LONGEST_PAUSE: Duration = Duration::from_millis(24);

/// A first reading of the pressure later than this after the start of a run is late.
const LATE: Duration = Duration::from_millis(4);

/// The counters of one box when a run begins, so that one read after the run gives its usage.
#[derive(Debug)]
pub(crate) struct Meter {
    control: ResourceControl,
    files: Files,
    /// The limits written last; `None` before the first time.
    memory_limit: Option<Option<Bytes>>,
    process_limit: Option<Option<u32>>,
    cpu_base: Duration,
    memory_base: u64,
    /// The charge when the group was new.
    memory_new: u64,
    /// The part of that charge that was in use, without charges in advance.
    memory_floor: u64,
    /// Memory that earlier runs may have left when the last run began.
    leftovers: u64,
    /// Kernel memory when the run began, where the charge was larger than that of a new group.
    kernel_base: Option<u64>,
    cache_base: u64,
    /// Whether page cache may have been charged or freed since `cache_base` was read.
    cache_moved: bool,
    /// The looks at the group during the run.
    looks: Looks,
    looked: Instant,
    kills_base: u64,
    hits_base: u64,
    /// The amount by which the v1 limit was raised.
    room: u64,
    /// The pressure when the run began; `None` until it is read.
    starved_base: Option<Duration>,
    /// The pressure when it was last read.
    starved_last: Duration,
    /// Whether a write to the peak file resets it.
    peak_resets: bool,
    /// Whether the programs of the leaf were killed through `cgroup.kill`.
    killed: Cell<bool>,
}

/// The usage of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    /// CPU time in the group, including box init's own where it shares the group.
    pub cpu: Duration,
    pub memory: Bytes,
    /// The largest charge of the group, including page cache.
    pub memory_bound: Bytes,
    pub memory_source: MemorySource,
    pub out_of_memory: bool,
}

/// Box init's report of the processes of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Processes {
    /// Whether any of them read from a disk, which charges page cache to the group.
    pub disk_reads: bool,
    /// Whether there was only one process with one thread.
    pub alone: bool,
    /// The largest resident size of one of them; `None` where files in the work directory, which no process need map, may
    /// have used memory too.
    pub resident: Option<Bytes>,
}

/// Returns how much memory earlier runs may have left in a group when a run with these limits begins, in bytes; little
/// where the figure of the run is compared with a limit.
pub(crate) fn leftovers_allowed(limits: &Limits, is_compared: bool) -> u64 {
    if is_compared {
        return LEAST_GROWTH;
    }
    let limit = limits.memory.map_or(u64::MAX, |limit| limit.0);
    (limit / SHARE).clamp(LEAST_GROWTH, LARGEST_GROWTH)
}

impl Meter {
    /// Creates a meter from the descriptors of a box; returns `None` without cgroups.
    pub(crate) fn new(control: ResourceControl, files: Files) -> Result<Option<Self>, SandboxError> {
        if control == ResourceControl::None {
            return Ok(None);
        }
        let mut meter = Self {
            control,
            files,
            memory_limit: None,
            process_limit: None,
            cpu_base: Duration::ZERO,
            memory_base: 0,
            memory_new: 0,
            memory_floor: 0,
            leftovers: LEAST_GROWTH,
            kernel_base: None,
            cache_base: 0,
            cache_moved: false,
            looks: Looks::default(),
            looked: Instant::now(),
            kills_base: 0,
            hits_base: 0,
            room: 0,
            starved_base: None,
            starved_last: Duration::ZERO,
            peak_resets: true,
            killed: Cell::new(false),
        };
        // v1 has always reset the peak on a write; v2 since 6.12 ("memory.peak" in cgroup-v2.rst), per open file.
        meter.peak_resets = meter.write(Role::MemoryPeak, "0").is_ok();
        meter.rebase()?;
        meter.memory_new = meter.memory_base;
        meter.memory_floor = meter.memory_in_use().unwrap_or(meter.memory_base);
        Ok(Some(meter))
    }

    /// Returns whether programs have a leaf of their own with all counters, which can be replaced alone.
    pub(crate) fn has_leaf_with_memory(&self) -> bool {
        self.control == ResourceControl::CgroupV2
    }

    /// Returns whether the next run needs a fresh leaf: where peaks cannot be reset, and after a kill. Kernels that
    /// count the kills of a group (6.14 and later) compare the count of the parent's group with that of the
    /// child's, so a process that CLONE_INTO_CGROUP starts in a group that was killed once dies at once.
    pub(crate) fn needs_fresh_leaf(&self) -> bool {
        !self.peak_resets || self.killed.get()
    }

    /// Uses the descriptors of a fresh leaf, which has no limits yet and all counters at zero.
    pub(crate) fn replace(&mut self, files: Files) -> Result<(), SandboxError> {
        self.files = files;
        self.memory_limit = None;
        self.process_limit = None;
        self.killed.set(false);
        self.starved_last = Duration::ZERO;
        self.rebase()?;
        self.memory_new = self.memory_base;
        Ok(())
    }

    /// Returns the memory that earlier runs may have left when the last run began, in bytes.
    pub(crate) fn last_leftovers(&self) -> u64 {
        self.leftovers
    }

    /// Reads every counter while no program runs.
    fn rebase(&mut self) -> Result<(), SandboxError> {
        self.cpu_base = self.cpu_total()?;
        self.kills_base = self.kills()?;
        self.hits_base = self.limit_hits()?;
        self.cache_base = self.page_cache()?;
        self.memory_base = self.number(Role::MemoryUsage)?;
        Ok(())
    }

    /// Returns the descriptor of a role, for poll or to pass on.
    pub(crate) fn file(&self, role: Role) -> Option<BorrowedFd<'_>> {
        find(&self.files, role)
    }

    /// Prepares a run: writes the limits that differ from the last ones, and resets the peak.
    pub(crate) fn arm(&mut self, limits: &Limits, is_compared: bool) -> Result<(), SandboxError> {
        let Limits { memory, processes, .. } = *limits;
        if self.process_limit != Some(processes) {
            // With v1 box init is in the group too.
            let own = u32::from(self.control != ResourceControl::CgroupV2);
            let text =
                processes.map_or_else(|| "max".to_owned(), |count| count.saturating_add(own).to_string());
            self.write(Role::ProcessLimit, &text)?;
            self.process_limit = Some(processes);
        }
        let usage = self.number(Role::MemoryUsage)?;
        let before = std::mem::replace(&mut self.memory_base, usage);
        self.leftovers = leftovers_allowed(limits, is_compared);
        let has_leftovers = usage > self.memory_new.saturating_add(STOCK) && !is_compared;
        self.kernel_base = if has_leftovers { self.kernel_memory().ok() } else { None };
        if std::mem::take(&mut self.cache_moved) || usage.abs_diff(before) > LIMIT_TOLERANCE {
            self.cache_base = self.page_cache()?;
        }
        (self.looks, self.looked) = (Looks::default(), Instant::now());
        let room = self.room_above_limit(self.leftovers)?;
        if self.memory_limit != Some(memory) || room.abs_diff(self.room) > LIMIT_TOLERANCE {
            self.limit_memory(memory, room)?;
            self.memory_limit = Some(memory);
            self.room = room;
        }
        if self.peak_resets {
            self.write(Role::MemoryPeak, "0")?;
        }
        self.starved_base = None;
        self.reset_event();
        Ok(())
    }

    /// Reads the pressure from which [`Meter::starved_so_far`] counts, `elapsed` after the run began. That takes the kernel
    /// several microseconds, which runs that end earlier do not pay.
    ///
    /// Where this is late, the host may have starved the run as well as the worker: all of that time counts as starved.
    pub(crate) fn begin_pressure(&mut self, elapsed: Duration) {
        let Some(total) = self.starved_total() else { return };
        let unseen = if elapsed > LATE { elapsed } else { Duration::ZERO };
        self.starved_base = Some(total.saturating_sub(unseen).max(self.starved_last));
        self.starved_last = total;
    }

    /// Returns whether earlier runs have left the group charged for much more than a new one, while no program runs.
    ///
    /// Such a charge is page cache, or kernel memory of looked-up names. The next run must not have it: above the limit it
    /// would be extra memory, since the kernel reclaims it for the program, and within the limit it would be missing. The
    /// kernel frees the memory of dead processes and removed files after a while (RCU), so this waits until little of it
    /// is left.
    pub(crate) fn has_grown(&self, leftovers: u64) -> Result<bool, SandboxError> {
        for step in 0..=SETTLING_STEPS {
            if self.number(Role::MemoryUsage)? <= self.memory_new.saturating_add(leftovers) {
                return Ok(false);
            }
            // Page cache is not freed by waiting.
            if step == 0 && self.page_cache()? > self.cache_base.saturating_add(LEAST_GROWTH) {
                break;
            }
            if step < SETTLING_STEPS {
                std::thread::sleep(SETTLING_STEP);
            }
        }
        Ok(true)
    }

    /// Makes the kernel reclaim as much of the group's memory as it can (v1; "force_empty" in memory.rst), for a group
    /// that must stay although it has grown.
    pub(crate) fn reclaim(&mut self) -> Result<(), SandboxError> {
        if self.file(Role::Reclaim).is_some() {
            self.write(Role::Reclaim, "0")?;
            self.cache_moved = true;
        }
        Ok(())
    }

    /// Returns the amount by which a v1 limit exceeds that of the run: box init's memory, and kept files, which cannot be
    /// reclaimed. Never more, so that any other charge before a run counts against it instead of raising its limit.
    fn room_above_limit(&self, leftovers: u64) -> Result<u64, SandboxError> {
        if self.control == ResourceControl::CgroupV2 {
            return Ok(0);
        }
        let usual = self.memory_new.saturating_add(leftovers);
        if self.memory_base <= usual {
            return Ok(self.memory_base);
        }
        let files = self.with_text(Role::MemoryStat, |text| field(text, "shmem "))?;
        Ok(self.memory_base.min(usual.saturating_add(files)))
    }

    /// Resets the event that the group ran out of memory, so that a late one of the last run is not taken for the next
    /// one's. The count itself is read from the group.
    pub(crate) fn reset_event(&self) {
        if let Some(event) = self.file(Role::OutOfMemory) {
            let _ = nix::unistd::read(event, &mut [0u8; 8]);
        }
    }

    /// Writes the memory limit. v1 refuses a memory limit above the memory-and-swap limit, so the latter is lifted first.
    fn limit_memory(&self, memory: Option<Bytes>, room: u64) -> Result<(), SandboxError> {
        if self.control == ResourceControl::CgroupV2 {
            let text = memory.map_or_else(|| "max".to_owned(), |limit| limit.0.to_string());
            return self.write(Role::MemoryLimit, &text);
        }
        let swap = self.file(Role::SwapLimit).is_some();
        if swap {
            self.write(Role::SwapLimit, "-1")?;
        }
        let text = memory.map_or_else(|| "-1".to_owned(), |limit| limit.0.saturating_add(room).to_string());
        self.write(Role::MemoryLimit, &text)?;
        if swap { self.write(Role::SwapLimit, &text) } else { Ok(()) }
    }

    /// Returns the CPU time used since the run began; cheap enough while it runs.
    pub(crate) fn cpu_so_far(&self) -> Result<Duration, SandboxError> {
        Ok(self.cpu_total()?.saturating_sub(self.cpu_base))
    }

    /// Returns the time since [`Meter::begin_pressure`] in which programs of the run were ready and the host ran none of
    /// them, on average over the cores they used; `None` where the kernel does not count it (before 5.13, or with PSI off).
    ///
    /// This is "full" of `cpu.pressure`, which counts competition from outside the group and throttling by the quota of a
    /// parent group. "some" would also count a program that waits for another of its own group.
    pub(crate) fn starved_so_far(&self) -> Option<Duration> {
        let base = self.starved_base.unwrap_or(self.starved_last);
        self.starved_total().map(|total| total.saturating_sub(base))
    }

    /// Kills every process of the run at once, where there is `cgroup.kill`.
    pub(crate) fn kill(&self) {
        let done = self.file(Role::Kill).is_some() && self.write(Role::Kill, "1").is_ok();
        self.killed.set(self.killed.get() || done);
    }

    /// Returns whether the box has reached its memory limit since the last [`Meter::finish`]: the kernel has killed in it,
    /// and its own limit was hit. A kill without that means that the host ran out of memory, not the program.
    pub(crate) fn ran_out_of_memory(&self) -> bool {
        self.kills().is_ok_and(|kills| kills > self.kills_base) && self.met_limit().unwrap_or(false)
    }

    /// Looks at the group during the run; returns whether its page cache grows.
    pub(crate) fn look(&mut self) -> Result<bool, SandboxError> {
        let began = Instant::now();
        let mut cache = self.page_cache()?;
        let (mut peak, mut usage) = (0, 0);
        let mut is_one_moment = false;
        for _ in 0..TRIES {
            peak = self.number(Role::MemoryPeak)?;
            usage = self.number(Role::MemoryUsage)?;
            let later = self.page_cache()?;
            is_one_moment = later.abs_diff(cache) <= NOISE / 2;
            cache = later;
            if is_one_moment {
                break;
            }
        }
        if self.peak_resets {
            self.write(Role::MemoryPeak, "0")?;
        }
        let brief = is_one_moment && began.elapsed() < LONGEST_LOOK && self.is_fresh();
        let (peak, usage) = (peak.saturating_sub(self.memory_base), usage.saturating_sub(self.memory_base));
        let cache = cache.saturating_sub(self.cache_base);
        self.looked = Instant::now();
        Ok(self.looks.add(Look { peak, usage, cache, consistent: is_one_moment, brief }))
    }

    /// Returns whether a look of this run saw a significant amount of page cache.
    pub(crate) fn saw_cache(&self) -> bool {
        self.looks.saw_cache()
    }

    /// Returns whether the last look was recent.
    fn is_fresh(&self) -> bool {
        self.looked.elapsed() < LONGEST_PAUSE
    }

    /// Returns the usage of the run, after everything in the box is dead.
    pub(crate) fn finish(&mut self, processes: Processes) -> Result<Usage, SandboxError> {
        self.confirm_empty()?;
        let cpu_total = self.cpu_total()?;
        let cpu = cpu_total.saturating_sub(self.cpu_base);
        self.cpu_base = cpu_total;
        let (kills, hits) = (self.kills()?, self.limit_hits()?);
        let out_of_memory = kills > self.kills_base && self.met_limit()?;
        if kills > self.kills_base && !out_of_memory {
            return Err(SandboxError::BoxLost {
                name: "a box".to_owned(),
                detail: "the host ran out of memory and the kernel killed in it".to_owned(),
            });
        }
        (self.kills_base, self.hits_base) = (kills, hits);
        // The run could use the amount that the kernel had charged in advance when it began, and small programs need no
        // more than that. It could also use the leftovers of earlier runs once the kernel had freed them; half of them is
        // within 1 MiB of the truth, whether its peak came before that or after.
        let above_floor = self.memory_base.saturating_sub(self.memory_floor);
        let freed = match self.kernel_base {
            Some(before) => before.saturating_sub(self.kernel_memory()?),
            None => 0,
        };
        let to_use = above_floor.min(STOCK).saturating_add(freed / 2).min(above_floor);
        let since = self.number(Role::MemoryPeak)?.saturating_sub(self.memory_base);
        let peak = self.looks.whole_peak(since).saturating_add(to_use);
        let mut cache = 0;
        if processes.disk_reads || self.looks.saw_cache() {
            cache = self.page_cache()?.saturating_sub(self.cache_base);
            // The kernel may free it before the next run.
            self.cache_moved = true;
        }
        let has_filled_cache = cache > NOISE || self.looks.saw_cache();
        let (memory, memory_source) = match (has_filled_cache, processes.alone) {
            (false, _) => (peak, MemorySource::Peak),
            (true, false) => (peak, MemorySource::PeakWithCache),
            (true, true) => {
                let resident = processes.resident.map(|resident| resident.0);
                let (allocated, source) = match self.looks.allocated(since, cache, resident, self.is_fresh())
                {
                    Allocated::Found(bytes) => (bytes, MemorySource::Looks),
                    Allocated::Resident(bytes) => (bytes, MemorySource::Resident),
                    Allocated::AtMost(bytes) => (bytes, MemorySource::PeakWithCache),
                };
                // Files in the work directory are held to the end, whatever a look missed.
                let now = self.number(Role::MemoryUsage)?.saturating_sub(self.memory_base);
                let held = now.saturating_sub(cache);
                (allocated.max(held).saturating_add(to_use).min(peak), source)
            }
        };
        let limit = self.memory_limit.flatten().unwrap_or(Bytes(u64::MAX));
        Ok(Usage {
            cpu,
            memory: Bytes(memory).min(limit),
            memory_bound: Bytes(peak).min(limit),
            memory_source,
            out_of_memory,
        })
    }

    /// Checks, by the kernel's own count, that box init is the only process left.
    fn confirm_empty(&self) -> Result<(), SandboxError> {
        // A dead init counts too, until the keeper reaps it.
        let expected = u64::from(self.control != ResourceControl::CgroupV2);
        // The kernel may lower the count a moment after a dead process was reaped; if it stays, a process is alive.
        for attempt in 0..200 {
            if self.number(Role::ProcessCount)? == expected {
                return Ok(());
            }
            if attempt > 10 {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        let count = self.number(Role::ProcessCount)?;
        Err(SandboxError::BoxLost {
            name: "a box".to_owned(),
            detail: format!(
                "{} processes are left after everything was killed",
                count.saturating_sub(expected)
            ),
        })
    }

    fn cpu_total(&self) -> Result<Duration, SandboxError> {
        if self.control == ResourceControl::CgroupV1 {
            return self.number(Role::Cpu).map(Duration::from_nanos);
        }
        self.with_text(Role::Cpu, |text| field(text, "usage_usec ")).map(Duration::from_micros)
    }

    fn starved_total(&self) -> Option<Duration> {
        self.file(Role::Pressure)?;
        let full = |text: &str| text.lines().find_map(|line| line.strip_prefix("full ")).map(str::to_owned);
        self.with_text(Role::Pressure, |text| field(&full(text)?, "total=")).ok().map(Duration::from_micros)
    }

    fn kills(&self) -> Result<u64, SandboxError> {
        self.with_text(Role::MemoryEvents, |text| field(text, "oom_kill "))
    }

    /// Returns whether the group's own limit was hit. v2 counts that ("oom" in cgroup-v2.rst); v1 keeps no failcnt for
    /// memory and swap together (observed on 6.18), so there the peak must be as near to the limit as the largest
    /// allocation without a smaller fallback.
    fn met_limit(&self) -> Result<bool, SandboxError> {
        if self.control == ResourceControl::CgroupV2 {
            return Ok(self.limit_hits()? > self.hits_base);
        }
        let looked = self.looks.whole_peak(0).saturating_add(self.memory_base);
        let peak = self.number(Role::MemoryPeak)?.max(looked);
        Ok(peak.saturating_add(1 << 20) >= self.number(Role::MemoryLimit)?)
    }

    /// Returns how often the limit was hit; 0 with v1.
    fn limit_hits(&self) -> Result<u64, SandboxError> {
        if self.control == ResourceControl::CgroupV2 {
            return self.with_text(Role::MemoryEvents, |text| field(text, "oom "));
        }
        Ok(0)
    }

    /// Returns the memory of the group without charges in advance. A new leaf of v2 is empty; a v1 group contains box
    /// init.
    fn memory_in_use(&self) -> Result<u64, SandboxError> {
        if self.control == ResourceControl::CgroupV2 {
            return Ok(0);
        }
        let kernel = self.kernel_memory()?;
        let user =
            self.with_text(Role::MemoryStat, |text| Some(field(text, "rss ")? + field(text, "cache ")?))?;
        Ok(kernel + user)
    }

    /// Returns the bytes of kernel objects and page tables charged to the group (v2: "kernel" in cgroup-v2.rst, since 5.18).
    fn kernel_memory(&self) -> Result<u64, SandboxError> {
        if self.control == ResourceControl::CgroupV2 {
            return self.with_text(Role::MemoryStat, |text| field(text, "kernel "));
        }
        self.number(Role::KernelMemory)
    }

    /// Returns the bytes of file pages charged to the group, without tmpfs, which is the program's own memory.
    fn page_cache(&self) -> Result<u64, SandboxError> {
        let name = if self.control == ResourceControl::CgroupV2 { "file " } else { "cache " };
        self.with_text(Role::MemoryStat, |text| {
            Some(field(text, name)?.saturating_sub(field(text, "shmem ").unwrap_or(0)))
        })
    }

    fn number(&self, role: Role) -> Result<u64, SandboxError> {
        self.with_text(role, |text| text.trim().parse().ok())
    }

    /// Reads the file of a role and extracts a value.
    fn with_text<T>(&self, role: Role, pick: impl Fn(&str) -> Option<T>) -> Result<T, SandboxError> {
        let missing = || role_error("read", role, io::Error::from(io::ErrorKind::NotFound));
        let mut buffer = [0u8; 4096];
        let file = self.file(role).ok_or_else(missing)?;
        let length = pread(file, &mut buffer, 0).map_err(|errno| role_error("read", role, errno.into()))?;
        std::str::from_utf8(&buffer[..length])
            .ok()
            .and_then(pick)
            .ok_or_else(|| role_error("understand", role, io::Error::from(io::ErrorKind::InvalidData)))
    }

    fn write(&self, role: Role, text: &str) -> Result<(), SandboxError> {
        let missing = || role_error("write", role, io::Error::from(io::ErrorKind::NotFound));
        let file = self.file(role).ok_or_else(missing)?;
        pwrite(file, text.as_bytes(), 0).map(drop).map_err(|errno| role_error("write", role, errno.into()))
    }
}

/// Returns the descriptor of a role.
fn find(files: &Files, role: Role) -> Option<BorrowedFd<'_>> {
    files.iter().find(|(own, _)| *own == role).map(|(_, file)| file.as_fd())
}

/// Describes a failed operation on the file of a role.
fn role_error(operation: &'static str, role: Role, error: io::Error) -> SandboxError {
    SandboxError::on(operation, format!("{role:?} of a box"), error)
}

/// Returns the number after `name` at the start of a line, or after `name` anywhere when it ends with `=`.
fn field(text: &str, name: &str) -> Option<u64> {
    let rest = if name.ends_with('=') {
        text.split_once(name)?.1
    } else {
        text.lines().find_map(|line| line.strip_prefix(name))?
    };
    let end = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn fields_are_found_by_whole_name() {
        let text = "low 0\noom 3\noom_kill 2\noom_group_kill 1\n";
        assert_eq!(field(text, "oom_kill "), Some(2));
        assert_eq!(field(text, "kill "), None);
        assert_eq!(field("some avg10=0.00 avg60=0.12 total=4711", "total="), Some(4711));
    }
}
