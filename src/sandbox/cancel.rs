//! A cancellation token that a blocking `poll` can wait on.
//!
//! Once cancelled it stays so. Clones are the same token.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::SandboxError;
use super::syscalls;

/// Asks running work to stop, from any thread.
#[derive(Debug, Clone)]
pub struct CancelToken {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    cancelled: AtomicBool,
    /// An eventfd: readable for ever once cancelled, because nobody reads it.
    event: OwnedFd,
}

impl CancelToken {
    /// A token nobody has cancelled yet.
    ///
    /// # Errors
    /// When the process is out of descriptors.
    pub fn new() -> Result<Self, SandboxError> {
        let event =
            syscalls::event_descriptor().map_err(|error| SandboxError::on("make", "an eventfd", error))?;
        Ok(Self { inner: Arc::new(Inner { cancelled: AtomicBool::new(false), event }) })
    }

    /// Cancels; calling it again changes nothing.
    pub fn cancel(&self) {
        if !self.inner.cancelled.swap(true, Ordering::SeqCst) {
            // The counter cannot overflow from one write; a failure would leave the flag, which is checked too.
            let _ = nix::unistd::write(&self.inner.event, &1u64.to_ne_bytes());
        }
    }

    /// Whether it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.inner.cancelled.load(Ordering::SeqCst)
    }
}

impl AsFd for CancelToken {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.event.as_fd()
    }
}
