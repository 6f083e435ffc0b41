//! Reads the state and the usage of a box's processes from procfs.
//!
//! Sampled usage is the fallback without cgroups, and every report names it as such: peaks between two samples are missed,
//! and CPU time comes in scheduler ticks. When everything is dead, box init's account (wait4) supplements it.

use std::time::Duration;

use nix::time::ClockId;
use procfs::process::{Process, Stat};

use crate::units::Bytes;

/// The usage of a box's processes at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sample {
    /// CPU time since the sampler was created.
    pub cpu: Duration,
    /// Resident memory and page tables.
    pub memory: Bytes,
}

/// Samples the descendants of one box init.
pub(crate) struct Sampler {
    init: i32,
    /// CPU time of init's dead children before, in ticks.
    base: u64,
}

impl Sampler {
    /// Creates a sampler for the box whose init has that process id.
    pub(crate) fn new(init: i32) -> Self {
        let base =
            Process::new(init).and_then(|process| process.stat()).map_or(0, |stat| reaped_ticks(&stat));
        Self { init, base }
    }

    /// Returns the sum over all processes of the box but its init. The next sample counts processes that vanish meanwhile,
    /// as their parent's.
    pub(crate) fn sample(&self) -> Sample {
        let mut ticks = 0;
        let mut memory = 0;
        let mut pending = vec![self.init];
        while let Some(pid) = pending.pop() {
            let Ok(process) = Process::new(pid) else { continue };
            let Ok(stat) = process.stat() else { continue };
            ticks += reaped_ticks(&stat);
            if pid != self.init {
                ticks += stat.utime + stat.stime;
                memory += stat.rss * procfs::page_size();
                memory += process.status().ok().and_then(|status| status.vmpte).unwrap_or(0) * 1024;
            }
            let Ok(tasks) = process.tasks() else { continue };
            pending.extend(
                tasks
                    .flatten()
                    .filter_map(|task| task.children().ok())
                    .flatten()
                    .filter_map(|child| i32::try_from(child).ok()),
            );
        }
        let used = ticks.saturating_sub(self.base);
        let per_second = procfs::ticks_per_second().max(1);
        Sample { cpu: Duration::from_millis(used * 1000 / per_second), memory: Bytes(memory) }
    }
}

/// Returns whether the box has programs and all of them sleep: none runs, is ready to run, waits for a disk or is just
/// ending. Returns true where procfs hides them.
pub(crate) fn is_waiting(init: i32) -> bool {
    let mut pending = vec![init];
    let mut is_empty = true;
    while let Some(pid) = pending.pop() {
        let Ok(tasks) = Process::new(pid).and_then(|process| process.tasks()) else { continue };
        for task in tasks.flatten() {
            let Ok(stat) = task.stat() else { continue };
            // A dead leader ends the run; a zombie below it may stay for ever.
            let is_dying = stat.state == 'Z' && stat.ppid == init;
            if pid != init && (is_dying || matches!(stat.state, 'R' | 'D')) {
                return false;
            }
            is_empty &= pid == init;
            let Ok(children) = task.children() else { return true };
            pending.extend(children.into_iter().filter_map(|child| i32::try_from(child).ok()));
        }
    }
    !is_empty
}

/// Returns the age of the box's program, rounded up to a tick (10 ms); `None` where there is none.
pub(crate) fn age(init: i32) -> Option<Duration> {
    let tasks = Process::new(init).and_then(|process| process.tasks()).ok()?;
    let children = tasks.flatten().filter_map(|task| task.children().ok()).flatten();
    // Orphans of the program are younger.
    let births = children.filter_map(|child| {
        let process = i32::try_from(child).ok().and_then(|pid| Process::new(pid).ok())?;
        process.stat().ok().map(|stat| stat.starttime)
    });
    let born = Duration::from_millis(births.min()? * 1000 / procfs::ticks_per_second().max(1));
    let now = Duration::from(ClockId::CLOCK_BOOTTIME.now().ok()?);
    Some(now.saturating_sub(born))
}

/// The kernel's figures of the threads of a box (proc_pid_schedstat: nanoseconds on a core, and waiting for one).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Threads {
    /// Time on a core or waiting for one, of the thread with most of it. Minus the CPU time of the whole box this is the
    /// least time for which the host kept it waiting: a thread may have waited for the others. Exact for a program with
    /// one busy thread.
    pub longest: Duration,
    /// The same for all threads together; constant while none of them runs. Neither includes a wait that is not over.
    pub scheduled: Duration,
    /// Whether any of them runs or is ready to run.
    pub are_ready: bool,
}

/// Reads the figures of all threads in the box but its init.
pub(crate) fn threads(init: i32) -> Threads {
    let mut threads = Threads::default();
    let mut pending = vec![init];
    while let Some(pid) = pending.pop() {
        let Ok(tasks) = Process::new(pid).and_then(|process| process.tasks()) else { continue };
        for task in tasks.flatten() {
            let children = task.children().unwrap_or_default();
            pending.extend(children.into_iter().filter_map(|child| i32::try_from(child).ok()));
            if pid == init {
                continue;
            }
            let scheduled = scheduled(pid, task.tid).unwrap_or_default();
            threads.longest = threads.longest.max(scheduled);
            threads.scheduled += scheduled;
            threads.are_ready |= task.stat().is_ok_and(|stat| stat.state == 'R');
        }
    }
    threads
}

/// Returns the time a thread was on a core or waited for one.
fn scheduled(pid: i32, thread: i32) -> Option<Duration> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{thread}/schedstat")).ok()?;
    let mut figures = text.split_whitespace().map_while(|word| word.parse::<u64>().ok());
    Some(Duration::from_nanos(figures.next()?.saturating_add(figures.next()?)))
}

fn reaped_ticks(stat: &Stat) -> u64 {
    u64::try_from(stat.cutime + stat.cstime).unwrap_or(0)
}
