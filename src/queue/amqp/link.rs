//! Addresses of brokers, connections to them, and what goes wrong on the way.

use std::future::Future;
use std::time::Duration;

use lapin::uri::{AMQPScheme, AMQPUri};
use lapin::{Connection, ConnectionProperties};

use crate::queue::health::Health;

/// The longest wait for any answer of a broker.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between attempts to connect: at first, and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
/// Seconds; a dead connection is noticed after two of them.
const HEARTBEAT: u16 = 10;

/// Brokers of one cluster, tried in turn.
#[derive(Clone)]
pub struct Addresses(Vec<AMQPUri>);

/// An address that cannot be used. Never shows the address itself: there is a password in it.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// No URI.
    #[error("address {0} of the queue is not a broker's: {1}; use amqp://USER:PASSWORD@HOST:PORT/VHOST")]
    Malformed(usize, String),
    /// Encrypted.
    #[error(
        "address {0} of the queue begins with amqps, which this build does not speak: use amqp, over a tunnel if need be"
    )]
    Encrypted(usize),
}

impl Addresses {
    /// Reads addresses separated by commas.
    ///
    /// # Errors
    /// [`AddressError`], with the place of the wrong one.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let mut uris = Vec::new();
        for (place, part) in text.split(',').enumerate() {
            let mut uri: AMQPUri = part.trim().parse().map_err(|_| malformed(place, "it cannot be read"))?;
            if uri.scheme == AMQPScheme::AMQPS {
                return Err(AddressError::Encrypted(place + 1));
            }
            if uri.authority.host.is_empty() {
                return Err(malformed(place, "it has no host"));
            }
            uri.query.heartbeat = Some(HEARTBEAT);
            uris.push(uri);
        }
        Ok(Self(uris))
    }

    /// Where they lead, without user and password.
    pub fn shown(&self) -> String {
        self.0.iter().map(shown).collect::<Vec<_>>().join(", ")
    }
}

impl std::fmt::Debug for Addresses {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.shown())
    }
}

fn malformed(place: usize, problem: &str) -> AddressError {
    AddressError::Malformed(place + 1, problem.to_owned())
}

fn shown(uri: &AMQPUri) -> String {
    format!("{}:{}/{}", uri.authority.host, uri.authority.port, uri.vhost.trim_start_matches('/'))
}

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
    health: Health,
}

impl Link {
    pub(super) fn new(addresses: Addresses, role: &'static str, worker: &str, health: Health) -> Self {
        health.complain(role, "not connected to the broker yet");
        let name = format!("gavel {worker} {role}");
        Self { addresses, role, name, next: 0, pause: Duration::ZERO, health }
    }

    /// Connects, however long it takes.
    pub(super) async fn connect(&mut self) -> Connection {
        loop {
            tokio::time::sleep(self.pause).await;
            let uri = self.addresses.0[self.next % self.addresses.0.len()].clone();
            self.next += 1;
            let properties = ConnectionProperties::default().with_connection_name(self.name.clone().into());
            let place = shown(&uri);
            match within("connecting", Connection::connect_uri(uri, properties)).await {
                Ok(connection) => {
                    crate::instruments::connected(self.role);
                    tracing::info!(role = self.role, broker = %place, "connected");
                    return connection;
                }
                Err(error) => {
                    self.health.complain(self.role, error.to_string());
                    self.wait_longer();
                    tracing::warn!(role = self.role, broker = %place, again_in = ?self.pause, "{error}");
                }
            }
        }
    }

    /// The connection was of use: the next attempt comes soon.
    pub(super) fn was_useful(&mut self) {
        self.pause = Duration::ZERO;
        self.health.recover(self.role);
    }

    /// The connection failed: the next attempt comes later.
    pub(super) fn failed(&mut self, error: &LinkError) {
        self.health.complain(self.role, error.to_string());
        self.wait_longer();
        tracing::warn!(role = self.role, again_in = ?self.pause, "lost the broker: {error}");
    }

    fn wait_longer(&mut self) {
        crate::instruments::connection_failed(self.role);
        self.pause = (self.pause * 2).clamp(BACKOFF.0, BACKOFF.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shown_without_their_passwords() {
        let addresses = Addresses::parse("amqp://user:secret@one:5673/judge, amqp://two").unwrap();
        let text = format!("{addresses:?}");
        assert!(text.contains("one:5673/judge") && text.contains("two:5672/"), "{text}");
        assert!(!text.contains("secret") && !text.contains("user"), "{text}");
    }

    #[test]
    fn errors_name_the_place_and_not_the_password() {
        for text in ["amqp://a:secret@b,", "amqp://a,http://b:secret@c", "secret", "amqps://a:secret@b"] {
            let error = Addresses::parse(text).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
            assert!(error.contains("address "), "{error}");
        }
    }
}
