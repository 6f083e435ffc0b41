//! One consuming connection: its channels, their consumers, and the deliveries they still owe an answer.
//!
//! Every queue has a channel of its own, so that what the broker ends on one (a queue deleted, a delivery
//! older than its consumer timeout) leaves the deliveries of the others alone.

use std::collections::{HashMap, HashSet, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use futures_core::Stream;
use lapin::message::Delivery as Message;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions,
    QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, ShortString};
use lapin::{Acker, Channel, Connection, Consumer};
use tokio::time::Instant;

use super::confirmed::Acknowledged;
use super::events::Events;
use super::limits;
use super::link::{LinkError, within};
use super::parcel::Parcel;
use super::topology::{self, EXHAUSTED, JUDGE};
use super::upkeep::Upkeep;
use crate::queue::backlog::Tag;
use crate::queue::health::Health;
use crate::queue::worker::Settlement;
use crate::submission::Priority;

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

/// What a worker consumes besides cancels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Consuming {
    /// Nothing: it stops.
    Nothing,
    /// Submissions that the broker gave up, while its host cannot judge. Others count by this consumer how many workers
    /// are connected.
    Exhausted,
    /// All submissions.
    All,
}

/// What came over a session.
pub(super) enum Arrival {
    /// A message of a source.
    Message(usize, Box<Message>),
    /// A source ended that nobody stopped.
    Ended(usize, LinkError),
}

/// How long before the end of a connection its last acknowledgements may have been lost: longer than heartbeats let a
/// dead connection seem alive.
const MAY_BE_LOST: Duration = Duration::from_secs(300);

/// Sources that were lost and are remembered.
const MOST_LOST: usize = 1000;

/// The numbers of sources that are still there. A delivery of another has gone back to its queue, perhaps to another
/// worker.
#[derive(Debug, Clone, Default)]
pub(super) struct Live(Arc<Mutex<Numbers>>);

#[derive(Debug, Default)]
struct Numbers {
    live: HashSet<u64>,
    /// Those that ended while acknowledgements may have been on their way.
    lost: VecDeque<(u64, std::time::Instant)>,
}

impl Live {
    pub(super) fn has(&self, tag: Tag) -> bool {
        self.lock().live.contains(&tag.connection)
    }

    /// Whether the broker may not have got all of these acknowledgements, and gives a delivery out again.
    pub(super) fn may_have_lost(&self, acknowledged: &Acknowledged) -> bool {
        self.lock().lost.iter().any(|(source, end)| {
            acknowledged.sources.contains(source) && end.duration_since(acknowledged.at) < MAY_BE_LOST
        })
    }

    fn begin(&self, source: u64) {
        self.lock().live.insert(source);
    }

    /// Forgets a source that was closed in order: the broker took everything sent before.
    fn end(&self, source: u64) {
        self.lock().live.remove(&source);
    }

    fn lose(&self, source: u64) {
        let mut numbers = self.lock();
        if numbers.live.remove(&source) {
            numbers.lose(source);
        }
    }

    fn lose_all(&self) {
        let mut numbers = self.lock();
        for source in std::mem::take(&mut numbers.live) {
            numbers.lose(source);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Numbers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Numbers {
    fn lose(&mut self, source: u64) {
        self.lost.push_back((source, std::time::Instant::now()));
        if self.lost.len() > MOST_LOST {
            self.lost.pop_front();
        }
    }
}

/// What outlives a connection.
#[derive(Debug)]
pub(super) struct Memory {
    /// Sources so far: none of an earlier connection is ever confused with a later.
    sources: u64,
    /// Sources whose deliveries can still be acknowledged.
    live: Live,
    /// The queue of this worker's own for cancels: what comes while there is no connection waits there.
    control: Option<ShortString>,
}

impl Memory {
    pub(super) fn of(live: Live) -> Self {
        Self { sources: 0, live, control: None }
    }
}

/// One connection's consumers and what came over them.
pub(super) struct Session<'a> {
    connection: Arc<Connection>,
    events: Events,
    prefetch: u16,
    sources: Vec<Source>,
    /// For looking at queues.
    looking: Option<Channel>,
    memory: &'a mut Memory,
    health: Health,
    upkeep: Option<Upkeep>,
}

struct Source {
    queue: &'static str,
    brings: Brings,
    number: u64,
    channel: Channel,
    /// Gone once it has ended as asked.
    consumer: Option<Consumer>,
    owed: HashMap<u64, Owed>,
    delivered: u64,
    /// When it took the place of one that had ended.
    restored: Option<Instant>,
}

/// A delivery that is owed an answer.
struct Owed {
    acker: Acker,
    parcel: Parcel,
    /// How often it must be settled as done until it is acknowledged.
    parts: u8,
}

impl<'a> Session<'a> {
    /// Opens the control channel, and those of the queues to be consumed.
    pub(super) async fn open(
        connection: Connection,
        prefetch: u16,
        memory: &'a mut Memory,
        consuming: Consuming,
        health: Health,
    ) -> Result<Self, LinkError> {
        let may_declare = topology::declare(&connection).await?;
        let events = Events::of(&connection);
        let connection = Arc::new(connection);
        let mut session = Self {
            connection,
            events,
            prefetch,
            sources: Vec::new(),
            looking: None,
            memory,
            health,
            upkeep: None,
        };
        let control = session.subscribe("control", Brings::Control).await?;
        session.sources.push(control);
        if consuming != Consuming::Nothing {
            session.resume(consuming).await?;
        }
        session.look_after(may_declare);
        Ok(session)
    }

    fn look_after(&mut self, may_declare: bool) {
        // The last one's complaints end with it.
        self.upkeep = None;
        let (control, health) = (self.memory.control.clone(), self.health.clone());
        self.upkeep = Some(Upkeep::start(&self.connection, control, may_declare, health));
    }

    /// The queue of a source, and what it brings.
    pub(super) fn brings(&self, place: usize) -> Option<(&'static str, Brings)> {
        self.sources.get(place).map(|source| (source.queue, source.brings))
    }

    pub(super) async fn close(&mut self) {
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
        self.memory.live.begin(self.memory.sources);
        Ok(Source {
            queue,
            brings,
            number: self.memory.sources,
            channel,
            consumer: Some(consumer),
            owed: HashMap::new(),
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

    /// Takes submissions in (again), over channels of their own: RabbitMQ 3.10 closes the connection with an internal
    /// error when a channel consumes a quorum queue again whose consumer was stopped on it with deliveries unsettled.
    pub(super) async fn resume(&mut self, consuming: Consuming) -> Result<(), LinkError> {
        self.close_settled().await?;
        for (queue, brings) in JUDGE
            .map(|queue| (queue, Brings::Submissions))
            .into_iter()
            .chain([(EXHAUSTED, Brings::Exhausted)])
        {
            let is_meant = consuming == Consuming::All || brings == Brings::Exhausted;
            let has_consumer = |source: &Source| source.queue == queue && source.consumer.is_some();
            if !is_meant || self.sources.iter().any(has_consumer) {
                continue;
            }
            match self.subscribe(queue, brings).await {
                Ok(source) => self.sources.push(source),
                // Whoever defined the queues by hand may have left it out: then nobody dead-letters into it.
                Err(error) if brings == Brings::Exhausted && self.connection.status().connected() => {
                    tracing::warn!("not consuming {EXHAUSTED}: {error}");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Closes channels that were stopped and owe nothing more.
    async fn close_settled(&mut self) -> Result<(), LinkError> {
        let is_over = |source: &mut Source| source.consumer.is_none() && source.owed.is_empty();
        for source in self.sources.extract_if(.., is_over).collect::<Vec<_>>() {
            if source.channel.status().connected() {
                within("closing a channel", source.channel.close(200, "stopped".into())).await?;
                self.memory.live.end(source.number);
            } else {
                self.memory.live.lose(source.number);
            }
        }
        Ok(())
    }

    /// Asks the broker to send no more submissions; returns those that were on their way, to be given back.
    pub(super) async fn pause(&mut self) -> Result<Vec<Tag>, LinkError> {
        self.pause_where(|source| source.brings != Brings::Control).await
    }

    /// As [`Session::pause`], but for what the broker gave up: see [`Consuming::Exhausted`].
    pub(super) async fn pause_submissions(&mut self) -> Result<Vec<Tag>, LinkError> {
        self.pause_where(|source| source.brings == Brings::Submissions).await
    }

    /// As [`Session::pause`], for the queue of one class.
    pub(super) async fn pause_class(&mut self, class: Priority) -> Result<Vec<Tag>, LinkError> {
        self.pause_where(|source| topology::class_of(source.queue) == Some(class)).await
    }

    async fn pause_where(&mut self, is_meant: impl Fn(&Source) -> bool) -> Result<Vec<Tag>, LinkError> {
        let mut tags = Vec::new();
        for source in self.sources.iter_mut().filter(|source| is_meant(source)) {
            let Some(mut consumer) = source.consumer.take() else { continue };
            let tag = consumer.tag();
            let options = BasicCancelOptions::default();
            within("stopping a consumer", source.channel.basic_cancel(tag, options)).await?;
            while let Some(message) =
                within("stopping a consumer", async { arrival(&mut consumer).await.transpose() }).await?
            {
                let acker = message.acker.clone();
                tags.push(source.owe(acker, Parcel::new(message, topology::class_of(source.queue)), 1));
            }
        }
        Ok(tags)
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
        let may_declare = topology::declare_again(&self.connection).await?;
        let mut source = self.subscribe(queue, brings).await?;
        source.restored = Some(Instant::now());
        if let Some(old) = self.sources.get_mut(place) {
            self.memory.live.lose(old.number);
            *old = source;
        }
        self.look_after(may_declare);
        Ok(())
    }

    /// Whether a worker may be idle that consumes a class: none of its submissions is ready, so that nobody has more to
    /// do than the broker has given out, and there are others than this worker.
    pub(super) async fn others_may_be_idle(&mut self, class: Priority) -> bool {
        let queue = self.look_at(queue_of(class)).await;
        queue.is_some_and(|queue| queue.message_count() == 0 && queue.consumer_count() > 1)
    }

    /// Returns whether submissions of a class wait at the broker.
    pub(super) async fn has_ready(&mut self, class: Priority) -> bool {
        self.look_at(queue_of(class)).await.is_some_and(|queue| queue.message_count() > 0)
    }

    /// Counts the connected workers that may take a submission of a class, now or once they are idle or well; `None`
    /// where the broker does not say. A busy worker does not consume its classes; every worker until it stops consumes
    /// what the broker gave up.
    pub(super) async fn workers(&mut self, class: Priority) -> Option<u32> {
        let workers = self.look_at(EXHAUSTED).await?.consumer_count();
        let consumers = self.look_at(queue_of(class)).await?.consumer_count();
        // This worker is among them: the broker answers 0 while a queue has no leader.
        (workers > 0).then_some(workers.max(consumers))
    }

    /// Counts the workers among these, by their control queues, that are connected.
    pub(super) async fn connected(&mut self, controls: &[String]) -> usize {
        let mut connected = 0;
        for control in controls {
            let is_own = self.control() == Some(control.as_str());
            let is_connected = is_own
                || match limits::short(control) {
                    Some(name) => self.look_at(name).await.is_some_and(|queue| queue.consumer_count() > 0),
                    None => false,
                };
            connected += usize::from(is_connected);
        }
        connected
    }

    /// The name of this worker's control queue.
    pub(super) fn control(&self) -> Option<&str> {
        self.memory.control.as_ref().map(ShortString::as_str)
    }

    /// A queue as it is now; `None` where the broker does not say.
    async fn look_at(&mut self, queue: impl Into<ShortString>) -> Option<lapin::Queue> {
        let queue = queue.into();
        // The broker closes the channel on which it refuses to tell.
        let channel = match self.looking.take().filter(|channel| channel.status().connected()) {
            Some(channel) => channel,
            None => within("opening a channel", self.connection.create_channel()).await.ok()?,
        };
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let declaring = channel.queue_declare(queue.clone(), options, topology::nothing());
        let found = within("looking at a queue", declaring).await;
        self.looking = Some(channel);
        found.inspect_err(|error| tracing::debug!("queue '{queue}' cannot be looked at: {error}")).ok()
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

    /// Notes a delivery that is owed an answer in so many parts: its verdict, a dead letter, or both.
    pub(super) fn owe(&mut self, place: usize, acker: Acker, parcel: Parcel, parts: u8) -> Tag {
        self.sources.get_mut(place).map(|source| source.owe(acker, parcel, parts)).unwrap_or_default()
    }

    /// What a delivery brought, where it came over this session and is still owed an answer.
    pub(super) fn parcel(&mut self, tag: Tag) -> Option<&mut Parcel> {
        let source = self.sources.iter_mut().find(|source| source.number == tag.connection)?;
        source.owed.get_mut(&tag.delivery).map(|owed| &mut owed.parcel)
    }

    /// Settles deliveries of this session; the broker gives those of earlier ones out again by itself. Returns whether
    /// an answer for each went out.
    pub(super) async fn settle(&mut self, tags: &[Tag], settlement: Settlement) -> Result<bool, LinkError> {
        let mut are_out = true;
        for tag in tags {
            let source = self.sources.iter_mut().find(|source| source.number == tag.connection);
            let Some(source) = source else {
                are_out = false;
                continue;
            };
            if settlement == Settlement::Done
                && let Some(owed) = source.owed.get_mut(&tag.delivery)
                && owed.parts > 1
            {
                owed.parts -= 1;
                are_out = false;
                continue;
            }
            let Some(Owed { acker, .. }) = source.owed.remove(&tag.delivery) else {
                are_out = false;
                continue;
            };
            let is_sent = match settlement {
                Settlement::Done => within("acknowledging", acker.ack(BasicAckOptions::default())).await,
                Settlement::Return | Settlement::PassOn => {
                    let options = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
                    within("giving back", acker.nack(options)).await
                }
            };
            are_out &= is_sent.as_ref().is_ok_and(|is_sent| *is_sent);
            match is_sent {
                Ok(true) => {}
                // The source says so itself, and the broker gives the submission out again.
                Ok(false) => tracing::info!("an acknowledgement came too late: the submission comes again"),
                Err(error) if !self.connection.status().connected() => return Err(error),
                Err(error) => tracing::info!("the submission comes again: {error}"),
            }
        }
        Ok(are_out)
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        self.memory.live.lose_all();
    }
}

impl Source {
    fn owe(&mut self, acker: Acker, parcel: Parcel, parts: u8) -> Tag {
        self.delivered += 1;
        self.owed.insert(self.delivered, Owed { acker, parcel, parts });
        Tag { connection: self.number, delivery: self.delivered }
    }
}

/// The queue of a class.
fn queue_of(class: Priority) -> &'static str {
    match class {
        Priority::Contest => JUDGE[0],
        Priority::Normal => JUDGE[1],
        Priority::Rejudge => JUDGE[2],
    }
}

async fn consume(channel: &Channel, queue: &'static str) -> Result<Consumer, LinkError> {
    let options = BasicConsumeOptions::default();
    within("consuming", channel.basic_consume(queue.into(), queue.into(), options, topology::nothing()))
        .await
        .map_err(|error| error.about_consuming(queue))
}

/// Consumes cancels. They are acknowledged, so that one sent over a dead connection comes again.
async fn consume_named(channel: &Channel, name: ShortString, priority: i32) -> Result<Consumer, LinkError> {
    let options = BasicConsumeOptions::default();
    let mut arguments = topology::nothing();
    arguments.insert("x-priority".into(), AMQPValue::LongInt(priority));
    within("consuming", channel.basic_consume(name.clone(), "control".into(), options, arguments))
        .await
        .map_err(|error| error.about_consuming(name.as_str()))
}

/// The next that a consumer has to say.
async fn arrival(consumer: &mut Consumer) -> Option<lapin::Result<Message>> {
    std::future::poll_fn(|context| Pin::new(&mut *consumer).poll_next(context)).await
}
