//! Bounds how many programs run at once, and gives each a core.
//!
//! A slot is a permit with boxes of its own. Its boxes are pinned to a core that is leased host-wide ([`crate::judge::schedule::cores`]), so
//! that two measured programs never share one, of whichever process they are. A slot that finds no free core runs its
//! programs on any, and asks for one again when it is used later. Waiting is first come, first served over all judgings of the process, and a
//! judging asks for one slot a test: so judgings that run at once share the slots evenly, whatever their
//! sizes.
//!
//! A thread that holds a slot must not wait for a lock of the cache: the lock's holder may be waiting for a slot.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::instruments;
use crate::judge::schedule::box_pool::BoxPool;
use crate::judge::schedule::cores::{CoreLeases, usable_cores};
use crate::judge::settings::{JudgeSettings, StartError};
use crate::sandbox::{SandboxError, Shape};

/// Poll interval of cancellation while a thread waits: a condition variable cannot wait for a token's descriptor.
const CANCEL_POLL: Duration = Duration::from_millis(20);

/// Least time between two attempts to lease a core for a slot without one: others hold theirs for minutes and longer.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// Cores of a judge, for its operator and for reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoreUse {
    /// Programs run at once.
    pub slots: usize,
    /// Cores this process may use.
    pub usable: Vec<usize>,
    /// Those that are leased to its slots, a slot each.
    pub leased: Vec<usize>,
    /// Processes that lease the others, by core, as far as the kernel tells.
    pub held: Vec<(usize, i32)>,
    /// Why no core can be leased, where the reason is not that others hold them.
    pub problem: Option<String>,
}

impl CoreUse {
    /// Returns whether every program has a core that no other gavel process of this host uses.
    pub fn is_exclusive(&self) -> bool {
        self.leased.len() >= self.slots
    }

    /// Returns why some slots have no core of their own; `None` where all have.
    pub fn shortage(&self) -> Option<String> {
        if self.is_exclusive() {
            return None;
        }
        let without = self.slots - self.leased.len();
        let cause = match &self.problem {
            Some(problem) => problem.clone(),
            None if self.held.is_empty() => {
                format!("this process may use {}", counted(self.usable.len(), "core"))
            }
            None => {
                let held =
                    self.held.iter().map(|(core, process)| format!("core {core} by process {process}"));
                format!("leased are {}", held.collect::<Vec<_>>().join(", "))
            }
        };
        Some(format!("{without} of {} without a core of its own: {cause}", counted(self.slots, "slot")))
    }
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// All slots of a judge.
#[derive(Debug)]
pub(crate) struct Slots {
    slots: Vec<Mutex<BoxPool>>,
    leases: CoreLeases,
    /// Whether programs may run on a leased core only.
    requires_cores: bool,
    /// The core of each slot; a slot in use has its pool locked.
    cores: Mutex<Vec<Option<usize>>>,
    /// When a core was last asked for.
    asked: Mutex<Instant>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    free: Vec<usize>,
    waiting: VecDeque<u64>,
    next_ticket: u64,
}

/// A slot in use; free again when dropped.
#[derive(Debug)]
pub(crate) struct SlotGuard<'a> {
    slots: &'a Slots,
    index: usize,
}

impl Slots {
    /// Makes as many slots as the settings say, or as the process has cores in its affinity mask; each gets a core of its own
    /// while there are free ones.
    ///
    /// # Errors
    /// When their number is impossible, or a core is required for each and there are fewer.
    pub(crate) fn new(settings: &JudgeSettings) -> Result<Self, StartError> {
        let cores = usable_cores().map_err(StartError::Cores)?;
        let count = settings.slots.unwrap_or(cores.len().max(1));
        if count == 0 || count > 1024 {
            return Err(StartError::Slots(count));
        }
        let leases = CoreLeases::open(settings.core_locks.as_deref(), &cores);
        let leased = leases.lease(&cores, count);
        let pools = leased.into_iter().map(Some).chain(std::iter::repeat_with(|| None)).take(count);
        let pools: Vec<BoxPool> = pools.map(BoxPool::new).collect();
        let slots = Self {
            cores: Mutex::new(pools.iter().map(BoxPool::core).collect()),
            slots: pools.into_iter().map(Mutex::new).collect(),
            leases,
            requires_cores: settings.require_cores,
            asked: Mutex::new(Instant::now()),
            state: Mutex::new(State {
                free: (0..count).rev().collect(),
                waiting: VecDeque::new(),
                next_ticket: 0,
            }),
            changed: Condvar::new(),
        };
        match slots.core_use().shortage() {
            Some(shortage) if settings.require_cores => Err(StartError::NoCore(shortage)),
            _ => Ok(slots),
        }
    }

    /// Leases a core for every free slot that has none, where there are free cores.
    pub(crate) fn seek_cores(&self) {
        let free = self.state.lock().free.clone();
        free.into_iter().for_each(|index| self.settle(index));
    }

    /// Returns whether each slot has a core of its own.
    pub(crate) fn are_exclusive(&self) -> bool {
        self.cores.lock().iter().all(Option::is_some)
    }

    /// Returns why nothing may run: a core is required for each slot, and one was taken away.
    pub(crate) fn refusal(&self) -> Option<SandboxError> {
        let is_refused = self.requires_cores && !self.are_exclusive();
        is_refused.then(|| SandboxError::Host {
            missing: "a core was taken out of the set that gavel may use, and no other is free".to_owned(),
            remedy: "give it as many cores as slots, or start it without --require-cores".to_owned(),
        })
    }

    /// Returns which cores the slots have.
    pub(crate) fn core_use(&self) -> CoreUse {
        let usable = usable_cores().unwrap_or_default();
        let leased: Vec<usize> = self.cores.lock().iter().copied().flatten().collect();
        let others: Vec<usize> = usable.iter().filter(|core| !leased.contains(core)).copied().collect();
        CoreUse {
            slots: self.slots.len(),
            held: self.leases.holders(&others).into_iter().collect(),
            problem: self.leases.problem().map(str::to_owned),
            usable,
            leased,
        }
    }

    /// Returns the number of slots.
    pub(crate) fn count(&self) -> usize {
        self.slots.len()
    }

    /// Waits for a slot, preferably one that has a box of this shape; returns `None` once `is_cancelled` returns true.
    pub(crate) fn acquire(&self, shape: &Shape, is_cancelled: &dyn Fn() -> bool) -> Option<SlotGuard<'_>> {
        let mut state = self.state.lock();
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.waiting.push_back(ticket);
        loop {
            if is_cancelled() {
                state.waiting.retain(|waiting| *waiting != ticket);
                self.changed.notify_all();
                return None;
            }
            if state.waiting.front() == Some(&ticket) && !state.free.is_empty() {
                state.waiting.pop_front();
                let place = self.best(&state.free, shape);
                let index = state.free.remove(place);
                instruments::slots_busy(self.slots.len() - state.free.len());
                if !state.free.is_empty() {
                    self.changed.notify_all();
                }
                drop(state);
                self.settle(index);
                return Some(SlotGuard { slots: self, index });
            }
            self.changed.wait_for(&mut state, CANCEL_POLL);
        }
    }

    /// Returns the index in `free` of the best slot: with a core of its own, with a box of that shape, freed last, in this
    /// order.
    fn best(&self, free: &[usize], shape: &Shape) -> usize {
        let worth = |place: &usize| {
            let pool = self.slots[free[*place]].lock();
            (pool.core().is_some(), pool.has(shape), *place)
        };
        (0..free.len()).max_by_key(worth).unwrap_or_default()
    }

    /// Moves a slot that was just taken to a core of its own that may be used: the cpuset of this process may have changed, and
    /// another process may have given up a core.
    fn settle(&self, index: usize) {
        let mut pool = self.slots[index].lock();
        let usable = || usable_cores().unwrap_or_default();
        match pool.core() {
            Some(core) if usable().contains(&core) => return,
            Some(core) => {
                tracing::warn!(
                    core,
                    "a core was taken out of the set this process may use; its slot looks for another"
                );
                pool.settle(None);
                self.cores.lock()[index] = None;
            }
            None => {
                let mut asked = self.asked.lock();
                if asked.elapsed() < ASK_EVERY {
                    return;
                }
                *asked = Instant::now();
            }
        }
        if let Some(lease) = self.leases.lease(&usable(), 1).pop() {
            tracing::info!(core = lease.core(), "a slot has a core of its own from now on");
            self.cores.lock()[index] = Some(lease.core());
            pool.settle(Some(lease));
        }
    }
}

impl SlotGuard<'_> {
    /// Returns the slot's boxes.
    pub(crate) fn boxes(&self) -> MutexGuard<'_, BoxPool> {
        self.slots.slots[self.index].lock()
    }
}

impl Drop for SlotGuard<'_> {
    fn drop(&mut self) {
        let mut state = self.slots.state.lock();
        state.free.push(self.index);
        instruments::slots_busy(self.slots.slots.len() - state.free.len());
        drop(state);
        self.slots.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::*;
    use crate::language::Table;

    /// Slots whose leases nobody else sees.
    fn slots(count: usize, place: &Path) -> Result<Slots, StartError> {
        let mut settings = JudgeSettings::new(Table::built_in().unwrap(), place.join("cache"));
        (settings.slots, settings.core_locks) = (Some(count), Some(place.join("locks")));
        Slots::new(&settings)
    }

    #[test]
    fn never_more_holders_than_slots() {
        let directory = tempfile::tempdir().unwrap();
        let slots = slots(2, directory.path()).unwrap();
        let (holders, worst) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let _slot = slots.acquire(&Shape::default(), &|| false).unwrap();
                        let now = holders.fetch_add(1, Ordering::SeqCst) + 1;
                        worst.fetch_max(now, Ordering::SeqCst);
                        std::thread::yield_now();
                        holders.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert!(worst.load(Ordering::SeqCst) <= 2);
        assert_eq!(slots.state.lock().free.len(), 2);
    }

    #[test]
    fn waiting_ends_when_cancelled_and_the_queue_moves_on() {
        let directory = tempfile::tempdir().unwrap();
        let slots = slots(1, directory.path()).unwrap();
        let held = slots.acquire(&Shape::default(), &|| false).unwrap();
        let cancelled = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let first = scope
                .spawn(|| slots.acquire(&Shape::default(), &|| cancelled.load(Ordering::SeqCst)).is_none());
            let second = scope.spawn(|| slots.acquire(&Shape::default(), &|| false).is_some());
            cancelled.store(true, Ordering::SeqCst);
            assert!(first.join().unwrap());
            drop(held);
            assert!(second.join().unwrap());
        });
    }

    #[test]
    fn zero_slots_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        assert!(matches!(slots(0, directory.path()), Err(StartError::Slots(0))));
    }

    #[test]
    fn a_core_is_the_slots_of_one_judge_until_that_ends() {
        let directory = tempfile::tempdir().unwrap();
        let usable = usable_cores().unwrap();
        let first = slots(usable.len(), directory.path()).unwrap();
        assert_eq!(first.core_use().shortage(), None);
        let second = slots(1, directory.path()).unwrap();
        let shortage = second.core_use().shortage().unwrap();
        assert!(
            shortage.starts_with("1 of 1 slot without a core of its own: leased are core "),
            "{shortage}"
        );
        assert!(shortage.contains(&format!("by process {}", std::process::id())), "{shortage}");
        let mut strict = JudgeSettings::new(Table::built_in().unwrap(), directory.path().join("cache"));
        (strict.slots, strict.core_locks) = (Some(1), Some(directory.path().join("locks")));
        strict.require_cores = true;
        assert!(matches!(Slots::new(&strict), Err(StartError::NoCore(_))));

        // A slot takes a core that has become free when it is used next, after a pause.
        drop(first);
        *second.asked.lock() = Instant::now().checked_sub(ASK_EVERY).unwrap();
        drop(second.acquire(&Shape::default(), &|| false).unwrap());
        assert_eq!(second.core_use().leased.len(), 1);
        assert!(Slots::new(&strict).is_ok() || usable.len() == 1);
    }

    #[test]
    fn slots_with_a_core_of_their_own_are_used_first() {
        let directory = tempfile::tempdir().unwrap();
        let usable = usable_cores().unwrap();
        let slots = slots(usable.len() + 1, directory.path()).unwrap();
        let held: Vec<_> =
            usable.iter().map(|_| slots.acquire(&Shape::default(), &|| false).unwrap()).collect();
        assert!(held.iter().all(|slot| slot.boxes().core().is_some()));
        let last = slots.acquire(&Shape::default(), &|| false).unwrap();
        assert_eq!(last.boxes().core(), None);
    }
}
