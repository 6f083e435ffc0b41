//! SIGINT and SIGTERM: the first cancels everything that runs, the second ends the process at once.
//!
//! `timeout` sends one signal twice, to the process and to its group: what comes right after the first is the first again,
//! and results are still printed. A worker takes each for what it is, since a service manager sends one.
//!
//! The signals are blocked in all threads and waited for by one, so no code ever runs in a handler. Even
//! the second signal leaves nothing behind: the keeper takes its boxes down when its connection closes.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal};

use super::CommandError;
use crate::cancel::CancelToken;

/// Signals that come no later after the first are copies of it.
const SAME_SIGNAL: Duration = Duration::from_millis(100);

/// Blocks the signals in this thread and those it starts; one that comes waits for [`Interrupts::watch`].
///
/// # Errors
/// The kernel's.
pub(crate) fn block() -> Result<SigSet, CommandError> {
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        signals.add(signal);
    }
    signals.thread_block().map_err(CommandError::judging)?;
    Ok(signals)
}

/// Watches for signals.
#[derive(Debug)]
pub(crate) struct Interrupts {
    token: CancelToken,
    seen: Arc<OnceLock<Signal>>,
}

impl Interrupts {
    /// Starts watching. Before any other thread is made: threads inherit what is blocked.
    ///
    /// # Errors
    /// When the kernel is out of threads or descriptors.
    pub(crate) fn watch() -> Result<Self, CommandError> {
        Self::watch_apart(SAME_SIGNAL)
    }

    /// As [`Interrupts::watch`], where a second signal is never a copy of the first.
    ///
    /// # Errors
    /// As [`Interrupts::watch`].
    pub(crate) fn watch_each() -> Result<Self, CommandError> {
        Self::watch_apart(Duration::ZERO)
    }

    fn watch_apart(least: Duration) -> Result<Self, CommandError> {
        let token = CancelToken::new().map_err(CommandError::judging)?;
        let seen = Arc::new(OnceLock::new());
        let signals = block()?;
        let (watcher_token, watcher_seen) = (token.clone(), Arc::clone(&seen));
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                let mut first = None;
                while let Ok(signal) = signals.wait() {
                    let began = *first.get_or_insert_with(Instant::now);
                    if watcher_seen.set(signal).is_err() && began.elapsed() > least {
                        std::process::exit(i32::from(exit_code(signal)));
                    }
                    watcher_token.cancel();
                }
            })
            .map_err(CommandError::judging)?;
        Ok(Self { token, seen })
    }

    /// Cancelled by the first signal.
    pub(crate) fn token(&self) -> &CancelToken {
        &self.token
    }

    /// An error once a signal came.
    ///
    /// # Errors
    /// [`CommandError::Interrupted`].
    pub(crate) fn check(&self) -> Result<(), CommandError> {
        self.seen.get().map_or(Ok(()), |signal| Err(CommandError::Interrupted(*signal)))
    }
}

/// The exit code shells give a process that died of the signal.
pub(crate) fn exit_code(signal: Signal) -> u8 {
    u8::try_from(128 + signal as i32).unwrap_or(u8::MAX)
}
