//! Publishes what must not be lost, one message at a time, until the broker has confirmed each.
//!
//! One at a time, because a returned message names no publish: with one in flight there is nothing to
//! confuse it with. A confirmation takes less than a millisecond, so one channel carries any worker's verdicts.
//! A message that the broker will not take waits aside and is tried again, the same bytes under the same id;
//! the others go on. While a verdict is held so, or the broker takes no publishes at all, no judging begins.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::AMQPValue;
use lapin::{BasicProperties, Channel, Confirmation, Connection};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use super::events::Events;
use super::limits;
use super::link::{Link, LinkError, PATIENCE, within};
use super::session::Live;
use super::topology::{self, RESULTS, SUBMIT, VERDICTS};
use crate::queue::backlog::{Backlog, Tag};
use crate::queue::health::Health;

/// Between attempts at a message the broker would not take: at first, and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));
/// Header of a verdict that may be a repeat.
pub(super) const REDELIVERED: &str = "x-redelivered";
/// How long a queue that was declared again may take to be bound, for a user who may not bind it.
const SETTLING: Duration = Duration::from_secs(3);
/// What health and the backlog know verdicts that cannot be handed over by.
const PART: &str = "verdicts";

/// A message that must not be lost.
pub(super) struct Publication {
    pub(super) exchange: &'static str,
    pub(super) key: String,
    pub(super) body: Vec<u8>,
    pub(super) properties: BasicProperties,
    /// The delivery that it replaces, if any. Once the broker has that back, the publication would be a second copy.
    pub(super) replaces: Option<(Live, Tag)>,
    /// Called once, with what became of it.
    pub(super) settled: Box<dyn FnOnce(Outcome) + Send + Sync>,
}

impl Publication {
    /// It was sent over a connection that was lost, or so late that another worker may have answered: a verdict that is
    /// published again says that it may be a repeat.
    fn may_be_out(&mut self) {
        if self.exchange == VERDICTS {
            let mut headers = self.properties.headers().clone().unwrap_or_default();
            headers.insert(REDELIVERED.into(), AMQPValue::Boolean(true));
            self.properties = std::mem::take(&mut self.properties).with_headers(headers);
        }
    }
}

/// What became of a publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The broker has it.
    Confirmed,
    /// It is larger than any message the broker takes.
    TooLarge,
    /// It is a submission on its way back, and was not taken: it can go back another way.
    Refused,
}

/// A publishing connection.
pub(super) struct Publisher {
    pub(super) link: Link,
    /// Whether verdicts go over it, without which nothing should begin; else it is made when there is something to
    /// publish.
    pub(super) carries_verdicts: bool,
    pub(super) publications: mpsc::UnboundedReceiver<Publication>,
    pub(super) closing: Arc<Notify>,
    pub(super) backlog: Arc<Backlog>,
    pub(super) health: Health,
    /// Whether to ask for the queue that keeps all verdicts before each of them: other queues may be bound, and make a
    /// verdict routable that nothing keeps. Ends with the connection on which this user was not allowed to.
    pub(super) asks: bool,
    /// Whether the log says that this user may not publish submissions.
    pub(super) is_told_of_submit: bool,
    /// When the queue that keeps all verdicts was last missing, until it is known to be bound again.
    pub(super) missed: Option<Instant>,
    /// What is to be tried again, the earliest first.
    pub(super) held: VecDeque<Held>,
}

/// A message that was not taken yet.
pub(super) struct Held {
    publication: Publication,
    due: Instant,
    pause: Duration,
    problem: String,
}

impl Publisher {
    /// Publishes until told to close.
    pub(super) async fn run(mut self) {
        if !self.carries_verdicts {
            let first = tokio::select! {
                first = self.publications.recv() => first,
                () = self.closing.notified() => return,
            };
            let Some(first) = first else { return };
            self.held.push_back(Held::new(first));
        }
        loop {
            let connection = tokio::select! {
                connection = self.link.connect() => connection,
                () = self.closing.notified() => return,
            };
            match self.serve(&connection).await {
                Ok(()) => {
                    // The broker would find out by itself; this is politeness.
                    let _ = within("closing", connection.close(200, "bye".into())).await;
                    return;
                }
                Err(error) => self.link.failed(&error),
            }
        }
    }

    async fn serve(&mut self, connection: &Connection) -> Result<(), LinkError> {
        topology::declare(connection).await?;
        self.asks = self.carries_verdicts;
        let mut events = Events::of(connection);
        let mut channel = open(connection).await?;
        self.link.was_useful();
        loop {
            self.tell(events.blocked());
            let due = self.held.front().map(|held| held.due);
            let next = tokio::select! {
                biased;
                () = until(due) => self.held.pop_front(),
                publication = self.publications.recv() => match publication {
                    Some(publication) => Some(Held::new(publication)),
                    None => return Ok(()),
                },
                () = self.closing.notified() => return Ok(()),
                changed = events.changed() => {
                    changed?;
                    None
                }
            };
            let Some(mut held) = next else { continue };
            if held.publication.exchange == VERDICTS
                && self.missed.is_some()
                && !self.is_bound_again(connection).await?
            {
                self.put_off(held, &LinkError::Unsettled(RESULTS), &events);
                continue;
            }
            if held.publication.replaces.as_ref().is_some_and(|(live, tag)| !live.has(*tag)) {
                (held.publication.settled)(Outcome::Refused);
                continue;
            }
            let frame = connection.configuration().frame_max();
            match self.publish(&channel, &mut events, &held.publication, frame).await {
                Ok(()) => (held.publication.settled)(Outcome::Confirmed),
                Err(error) if held.publication.exchange == SUBMIT => {
                    if error.is_forbidden() && !self.is_told_of_submit {
                        self.is_told_of_submit = true;
                        tracing::warn!(
                            "cannot pass on submissions as new messages: this worker's user needs the write permission on \
                             exchange '{SUBMIT}', with the routing keys judge.*; without it, a submission whose package \
                             this worker lacks ends as JE after ten returns ({error})"
                        );
                    }
                    tracing::info!("returning the submission to its queue: republishing failed: {error}");
                    (held.publication.settled)(Outcome::Refused);
                    if !connection.status().connected() {
                        return Err(error);
                    }
                    if channel.status().connected() {
                        within("closing a channel", channel.close(200, "again".into())).await?;
                    }
                    channel = open(connection).await?;
                }
                Err(error) if error.is_precondition() && connection.status().connected() => {
                    tracing::warn!(bytes = held.publication.body.len(), "a message is refused: {error}");
                    (held.publication.settled)(Outcome::TooLarge);
                    channel = open(connection).await?;
                }
                Err(error) if self.asks && error.is_forbidden() && connection.status().connected() => {
                    tracing::warn!("not allowed to check that {RESULTS} exists: {error}");
                    self.asks = false;
                    self.held.push_front(held);
                    channel = open(connection).await?;
                }
                Err(error) if error.is_missing() && connection.status().connected() => {
                    self.put_off(held, &LinkError::Missing(Box::new(error)), &events);
                    self.missed = self.asks.then(Instant::now);
                    topology::declare_again(connection).await?;
                    channel = open(connection).await?;
                }
                Err(error @ (LinkError::NotTaken(_) | LinkError::Unroutable(_))) => {
                    self.put_off(held, &error, &events);
                    if matches!(error, LinkError::Unroutable(_)) {
                        topology::declare_again(connection).await?;
                    }
                    // RabbitMQ's channel keeps to the leader it first looked up for a queue, and refuses for ever
                    // when that one was dead, whoever leads by now.
                    within("closing a channel", channel.close(200, "again".into())).await?;
                    channel = open(connection).await?;
                }
                Err(error) => {
                    held.problem = error.to_string();
                    held.due = Instant::now();
                    held.publication.may_be_out();
                    self.held.push_front(held);
                    self.tell(None);
                    return Err(error);
                }
            }
        }
    }

    /// Whether the queue that was missing keeps verdicts again. Others declare it first and bind it then: a verdict
    /// between the two would be kept nowhere. Where this user may not bind it, it is given some time.
    async fn is_bound_again(&mut self, connection: &Connection) -> Result<bool, LinkError> {
        let channel = within("opening a channel", connection.create_channel()).await?;
        match topology::bind(&channel, RESULTS, VERDICTS, "verdict.#", false).await {
            Ok(()) => {
                within("closing a channel", channel.close(200, "bound".into())).await?;
                self.missed = None;
            }
            Err(error) if error.is_missing() => self.missed = Some(Instant::now()),
            Err(error) if error.is_forbidden() => {
                let channel = within("opening a channel", connection.create_channel()).await?;
                match topology::ask_for_queue(&channel, RESULTS, false).await {
                    Ok(()) => {
                        within("closing a channel", channel.close(200, "asked".into())).await?;
                        self.missed = self.missed.filter(|time| time.elapsed() < SETTLING);
                    }
                    Err(error) if error.is_missing() => self.missed = Some(Instant::now()),
                    Err(error) => return Err(error),
                }
            }
            Err(error) => return Err(error),
        }
        Ok(self.missed.is_none())
    }

    /// Holds a message that was not taken until its next attempt.
    fn put_off(&mut self, mut held: Held, error: &LinkError, events: &Events) {
        held.put_off(error.to_string());
        let place = self.held.partition_point(|other| other.due <= held.due);
        self.held.insert(place, held);
        self.tell(events.blocked());
    }

    /// Publishes and waits for the confirmation, as long as the broker takes no publishes.
    async fn publish(
        &self,
        channel: &Channel,
        events: &mut Events,
        publication: &Publication,
        frame: u32,
    ) -> Result<(), LinkError> {
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        if self.asks && publication.exchange == VERDICTS {
            // No answer where it exists. Where not, the broker closes the channel, and takes nothing that follows on it.
            topology::ask_for_queue(channel, RESULTS, true).await?;
        }
        let publishing = async {
            channel
                .basic_publish(
                    publication.exchange.into(),
                    publication.key.clone().into(),
                    options,
                    &publication.body,
                    limits::fit(publication.properties.clone(), frame),
                )
                .await?
                .await
        };
        tokio::pin!(publishing);
        let confirmation = loop {
            tokio::select! {
                biased;
                confirmation = &mut publishing => break confirmation,
                changed = events.changed() => {
                    changed?;
                    self.tell(events.blocked());
                }
                () = tokio::time::sleep(PATIENCE), if events.blocked().is_none() => {
                    return Err(LinkError::Silent("publishing"));
                }
            }
        };
        match confirmation.map_err(|error| LinkError::Refused("publishing", error))? {
            Confirmation::Ack(None) => Ok(()),
            Confirmation::Ack(Some(_)) => Err(LinkError::Unroutable(publication.exchange)),
            Confirmation::Nack(_) | Confirmation::NotRequested => {
                Err(LinkError::NotTaken(publication.exchange))
            }
        }
    }

    /// Says what keeps verdicts here, and lets nothing begin meanwhile.
    fn tell(&self, blocked: Option<&str>) {
        if !self.carries_verdicts {
            return;
        }
        let held = self.held.iter().find(|held| held.publication.exchange == VERDICTS);
        let problem = match (blocked, held) {
            (Some(reason), _) => format!("the broker takes no messages now: {reason}"),
            (None, Some(held)) => held.problem.clone(),
            (None, None) => {
                self.backlog.release(PART);
                if self.health.recover(PART) {
                    tracing::info!("verdicts are handed over again");
                }
                return;
            }
        };
        self.backlog.hold(PART);
        if self.health.complain(PART, &problem) {
            tracing::warn!("verdicts are held, and nothing new begins: {problem}");
        }
    }
}

impl Held {
    fn new(publication: Publication) -> Self {
        Self { publication, due: Instant::now(), pause: Duration::ZERO, problem: String::new() }
    }

    fn put_off(&mut self, problem: String) {
        self.pause = (self.pause * 2).clamp(RETRY.0, RETRY.1);
        self.due = Instant::now() + self.pause;
        if self.publication.exchange != VERDICTS && self.problem != problem {
            tracing::warn!("a message is held: {problem}");
        }
        self.problem = problem;
    }
}

/// A channel that confirms.
async fn open(connection: &Connection) -> Result<Channel, LinkError> {
    let channel = within("opening a channel", connection.create_channel()).await?;
    within("asking for confirmations", channel.confirm_select(ConfirmSelectOptions::default())).await?;
    Ok(channel)
}

/// Waits until then; for ever without a time.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}
