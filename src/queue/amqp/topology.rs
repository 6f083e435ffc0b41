//! Exchanges and queues, declared alike by every worker so that whoever comes first makes them.
//!
//! Only what RabbitMQ 3.10 and 4 understand alike: durable quorum queues without further arguments. Limits
//! and dead-lettering are for the operator's policies. A worker whose user may not declare anything uses what
//! is there, as `deploy/rabbitmq/definitions.json` makes it.

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, Connection, ExchangeKind};

use super::link::{LinkError, within};
use crate::submission::Priority;

/// Verdicts go here, keyed `verdict.<VERDICT>`.
pub(super) const VERDICTS: &str = "gavel.verdicts";
/// Events go here, keyed `progress.<type>`; whoever wants them binds a queue.
pub(super) const PROGRESS: &str = "gavel.progress";
/// Cancel messages come from here.
pub(super) const CONTROL: &str = "gavel.control";
/// What cannot be read goes here, and what a policy made the broker give up.
pub(super) const DEAD: &str = "gavel.dlx";
/// Submissions go here, keyed `judge.<class>`.
pub(super) const SUBMIT: &str = "gavel.submit";
/// The three queues of submissions.
pub(super) const JUDGE: [&str; 3] = ["gavel.judge.contest", "gavel.judge.normal", "gavel.judge.rejudge"];
/// Submissions that the broker itself gave up, by a policy's delivery limit, length or age; each is owed a
/// verdict still. Their originals stay in `gavel.dead`.
pub(super) const EXHAUSTED: &str = "gavel.exhausted";

/// Milliseconds that a worker's queue of cancels stays without the worker.
const CONTROL_EXPIRES: i32 = 5 * 60 * 1000;
/// Cancels that wait for a worker; beyond it the oldest are dropped.
const MOST_CANCELS: i32 = 10_000;

/// Exchanges and their kinds.
const EXCHANGES: [(&str, ExchangeKind); 5] = [
    (SUBMIT, ExchangeKind::Topic),
    (VERDICTS, ExchangeKind::Topic),
    (PROGRESS, ExchangeKind::Topic),
    (CONTROL, ExchangeKind::Fanout),
    (DEAD, ExchangeKind::Topic),
];

/// Queues, the exchange each is bound to, and by which key.
const QUEUES: [(&str, &str, &str); 6] = [
    (JUDGE[0], SUBMIT, "judge.contest"),
    (JUDGE[1], SUBMIT, "judge.normal"),
    (JUDGE[2], SUBMIT, "judge.rejudge"),
    (EXHAUSTED, DEAD, "judge.*"),
    ("gavel.results", VERDICTS, "verdict.#"),
    ("gavel.dead", DEAD, "#"),
];

/// The class of a queue of submissions.
pub(super) fn class_of(queue: &str) -> Option<Priority> {
    queue.strip_prefix("gavel.judge.").and_then(|class| class.parse().ok())
}

/// Whether gavel declares a queue of this name.
pub(super) fn is_own_queue(name: &str) -> bool {
    QUEUES.iter().any(|(queue, ..)| *queue == name)
}

/// Declares everything that outlives a worker, as far as its user may.
pub(super) async fn declare(connection: &Connection) -> Result<(), LinkError> {
    // The broker closes the channel on which it refuses something.
    let channel = within("opening a channel", connection.create_channel()).await?;
    match declare_all(&channel).await {
        // What is missing is found out where it is used. Asking would need permissions for it on RabbitMQ 4.2.7
        // and later, and on 4.2.6 and 4.3.0 those to declare it.
        Err(error) if error.is_forbidden() => {
            tracing::info!("taking exchanges and queues as they are: {error}");
            Ok(())
        }
        Err(error) => Err(error),
        Ok(()) => within("closing a channel", channel.close(200, "declared".into())).await,
    }
}

async fn declare_all(channel: &Channel) -> Result<(), LinkError> {
    for (name, kind) in EXCHANGES {
        let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        within("declaring an exchange", channel.exchange_declare(name.into(), kind, options, nothing()))
            .await
            .map_err(|error| error.about("exchange", name))?;
    }
    for (name, exchange, key) in QUEUES {
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        within("declaring a queue", channel.queue_declare(name.into(), options, arguments))
            .await
            .map_err(|error| error.about("queue", name))?;
        let options = QueueBindOptions::default();
        within(
            "binding a queue",
            channel.queue_bind(name.into(), exchange.into(), key.into(), options, nothing()),
        )
        .await
        .map_err(|error| error.about("queue", name))?;
    }
    Ok(())
}

/// A new queue of this worker's own on the control exchange; its name. It outlives the connection for as long as a
/// worker may need to make another, and the broker deletes it when nobody came back.
pub(super) async fn declare_control(channel: &Channel) -> Result<ShortString, LinkError> {
    // Durable, because RabbitMQ 4 does not want queues that are neither that nor exclusive; named by the broker,
    // because that is what a worker's user may declare.
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("classic".into()));
    arguments.insert("x-expires".into(), AMQPValue::LongInt(CONTROL_EXPIRES));
    arguments.insert("x-max-length".into(), AMQPValue::LongInt(MOST_CANCELS));
    let queue = within("declaring a queue", channel.queue_declare("".into(), options, arguments))
        .await
        .map_err(|error| error.about("queue", "amq.gen-* for cancel messages"))?;
    let name = queue.name().clone();
    let options = QueueBindOptions::default();
    within(
        "binding a queue",
        channel.queue_bind(name.clone(), CONTROL.into(), "".into(), options, nothing()),
    )
    .await
    .map_err(|error| error.about("queue", name.as_str()))?;
    Ok(name)
}

/// No arguments.
pub(super) fn nothing() -> FieldTable {
    FieldTable::default()
}

#[cfg(test)]
mod contract;
