//! Whether the worker lives and whether it takes work, in words.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::queue::{Backlog, Health};
use crate::sandbox::Watchdog;

/// Under this name the worker itself says that it starts or stops.
const SELF: &str = "worker";

/// What there is to say about a worker; clones say the same.
#[derive(Debug, Clone)]
pub struct Status {
    health: Health,
    backlog: Arc<Backlog>,
    watchdog: Watchdog,
    stopping: Arc<AtomicBool>,
}

impl Status {
    /// Of a worker that starts: not ready until [`Status::started`].
    pub fn new(health: Health, backlog: Arc<Backlog>, watchdog: Watchdog) -> Self {
        health.complain(SELF, "starting");
        Self { health, backlog, watchdog, stopping: Arc::default() }
    }

    /// Work can come, as far as this process is concerned. Nothing after [`Status::stopping`].
    pub fn started(&self) {
        self.health.recover(SELF);
        // Told to stop meanwhile: that stays the last word.
        if self.is_stopping() {
            self.stopping();
        }
    }

    /// No more work is taken.
    pub fn stopping(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.health.complain(SELF, "stopping: what runs is finished");
    }

    /// Whether [`Status::stopping`] was called.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Why only a new process would do any better; empty when this one lives.
    pub fn deaths(&self) -> Vec<String> {
        let threads = self.backlog.pulse().complaint(self.watchdog.is_busy());
        self.watchdog.complaint().into_iter().chain(threads).collect()
    }

    /// Why it takes no work, a line each; empty when it does.
    pub fn complaints(&self) -> Vec<String> {
        let said = self.health.complaints().into_iter().map(|(part, problem)| format!("{part}: {problem}"));
        said.chain(self.deaths()).collect()
    }
}
