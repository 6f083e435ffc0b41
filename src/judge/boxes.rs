//! The boxes of one slot, kept from run to run.
//!
//! A box costs milliseconds to make and a fraction of one to use again, so each slot keeps the few it used
//! last. All of them sit on the slot's core; only one runs at a time, since whoever uses the pool holds the
//! slot.

use crate::sandbox::{BoxHandle, Sandbox, SandboxError, Shape};

/// Boxes kept per slot: a compile box and the run boxes of the languages in use just now.
const KEPT: usize = 4;

/// The boxes of one slot.
#[derive(Debug)]
pub(super) struct BoxPool {
    core: Option<usize>,
    /// The most recently used last.
    boxes: Vec<(Shape, BoxHandle)>,
}

impl BoxPool {
    /// An empty pool on that core.
    pub(super) fn new(core: Option<usize>) -> Self {
        Self { core, boxes: Vec::new() }
    }

    /// Whether a box of that shape is there.
    pub(super) fn has(&self, shape: &Shape) -> bool {
        self.boxes.iter().any(|(kept, _)| kept == shape)
    }

    /// The box of that shape, made where needed.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn get(&mut self, sandbox: &Sandbox, shape: &Shape) -> Result<&mut BoxHandle, SandboxError> {
        let entry = match self.boxes.iter().position(|(kept, _)| kept == shape) {
            Some(place) => self.boxes.remove(place),
            None => {
                if self.boxes.len() >= KEPT {
                    self.boxes.remove(0);
                }
                (shape.clone(), sandbox.open_box(shape, self.core)?)
            }
        };
        let place = self.boxes.len();
        self.boxes.push(entry);
        Ok(&mut self.boxes[place].1)
    }

    /// Destroys the box of that shape: it failed, or cannot be trusted any more.
    pub(super) fn discard(&mut self, shape: &Shape) {
        self.boxes.retain(|(kept, _)| kept != shape);
    }
}
