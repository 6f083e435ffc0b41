//! A delivered submission in the form it came in, for publishing it again as a new message.
//!
//! RabbitMQ counts every return of a message to its queue, and takes a message that comes back too often for one that
//! ends its consumers (`x-delivery-count`, a policy's `delivery-limit`). A worker that gives a submission back of its
//! own accord must not feed that count for long. So a message that has been counted a few times is published anew and
//! the old one acknowledged: the broker's count of the new one begins at zero. What was counted so far goes along in a
//! header, so that a submission that ends its workers reaches the limit all the same.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lapin::BasicProperties;
use lapin::message::Delivery as Message;
use lapin::types::{AMQPValue, FieldTable, ShortString};

use super::limits;
use super::topology::class_of;
use crate::queue::contents::KeyDigest;
use crate::submission::Priority;

/// More workers than any fleet has.
const MOST_LACKING: usize = 1000;

/// Marks a message that a worker published again: a verdict on it may be a repeat.
const RETURNED: &str = "x-gavel-returned";

/// Counts the returns of the messages that a submission came in before this one.
const CARRIED: &str = "x-gavel-returns";

/// Names the control queues of the processes that lack the package of a submission, with spaces between. The broker
/// knows by such a name whether the process is still connected.
const LACKING: &str = "x-gavel-lacking";
/// When the first of them found that out: milliseconds of Unix time.
const LACKING_SINCE: &str = "x-gavel-lacking-since";

/// Headers that the broker writes about one message, and that are wrong about the next.
const OF_THE_BROKER: [&str; 7] = [
    "x-delivery-count",
    "x-acquired-count",
    "x-death",
    "x-first-death-exchange",
    "x-first-death-queue",
    "x-first-death-reason",
    "x-delivery-time",
];

/// Headers by which RabbitMQ routes a message to further queues: the first publish did so.
const ROUTES: [&str; 2] = ["CC", "BCC"];

/// Sets one of the properties that are texts.
type With = fn(BasicProperties, ShortString) -> BasicProperties;

/// What a delivery brought besides the submission.
#[derive(Debug)]
pub(super) struct Parcel {
    /// The class of its queue; `None` for what is no submission, or came from another queue than those of submissions.
    pub(super) class: Option<Priority>,
    pub(super) properties: BasicProperties,
    pub(super) body: Vec<u8>,
    /// Whether a worker may have had it before.
    pub(super) redelivered: bool,
    /// How often the broker counted a return of this message, and of those that it was published anew for.
    pub(super) returns: i64,
    /// The judging that its acknowledgement ends.
    pub(super) judging: Option<KeyDigest>,
}

impl Parcel {
    pub(super) fn new(message: Message, class: Option<Priority>) -> Self {
        let headers = message.properties.headers().as_ref().map(FieldTable::inner);
        let is_marked = headers.is_some_and(|headers| headers.contains_key(RETURNED));
        Self {
            class,
            redelivered: message.redelivered || is_marked,
            returns: carried(&message.properties)
                .saturating_add(returns(&message.properties, message.redelivered)),
            properties: message.properties,
            body: message.data,
            judging: None,
        }
    }

    /// The workers that lack its package, by their control queues.
    pub(super) fn lacking(&self) -> Vec<String> {
        match own_header(&self.properties, LACKING) {
            Some(AMQPValue::LongString(names)) => {
                names.to_string().split_whitespace().take(MOST_LACKING).map(str::to_owned).collect()
            }
            _ => Vec::new(),
        }
    }

    /// How long workers without its package have passed it on.
    pub(super) fn passed_on_for(&self) -> Duration {
        match own_header(&self.properties, LACKING_SINCE) {
            Some(AMQPValue::LongLongInt(since)) => {
                let since = UNIX_EPOCH + Duration::from_millis(u64::try_from(*since).unwrap_or_default());
                since.elapsed().unwrap_or_default()
            }
            _ => Duration::ZERO,
        }
    }

    /// The properties of the same message for another worker than this one and those before it.
    pub(super) fn passed_on(&self, worker: &str) -> BasicProperties {
        let mut lacking = self.lacking();
        if !lacking.iter().any(|name| name == worker) {
            lacking.push(worker.to_owned());
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let since = i64::try_from(now.saturating_sub(self.passed_on_for()).as_millis()).unwrap_or_default();
        let properties = self.renewed(false);
        let mut headers = properties.headers().clone().unwrap_or_default();
        headers.insert(LACKING.into(), AMQPValue::LongString(lacking.join(" ").into()));
        headers.insert(LACKING_SINCE.into(), AMQPValue::LongLongInt(since));
        properties.with_headers(headers)
    }

    /// The routing key of its class.
    pub(super) fn key(&self) -> Option<String> {
        self.class.map(|class| format!("judge.{}", class.id()))
    }

    /// The properties of the same message published again. `may_repeat` is set where a verdict may be out already.
    pub(super) fn renewed(&self, may_repeat: bool) -> BasicProperties {
        let mut headers = FieldTable::default();
        for (name, value) in self.properties.headers().iter().flat_map(FieldTable::inner) {
            if !OF_THE_BROKER.contains(&name.as_str()) && !ROUTES.contains(&name.as_str()) {
                headers.insert(name.clone(), value.clone());
            }
        }
        if may_repeat || self.redelivered {
            headers.insert(RETURNED.into(), AMQPValue::Boolean(true));
        }
        if self.returns > 0 {
            headers.insert(CARRIED.into(), AMQPValue::LongLongInt(self.returns));
        }
        // The broker compares `user_id` with the user that publishes, which is the worker now.
        let mut properties = BasicProperties::default().with_headers(headers).with_delivery_mode(2);
        let old = &self.properties;
        let texts: [(&Option<ShortString>, With); 8] = [
            (old.content_type(), BasicProperties::with_content_type),
            (old.content_encoding(), BasicProperties::with_content_encoding),
            (old.correlation_id(), BasicProperties::with_correlation_id),
            (old.reply_to(), BasicProperties::with_reply_to),
            (old.expiration(), BasicProperties::with_expiration),
            (old.message_id(), BasicProperties::with_message_id),
            (old.kind(), BasicProperties::with_type),
            (old.app_id(), BasicProperties::with_app_id),
        ];
        for (text, with) in texts {
            if let Some(text) = text {
                properties = with(properties, text.clone());
            }
        }
        if let Some(timestamp) = old.timestamp() {
            properties = properties.with_timestamp(*timestamp);
        }
        if let Some(priority) = old.priority() {
            properties = properties.with_priority(*priority);
        }
        properties
    }
}

/// The properties of a dead letter: those of the message but for what would make the broker drop, route or refuse it.
pub(super) fn dead_letter(original: &BasicProperties, key: &str, reason: &str) -> BasicProperties {
    let mut headers = FieldTable::default();
    for (name, value) in original.headers().iter().flat_map(FieldTable::inner) {
        if !["CC", "BCC"].contains(&name.as_str()) && !is_of_one_way(name.as_str()) {
            headers.insert(name.clone(), value.clone());
        }
    }
    headers.insert("x-gavel-reason".into(), limits::text(reason));
    headers.insert("x-gavel-key".into(), limits::text(key));
    let mut properties = BasicProperties::default().with_delivery_mode(2).with_headers(headers);
    if let Some(id) = original.message_id() {
        properties = properties.with_message_id(id.clone());
    }
    if let Some(id) = original.correlation_id() {
        properties = properties.with_correlation_id(id.clone());
    }
    if let Some(queue) = original.reply_to() {
        properties = properties.with_reply_to(queue.clone());
    }
    if let Some(kind) = original.content_type() {
        properties = properties.with_content_type(kind.clone());
    }
    if let Some(encoding) = original.content_encoding() {
        properties = properties.with_content_encoding(encoding.clone());
    }
    if let Some(kind) = original.kind() {
        properties = properties.with_type(kind.clone());
    }
    if let Some(application) = original.app_id() {
        properties = properties.with_app_id(application.clone());
    }
    if let Some(time) = original.timestamp() {
        properties = properties.with_timestamp(*time);
    }
    properties
}

/// The class of the queue that a dead-lettered message came from.
pub(super) fn first_class(properties: &BasicProperties) -> Option<Priority> {
    let headers = properties.headers().as_ref()?.inner();
    match headers.get("x-first-death-queue")? {
        AMQPValue::LongString(queue) => class_of(&queue.to_string()),
        _ => None,
    }
}

/// Returns whether a header says how one message fared among workers, which is wrong about the same message sent again.
fn is_of_one_way(name: &str) -> bool {
    [CARRIED, LACKING, LACKING_SINCE, "x-delivery-count"].contains(&name)
}

/// A header that a worker wrote for the next. In a message that the broker dead-lettered, and that somebody sent again
/// with all its headers, it is about the earlier message.
fn own_header<'a>(properties: &'a BasicProperties, name: &str) -> Option<&'a AMQPValue> {
    let headers = properties.headers().as_ref()?.inner();
    headers.get(name).filter(|_| !headers.contains_key("x-first-death-queue"))
}

/// How often the broker counted returns of the messages before this one.
fn carried(properties: &BasicProperties) -> i64 {
    match own_header(properties, CARRIED) {
        Some(AMQPValue::LongLongInt(count)) => (*count).max(0),
        _ => 0,
    }
}

/// How often the broker counted a return of this message. The broker writes the header from the second delivery on;
/// on the first, whatever stands there came with the message from elsewhere.
fn returns(properties: &BasicProperties, redelivered: bool) -> i64 {
    let headers = properties.headers().as_ref().map(FieldTable::inner);
    match headers.and_then(|headers| headers.get("x-delivery-count")) {
        _ if !redelivered => 0,
        Some(AMQPValue::LongLongInt(count)) => *count,
        Some(AMQPValue::LongInt(count)) => i64::from(*count),
        Some(AMQPValue::LongUInt(count)) => i64::from(*count),
        Some(AMQPValue::ShortInt(count)) => i64::from(*count),
        Some(AMQPValue::ShortUInt(count)) => i64::from(*count),
        Some(AMQPValue::ShortShortInt(count)) => i64::from(*count),
        Some(AMQPValue::ShortShortUInt(count)) => i64::from(*count),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_count(count: i64) -> BasicProperties {
        let mut headers = FieldTable::default();
        headers.insert("x-delivery-count".into(), AMQPValue::LongLongInt(count));
        headers.insert("x-own".into(), AMQPValue::Boolean(true));
        for name in ROUTES {
            headers
                .insert(name.into(), AMQPValue::FieldArray(vec![AMQPValue::LongString("q".into())].into()));
        }
        BasicProperties::default()
            .with_headers(headers)
            .with_user_id("anna".into())
            .with_message_id("m".into())
            .with_timestamp(7)
            .with_priority(5)
    }

    #[test]
    fn a_count_that_came_with_the_message_counts_for_nothing() {
        assert_eq!(returns(&with_count(50), false), 0);
        assert_eq!(returns(&with_count(3), true), 3);
        assert_eq!(returns(&BasicProperties::default(), true), 0);
    }

    #[test]
    fn a_dead_letter_that_is_sent_again_begins_anew() {
        let mut headers = FieldTable::default();
        headers.insert(CARRIED.into(), AMQPValue::LongLongInt(10));
        assert_eq!(carried(&BasicProperties::default().with_headers(headers.clone())), 10);
        headers.insert("x-first-death-queue".into(), AMQPValue::LongString("gavel.judge.normal".into()));
        assert_eq!(carried(&BasicProperties::default().with_headers(headers)), 0);
    }

    #[test]
    fn who_lacks_the_package_is_collected_and_since_when() {
        let mut parcel = Parcel {
            class: Some(Priority::Normal),
            properties: with_count(1),
            body: Vec::new(),
            redelivered: false,
            returns: 0,
            judging: None,
        };
        assert!(parcel.lacking().is_empty() && parcel.passed_on_for().is_zero());
        for instance in ["one", "two", "one"] {
            parcel.properties = parcel.passed_on(instance);
        }
        assert_eq!(parcel.lacking(), ["one", "two"]);
        assert!(parcel.passed_on_for() < Duration::from_secs(60));
        assert!(!parcel.properties.headers().as_ref().unwrap().inner().contains_key(RETURNED));
    }

    #[test]
    fn a_message_published_again_keeps_what_its_sender_wrote_and_reaches_no_further_queue() {
        let parcel = Parcel {
            class: Some(Priority::Rejudge),
            properties: with_count(4),
            body: Vec::new(),
            redelivered: false,
            returns: 4,
            judging: None,
        };
        assert_eq!(parcel.key().as_deref(), Some("judge.rejudge"));
        let again = parcel.renewed(false);
        let headers = again.headers().as_ref().unwrap().inner();
        assert!(headers.contains_key("x-own") && headers.len() == 2, "{headers:?}");
        assert_eq!(carried(&again), 4);
        assert_eq!((again.user_id(), again.timestamp(), again.priority()), (&None, &Some(7), &Some(5)));
        assert_eq!(again.message_id().as_ref().unwrap().as_str(), "m");
        assert!(parcel.renewed(true).headers().as_ref().unwrap().inner().contains_key(RETURNED));
    }
}
