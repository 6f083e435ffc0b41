//! Usage of a box's processes where no cgroup counts it: from procfs, by sampling.
//!
//! A fallback, and named as such in every report: what happens between two samples is not seen, and CPU time
//! comes in scheduler ticks. When everything is dead, box init's own account (wait4) is added to the picture.

use std::time::Duration;

use nix::time::ClockId;
use procfs::process::{Process, Stat};

use crate::units::Bytes;

/// What the processes of a box use at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sample {
    /// CPU time since the sampler was made.
    pub cpu: Duration,
    /// Resident memory and page tables.
    pub memory: Bytes,
}

/// Follows the descendants of one box init.
pub(super) struct Sampler {
    init: i32,
    /// Ticks that init's dead children had used before.
    base: u64,
}

impl Sampler {
    /// A sampler for the box whose init has that process id.
    pub(super) fn new(init: i32) -> Self {
        let base =
            Process::new(init).and_then(|process| process.stat()).map_or(0, |stat| reaped_ticks(&stat));
        Self { init, base }
    }

    /// The sum over everything in the box but its init. Processes that vanish while we look count in the next
    /// sample, as their parent's.
    pub(super) fn sample(&self) -> Sample {
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

/// Whether there is something in the box and all of it sleeps: nothing runs, is ready to run, waits for a disk or is just
/// ending. Where the host does not let us see, it is taken to be so.
pub(super) fn is_waiting(init: i32) -> bool {
    let mut pending = vec![init];
    let mut is_empty = true;
    while let Some(pid) = pending.pop() {
        let Ok(tasks) = Process::new(pid).and_then(|process| process.tasks()) else { continue };
        for task in tasks.flatten() {
            let Ok(stat) = task.stat() else { continue };
            // A leader that is dead ends the run; a zombie below it may lie there for ever.
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

/// How long ago the box's program was born, to the tick (10 ms) before; `None` where there is none.
pub(super) fn age(init: i32) -> Option<Duration> {
    let tasks = Process::new(init).and_then(|process| process.tasks()).ok()?;
    let children = tasks.flatten().filter_map(|task| task.children().ok()).flatten();
    // What the program leaves to init is younger.
    let births = children.filter_map(|child| {
        let process = i32::try_from(child).ok().and_then(|pid| Process::new(pid).ok())?;
        process.stat().ok().map(|stat| stat.starttime)
    });
    let born = Duration::from_millis(births.min()? * 1000 / procfs::ticks_per_second().max(1));
    let now = Duration::from(ClockId::CLOCK_BOOTTIME.now().ok()?);
    Some(now.saturating_sub(born))
}

/// What the kernel knows of the threads of a box (proc_pid_schedstat: nanoseconds on a core, and waiting for one).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Threads {
    /// Time on a core or waiting for one, of the thread with most of it. What the whole box used meanwhile taken off, this
    /// is how long the host kept it waiting, at least: a thread may have waited for the others. Exact for a program
    /// with one busy thread.
    pub longest: Duration,
    /// The same of all threads together; stands still while none of them runs. A wait that is not over is in neither.
    pub scheduled: Duration,
    /// Whether any of them runs or is ready to.
    pub are_ready: bool,
}

/// Looks at the threads of everything in the box but its init.
pub(super) fn threads(init: i32) -> Threads {
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

/// Time a thread was on a core or waited for one.
fn scheduled(pid: i32, thread: i32) -> Option<Duration> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{thread}/schedstat")).ok()?;
    let mut figures = text.split_whitespace().map_while(|word| word.parse::<u64>().ok());
    Some(Duration::from_nanos(figures.next()?.saturating_add(figures.next()?)))
}

fn reaped_ticks(stat: &Stat) -> u64 {
    u64::try_from(stat.cutime + stat.cstime).unwrap_or(0)
}
