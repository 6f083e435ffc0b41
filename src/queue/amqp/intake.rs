//! Takes deliveries in and settles them, over the consuming connection.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lapin::BasicProperties;
use lapin::message::Delivery as Message;
use lapin::types::{AMQPValue, FieldTable};
use tokio::sync::{mpsc, oneshot};

use super::confirmed::Confirmed;
use super::link::{Link, LinkError};
use super::publisher::{Outcome, Publication};
use super::session::{Arrival, Brings, Memory, Session};
use super::topology::DEAD;
use crate::queue::backlog::{Backlog, Delivery, Offer, Tag};
use crate::queue::message::{self, Key, Malformed, parse};
use crate::queue::worker::Settlement;
use crate::submission::Submission;

/// A submission that comes back so often is not tried again: it may well be what ends its workers.
pub(super) const MOST_RETURNS: i64 = 10;

/// Before a submission goes back that there was no descriptor for: it would come again at once.
const OUT_OF_DESCRIPTORS: Duration = Duration::from_secs(1);

/// What the rest of the process asks of the intake.
pub(super) enum Order {
    /// The deliveries are over.
    Settle(Vec<Tag>, Settlement),
    /// Take in nothing more.
    Stop,
    /// Take in nothing for now, and give back what waits.
    Pause,
    /// Take in again what [`Order::Pause`] held off.
    Resume,
    /// Close the connection after all orders before this one.
    Close(oneshot::Sender<()>),
}

/// The consuming connection.
pub(super) struct Intake {
    pub(super) link: Link,
    pub(super) backlog: Arc<Backlog>,
    pub(super) confirmed: Arc<Confirmed>,
    pub(super) prefetch: u16,
    pub(super) orders: mpsc::UnboundedReceiver<Order>,
    /// To settle what was dead-lettered.
    pub(super) own_orders: mpsc::UnboundedSender<Order>,
    /// What goes to the dead queue.
    pub(super) burials: mpsc::UnboundedSender<Publication>,
    pub(super) stopping: bool,
    pub(super) paused: bool,
}

impl Intake {
    /// Consumes until told to close; returns whom to tell when all is closed.
    pub(super) async fn run(mut self) -> Option<oneshot::Sender<()>> {
        let mut memory = Memory::default();
        loop {
            let connection = tokio::select! {
                connection = self.link.connect() => connection,
                reply = closed(&mut self.orders, &mut self.stopping, &mut self.paused) => return reply,
            };
            let takes_in = !self.stopping && !self.paused;
            let error = match Session::open(connection, self.prefetch, &mut memory, takes_in).await {
                Ok(mut session) => match self.serve(&mut session).await {
                    Ok(reply) => {
                        session.close().await;
                        return Some(reply);
                    }
                    Err(error) => error,
                },
                Err(error) => error,
            };
            self.link.failed(&error);
        }
    }

    async fn serve(&mut self, session: &mut Session<'_>) -> Result<oneshot::Sender<()>, LinkError> {
        self.link.was_useful();
        loop {
            tokio::select! {
                biased;
                order = self.orders.recv() => match order {
                    Some(Order::Settle(tags, settlement)) => session.settle(&tags, settlement).await?,
                    Some(Order::Stop) => {
                        self.stopping = true;
                        session.pause().await?;
                    }
                    Some(Order::Pause) => {
                        self.paused = true;
                        session.pause().await?;
                        session.settle(&self.backlog.give_back(), Settlement::Return).await?;
                    }
                    Some(Order::Resume) => {
                        self.paused = false;
                        if !self.stopping {
                            session.resume().await?;
                        }
                    }
                    Some(Order::Close(reply)) => return Ok(reply),
                    // Nobody is left who could ask for anything.
                    None => return Ok(oneshot::channel().0),
                },
                arrival = session.next() => match arrival? {
                    Arrival::Message(place, message) => self.take_in(session, place, *message).await?,
                    Arrival::Ended(place, error) => {
                        self.link.complain(&error.to_string());
                        session.restore(place, error).await?;
                        self.link.was_useful();
                    }
                },
            }
        }
    }

    async fn take_in(
        &mut self,
        session: &mut Session<'_>,
        place: usize,
        message: Message,
    ) -> Result<(), LinkError> {
        let Some(brings) = session.brings(place) else { return Ok(()) };
        let tag = session.owe(place, message.acker.clone());
        let parsed = parse(&message.data);
        if brings == Brings::Control {
            match parsed {
                Ok(message::Message::Cancel(key)) => self.cancel(key),
                Ok(message::Message::Submission(_)) => tracing::warn!("a submission among control messages"),
                Err(error) => tracing::warn!(%error, "a control message that cannot be read"),
            }
            return session.settle(&[tag], Settlement::Done).await;
        }
        match (parsed, brings) {
            (Ok(message::Message::Submission(submission)), _) => {
                let refusal = refusal(&message.properties, brings);
                // What was dead-lettered looks new to the broker, and somebody may have answered it before.
                let redelivered = message.redelivered || brings == Brings::Exhausted;
                self.offer(session, tag, submission, redelivered, refusal).await
            }
            // Its original is in the dead queue already.
            (_, Brings::Exhausted) => session.settle(&[tag], Settlement::Done).await,
            (Ok(message::Message::Cancel(_)), _) => {
                crate::instruments::message_refused(crate::instruments::Refusal::Misplaced);
                self.bury(tag, message, "a cancel message among submissions: send it to gavel.control");
                Ok(())
            }
            (Err(malformed), _) => {
                complain(&malformed);
                self.bury(tag, message, &malformed.problem);
                Ok(())
            }
        }
    }

    async fn offer(
        &mut self,
        session: &mut Session<'_>,
        tag: Tag,
        submission: Box<Submission>,
        redelivered: bool,
        refusal: Option<String>,
    ) -> Result<(), LinkError> {
        let key = Key::of(&submission);
        let is_answered = self.confirmed.contains(&key);
        if redelivered && is_answered {
            tracing::info!(id = %key.id, judging = %key.judging, "came again after its verdict: acknowledged");
            return session.settle(&[tag], Settlement::Done).await;
        }
        let redelivered = redelivered || is_answered;
        let delivery = Delivery { submission, tag, redelivered, refusal, arrived: Instant::now() };
        match self.backlog.offer(delivery) {
            Ok(Offer::Taken) => Ok(()),
            Ok(Offer::Closed) => {
                // Given back with the consumer still there it would come again at once, until it counts as poison.
                self.stopping = true;
                session.pause().await?;
                session.settle(&[tag], Settlement::Return).await
            }
            Err(error) => {
                tracing::error!(%error, "a submission cannot be taken in");
                tokio::time::sleep(OUT_OF_DESCRIPTORS).await;
                session.settle(&[tag], Settlement::Return).await
            }
        }
    }

    fn cancel(&self, key: Key) {
        if self.confirmed.contains(&key) {
            tracing::debug!(id = %key.id, judging = %key.judging, "cancelled after its verdict");
        } else {
            self.backlog.cancel(key);
        }
    }

    /// Sends a message to the dead queue with the reason, then acknowledges it.
    fn bury(&self, tag: Tag, message: Message, reason: &str) {
        let mut headers = FieldTable::default();
        headers.insert("x-gavel-reason".into(), AMQPValue::LongString(reason.into()));
        headers.insert("x-gavel-key".into(), AMQPValue::LongString(message.routing_key.as_str().into()));
        let orders = self.own_orders.clone();
        let publication = Publication {
            exchange: DEAD,
            key: "dead.malformed".to_owned(),
            properties: BasicProperties::default().with_delivery_mode(2).with_headers(headers),
            body: message.data,
            settled: Box::new(move |outcome| {
                if outcome == Outcome::TooLarge {
                    tracing::error!("a refused message is too large for the dead queue: it is dropped");
                }
                // Without anyone to take the order the connection is gone, and the message comes again.
                let _ = orders.send(Order::Settle(vec![tag], Settlement::Done));
            }),
        };
        // The same: without a publisher this process is ending.
        let _ = self.burials.send(publication);
    }
}

fn complain(malformed: &Malformed) {
    crate::instruments::message_refused(crate::instruments::Refusal::Malformed);
    let id: String = malformed.id.chars().take(40).collect();
    tracing::warn!(id, "message refused: {malformed}");
}

/// Why a submission is only answered, where it is.
fn refusal(properties: &BasicProperties, brings: Brings) -> Option<String> {
    let headers = properties.headers().as_ref().map(FieldTable::inner);
    if brings == Brings::Exhausted {
        let reason = match headers.and_then(|headers| headers.get("x-first-death-reason")) {
            Some(AMQPValue::LongString(reason)) => reason.to_string(),
            _ => "unknown".to_owned(),
        };
        return Some(format!(
            "given up by the broker ({reason}): see the policies of the judge queues, and gavel.dead"
        ));
    }
    let returns = match headers.and_then(|headers| headers.get("x-delivery-count")) {
        Some(AMQPValue::LongLongInt(count)) => *count,
        Some(AMQPValue::LongInt(count)) => i64::from(*count),
        Some(AMQPValue::LongUInt(count)) => i64::from(*count),
        Some(AMQPValue::ShortInt(count)) => i64::from(*count),
        Some(AMQPValue::ShortUInt(count)) => i64::from(*count),
        Some(AMQPValue::ShortShortInt(count)) => i64::from(*count),
        Some(AMQPValue::ShortShortUInt(count)) => i64::from(*count),
        _ => 0,
    };
    (returns >= MOST_RETURNS).then(|| {
        format!("given up after {returns} attempts without a verdict: it may end the workers that judge it")
    })
}

/// Follows orders while there is no connection; returns when told to close.
async fn closed(
    orders: &mut mpsc::UnboundedReceiver<Order>,
    stopping: &mut bool,
    paused: &mut bool,
) -> Option<oneshot::Sender<()>> {
    loop {
        match orders.recv().await? {
            // The broker gives these deliveries out again by itself.
            Order::Settle(..) => {}
            Order::Stop => *stopping = true,
            Order::Pause => *paused = true,
            Order::Resume => *paused = false,
            Order::Close(reply) => return Some(reply),
        }
    }
}
