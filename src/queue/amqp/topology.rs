//! Exchanges and queues, declared alike by every worker so that whoever comes first makes them.
//!
//! Only what RabbitMQ 3.10 and 4 understand alike: durable quorum queues. Those of submissions and verdicts dead-letter
//! what expires or is given back too often, instead of dropping it; arguments cannot be added to a queue that exists, so
//! one without them is used as it is, with a warning. Limits are for the operator's policies. A worker whose user may
//! not declare anything uses what is there, as `deploy/rabbitmq/definitions.json` makes it.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

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
/// Workers tell each other here which judgings they decided.
pub(super) const DECISIONS: &str = "gavel.decisions";
/// What cannot be read goes here, and what a policy made the broker give up.
pub(super) const DEAD: &str = "gavel.dlx";
/// Submissions go here, keyed `judge.<class>`.
pub(super) const SUBMIT: &str = "gavel.submit";
/// The queue that keeps all verdicts.
pub(super) const RESULTS: &str = "gavel.results";
/// The three queues of submissions.
pub(super) const JUDGE: [&str; 3] = ["gavel.judge.contest", "gavel.judge.normal", "gavel.judge.rejudge"];
/// Submissions that the broker itself gave up, by a policy's delivery limit, length or age; each is owed a
/// verdict still. Their originals stay in `gavel.dead`.
pub(super) const EXHAUSTED: &str = "gavel.exhausted";

/// Milliseconds that a worker's queue of cancels stays without the worker.
const CONTROL_EXPIRES: i32 = 5 * 60 * 1000;
/// Cancels that wait for a worker; beyond it the oldest are dropped.
const MOST_CANCELS: i32 = 10_000;

/// Exchanges that gavel cannot do without, and their kinds.
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
    (RESULTS, VERDICTS, "verdict.#"),
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

/// Queues that exist without arguments of their own for dead-lettering. A process has to do with one broker.
static PLAIN: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
/// Those of them that the log names already.
static WARNED: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
/// Why this user may not declare everything, as the log says it.
static UNDECLARED: Mutex<Option<String>> = Mutex::new(None);

/// Declares everything that outlives a worker; returns false where its user may not, and takes what is there.
pub(super) async fn declare(connection: &Connection) -> Result<bool, LinkError> {
    // The broker closes the channel on which it refuses something.
    let mut channel = within("opening a channel", connection.create_channel()).await?;
    match declare_all(connection, &mut channel).await {
        // What is missing is found out by those who look after it, and where it is used.
        Err(error) if error.is_forbidden() => {
            let problem = error.to_string();
            if lock(&UNDECLARED).replace(problem.clone()).as_ref() != Some(&problem) {
                tracing::info!("taking exchanges and queues as they are: {problem}");
            }
            Ok(false)
        }
        Err(error) => Err(error),
        Ok(()) => {
            within("closing a channel", channel.close(200, "declared".into())).await?;
            *lock(&UNDECLARED) = None;
            Ok(true)
        }
    }
}

/// The same after something was missing: what is made anew has all its arguments.
pub(super) async fn declare_again(connection: &Connection) -> Result<bool, LinkError> {
    lock(&PLAIN).clear();
    declare(connection).await
}

/// Declares the exchange of decisions, on its own: gavel works without it, and a user of before may not declare it.
pub(super) async fn declare_decisions(connection: &Connection) -> Result<(), LinkError> {
    let channel = within("opening a channel", connection.create_channel()).await?;
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let declaring = channel.exchange_declare(DECISIONS.into(), ExchangeKind::Fanout, options, nothing());
    match within("declaring an exchange", declaring).await {
        Ok(()) => within("closing a channel", channel.close(200, "declared".into())).await,
        // Whether it is there shows where it is used.
        Err(error) if error.is_forbidden() => Ok(()),
        Err(error) => Err(error.about("exchange", DECISIONS)),
    }
}

async fn declare_all(connection: &Connection, channel: &mut Channel) -> Result<(), LinkError> {
    for (name, kind) in EXCHANGES {
        let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        within("declaring an exchange", channel.exchange_declare(name.into(), kind, options, nothing()))
            .await
            .map_err(|error| error.about("exchange", name))?;
    }
    for (name, exchange, key) in QUEUES {
        declare_queue(connection, channel, name).await?;
        bind(channel, name, exchange, key, false).await?;
    }
    Ok(())
}

/// Declares a queue with its arguments, or finds one that was declared without those for dead-lettering.
async fn declare_queue(
    connection: &Connection,
    channel: &mut Channel,
    name: &'static str,
) -> Result<(), LinkError> {
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let is_plain = lock(&PLAIN).contains(name);
    if !is_plain {
        let declaring = channel.queue_declare(name.into(), options, arguments(name));
        match within("declaring a queue", declaring).await {
            Ok(_) => {
                lock(&WARNED).remove(name);
                return Ok(());
            }
            Err(error) if error.is_precondition() && is_dead_lettered(name) => {
                *channel = within("opening a channel", connection.create_channel()).await?;
            }
            Err(error) => return Err(error.about("queue", name)),
        }
    }
    within("declaring a queue", channel.queue_declare(name.into(), options, quorum()))
        .await
        .map_err(|error| error.about("queue", name))?;
    if !is_plain && lock(&PLAIN).insert(name) && lock(&WARNED).insert(name) {
        tracing::warn!(
            "queue '{name}' exists without dead-lettering of its own: messages with an expiration, and those that a \
             limit pushes out, vanish unless a policy dead-letters them to {DEAD}; import \
             deploy/rabbitmq/definitions.json for its policies, or delete the queue once it is empty: this worker \
             declares it again"
        );
    }
    Ok(())
}

/// Binds a queue, which changes nothing where it is bound; without an answer where `nowait`.
pub(super) async fn bind(
    channel: &Channel,
    queue: &str,
    exchange: &str,
    key: &str,
    nowait: bool,
) -> Result<(), LinkError> {
    let options = QueueBindOptions { nowait };
    within(
        "binding a queue",
        channel.queue_bind(queue.into(), exchange.into(), key.into(), options, nothing()),
    )
    .await
    .map_err(|error| error.about("queue", queue))
}

/// Binds every queue, without waiting for answers.
pub(super) async fn bind_all(channel: &Channel) -> Result<(), LinkError> {
    for (queue, exchange, key) in QUEUES {
        bind(channel, queue, exchange, key, true).await?;
    }
    Ok(())
}

/// Asks for every exchange and queue, but for those that this worker goes without. The broker answers only by closing the
/// channel, where one is missing.
pub(super) async fn ask_for_all(channel: &Channel, goes_without: &[&str]) -> Result<(), LinkError> {
    for (name, kind) in EXCHANGES {
        ask_for_exchange(channel, name, kind, true).await?;
    }
    for (name, ..) in QUEUES.into_iter().filter(|(name, ..)| !goes_without.contains(name)) {
        ask_for_queue(channel, name, true).await?;
    }
    Ok(())
}

/// Names the exchanges and queues that are missing. Where the user may not ask, nothing is known to be missing.
pub(super) async fn missing(connection: &Connection) -> Result<Vec<String>, LinkError> {
    let mut missing = Vec::new();
    let exchanges = EXCHANGES.into_iter().map(|(name, kind)| (name, Some(kind)));
    for (name, exchange) in exchanges.chain(QUEUES.map(|(name, ..)| (name, None))) {
        let channel = within("opening a channel", connection.create_channel()).await?;
        let what = if exchange.is_some() { "exchange" } else { "queue" };
        let asked = match exchange {
            Some(kind) => ask_for_exchange(&channel, name, kind, false).await,
            None => ask_for_queue(&channel, name, false).await,
        };
        match asked {
            Ok(()) => within("closing a channel", channel.close(200, "asked".into())).await?,
            Err(error) if error.is_missing() => missing.push(format!("{what} '{name}'")),
            Err(error) if error.is_forbidden() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(missing)
}

async fn ask_for_exchange(
    channel: &Channel,
    name: &str,
    kind: ExchangeKind,
    nowait: bool,
) -> Result<(), LinkError> {
    let options = ExchangeDeclareOptions { passive: true, nowait, ..ExchangeDeclareOptions::default() };
    let asking = channel.exchange_declare(name.into(), kind, options, nothing());
    within("looking for an exchange", asking).await
}

/// Asks for a queue; where `nowait`, a missing one shows in the end of the channel alone.
pub(super) async fn ask_for_queue(channel: &Channel, name: &str, nowait: bool) -> Result<(), LinkError> {
    let options = QueueDeclareOptions { passive: true, nowait, ..QueueDeclareOptions::default() };
    within("looking for a queue", channel.queue_declare(name.into(), options, nothing())).await.map(drop)
}

/// Whether a queue dead-letters what it would otherwise drop.
fn is_dead_lettered(name: &str) -> bool {
    JUDGE.contains(&name) || name == RESULTS
}

/// What a queue is declared with.
fn arguments(name: &str) -> FieldTable {
    let mut arguments = quorum();
    if is_dead_lettered(name) {
        for (key, value) in [
            ("x-dead-letter-exchange", DEAD),
            // A queue keeps a message until the dead queue has it, for which it must refuse what does not fit.
            ("x-dead-letter-strategy", "at-least-once"),
            ("x-overflow", "reject-publish"),
        ] {
            arguments.insert(key.into(), AMQPValue::LongString(value.into()));
        }
    }
    arguments
}

fn quorum() -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    arguments
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
    bind(channel, name.as_str(), CONTROL, "", false).await?;
    Ok(name)
}

/// No arguments.
pub(super) fn nothing() -> FieldTable {
    FieldTable::default()
}

#[cfg(test)]
mod contract;
