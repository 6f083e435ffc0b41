//! Tells the other workers which judgings this one decided, and listens to what they decided.
//!
//! Best effort, over an exchange of its own: announcements never push cancels out of a queue, and the queue that
//! receives them ends with its connection. A worker that misses one may hold a cancel of a judging that was decided, and
//! publishes a repeat without its header.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_core::Stream as _;
use lapin::options::{BasicConsumeOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, Connection, Consumer};
use tokio::time::Instant;

use super::confirmed::{Announcement, Confirmed, Decision};
use super::link::{LinkError, within};
use super::topology::{self, DECISIONS};
use crate::queue::backlog::Backlog;

/// How long decisions are collected before the other workers are told.
const COLLECTING: Duration = Duration::from_millis(50);
/// Decisions in one message, and those that are kept for later; beyond it the oldest are dropped.
const MOST_DECISIONS: usize = 1000;
/// Time until the next attempt to announce or to listen, after one that failed.
const REST: Duration = Duration::from_secs(3);
/// Announcements that wait for a worker that does not read; beyond it the broker drops the oldest.
const MOST_ANNOUNCEMENTS: i32 = 10_000;

/// Decisions that the other workers do not know yet.
#[derive(Debug, Default)]
pub(super) struct Decisions {
    /// This process, as the other workers know it.
    instance: String,
    collected: VecDeque<Decision>,
    due: Option<Instant>,
    /// After a failed attempt: no other before this.
    not_before: Option<Instant>,
    /// The broker does not let this user announce them over this connection.
    is_forbidden: bool,
}

impl Decisions {
    pub(super) fn new(instance: String) -> Self {
        Self { instance, ..Self::default() }
    }

    /// Forgets what an earlier connection was refused.
    pub(super) fn begin_connection(&mut self) {
        self.is_forbidden = false;
        self.not_before = None;
        if !self.collected.is_empty() {
            self.due = Some(Instant::now());
        }
    }

    pub(super) fn collect(&mut self, decision: Decision, is_urgent: bool) {
        if self.is_forbidden {
            return;
        }
        self.push(decision);
        let now = Instant::now();
        let is_due = is_urgent || self.collected.len() >= MOST_DECISIONS;
        let due = if is_due { now } else { self.due.unwrap_or(now + COLLECTING) };
        self.due = Some(self.not_before.map_or(due, |time| due.max(time)));
    }

    fn push(&mut self, decision: Decision) {
        if self.collected.len() >= MOST_DECISIONS {
            self.collected.pop_front();
        }
        self.collected.push_back(decision);
    }

    /// When the collected decisions should be announced.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Takes the collected decisions, to be announced.
    pub(super) fn take(&mut self) -> Option<Vec<Decision>> {
        self.due = None;
        let collected = std::mem::take(&mut self.collected);
        (!collected.is_empty()).then(|| collected.into())
    }

    /// Keeps decisions whose announcement failed, to be announced later.
    pub(super) fn keep(&mut self, decisions: Vec<Decision>) {
        let later = std::mem::replace(&mut self.collected, decisions.into());
        for decision in later {
            self.push(decision);
        }
        let time = Instant::now() + REST;
        (self.not_before, self.due) = (Some(time), Some(time));
    }

    /// Announces nothing more over this connection.
    pub(super) fn forbid(&mut self) {
        self.is_forbidden = true;
    }

    /// The message that announces these decisions.
    pub(super) fn body(&self, decisions: &[Decision]) -> Vec<u8> {
        // Texts and numbers are always written.
        serde_json::to_vec(&Announcement::new(&self.instance, decisions)).unwrap_or_default()
    }
}

/// Listens to the decisions of the other workers.
#[derive(Debug, Clone)]
pub(super) struct DecisionListener {
    /// This process, whose own announcements mean nothing to it.
    pub(super) instance: String,
    pub(super) backlog: Arc<Backlog>,
    pub(super) confirmed: Arc<Confirmed>,
}

/// A queue of decisions and its consumer.
pub(super) struct Subscription {
    channel: Channel,
    queue: ShortString,
    consumer: Consumer,
}

impl DecisionListener {
    /// Makes a queue for decisions that ends with the connection, and consumes it.
    pub(super) async fn subscribe(&self, connection: &Connection) -> Result<Subscription, LinkError> {
        topology::declare_decisions(connection).await?;
        let channel = within("opening a channel", connection.create_channel()).await?;
        // Named by the broker, because that is what a worker's user may declare.
        let options =
            QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
        let mut arguments = FieldTable::default();
        arguments.insert("x-max-length".into(), AMQPValue::LongInt(MOST_ANNOUNCEMENTS));
        let queue = within("declaring a queue", channel.queue_declare("".into(), options, arguments))
            .await
            .map_err(|error| error.about("queue", "amq.gen-* for decisions"))?
            .name()
            .clone();
        topology::bind(&channel, queue.as_str(), DECISIONS, "", false).await?;
        // Not acknowledged: a broker that blocks this connection would not read the acknowledgements.
        let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
        let consuming = channel.basic_consume(queue.clone(), "".into(), options, topology::nothing());
        let consumer =
            within("consuming", consuming).await.map_err(|error| error.about_consuming(queue.as_str()))?;
        Ok(Subscription { channel, queue, consumer })
    }

    /// Listens as long as it is polled; subscribes again where the broker ended a subscription.
    pub(super) async fn listen(
        &self,
        connection: &Connection,
        mut subscription: Result<Subscription, LinkError>,
    ) -> Infallible {
        let mut said = None;
        loop {
            let ended = match &mut subscription {
                Ok(subscription) => self.hear_all(subscription).await,
                Err(error) => Err(std::mem::replace(error, LinkError::Gone)),
            };
            if let Err(error) = ended {
                let problem = error.to_string();
                // The end of the connection has its own message.
                if connection.status().connected() && said.as_ref() != Some(&problem) {
                    tracing::warn!(
                        "this worker does not learn what other workers decide, and may hold cancels of it against the \
                         same judging sent again: let its user read '{DECISIONS}', or import \
                         deploy/rabbitmq/definitions.json ({problem})"
                    );
                    said = Some(problem);
                }
                if error.is_forbidden() {
                    return std::future::pending().await;
                }
            }
            tokio::time::sleep(REST).await;
            subscription = self.subscribe(connection).await;
        }
    }

    /// Takes in announcements until the subscription ends.
    async fn hear_all(&self, subscription: &mut Subscription) -> Result<(), LinkError> {
        loop {
            let consumer = &mut subscription.consumer;
            let next = std::future::poll_fn(|context| Pin::new(&mut *consumer).poll_next(context));
            match tokio::time::timeout(REST, next).await {
                Ok(Some(Ok(message))) => {
                    if let Some(announcement) = Announcement::read(&message.data) {
                        self.hear(&announcement);
                    }
                }
                Ok(Some(Err(error))) => return Err(LinkError::Refused("listening for decisions", error)),
                Ok(None) => return Err(LinkError::Gone),
                // The exchange may have been deleted and declared again, without this queue's binding.
                Err(_) => {
                    let queue = subscription.queue.as_str();
                    topology::bind(&subscription.channel, queue, DECISIONS, "", false).await?;
                }
            }
        }
    }

    fn hear(&self, announcement: &Announcement) {
        if announcement.instance == self.instance {
            return;
        }
        for decision in announcement.decisions() {
            if self.backlog.forget_cancel(decision.key) {
                tracing::info!("cancelled after its verdict by another worker: forgotten");
            }
            self.confirmed.insert_elsewhere(decision);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::contents::Contents;
    use crate::queue::message::Key;

    fn decision(number: usize) -> Decision {
        let text = r#"{"schema":1,"id":"s","language":"c","files":[],"problem":{"ref":"x"}}"#;
        let contents = Contents::of(&serde_json::from_str(text).unwrap());
        Decision::new(&Key { id: number.to_string(), judging: "1".to_owned() }, contents)
    }

    #[test]
    fn decisions_whose_announcement_failed_are_announced_later_and_bounded() {
        let mut decisions = Decisions::new("w".to_owned());
        decisions.collect(decision(0), true);
        let failed = decisions.take().unwrap();
        decisions.collect(decision(1), true);
        decisions.keep(failed);
        assert!(decisions.due().unwrap() > Instant::now(), "tried again at once");
        decisions.collect(decision(2), true);
        assert!(decisions.due().unwrap() > Instant::now(), "an urgent one does not end the rest");
        decisions.begin_connection();
        assert!(decisions.due().unwrap() <= Instant::now());
        assert_eq!(decisions.take().unwrap(), [0, 1, 2].map(decision));
        for number in 0..2 * MOST_DECISIONS {
            decisions.collect(decision(number), false);
        }
        let kept = decisions.take().unwrap();
        assert_eq!((kept.len(), kept.last()), (MOST_DECISIONS, Some(&decision(2 * MOST_DECISIONS - 1))));
    }

    #[test]
    fn a_refusal_to_announce_ends_with_its_connection() {
        let mut decisions = Decisions::new("w".to_owned());
        decisions.forbid();
        decisions.collect(decision(0), true);
        assert!(decisions.take().is_none());
        decisions.begin_connection();
        decisions.collect(decision(1), true);
        assert_eq!(decisions.take().unwrap(), [decision(1)]);
    }
}
