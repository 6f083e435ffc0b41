//! Slots: how many programs run at once, and on which core each.
//!
//! A slot is a permit with boxes of its own; its boxes are pinned to its core, so that two measured
//! programs never share one. Waiting is first come, first served over all judgings of the process, and a
//! judging asks for one slot a test: so judgings that run at once share the slots evenly, whatever their
//! sizes.
//!
//! Nobody may wait for a lock of the cache while holding a slot: whoever holds that lock may be waiting
//! for a slot.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;

use super::StartError;
use super::boxes::BoxPool;
use crate::instruments;
use crate::sandbox::Shape;

/// How often a waiting thread looks whether it was cancelled: a condition variable cannot wait for a
/// token's descriptor.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// All slots of a judge.
#[derive(Debug)]
pub(super) struct Slots {
    slots: Vec<Mutex<BoxPool>>,
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
pub(super) struct SlotGuard<'a> {
    slots: &'a Slots,
    index: usize,
}

impl Slots {
    /// `count` slots over the cores of the process's affinity mask, in turn; as many as cores when `None`.
    pub(super) fn new(count: Option<usize>) -> Result<Self, StartError> {
        let cores = available_cores().map_err(StartError::Cores)?;
        let count = count.unwrap_or(cores.len().max(1));
        if count == 0 || count > 1024 {
            return Err(StartError::Slots(count));
        }
        let slots =
            (0..count).map(|index| Mutex::new(BoxPool::new(cores.iter().cycle().nth(index).copied())));
        Ok(Self {
            slots: slots.collect(),
            state: Mutex::new(State {
                free: (0..count).rev().collect(),
                waiting: VecDeque::new(),
                next_ticket: 0,
            }),
            changed: Condvar::new(),
        })
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.slots.len()
    }

    /// Waits for a slot, one that has a box of this shape where there is a choice; `None` once
    /// `is_cancelled` says so.
    pub(super) fn acquire(&self, shape: &Shape, is_cancelled: &dyn Fn() -> bool) -> Option<SlotGuard<'_>> {
        let mut state = lock(&self.state);
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
                return Some(SlotGuard { slots: self, index });
            }
            state = match self.changed.wait_timeout(state, LOOK_EVERY) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }

    /// Place in `free` of a slot with a box of that shape, else of the one freed last.
    fn best(&self, free: &[usize], shape: &Shape) -> usize {
        free.iter()
            .rposition(|index| lock(&self.slots[*index]).has(shape))
            .unwrap_or(free.len().saturating_sub(1))
    }
}

impl SlotGuard<'_> {
    /// The slot's boxes.
    pub(super) fn boxes(&self) -> MutexGuard<'_, BoxPool> {
        lock(&self.slots.slots[self.index])
    }
}

impl Drop for SlotGuard<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.slots.state);
        state.free.push(self.index);
        instruments::slots_busy(self.slots.slots.len() - state.free.len());
        drop(state);
        self.slots.changed.notify_all();
    }
}

/// Locks; a thread that panicked while holding the lock left nothing half done that matters here.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The cores this process may run on.
fn available_cores() -> nix::Result<Vec<usize>> {
    let set = sched_getaffinity(Pid::from_raw(0))?;
    Ok((0..CpuSet::count()).filter(|core| set.is_set(*core).unwrap_or(false)).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn never_more_holders_than_slots() {
        let slots = Slots::new(Some(2)).unwrap();
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
        assert_eq!(lock(&slots.state).free.len(), 2);
    }

    #[test]
    fn waiting_ends_when_cancelled_and_the_queue_moves_on() {
        let slots = Slots::new(Some(1)).unwrap();
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
        assert!(matches!(Slots::new(Some(0)), Err(StartError::Slots(0))));
    }
}
