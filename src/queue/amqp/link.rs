//! Connections to a broker, and what goes wrong with them.

use std::future::Future;
use std::time::Duration;

use lapin::{Connection, ConnectionProperties};

pub(super) use super::address::Addresses;

/// The longest wait for any answer of a broker.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between attempts to connect: at first, and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// What goes wrong with a broker; all of it is tried again.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkError {
    /// No answer in time.
    #[error("no answer to {0} within {PATIENCE:?}")]
    Silent(&'static str),
    /// The broker or the connection to it refused.
    #[error("{0} failed: {1}")]
    Refused(&'static str, lapin::Error),
    /// Something of ours exists and is another thing.
    #[error(
        "{what} '{name}' cannot be declared: {error}; if it exists with other properties, delete it or rename it"
    )]
    Declare { what: &'static str, name: String, error: Box<LinkError> },
    /// A consumer ended that nobody stopped.
    #[error("the broker ended the consumer of '{0}': was the queue deleted?")]
    ConsumerEnded(String),
    /// The broker would not take a message.
    #[error("the broker did not take a message for '{0}'")]
    NotTaken(&'static str),
    /// No queue takes the message.
    #[error("no queue is bound to '{0}' for a message that must not be lost")]
    Unroutable(&'static str),
}

impl LinkError {
    pub(super) fn about(self, what: &'static str, name: &str) -> Self {
        Self::Declare { what, name: name.to_owned(), error: Box::new(self) }
    }
}

/// Waits for an answer, for a bounded time.
pub(super) async fn within<T>(
    what: &'static str,
    answer: impl Future<Output = lapin::Result<T>>,
) -> Result<T, LinkError> {
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(LinkError::Refused(what, error)),
        Err(_) => Err(LinkError::Silent(what)),
    }
}

/// One connection, made again whenever it is lost.
#[derive(Debug)]
pub(super) struct Link {
    addresses: Addresses,
    role: &'static str,
    name: String,
    next: usize,
    pause: Duration,
}

impl Link {
    pub(super) fn new(addresses: Addresses, role: &'static str, worker: &str) -> Self {
        Self { addresses, role, name: format!("gavel {worker} {role}"), next: 0, pause: Duration::ZERO }
    }

    /// Connects, however long it takes.
    pub(super) async fn connect(&mut self) -> Connection {
        loop {
            tokio::time::sleep(self.pause).await;
            let properties = ConnectionProperties::default().with_connection_name(self.name.clone().into());
            let (place, attempt) = self.addresses.connect(self.next, properties).await;
            self.next += 1;
            match attempt {
                Ok(connection) => {
                    tracing::info!(role = self.role, broker = %place, "connected");
                    return connection;
                }
                Err(error) => {
                    self.wait_longer();
                    tracing::warn!(role = self.role, again_in = ?self.pause, "broker {place}: {error}");
                }
            }
        }
    }

    /// The connection was of use: the next attempt comes soon.
    pub(super) fn was_useful(&mut self) {
        self.pause = Duration::ZERO;
    }

    /// The connection failed: the next attempt comes later.
    pub(super) fn failed(&mut self, error: &LinkError) {
        self.wait_longer();
        tracing::warn!(role = self.role, again_in = ?self.pause, "lost the broker: {error}");
    }

    fn wait_longer(&mut self) {
        self.pause = (self.pause * 2).clamp(BACKOFF.0, BACKOFF.1);
    }
}
