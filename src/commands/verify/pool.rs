//! Threads that do what is to be done, in order, and what follows from it first.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::cancel::CancelToken;
use crate::commands::output::Progress;

/// Something to do; what it returns is done next.
pub(super) struct Work<'a> {
    /// What people who wait are told.
    name: String,
    run: Box<dyn FnOnce() -> Vec<Work<'a>> + Send + 'a>,
}

impl<'a> Work<'a> {
    pub(super) fn new(name: impl Into<String>, run: impl FnOnce() -> Vec<Work<'a>> + Send + 'a) -> Self {
        Self { name: name.into(), run: Box::new(run) }
    }
}

struct State<'a> {
    left: VecDeque<Work<'a>>,
    /// Work that is being done, from which more may follow.
    busy: usize,
}

struct Pool<'a, 'b> {
    state: Mutex<State<'a>>,
    changed: Condvar,
    cancel: &'b CancelToken,
    progress: &'b Progress,
}

/// Does everything, on this thread and so many others; returns when nothing is left, or soon after a cancellation.
pub(super) fn run<'a>(work: Vec<Work<'a>>, others: usize, cancel: &CancelToken, progress: &Progress) {
    let state = Mutex::new(State { left: VecDeque::from(work), busy: 0 });
    let pool = Pool { state, changed: Condvar::new(), cancel, progress };
    std::thread::scope(|scope| {
        for _ in 0..others {
            // Fewer threads only take longer.
            let _ = std::thread::Builder::new().name("verify".to_owned()).spawn_scoped(scope, || pool.work());
        }
        pool.work();
    });
}

impl<'a> Pool<'a, '_> {
    fn lock(&self) -> MutexGuard<'_, State<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        while let Some(work) = self.take() {
            // Whoever waits must hear of the end also when the work panics.
            let done = Done(self);
            let follows = (work.run)();
            self.progress.step_to(&work.name);
            let mut state = self.lock();
            for next in follows.into_iter().rev() {
                state.left.push_front(next);
            }
            drop(state);
            drop(done);
        }
    }

    fn take(&self) -> Option<Work<'a>> {
        let mut state = self.lock();
        loop {
            if self.cancel.is_cancelled() {
                return None;
            }
            if let Some(work) = state.left.pop_front() {
                state.busy += 1;
                return Some(work);
            }
            if state.busy == 0 {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// One piece of work is over.
struct Done<'a, 'b, 'c>(&'c Pool<'a, 'b>);

impl Drop for Done<'_, '_, '_> {
    fn drop(&mut self) {
        self.0.lock().busy -= 1;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn everything_is_done_and_what_follows_too() {
        let done = AtomicUsize::new(0);
        let cancel = CancelToken::new().unwrap();
        let progress = Progress::new(1, "testing");
        let work: Vec<Work<'_>> = (0..10)
            .map(|_| {
                let done = &done;
                Work::new("first", move || {
                    done.fetch_add(1, Ordering::SeqCst);
                    vec![Work::new("second", move || {
                        done.fetch_add(100, Ordering::SeqCst);
                        Vec::new()
                    })]
                })
            })
            .collect();
        run(work, 3, &cancel, &progress);
        assert_eq!(done.load(Ordering::SeqCst), 1010);
    }

    #[test]
    fn a_cancelled_pool_does_nothing_more() {
        let cancel = CancelToken::new().unwrap();
        let progress = Progress::new(1, "testing");
        let done = AtomicUsize::new(0);
        let (token, counter) = (&cancel, &done);
        let work: Vec<Work<'_>> = (0..10)
            .map(|_| {
                Work::new("one", move || {
                    counter.fetch_add(1, Ordering::SeqCst);
                    token.cancel();
                    Vec::new()
                })
            })
            .collect();
        run(work, 0, &cancel, &progress);
        assert_eq!(done.load(Ordering::SeqCst), 1);
    }
}
