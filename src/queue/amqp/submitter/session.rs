//! The connection of a sender, made again whenever it is lost.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc::Sender;
use std::task::Poll;
use std::time::Duration;

use futures_core::Stream;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
    QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Confirmation, Connection, Consumer, PublisherConfirm};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::super::link::{Link, LinkError, within};
use super::super::topology::{self, nothing};
use super::connect::{SubmitterError, channel, final_error, first_contact, is_not_found};
use super::exchange::{News, PROGRESS_BINDING, Post, Receipt, SubmitterOptions, VERDICT_BINDING};

/// Messages on their way to the broker without a confirmation.
const MOST_UNCONFIRMED: usize = 256;
/// Verdicts told and not acknowledged.
const MOST_UNACKNOWLEDGED: u16 = 1000;
/// Events that wait in the broker for a listener that is slow; older ones are dropped.
const MOST_EVENTS: i32 = 10_000;
/// How long a confirmation may take.
const CONFIRMATION: Duration = Duration::from_secs(20);
/// Between attempts to connect again: at first, and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// What the caller asks for.
#[derive(Debug)]
pub(super) enum Order {
    /// Publish this.
    Publish(Post),
    /// The verdicts up to this one are safe.
    Acknowledge(Receipt),
    /// Close the connection.
    Close {
        /// Whether to delete the queue for verdicts.
        delete: bool,
    },
}

/// A message the broker was sent.
struct InFlight {
    post: Post,
    confirmation: PublisherConfirm,
    deadline: Instant,
}

/// What outlives a connection.
pub(super) struct Session {
    link: Link,
    options: SubmitterOptions,
    orders: mpsc::UnboundedReceiver<Order>,
    news: Sender<News>,
    /// Sent over a connection that was lost, or ordered while there was none.
    again: VecDeque<Post>,
    number: u64,
    pause: Duration,
}

/// What belongs to one connection.
struct Line {
    publishing: Channel,
    consuming: Channel,
    verdicts: Option<Consumer>,
    progress: Option<Consumer>,
}

/// Something happened on a connection.
enum Happening {
    Order(Option<Order>),
    Confirmed(lapin::Result<Confirmation>),
    Overdue,
    Verdict(Option<lapin::Result<Delivery>>),
    Progress(Option<lapin::Result<Delivery>>),
}

impl Session {
    pub(super) fn new(
        link: Link,
        options: SubmitterOptions,
        orders: mpsc::UnboundedReceiver<Order>,
        news: Sender<News>,
    ) -> Self {
        Self { link, options, orders, news, again: VecDeque::new(), number: 0, pause: Duration::ZERO }
    }

    /// Carries orders and news until told to close, or until there is no hope.
    pub(super) async fn run(mut self) {
        let (place, connection) = tokio::select! {
            first = first_contact(&mut self.link) => match first {
                Ok(first) => first,
                Err(error) => return self.tell(News::Failed(error)),
            },
            _ = closed(&mut self.orders, &mut self.again) => return,
        };
        let mut next = Some(connection);
        loop {
            let connection = match next.take() {
                Some(connection) => connection,
                None => match self.reconnect().await {
                    Some(connection) => connection,
                    None => return,
                },
            };
            self.number += 1;
            match self.serve(&connection).await {
                Ok(delete) => {
                    if delete {
                        self.delete_queue(&connection).await;
                    }
                    // The broker would find out by itself; this is politeness.
                    let _ = within("closing", connection.close(200, "bye".into())).await;
                    return;
                }
                Err(error) => {
                    let _ = within("closing", connection.close(200, "bye".into())).await;
                    if self.number == 1 {
                        let error = final_error(&place, self.link.user(), &error).unwrap_or_else(|| {
                            SubmitterError::Broken { place: place.clone(), problem: error.to_string() }
                        });
                        // Only before anything worked: what worked once will work again.
                        if self.pause.is_zero() {
                            return self.tell(News::Failed(error));
                        }
                    }
                    self.wait_longer();
                    self.tell(News::Lost(error.to_string()));
                }
            }
        }
    }

    /// Connects again, however long it takes; `None` when told to close instead.
    async fn reconnect(&mut self) -> Option<Connection> {
        loop {
            let Self { link, orders, again, pause, .. } = self;
            let connecting = async {
                tokio::time::sleep(*pause).await;
                link.attempt().await
            };
            let (place, attempt) = tokio::select! {
                attempt = connecting => attempt,
                _ = closed(orders, again) => return None,
            };
            match attempt {
                Ok(connection) => return Some(connection),
                Err(error) => {
                    self.wait_longer();
                    tracing::info!(broker = %place, again_in = ?self.pause, "{error}");
                }
            }
        }
    }

    /// Works over one connection; `Ok` when told to close, with whether the queue is to go.
    async fn serve(&mut self, connection: &Connection) -> Result<bool, LinkError> {
        let mut line = self.open(connection).await?;
        self.pause = BACKOFF.0;
        let mut in_flight = VecDeque::new();
        let end = self.work(&mut line, &mut in_flight).await;
        // What the broker did not confirm goes first next time, in its order.
        for lost in in_flight.into_iter().rev() {
            self.again.push_front(lost.post);
        }
        end
    }

    async fn work(&mut self, line: &mut Line, in_flight: &mut VecDeque<InFlight>) -> Result<bool, LinkError> {
        loop {
            while in_flight.len() < MOST_UNCONFIRMED
                && let Some(post) = self.again.pop_front()
            {
                self.publish(line, in_flight, post).await?;
            }
            match self.next(line, in_flight).await {
                Happening::Order(Some(Order::Publish(post))) => self.publish(line, in_flight, post).await?,
                Happening::Order(Some(Order::Acknowledge(receipt))) => {
                    if receipt.connection == self.number {
                        let options = BasicAckOptions { multiple: true };
                        within("acknowledging", line.consuming.basic_ack(receipt.delivery, options)).await?;
                    }
                }
                Happening::Order(Some(Order::Close { delete })) => return Ok(delete),
                // Nobody is left who could ask for anything.
                Happening::Order(None) => return Ok(false),
                Happening::Confirmed(confirmation) => {
                    let confirmation =
                        confirmation.map_err(|error| LinkError::Refused("publishing", error))?;
                    self.confirmed(in_flight, confirmation)?;
                }
                Happening::Overdue => return Err(LinkError::Silent("publishing")),
                Happening::Verdict(Some(Ok(delivery))) => {
                    let receipt = Receipt { connection: self.number, delivery: delivery.delivery_tag };
                    self.tell(News::Verdict(receipt, delivery.data));
                }
                Happening::Progress(Some(Ok(delivery))) => self.tell(News::Progress(delivery.data)),
                Happening::Verdict(Some(Err(error))) | Happening::Progress(Some(Err(error))) => {
                    return Err(LinkError::Refused("consuming", error));
                }
                Happening::Verdict(None) => return Err(LinkError::ConsumerEnded("this sender's verdicts")),
                Happening::Progress(None) => line.progress = None,
            }
        }
    }

    /// Waits for whatever comes first.
    async fn next(&mut self, line: &mut Line, in_flight: &mut VecDeque<InFlight>) -> Happening {
        let has_room = in_flight.len() < MOST_UNCONFIRMED;
        let deadline = in_flight.front().map_or_else(Instant::now, |first| first.deadline);
        let is_waiting = !in_flight.is_empty();
        tokio::select! {
            biased;
            confirmation = first(in_flight), if is_waiting => Happening::Confirmed(confirmation),
            verdict = arrival(&mut line.verdicts) => Happening::Verdict(verdict),
            order = self.orders.recv(), if has_room => Happening::Order(order),
            event = arrival(&mut line.progress) => Happening::Progress(event),
            () = tokio::time::sleep_until(deadline), if is_waiting => Happening::Overdue,
        }
    }

    async fn publish(
        &mut self,
        line: &Line,
        in_flight: &mut VecDeque<InFlight>,
        post: Post,
    ) -> Result<(), LinkError> {
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let mut properties = BasicProperties::default()
            .with_content_type("application/json".into())
            .with_delivery_mode(2)
            .with_timestamp(seconds_now());
        if let Ok(name) = ShortString::try_new(post.message_id.clone()) {
            properties = properties.with_message_id(name);
        }
        let publishing = line.publishing.basic_publish(
            post.exchange.into(),
            post.routing_key.clone().into(),
            options,
            &post.body,
            properties,
        );
        match within("publishing", publishing).await {
            Ok(confirmation) => {
                let deadline = Instant::now() + CONFIRMATION;
                in_flight.push_back(InFlight { post, confirmation, deadline });
                Ok(())
            }
            Err(error) => {
                self.again.push_front(post);
                Err(error)
            }
        }
    }

    /// The broker answered to the oldest publication.
    fn confirmed(
        &mut self,
        in_flight: &mut VecDeque<InFlight>,
        confirmation: Confirmation,
    ) -> Result<(), LinkError> {
        let Some(InFlight { post, .. }) = in_flight.pop_front() else { return Ok(()) };
        match confirmation {
            Confirmation::Ack(None) => self.tell(News::Taken(post.number)),
            Confirmation::Ack(Some(returned)) => {
                // Which of several in flight came back, the message says; the confirmation does not.
                let name = returned.delivery.properties.message_id().as_ref().map(ToString::to_string);
                let number = match name {
                    Some(name) if name != post.message_id => in_flight
                        .iter()
                        .map(|other| &other.post)
                        .find(|other| other.message_id == name)
                        .map_or(post.number, |other| other.number),
                    _ => post.number,
                };
                self.tell(News::Unroutable(number));
            }
            Confirmation::Nack(_) | Confirmation::NotRequested => {
                let exchange = post.exchange;
                self.again.push_front(post);
                return Err(LinkError::NotTaken(exchange));
            }
        }
        Ok(())
    }

    /// Everything that is needed before the first publication.
    async fn open(&mut self, connection: &Connection) -> Result<Line, LinkError> {
        topology::declare(connection).await?;
        let consuming = channel(connection).await?;
        let mut missed = false;
        let mut verdicts = None;
        if let Some(queue) = self.options.queue.clone() {
            missed = !exists(connection, &queue).await?;
            if missed {
                declare(&consuming, &queue, self.options.keep).await?;
            }
            // Also where it was there: whoever made it may have been ended before it was bound.
            bind(&consuming, &queue, VERDICT_BINDING).await?;
            let qos = consuming.basic_qos(MOST_UNACKNOWLEDGED, BasicQosOptions::default());
            within("limiting deliveries", qos).await?;
            let consumer = consuming.basic_consume(
                queue.as_str().into(),
                "verdicts".into(),
                BasicConsumeOptions::default(),
                nothing(),
            );
            verdicts = Some(within("consuming", consumer).await.map_err(|e| e.about("queue", &queue))?);
        }
        let progress = if self.options.progress { Some(listen(connection).await?) } else { None };
        let publishing = channel(connection).await?;
        within("asking for confirmations", publishing.confirm_select(ConfirmSelectOptions::default()))
            .await?;
        self.tell(News::Connected { missed });
        Ok(Line { publishing, consuming, verdicts, progress })
    }

    async fn delete_queue(&self, connection: &Connection) {
        let Some(queue) = &self.options.queue else { return };
        let Ok(channel) = channel(connection).await else { return };
        let deleted = channel.queue_delete(queue.as_str().into(), QueueDeleteOptions::default());
        if let Err(error) = within("deleting a queue", deleted).await {
            tracing::info!(%queue, "left for the broker to remove: {error}");
        }
    }

    fn wait_longer(&mut self) {
        self.pause = (self.pause * 2).clamp(BACKOFF.0, BACKOFF.1);
    }

    fn tell(&self, news: News) {
        // Nobody listens any more: the caller is ending.
        let _ = self.news.send(news);
    }
}

/// Whether a queue is there.
async fn exists(connection: &Connection, queue: &str) -> Result<bool, LinkError> {
    let probe = channel(connection).await?;
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    match within("looking for a queue", probe.queue_declare(queue.into(), options, nothing())).await {
        Ok(_) => {
            let _ = within("closing a channel", probe.close(200, "bye".into())).await;
            Ok(true)
        }
        Err(error) if is_not_found(&error) => Ok(false),
        Err(error) => Err(error.about("queue", queue)),
    }
}

/// Makes the queue that collects verdicts. Not a quorum queue, for all that is published to it waits for its
/// members: one that does not come up again after a crash would hold back the verdicts of everybody else.
async fn declare(channel: &Channel, queue: &str, keep: Duration) -> Result<(), LinkError> {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("classic".into()));
    let keep = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX);
    arguments.insert("x-expires".into(), AMQPValue::LongLongInt(keep));
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    within("declaring a queue", channel.queue_declare(queue.into(), options, arguments))
        .await
        .map_err(|error| error.about("queue", queue))
        .map(|_| ())
}

async fn bind(channel: &Channel, queue: &str, (exchange, key): (&str, &str)) -> Result<(), LinkError> {
    let options = QueueBindOptions::default();
    within(
        "binding a queue",
        channel.queue_bind(queue.into(), exchange.into(), key.into(), options, nothing()),
    )
    .await
    .map_err(|error| error.about("queue", queue))
}

/// A queue of progress that goes with the connection; what does not fit is dropped.
async fn listen(connection: &Connection) -> Result<Consumer, LinkError> {
    let channel = channel(connection).await?;
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-length".into(), AMQPValue::LongInt(MOST_EVENTS));
    let options =
        QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
    let queue = within("declaring a queue", channel.queue_declare("".into(), options, arguments)).await?;
    let name = queue.name().clone();
    bind(&channel, name.as_str(), PROGRESS_BINDING).await?;
    let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    within("consuming", channel.basic_consume(name, "progress".into(), options, nothing())).await
}

/// The answer to the oldest publication; pending for ever where there is none.
async fn first(in_flight: &mut VecDeque<InFlight>) -> lapin::Result<Confirmation> {
    match in_flight.front_mut() {
        Some(oldest) => {
            std::future::poll_fn(|context| Pin::new(&mut oldest.confirmation).poll(context)).await
        }
        None => std::future::pending().await,
    }
}

/// The next a consumer has; pending for ever where there is no consumer.
async fn arrival(consumer: &mut Option<Consumer>) -> Option<lapin::Result<Delivery>> {
    std::future::poll_fn(|context| match consumer {
        Some(consumer) => Pin::new(consumer).poll_next(context),
        None => Poll::Pending,
    })
    .await
}

/// Keeps what is ordered while there is no connection; returns when told to close.
async fn closed(orders: &mut mpsc::UnboundedReceiver<Order>, again: &mut VecDeque<Post>) {
    loop {
        match orders.recv().await {
            Some(Order::Publish(post)) => again.push_back(post),
            // Told again over the next connection.
            Some(Order::Acknowledge(_)) => {}
            Some(Order::Close { .. }) | None => return,
        }
    }
}

/// AMQP timestamps are seconds.
fn seconds_now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
