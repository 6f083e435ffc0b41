//! Addresses of brokers, connections to them, and what goes wrong on the way.

use std::future::Future;
use std::time::Duration;

use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
use lapin::uri::{AMQPScheme, AMQPUri};
use lapin::{Connection, ConnectionProperties};

use crate::queue::health::Health;

/// The longest wait for any answer of a broker.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
/// Between attempts to connect: at first, and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
/// Seconds, unless the address says `?heartbeat=`; a dead connection is noticed after two of them.
const HEARTBEAT: u16 = 10;
/// The longest that an address may ask for.
const LONGEST_HEARTBEAT: u16 = 60;

/// Bytes, unless the address says `?frame_max=`, for connections that nobody else's messages come over. lapin keeps 64
/// frames of memory a connection: with the broker's 128 KiB an idle worker would spend most of its memory on them.
/// The consuming connection must take the broker's: the headers of a message come in one frame, and a frame
/// larger than agreed ends the connection, each time the message is given out.
const FRAME: u32 = 16 << 10;
/// The role of the connection that deliveries come over.
pub(super) const CONSUMING: &str = "consuming";

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
            // None at all would leave a half-open connection unnoticed for ever.
            let heartbeat = uri.query.heartbeat.filter(|seconds| *seconds > 0).unwrap_or(HEARTBEAT);
            uri.query.heartbeat = Some(heartbeat.min(LONGEST_HEARTBEAT));
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
    /// The connection is over, and nobody said why.
    #[error("the connection ended")]
    Gone,
    /// The broker knows no such user with that password.
    #[error(
        "the broker refuses user '{user}': wrong password, or no such user; correct the credentials, or wait until the broker's are"
    )]
    Credentials { user: String },
    /// The user has no business there.
    #[error(
        "the broker refuses user '{user}' virtual host '{vhost}': it does not exist, or the user has no permissions in it ({detail})"
    )]
    VirtualHost { user: String, vhost: String, detail: String },
    /// Something of ours exists and is another thing.
    #[error(
        "{what} '{name}' exists with other properties than gavel's ({error}): let its users go elsewhere and delete it, this worker declares it again by itself"
    )]
    Different { what: &'static str, name: String, error: Box<LinkError> },
    /// The broker would not let us make or use something of ours.
    #[error("{what} '{name}' cannot be declared: {error}")]
    Declare { what: &'static str, name: String, error: Box<LinkError> },
    /// A consumer ended that nobody stopped.
    #[error("the broker ended the consumer of '{0}': was the queue deleted?")]
    ConsumerEnded(&'static str),
    /// The broker would not take a message.
    #[error("the broker did not take a message for '{0}'")]
    NotTaken(&'static str),
    /// No queue takes the message.
    #[error("no queue is bound to '{0}' for a message that must not be lost")]
    Unroutable(&'static str),
}

impl LinkError {
    pub(super) fn about(self, what: &'static str, name: &str) -> Self {
        let (name, is_different) = (name.to_owned(), self.is_soft(AMQPSoftError::PRECONDITIONFAILED));
        let error = Box::new(self);
        if is_different { Self::Different { what, name, error } } else { Self::Declare { what, name, error } }
    }

    /// Whether the broker refused for want of a permission.
    pub(super) fn is_forbidden(&self) -> bool {
        match self {
            Self::Declare { error, .. } => error.is_forbidden(),
            _ => self.is_soft(AMQPSoftError::ACCESSREFUSED),
        }
    }

    /// Whether the broker closed a channel because of what was on it: a message larger than it takes, say.
    pub(super) fn is_precondition(&self) -> bool {
        self.is_soft(AMQPSoftError::PRECONDITIONFAILED)
    }

    fn is_soft(&self, wanted: AMQPSoftError) -> bool {
        self.refusal().is_some_and(|kind| kind == AMQPErrorKind::Soft(wanted))
    }

    /// What the broker itself refused with.
    fn refusal(&self) -> Option<AMQPErrorKind> {
        match self {
            Self::Refused(_, error) => match error.kind() {
                lapin::ErrorKind::ProtocolError(error) => Some(error.kind().clone()),
                _ => None,
            },
            _ => None,
        }
    }

    /// Says a refusal to connect in the operator's terms.
    fn while_connecting(self, uri: &AMQPUri) -> Self {
        let (user, vhost) = (uri.authority.userinfo.username.clone(), uri.vhost.clone());
        match self.refusal() {
            Some(AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED)) => Self::Credentials { user },
            Some(AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED)) => {
                let detail = self.to_string();
                Self::VirtualHost { user, vhost, detail }
            }
            _ => self,
        }
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
    /// Unset for a connection that judging does not need.
    health: Option<Health>,
    /// What was said last, so that a lasting trouble is one line in the log.
    said: String,
}

impl Link {
    pub(super) fn new(
        addresses: Addresses,
        role: &'static str,
        worker: &str,
        health: Option<Health>,
    ) -> Self {
        if let Some(health) = &health {
            health.complain(role, "not connected to the broker yet");
        }
        let name = format!("gavel {worker} {role}");
        Self { addresses, role, name, next: 0, pause: Duration::ZERO, health, said: String::new() }
    }

    /// Connects, however long it takes.
    pub(super) async fn connect(&mut self) -> Connection {
        loop {
            tokio::time::sleep(self.pause).await;
            let mut uri = self.addresses.0[self.next % self.addresses.0.len()].clone();
            if self.role != CONSUMING {
                uri.query.frame_max.get_or_insert(FRAME);
            }
            self.next += 1;
            let properties = ConnectionProperties::default().with_connection_name(self.name.clone().into());
            let place = shown(&uri);
            match within("connecting", Connection::connect_uri(uri.clone(), properties)).await {
                Ok(connection) => {
                    tracing::debug!(role = self.role, broker = %place, "connected");
                    return connection;
                }
                Err(error) => {
                    self.wait_longer();
                    self.trouble(format!("broker {place}: {}", error.while_connecting(&uri)));
                }
            }
        }
    }

    /// The connection is of use: the next attempt comes soon, and what was wrong is over.
    pub(super) fn was_useful(&mut self) {
        self.pause = Duration::ZERO;
        self.said.clear();
        tracing::info!(role = self.role, "connected to the broker");
        if let Some(health) = &self.health {
            health.recover(self.role);
        }
    }

    /// The connection failed: the next attempt comes later.
    pub(super) fn failed(&mut self, error: &LinkError) {
        self.wait_longer();
        self.trouble(format!("lost the broker: {error}"));
    }

    fn trouble(&mut self, problem: String) {
        if self.said == problem {
            tracing::debug!(role = self.role, again_in = ?self.pause, "{problem}");
        } else {
            tracing::warn!(role = self.role, again_in = ?self.pause, "{problem}");
        }
        self.complain(&problem);
        self.said = problem;
    }

    /// Something is wrong that is being mended.
    pub(super) fn complain(&self, problem: &str) {
        if let Some(health) = &self.health {
            health.complain(self.role, problem);
        }
    }

    fn wait_longer(&mut self) {
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
