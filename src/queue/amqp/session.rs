//! One consuming connection: its channels, their consumers, and the deliveries they still owe an answer.
//!
//! Every queue has a channel of its own, so that what the broker ends on one (a queue deleted, a delivery
//! older than its consumer timeout) leaves the deliveries of the others alone.

use std::collections::HashMap;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use futures_core::Stream;
use lapin::message::Delivery as Message;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions,
    QueueDeleteOptions,
};
use lapin::types::{AMQPValue, ShortString};
use lapin::{Acker, Channel, Connection, Consumer};
use tokio::time::Instant;

use super::events::Events;
use super::link::{LinkError, within};
use super::topology::{self, EXHAUSTED, JUDGE};
use crate::queue::backlog::Tag;
use crate::queue::worker::Settlement;

/// A source that was restored and ends again within this is no passing trouble.
const SETTLED: Duration = Duration::from_secs(2);

/// What a source brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Brings {
    /// Submissions.
    Submissions,
    /// Submissions the broker gave up.
    Exhausted,
    /// Cancels.
    Control,
}

/// What came over a session.
pub(super) enum Arrival {
    /// A message of a source.
    Message(usize, Box<Message>),
    /// A source ended that nobody stopped.
    Ended(usize, LinkError),
}

/// What outlives a connection.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Sources so far: none of an earlier connection is ever confused with a later.
    sources: u64,
    /// The queue of this worker's own for cancels: what comes while there is no connection waits there.
    control: Option<ShortString>,
}

/// One connection's consumers and what came over them.
pub(super) struct Session<'a> {
    connection: Connection,
    events: Events,
    prefetch: u16,
    sources: Vec<Source>,
    memory: &'a mut Memory,
}

struct Source {
    queue: &'static str,
    brings: Brings,
    number: u64,
    channel: Channel,
    /// Gone once it has ended as asked.
    consumer: Option<Consumer>,
    ackers: HashMap<u64, Acker>,
    delivered: u64,
    /// When it took the place of one that had ended.
    restored: Option<Instant>,
}

impl<'a> Session<'a> {
    /// Opens the control channel, and those of the queues unless nothing is to be taken in.
    pub(super) async fn open(
        connection: Connection,
        prefetch: u16,
        memory: &'a mut Memory,
        takes_in: bool,
    ) -> Result<Self, LinkError> {
        topology::declare(&connection).await?;
        let events = Events::of(&connection);
        let mut session = Self { connection, events, prefetch, sources: Vec::new(), memory };
        let control = session.subscribe("control", Brings::Control).await?;
        session.sources.push(control);
        if takes_in {
            session.resume().await?;
        }
        Ok(session)
    }

    pub(super) fn brings(&self, place: usize) -> Option<Brings> {
        self.sources.get(place).map(|source| source.brings)
    }

    pub(super) async fn close(self) {
        // The broker would find out by itself; this is politeness.
        if let (Some(control), Some(source)) = (self.memory.control.take(), self.sources.first()) {
            let _ = within(
                "deleting a queue",
                source.channel.queue_delete(control, QueueDeleteOptions::default()),
            )
            .await;
        }
        let _ = within("closing", self.connection.close(200, "bye".into())).await;
    }

    async fn subscribe(&mut self, queue: &'static str, brings: Brings) -> Result<Source, LinkError> {
        self.memory.sources += 1;
        let (channel, consumer) = match brings {
            Brings::Submissions => self.consume(queue, self.prefetch).await?,
            Brings::Exhausted => self.consume(queue, 1).await?,
            Brings::Control => self.consume_control().await?,
        };
        Ok(Source {
            queue,
            brings,
            number: self.memory.sources,
            channel,
            consumer: Some(consumer),
            ackers: HashMap::new(),
            delivered: 0,
            restored: None,
        })
    }

    async fn consume(&self, queue: &'static str, prefetch: u16) -> Result<(Channel, Consumer), LinkError> {
        let channel = within("opening a channel", self.connection.create_channel()).await?;
        within("limiting deliveries", channel.basic_qos(prefetch, BasicQosOptions::default())).await?;
        let consumer = consume(&channel, queue).await?;
        Ok((channel, consumer))
    }

    /// Consumes from this worker's queue of cancels: the one it had, where the broker still has it.
    async fn consume_control(&mut self) -> Result<(Channel, Consumer), LinkError> {
        // Should the broker still believe in an earlier connection, this one gets them first all the same.
        let priority = i32::try_from(self.memory.sources).unwrap_or(i32::MAX);
        if let Some(name) = self.memory.control.clone() {
            let channel = within("opening a channel", self.connection.create_channel()).await?;
            match consume_named(&channel, name, priority).await {
                Ok(consumer) => return Ok((channel, consumer)),
                Err(error) if !self.connection.status().connected() => return Err(error),
                Err(error) => tracing::info!("cancels of the last minutes may be lost: {error}"),
            }
            self.memory.control = None;
        }
        let channel = within("opening a channel", self.connection.create_channel()).await?;
        let name = topology::declare_control(&channel).await?;
        self.memory.control = Some(name.clone());
        let consumer = consume_named(&channel, name, priority).await?;
        Ok((channel, consumer))
    }

    /// Takes submissions in (again).
    pub(super) async fn resume(&mut self) -> Result<(), LinkError> {
        for (queue, brings) in JUDGE
            .map(|queue| (queue, Brings::Submissions))
            .into_iter()
            .chain([(EXHAUSTED, Brings::Exhausted)])
        {
            match self.sources.iter_mut().find(|source| source.queue == queue) {
                Some(source) if source.consumer.is_none() => {
                    source.consumer = Some(consume(&source.channel, queue).await?);
                }
                Some(_) => {}
                None => match self.subscribe(queue, brings).await {
                    Ok(source) => self.sources.push(source),
                    // Whoever defined the queues by hand may have left it out: then nobody dead-letters into it.
                    Err(error) if brings == Brings::Exhausted && self.connection.status().connected() => {
                        tracing::warn!("what the broker gives up is not answered here: {error}");
                    }
                    Err(error) => return Err(error),
                },
            }
        }
        Ok(())
    }

    /// Asks the broker to send no more submissions, and gives back those on their way.
    pub(super) async fn pause(&mut self) -> Result<(), LinkError> {
        for source in &mut self.sources {
            if source.brings == Brings::Control {
                continue;
            }
            let Some(mut consumer) = source.consumer.take() else { continue };
            let tag = consumer.tag();
            let options = BasicCancelOptions::default();
            within("stopping a consumer", source.channel.basic_cancel(tag, options)).await?;
            while let Some(message) =
                within("stopping a consumer", async { arrival(&mut consumer).await.transpose() }).await?
            {
                let options = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
                within("giving back", message.acker.nack(options)).await?;
            }
        }
        Ok(())
    }

    /// In place of a source that ended, a new one.
    ///
    /// # Errors
    /// When that cannot be had, or would end as the last one did.
    pub(super) async fn restore(&mut self, place: usize, ended: LinkError) -> Result<(), LinkError> {
        let Some(source) = self.sources.get(place) else { return Err(ended) };
        let is_again = source.restored.is_some_and(|time| time.elapsed() < SETTLED);
        if is_again || !self.connection.status().connected() {
            return Err(ended);
        }
        let (queue, brings, channel) = (source.queue, source.brings, source.channel.clone());
        tracing::warn!(queue, "{ended}; subscribing again");
        if channel.status().connected() {
            // What it still owes comes again, over the new one.
            within("closing a channel", channel.close(200, "again".into())).await?;
        }
        topology::declare(&self.connection).await?;
        let mut source = self.subscribe(queue, brings).await?;
        source.restored = Some(Instant::now());
        if let Some(old) = self.sources.get_mut(place) {
            *old = source;
        }
        Ok(())
    }

    /// Waits for what comes next.
    ///
    /// # Errors
    /// When the connection ends.
    pub(super) async fn next(&mut self) -> Result<Arrival, LinkError> {
        let sources = &mut self.sources;
        let arrivals = std::future::poll_fn(|context| {
            for (place, source) in sources.iter_mut().enumerate() {
                if let Some(consumer) = &mut source.consumer
                    && let Poll::Ready(arrival) = Pin::new(consumer).poll_next(context)
                {
                    return Poll::Ready((place, source.queue, arrival));
                }
            }
            Poll::Pending
        });
        tokio::pin!(arrivals);
        loop {
            tokio::select! {
                biased;
                (place, queue, arrival) = &mut arrivals => return Ok(match arrival {
                    Some(Ok(message)) => Arrival::Message(place, Box::new(message)),
                    Some(Err(error)) => Arrival::Ended(place, LinkError::Refused("consuming", error)),
                    None => Arrival::Ended(place, LinkError::ConsumerEnded(queue)),
                }),
                // Acknowledgements are no publishes: whether those are blocked is nothing to this connection.
                changed = self.events.changed() => changed?,
            }
        }
    }

    /// Notes a delivery that is owed an answer.
    pub(super) fn owe(&mut self, place: usize, acker: Acker) -> Tag {
        let Some(source) = self.sources.get_mut(place) else { return Tag::default() };
        source.delivered += 1;
        source.ackers.insert(source.delivered, acker);
        Tag { connection: source.number, delivery: source.delivered }
    }

    /// Settles deliveries of this session; the broker gives those of earlier ones out again by itself.
    pub(super) async fn settle(&mut self, tags: &[Tag], settlement: Settlement) -> Result<(), LinkError> {
        for tag in tags {
            let source = self.sources.iter_mut().find(|source| source.number == tag.connection);
            let Some(acker) = source.and_then(|source| source.ackers.remove(&tag.delivery)) else { continue };
            let is_sent = match settlement {
                Settlement::Done => within("acknowledging", acker.ack(BasicAckOptions::default())).await,
                Settlement::Return => {
                    let options = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
                    within("giving back", acker.nack(options)).await
                }
            };
            match is_sent {
                Ok(true) => {}
                // The source says so itself, and the broker gives the submission out again.
                Ok(false) => tracing::info!("an acknowledgement came too late: the submission comes again"),
                Err(error) if !self.connection.status().connected() => return Err(error),
                Err(error) => tracing::info!("the submission comes again: {error}"),
            }
        }
        Ok(())
    }
}

async fn consume(channel: &Channel, queue: &'static str) -> Result<Consumer, LinkError> {
    let options = BasicConsumeOptions::default();
    within("consuming", channel.basic_consume(queue.into(), queue.into(), options, topology::nothing()))
        .await
        .map_err(|error| error.about("queue", queue))
}

/// Consumes cancels. They are acknowledged, so that one sent over a dead connection comes again.
async fn consume_named(channel: &Channel, name: ShortString, priority: i32) -> Result<Consumer, LinkError> {
    let options = BasicConsumeOptions::default();
    let mut arguments = topology::nothing();
    arguments.insert("x-priority".into(), AMQPValue::LongInt(priority));
    within("consuming", channel.basic_consume(name.clone(), "control".into(), options, arguments))
        .await
        .map_err(|error| error.about("queue", name.as_str()))
}

/// The next that a consumer has to say.
async fn arrival(consumer: &mut Consumer) -> Option<lapin::Result<Message>> {
    std::future::poll_fn(|context| Pin::new(&mut *consumer).poll_next(context)).await
}
