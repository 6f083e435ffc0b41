//! A cancellation token that threads can check and a blocking `poll` can wait on.
//!
//! A token stays cancelled. Clones are the same token.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::eventfd::{EfdFlags, EventFd};

/// Asks running work to stop, from any thread.
#[derive(Debug, Clone)]
pub struct CancelToken {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    cancelled: AtomicBool,
    /// Readable from the cancellation on, since nothing reads it (eventfd(2)).
    event: EventFd,
}

/// The process has no file descriptor left for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot create an eventfd: {0}")]
pub struct NoDescriptor(#[from] nix::Error);

impl CancelToken {
    /// Creates a token that is not cancelled.
    ///
    /// # Errors
    /// [`NoDescriptor`] when the process is out of file descriptors.
    pub fn new() -> Result<Self, NoDescriptor> {
        let event = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        Ok(Self { inner: Arc::new(Inner { cancelled: AtomicBool::new(false), event }) })
    }

    /// Cancels the work; further calls change nothing.
    pub fn cancel(&self) {
        if !self.inner.cancelled.swap(true, Ordering::SeqCst) {
            // One write cannot overflow the counter; should it fail, the flag is set all the same.
            let _ = self.inner.event.write(1);
        }
    }

    /// Returns whether the token is cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.inner.cancelled.load(Ordering::SeqCst)
    }
}

impl AsFd for CancelToken {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.event.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    use super::*;

    #[test]
    fn a_cancelled_token_wakes_every_poll_and_stays_cancelled() {
        let token = CancelToken::new().unwrap();
        let clone = token.clone();
        let is_ready = |token: &CancelToken| {
            let mut watched = [PollFd::new(token.as_fd(), PollFlags::POLLIN)];
            poll(&mut watched, PollTimeout::ZERO).unwrap() == 1
        };
        assert!(!token.is_cancelled() && !is_ready(&token));
        clone.cancel();
        clone.cancel();
        for _ in 0..2 {
            assert!(token.is_cancelled() && is_ready(&token) && is_ready(&clone));
        }
    }
}
