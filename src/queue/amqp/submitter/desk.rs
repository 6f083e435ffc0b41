//! Looking at queues, and at what died: by passive declarations and single messages, without the broker's
//! management plugin.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicGetOptions, BasicNackOptions, BasicPublishOptions, ConfirmSelectOptions,
    QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Acker, BasicProperties, Channel, Confirmation, Connection};
use serde::Deserialize;

use super::super::link::{Addresses, Link, LinkError, within};
use super::super::topology::{DEAD, EXHAUSTED, JUDGE, nothing};
use super::connect::{SUBMIT, SubmitterError, channel, final_error, first_contact, is_not_found};

/// The queue of what could not be judged.
const DEAD_QUEUE: &str = "gavel.dead";
/// The queue every verdict goes to.
const RESULTS_QUEUE: &str = "gavel.results";
/// Bytes of a dead message that are shown.
const FIRST_BYTES: usize = 200;
/// A message looked at so often is put back as a new one: a broker may throw away what comes back too often,
/// and RabbitMQ 4 does so after twenty times.
const MOST_LOOKS: i64 = 5;
/// The routing key of such a new one. Where it once came from is in its headers, and a key of a class would send it to
/// those who answer what is given up.
const LOOKED_AT: &str = "dead.renewed";
/// The longest name AMQP knows.
const SHORT: usize = 255;
/// Headers a message has only because it died.
const DEATH_HEADERS: [&str; 8] = [
    "x-gavel-reason",
    "x-gavel-key",
    "x-death",
    "x-delivery-count",
    "x-first-death-exchange",
    "x-first-death-queue",
    "x-first-death-reason",
    "x-acquired-count",
];

/// One queue as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Depth {
    /// Its name.
    pub queue: &'static str,
    /// Messages that wait for a consumer, and consumers; `None` where the queue does not exist.
    pub state: Option<(u32, u32)>,
}

/// A message nobody could judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadMessage {
    /// The submission's id, where one can be read.
    pub id: Option<String>,
    /// Its judging, where one can be read.
    pub judging: Option<String>,
    /// Why it is here.
    pub reason: String,
    /// Exchange and routing key it was first published with, where known.
    pub origin: Option<(String, String)>,
    /// When it died, where known; else when it was published.
    pub since: Option<SystemTime>,
    /// Bytes in all.
    pub size: usize,
    /// How it begins.
    pub first_bytes: Vec<u8>,
}

/// What became of a dead message that was to be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dispatch {
    /// It is in its queue again, and dead no more.
    Requeued,
    /// It does not say where it came from.
    Homeless,
    /// No queue takes it where it came from.
    Unroutable,
}

/// A connection to look at queues with.
pub struct Desk {
    runtime: tokio::runtime::Runtime,
    connection: Connection,
    channel: Channel,
    place: String,
    /// Who logged in, in words.
    user: String,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Desk").field("place", &self.place).finish_non_exhaustive()
    }
}

/// A message that was taken out to be looked at, and goes back.
struct Held {
    acker: Acker,
    /// To be published anew, where it was looked at too often.
    renewed: Option<(BasicProperties, Vec<u8>)>,
}

impl Desk {
    /// Connects.
    ///
    /// # Errors
    /// [`SubmitterError`].
    pub fn open(addresses: &Addresses, name: &str) -> Result<Self, SubmitterError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut link = Link::new(addresses.clone(), "looking", name, None);
        let (place, connection) = runtime.block_on(first_contact(&mut link))?;
        let channel = runtime.block_on(async {
            let channel = channel(&connection).await?;
            within("asking for confirmations", channel.confirm_select(ConfirmSelectOptions::default()))
                .await?;
            Ok(channel)
        });
        let user = link.user().to_owned();
        let channel = channel.map_err(|error| broken(&place, &user, &error))?;
        Ok(Self { runtime, connection, channel, place, user })
    }

    /// How full the queues are.
    ///
    /// # Errors
    /// [`SubmitterError`]; a queue that is not there is none.
    pub fn depths(&self) -> Result<Vec<Depth>, SubmitterError> {
        let names = JUDGE.into_iter().chain([EXHAUSTED, RESULTS_QUEUE, DEAD_QUEUE]);
        names
            .map(|queue| {
                let state = self.runtime.block_on(depth(&self.connection, queue));
                Ok(Depth { queue, state: state.map_err(|error| broken(&self.place, &self.user, &error))? })
            })
            .collect()
    }

    /// The first dead messages, at most `most`; they stay where they are.
    ///
    /// # Errors
    /// [`SubmitterError`]; what was taken out to be looked at is back once the connection is gone.
    pub fn dead(&self, most: usize) -> Result<Vec<DeadMessage>, SubmitterError> {
        let mut found = Vec::new();
        self.visit(most, |message| {
            found.push(message.clone());
            false
        })?;
        Ok(found)
    }

    /// Sends dead messages again to where they came from: those `wanted` says yes to. Each is published and
    /// confirmed before it is taken out of the dead queue, so that it may be there twice but never nowhere.
    ///
    /// # Errors
    /// [`SubmitterError`]; what is not yet requeued is still in the dead queue.
    pub fn requeue(
        &self,
        wanted: impl FnMut(&DeadMessage) -> bool,
    ) -> Result<Vec<(DeadMessage, Dispatch)>, SubmitterError> {
        self.visit(usize::MAX, wanted)
    }

    fn visit(
        &self,
        most: usize,
        mut wanted: impl FnMut(&DeadMessage) -> bool,
    ) -> Result<Vec<(DeadMessage, Dispatch)>, SubmitterError> {
        let visiting = async {
            let mut held = Vec::new();
            let mut dispatched = Vec::new();
            // Counted first: what dies meanwhile is for the next visit.
            let depth = depth(&self.connection, DEAD_QUEUE).await?.map_or(0, |(ready, _)| ready);
            for _ in 0..most.min(depth as usize) {
                let got = self.channel.basic_get(DEAD_QUEUE.into(), BasicGetOptions::default());
                let Some(got) = within("reading the dead queue", got).await? else { break };
                let delivery = got.delivery;
                let message = describe(&delivery);
                if wanted(&message) {
                    let dispatch = self.send_home(&message, &delivery).await?;
                    if dispatch == Dispatch::Requeued {
                        let acknowledged = delivery.acker.ack(BasicAckOptions::default());
                        within("acknowledging", acknowledged).await?;
                    } else {
                        held.push(Held::new(delivery));
                    }
                    dispatched.push((message, dispatch));
                } else {
                    held.push(Held::new(delivery));
                }
            }
            for one in held {
                self.put_back(one).await?;
            }
            Ok(dispatched)
        };
        self.runtime.block_on(visiting).map_err(|error| broken(&self.place, &self.user, &error))
    }

    async fn send_home(&self, message: &DeadMessage, delivery: &Delivery) -> Result<Dispatch, LinkError> {
        let Some((exchange, key)) = &message.origin else { return Ok(Dispatch::Homeless) };
        let properties = without(&delivery.properties, &DEATH_HEADERS).with_delivery_mode(2);
        let is_kept = self.publish(exchange, key, properties, &delivery.data).await?;
        Ok(if is_kept { Dispatch::Requeued } else { Dispatch::Unroutable })
    }

    async fn put_back(&self, held: Held) -> Result<(), LinkError> {
        // Not past the exchange to the queue: that would take the right to publish to any queue at all.
        if let Some((properties, body)) = held.renewed
            && self.publish(DEAD, LOOKED_AT, properties, &body).await?
        {
            within("acknowledging", held.acker.ack(BasicAckOptions::default())).await?;
            return Ok(());
        }
        let options = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
        within("giving back", held.acker.nack(options)).await.map(|_| ())
    }

    /// Publishes and waits for the confirmation; whether a queue has it.
    async fn publish(
        &self,
        exchange: &str,
        key: &str,
        properties: BasicProperties,
        body: &[u8],
    ) -> Result<bool, LinkError> {
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let confirmation = within("publishing", async {
            self.channel.basic_publish(exchange.into(), key.into(), options, body, properties).await?.await
        })
        .await?;
        match confirmation {
            Confirmation::Ack(returned) => Ok(returned.is_none()),
            Confirmation::Nack(_) | Confirmation::NotRequested => Err(LinkError::NotTaken(SUBMIT)),
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let closing = self.connection.close(200, "bye".into());
        // The broker would find out by itself; this is politeness.
        let _ = self.runtime.block_on(within("closing", closing));
    }
}

impl Held {
    fn new(delivery: Delivery) -> Self {
        let is_worn = looks(&delivery.properties) >= MOST_LOOKS;
        let renewed = is_worn.then(|| (without(&delivery.properties, &["x-delivery-count"]), delivery.data));
        Self { acker: delivery.acker, renewed }
    }
}

/// Messages and consumers of a queue; `None` where there is no such queue.
async fn depth(connection: &Connection, queue: &str) -> Result<Option<(u32, u32)>, LinkError> {
    // A channel of its own: a queue that is not there closes it.
    let probe = channel(connection).await?;
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    match within("looking for a queue", probe.queue_declare(queue.into(), options, nothing())).await {
        Ok(found) => {
            let _ = within("closing a channel", probe.close(200, "bye".into())).await;
            Ok(Some((found.message_count(), found.consumer_count())))
        }
        Err(error) if is_not_found(&error) => Ok(None),
        Err(error) => Err(error.about("queue", queue)),
    }
}

fn broken(place: &str, user: &str, error: &LinkError) -> SubmitterError {
    final_error(place, user, error)
        .unwrap_or_else(|| SubmitterError::Broken { place: place.to_owned(), problem: error.to_string() })
}

/// Names a submission has, as far as they can be read.
#[derive(Deserialize)]
struct Names {
    id: Option<String>,
    judging: Option<String>,
}

fn describe(delivery: &Delivery) -> DeadMessage {
    let nothing = FieldTable::default();
    let headers = delivery.properties.headers().as_ref().unwrap_or(&nothing);
    let text = |name: &str| headers.inner().get(name).and_then(as_text);
    let death = headers.inner().get("x-death").and_then(|value| match value {
        AMQPValue::FieldArray(deaths) => deaths.as_slice().first().and_then(|death| match death {
            AMQPValue::FieldTable(death) => Some(death.inner()),
            _ => None,
        }),
        _ => None,
    });
    let of_death = |name: &str| death.and_then(|death| death.get(name)).and_then(as_text);
    let origin = match text("x-gavel-key") {
        Some(key) => Some((SUBMIT.to_owned(), key)),
        None => death.and_then(|death| {
            let AMQPValue::FieldArray(keys) = death.get("routing-keys")? else { return None };
            Some((of_death("exchange")?, as_text(keys.as_slice().first()?)?))
        }),
    };
    // Whoever published it may have written anything there; AMQP's own names are short.
    let origin = origin.filter(|(exchange, key)| exchange.len() <= SHORT && key.len() <= SHORT);
    let died = death.and_then(|death| match death.get("time") {
        Some(AMQPValue::Timestamp(time)) => Some(*time),
        _ => None,
    });
    let names = serde_json::from_slice::<Names>(&delivery.data).ok();
    let (id, judging) = names.map_or((None, None), |names| (names.id, names.judging));
    DeadMessage {
        id,
        judging,
        reason: text("x-gavel-reason")
            .or_else(|| of_death("reason").map(|reason| said_of_death(&reason, of_death("queue"))))
            .unwrap_or_else(|| "published here without a reason".to_owned()),
        origin,
        since: died
            .or(*delivery.properties.timestamp())
            .map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds)),
        size: delivery.data.len(),
        first_bytes: delivery.data.iter().take(FIRST_BYTES).copied().collect(),
    }
}

/// The broker's word for why it dead-lettered a message, as a sentence.
fn said_of_death(reason: &str, queue: Option<String>) -> String {
    let queue = queue.unwrap_or_else(|| "its queue".to_owned());
    match reason {
        "delivery_limit" => format!("came back to {queue} too often: each attempt ended its worker"),
        "expired" => format!("waited in {queue} longer than its policy allows"),
        "maxlen" => format!("{queue} was full"),
        "rejected" => format!("rejected from {queue}"),
        other => format!("{other} in {queue}"),
    }
}

fn as_text(value: &AMQPValue) -> Option<String> {
    match value {
        AMQPValue::LongString(text) => Some(String::from_utf8_lossy(text.as_bytes()).into_owned()),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    }
}

/// How often the message came back to the dead queue.
fn looks(properties: &BasicProperties) -> i64 {
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

/// The same properties without some headers.
fn without(properties: &BasicProperties, headers: &[&str]) -> BasicProperties {
    let mut kept = FieldTable::default();
    if let Some(all) = properties.headers() {
        for (name, value) in all.inner() {
            if !headers.contains(&name.as_str()) {
                kept.insert(name.clone(), value.clone());
            }
        }
    }
    properties.clone().with_headers(kept)
}
