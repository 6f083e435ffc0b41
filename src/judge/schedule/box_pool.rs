//! The boxes of one slot, kept from run to run.
//!
//! A box costs milliseconds to make and a fraction of one to use again, so each slot keeps the few it used
//! last. All of them sit on the slot's core where it has one; those that run at once belong to one test, since whoever
//! uses the pool holds the slot.

use crate::judge::schedule::cores::CoreLease;
use crate::sandbox::{BoxHandle, Sandbox, SandboxError, Shape};

/// Boxes kept per slot: compile boxes, and the run boxes of the languages and checkers in use just now.
const KEPT: usize = 8;

/// The boxes of one slot.
#[derive(Debug)]
pub(in crate::judge) struct BoxPool {
    /// The core that programs of this slot run on, leased for them alone; any core where there is none.
    core: Option<CoreLease>,
    /// The most recently used last.
    boxes: Vec<(Shape, BoxHandle)>,
}

impl BoxPool {
    /// An empty pool on that core.
    pub(in crate::judge) fn new(core: Option<CoreLease>) -> Self {
        Self { core, boxes: Vec::new() }
    }

    /// The slot's core.
    pub(in crate::judge) fn core(&self) -> Option<usize> {
        self.core.as_ref().map(CoreLease::core)
    }

    /// Moves to another core, or to any: destroys the boxes that sit where they did.
    pub(in crate::judge) fn settle(&mut self, core: Option<CoreLease>) {
        self.boxes.clear();
        self.core = core;
    }

    /// Whether a box of that shape is there.
    pub(in crate::judge) fn has(&self, shape: &Shape) -> bool {
        self.boxes.iter().any(|(kept, _)| kept == shape)
    }

    /// The box of that shape, made where needed; out of the pool until it is put back.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(in crate::judge) fn take(
        &mut self,
        sandbox: &Sandbox,
        shape: &Shape,
    ) -> Result<BoxHandle, SandboxError> {
        match self.boxes.iter().position(|(kept, _)| kept == shape) {
            Some(place) => Ok(self.boxes.remove(place).1),
            None => sandbox.open_box(shape, self.core()),
        }
    }

    /// Keeps a box for later, destroying the one that was not used for longest where there are too many.
    pub(in crate::judge) fn put(&mut self, sandbox_box: BoxHandle) {
        if self.boxes.len() >= KEPT {
            self.boxes.remove(0);
        }
        self.boxes.push((sandbox_box.shape().clone(), sandbox_box));
    }
}
