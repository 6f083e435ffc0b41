//! Connections to a broker, and what goes wrong with them.

use std::future::Future;
use std::time::{Duration, Instant};

use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::{Connection, ConnectionProperties};

pub(super) use super::address::Addresses;
use super::address::Attempt;
use super::dial::DialError;
use crate::queue::health::Health;

/// The longest wait for any answer of a broker.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
/// Between attempts to connect: at first, and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
/// Bytes, unless the address says `?frame_max=`, for connections that nobody else's messages come over. lapin keeps 64
/// frames of memory a connection: with the broker's 128 KiB an idle worker would spend most of its memory on them.
/// A connection that consumes must take the broker's: the headers of a message come in one frame, and a frame
/// larger than agreed ends the connection, each time the message is given out. Decisions of other workers have no
/// headers and are given out once.
const FRAME: u32 = 16 << 10;
/// The roles of connections that publish; the telling one consumes decisions of other workers, too.
pub(super) const PUBLISHING: &str = "publishing";
pub(super) const TELLING: &str = "telling";
pub(super) const BURYING: &str = "burying";
pub(super) const RETURNING: &str = "returning";

/// A connection that was of use for so long is no proof against the next attempt; one that fails sooner, each time
/// anew, is a lasting trouble.
const STEADY: Duration = Duration::from_secs(1);

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
    /// Something of ours exists and is another thing.
    #[error(
        "{what} '{name}' exists with other properties than gavel's ({error}): let its users go elsewhere and delete it, this worker declares it again by itself"
    )]
    Different { what: &'static str, name: String, error: Box<LinkError> },
    /// The broker would not let us make or use something of ours.
    #[error("{what} '{name}' cannot be declared: {error}")]
    Declare { what: &'static str, name: String, error: Box<LinkError> },
    /// Something of ours is gone, or was never made.
    #[error(
        "{0}: this worker declares it again where its user may; else import deploy/rabbitmq/definitions.json"
    )]
    Missing(Box<LinkError>),
    /// A queue was declared again, and not bound yet.
    #[error("queue '{0}' was missing, and is not known to be bound again yet")]
    Unsettled(&'static str),
    /// A consumer could not be started.
    #[error("queue '{name}' cannot be consumed: {error}")]
    Consume { name: String, error: Box<LinkError> },
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
    /// Says which object the broker refused. An error that ended the whole connection may have any cause, and stays what
    /// it is.
    pub(super) fn about(self, what: &'static str, name: &str) -> Self {
        if !matches!(self.refusal(), Some(AMQPErrorKind::Soft(_))) {
            return self;
        }
        let (name, is_different) = (name.to_owned(), self.is_soft(AMQPSoftError::PRECONDITIONFAILED));
        let error = Box::new(self);
        if is_different { Self::Different { what, name, error } } else { Self::Declare { what, name, error } }
    }

    /// The same for a queue that cannot be consumed.
    pub(super) fn about_consuming(self, name: &str) -> Self {
        match self.refusal() {
            Some(AMQPErrorKind::Soft(_)) => Self::Consume { name: name.to_owned(), error: Box::new(self) },
            _ => self,
        }
    }

    /// Whether the broker has not what was asked for.
    pub(super) fn is_missing(&self) -> bool {
        self.is_soft(AMQPSoftError::NOTFOUND)
    }

    /// Whether the broker refused for want of a permission.
    pub(super) fn is_forbidden(&self) -> bool {
        match self {
            Self::Declare { error, .. } | Self::Consume { error, .. } => error.is_forbidden(),
            _ => self.is_soft(AMQPSoftError::ACCESSREFUSED),
        }
    }

    /// Whether the broker is there, and something of ours in it is not as it must be.
    fn is_ours_to_mend(&self) -> bool {
        matches!(
            self,
            Self::Different { .. } | Self::Declare { .. } | Self::Missing(_) | Self::Consume { .. }
        )
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
            Self::Declare { error, .. } | Self::Consume { error, .. } | Self::Missing(error) => {
                error.refusal()
            }
            _ => None,
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
    /// Since when the connection is of use.
    useful: Option<Instant>,
    /// Where the last attempt led, and who logged in.
    place: String,
    user: String,
    /// Unset for a connection that judging does not need.
    health: Option<Health>,
    /// What was said last, so that a lasting trouble is one line in the log.
    said: String,
    /// Since when there is a trouble that was said.
    away: Option<Instant>,
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
        Self {
            addresses,
            role,
            name,
            next: 0,
            pause: Duration::ZERO,
            useful: None,
            place: String::new(),
            user: String::new(),
            health,
            said: String::new(),
            away: None,
        }
    }

    /// Connects, however long it takes.
    pub(super) async fn connect(&mut self) -> Connection {
        loop {
            tokio::time::sleep(self.pause).await;
            let (place, attempt) = self.attempt().await;
            match attempt {
                Ok(connection) => {
                    crate::instruments::connected(self.role);
                    tracing::debug!(role = self.role, broker = %place, "connected");
                    return connection;
                }
                Err(error) => {
                    self.wait_longer();
                    self.trouble(format!("broker {place}: {error}"));
                }
            }
        }
    }

    /// Tries the next address once; where that leads, and how it went.
    pub(super) async fn attempt(&mut self) -> (String, Result<Connection, DialError>) {
        let properties = ConnectionProperties::default().with_connection_name(self.name.clone().into());
        let number = self.next;
        self.next += 1;
        let frame = [PUBLISHING, TELLING, BURYING, RETURNING].contains(&self.role).then_some(FRAME);
        let Attempt { place, user, connection } = self.addresses.connect(number, properties, frame).await;
        self.place.clone_from(&place);
        self.user = user;
        (place, connection)
    }

    /// Who logged in last, in words.
    pub(super) fn user(&self) -> &str {
        &self.user
    }

    /// The connection is of use: what was wrong is over, and once this has lasted the next attempt comes soon.
    pub(super) fn was_useful(&mut self) {
        self.useful.get_or_insert_with(Instant::now);
        match self.away.take() {
            // As loud as the trouble was: whoever read that waits for this.
            Some(since) => {
                tracing::warn!(role = self.role, was_away = ?since.elapsed(), "connected to the broker");
            }
            None => tracing::info!(role = self.role, "connected to the broker"),
        }
        if let Some(health) = &self.health {
            health.recover(self.role);
        }
    }

    /// The connection failed: the next attempt comes later.
    pub(super) fn failed(&mut self, error: &LinkError) {
        if self.useful.take().is_some_and(|since| since.elapsed() >= STEADY) {
            self.pause = Duration::ZERO;
            self.said.clear();
        }
        self.wait_longer();
        let Self { place, user, .. } = &*self;
        self.trouble(if error.is_forbidden() {
            format!(
                "broker {place} does not let {user} work: {error}; give it the permissions of deploy/rabbitmq"
            )
        } else if error.is_ours_to_mend() {
            format!("broker {place}, as {user}: {error}")
        } else {
            format!("lost the broker: {error}")
        });
    }

    fn trouble(&mut self, problem: String) {
        if self.said == problem {
            tracing::debug!(role = self.role, again_in = ?self.pause, "{problem}");
        } else {
            tracing::warn!(role = self.role, again_in = ?self.pause, "{problem}");
            self.away.get_or_insert_with(Instant::now);
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
        crate::instruments::connection_failed(self.role);
        self.pause = (self.pause * 2).clamp(BACKOFF.0, BACKOFF.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_that_fail_at_once_are_made_again_later_and_later() {
        let addresses = Addresses::parse("amqp://localhost").unwrap();
        let mut link = Link::new(addresses, "consuming", "w", None);
        let mut fail = |useful_since: Instant| {
            link.was_useful();
            link.useful = Some(useful_since);
            link.failed(&LinkError::Gone);
            link.pause
        };
        let pauses: Vec<Duration> = (0..9).map(|_| fail(Instant::now() + STEADY)).collect();
        assert!(pauses.is_sorted() && pauses[0] == BACKOFF.0 && pauses[8] == BACKOFF.1, "{pauses:?}");
        assert_eq!(fail(Instant::now().checked_sub(STEADY).unwrap()), BACKOFF.0);
    }
}
