//! Takes deliveries in and settles them, over the consuming connection.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use futures_core::Stream;
use lapin::message::Delivery as Message;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Acker, BasicProperties, Channel, Connection, Consumer};
use tokio::sync::{mpsc, oneshot};

use super::link::{Link, LinkError, within};
use super::publisher::Publication;
use super::topology::{self, DEAD, JUDGE};
use crate::queue::backlog::{Backlog, Delivery, Offer, Tag};
use crate::queue::message::{self, Malformed, parse};
use crate::queue::worker::Settlement;

/// A submission that comes back so often has ended its worker every time, and is not tried again.
const MOST_RETURNS: i64 = 10;

/// What the rest of the process asks of the intake.
pub(super) enum Order {
    /// The deliveries are over.
    Settle(Vec<Tag>, Settlement),
    /// Take in nothing more.
    Stop,
    /// Close the connection after all orders before this one.
    Close(oneshot::Sender<()>),
}

/// The consuming connection.
pub(super) struct Intake {
    pub(super) link: Link,
    pub(super) backlog: Arc<Backlog>,
    pub(super) prefetch: u16,
    pub(super) orders: mpsc::UnboundedReceiver<Order>,
    /// To settle what was dead-lettered.
    pub(super) own_orders: mpsc::UnboundedSender<Order>,
    pub(super) publications: mpsc::UnboundedSender<Publication>,
    pub(super) stopping: bool,
}

/// One connection's consumers and what came over them.
struct Session {
    number: u64,
    channels: Vec<Channel>,
    consumers: Vec<Source>,
    ackers: HashMap<u64, Acker>,
    delivered: u64,
}

struct Source {
    name: String,
    /// Gone once it has ended as asked.
    consumer: Option<Consumer>,
    is_control: bool,
}

impl Intake {
    /// Consumes until told to close.
    pub(super) async fn run(mut self) {
        let mut number = 0;
        loop {
            number += 1;
            let connection = tokio::select! {
                connection = self.link.connect() => connection,
                () = closed(&mut self.orders, &mut self.stopping) => return,
            };
            match self.serve(&connection, number).await {
                Ok(reply) => {
                    // The broker would find out by itself; this is politeness.
                    let _ = within("closing", connection.close(200, "bye".into())).await;
                    let _ = reply.send(());
                    return;
                }
                Err(error) => self.link.failed(&error),
            }
        }
    }

    async fn serve(
        &mut self,
        connection: &Connection,
        number: u64,
    ) -> Result<oneshot::Sender<()>, LinkError> {
        let mut session = self.subscribe(connection, number).await?;
        self.link.was_useful();
        loop {
            tokio::select! {
                biased;
                order = self.orders.recv() => match order {
                    Some(Order::Settle(tags, settlement)) => session.settle(&tags, settlement).await?,
                    Some(Order::Stop) => {
                        self.stopping = true;
                        session.cancel().await?;
                    }
                    Some(Order::Close(reply)) => return Ok(reply),
                    // Nobody is left who could ask for anything.
                    None => return Ok(oneshot::channel().0),
                },
                (place, arrival) = next(&mut session.consumers) => match arrival {
                    Some(Ok(message)) => self.take_in(&mut session, place, message).await?,
                    Some(Err(error)) => return Err(LinkError::Refused("consuming", error)),
                    None if self.stopping => session.consumers[place].consumer = None,
                    None => return Err(LinkError::ConsumerEnded(session.consumers[place].name.clone())),
                },
            }
        }
    }

    async fn subscribe(&self, connection: &Connection, number: u64) -> Result<Session, LinkError> {
        let channel = within("opening a channel", connection.create_channel()).await?;
        topology::declare(&channel).await?;
        let control = topology::declare_control(&channel).await?;
        let mut session = Session {
            number,
            channels: Vec::new(),
            consumers: Vec::new(),
            ackers: HashMap::new(),
            delivered: 0,
        };
        let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
        let name = control.as_str().to_owned();
        let consumer = within(
            "consuming",
            channel.basic_consume(control, "control".into(), options, topology::nothing()),
        )
        .await?;
        session.consumers.push(Source { name, consumer: Some(consumer), is_control: true });
        session.channels.push(channel);
        if self.stopping {
            return Ok(session);
        }
        for queue in JUDGE {
            let channel = within("opening a channel", connection.create_channel()).await?;
            within("limiting deliveries", channel.basic_qos(self.prefetch, BasicQosOptions::default()))
                .await?;
            let options = BasicConsumeOptions::default();
            let consumer = within(
                "consuming",
                channel.basic_consume(queue.into(), queue.into(), options, topology::nothing()),
            )
            .await?;
            session.consumers.push(Source {
                name: queue.to_owned(),
                consumer: Some(consumer),
                is_control: false,
            });
            session.channels.push(channel);
        }
        Ok(session)
    }

    async fn take_in(&self, session: &mut Session, place: usize, message: Message) -> Result<(), LinkError> {
        let parsed = parse(&message.data);
        if session.consumers[place].is_control {
            match parsed {
                Ok(message::Message::Cancel(key)) => self.backlog.cancel(key),
                Ok(message::Message::Submission(_)) => tracing::warn!("a submission among control messages"),
                Err(error) => tracing::warn!(%error, "a control message that cannot be read"),
            }
            return Ok(());
        }
        session.delivered += 1;
        let tag = Tag { connection: session.number, delivery: session.delivered };
        session.ackers.insert(tag.delivery, message.acker.clone());
        match parsed {
            Ok(message::Message::Submission(submission)) => {
                let returns = returns(&message.properties);
                let refusal = (returns >= MOST_RETURNS)
                    .then(|| format!("given up after {returns} attempts that each ended their worker"));
                let delivery = Delivery {
                    submission,
                    tag,
                    redelivered: message.redelivered,
                    refusal,
                    arrived: Instant::now(),
                };
                match self.backlog.offer(delivery) {
                    Ok(Offer::Taken) => Ok(()),
                    Ok(Offer::Closed) => session.settle(&[tag], Settlement::Return).await,
                    Err(error) => {
                        tracing::error!(%error, "a submission cannot be taken in");
                        session.settle(&[tag], Settlement::Return).await
                    }
                }
            }
            Ok(message::Message::Cancel(_)) => {
                crate::instruments::message_refused(crate::instruments::Refusal::Misplaced);
                self.bury(tag, message, "a cancel message among submissions: send it to gavel.control");
                Ok(())
            }
            Err(malformed) => {
                self.complain(&malformed);
                self.bury(tag, message, &malformed.problem);
                Ok(())
            }
        }
    }

    fn complain(&self, malformed: &Malformed) {
        crate::instruments::message_refused(crate::instruments::Refusal::Malformed);
        tracing::warn!(id = %malformed.id, "message refused: {malformed}");
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
            confirmed: Box::new(move || {
                // Without anyone to take the order the connection is gone, and the message comes again.
                let _ = orders.send(Order::Settle(vec![tag], Settlement::Done));
            }),
        };
        // The same: without a publisher this process is ending.
        let _ = self.publications.send(publication);
    }
}

impl Session {
    /// Settles deliveries of this connection; the broker gives those of earlier ones out again by itself.
    async fn settle(&mut self, tags: &[Tag], settlement: Settlement) -> Result<(), LinkError> {
        for tag in tags.iter().filter(|tag| tag.connection == self.number) {
            let Some(acker) = self.ackers.remove(&tag.delivery) else { continue };
            let is_sent = match settlement {
                Settlement::Done => within("acknowledging", acker.ack(BasicAckOptions::default())).await?,
                Settlement::Return => {
                    let options = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
                    within("giving back", acker.nack(options)).await?
                }
            };
            if !is_sent {
                tracing::warn!("an acknowledgement came too late: the submission will be judged again");
            }
        }
        Ok(())
    }

    /// Asks the broker to send no more submissions.
    async fn cancel(&mut self) -> Result<(), LinkError> {
        for (channel, source) in self.channels.iter().zip(&self.consumers) {
            if !source.is_control {
                let options = BasicCancelOptions::default();
                within("stopping a consumer", channel.basic_cancel(source.name.clone().into(), options))
                    .await?;
            }
        }
        Ok(())
    }
}

/// How often the broker had this message back.
fn returns(properties: &BasicProperties) -> i64 {
    let count = properties.headers().as_ref().and_then(|headers| headers.inner().get("x-delivery-count"));
    match count {
        Some(AMQPValue::LongLongInt(count)) => *count,
        Some(AMQPValue::LongInt(count)) => i64::from(*count),
        Some(AMQPValue::LongUInt(count)) => i64::from(*count),
        Some(AMQPValue::ShortInt(count)) => i64::from(*count),
        Some(AMQPValue::ShortShortInt(count)) => i64::from(*count),
        Some(AMQPValue::ShortShortUInt(count)) => i64::from(*count),
        _ => 0,
    }
}

/// The next that any consumer has to say.
async fn next(consumers: &mut [Source]) -> (usize, Option<lapin::Result<Message>>) {
    std::future::poll_fn(|context| {
        for (place, source) in consumers.iter_mut().enumerate() {
            if let Some(consumer) = &mut source.consumer
                && let Poll::Ready(arrival) = Pin::new(consumer).poll_next(context)
            {
                return Poll::Ready((place, arrival));
            }
        }
        Poll::Pending
    })
    .await
}

/// Follows orders while there is no connection; returns when told to close.
async fn closed(orders: &mut mpsc::UnboundedReceiver<Order>, stopping: &mut bool) {
    loop {
        match orders.recv().await {
            // The broker gives these deliveries out again by itself.
            Some(Order::Settle(..)) => {}
            Some(Order::Stop) => *stopping = true,
            Some(Order::Close(reply)) => {
                let _ = reply.send(());
                return;
            }
            None => return,
        }
    }
}
