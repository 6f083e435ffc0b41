//! Keeps the boxes of one slot from run to run.
//!
//! Making a box takes milliseconds, reusing one a fraction of that, so each slot keeps the boxes it used last. All are
//! pinned to the slot's core, where it has one. Boxes of a pool that run at once belong to one test, since a pool is used
//! only by the holder of its slot.

use crate::judge::schedule::cores::CoreLease;
use crate::sandbox::{BoxHandle, Sandbox, SandboxError, Shape};

/// Boxes kept per slot: compile boxes, and the run boxes of the languages and checkers in use just now.
const KEPT: usize = 8;

/// The boxes of one slot.
#[derive(Debug)]
pub(crate) struct BoxPool {
    /// The core that programs of this slot run on, leased for them alone; any core where there is none.
    core: Option<CoreLease>,
    /// The most recently used last.
    boxes: Vec<(Shape, BoxHandle)>,
}

impl BoxPool {
    /// Returns an empty pool on a core.
    pub(crate) fn new(core: Option<CoreLease>) -> Self {
        Self { core, boxes: Vec::new() }
    }

    /// Returns the slot's core.
    pub(crate) fn core(&self) -> Option<usize> {
        self.core.as_ref().map(CoreLease::core)
    }

    /// Moves to another core, or to any; destroys all boxes, which are pinned to the old one.
    pub(crate) fn settle(&mut self, core: Option<CoreLease>) {
        self.boxes.clear();
        self.core = core;
    }

    /// Returns whether there is a box of that shape.
    pub(crate) fn has(&self, shape: &Shape) -> bool {
        self.boxes.iter().any(|(kept, _)| kept == shape)
    }

    /// Takes the box of that shape out of the pool, or makes one.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn take(&mut self, sandbox: &Sandbox, shape: &Shape) -> Result<BoxHandle, SandboxError> {
        match self.boxes.iter().position(|(kept, _)| kept == shape) {
            Some(place) => Ok(self.boxes.remove(place).1),
            None => sandbox.open_box(shape, self.core()),
        }
    }

    /// Puts a box back; destroys the least recently used one where there are too many.
    pub(crate) fn put(&mut self, sandbox_box: BoxHandle) {
        if self.boxes.len() >= KEPT {
            self.boxes.remove(0);
        }
        self.boxes.push((sandbox_box.shape().clone(), sandbox_box));
    }
}
