//! Submits programs to gavel over RabbitMQ, shows their progress and reads their verdicts.
//!
//! ```text
//! cargo run --example submit_and_read -- PROBLEM LANGUAGE SOURCE...
//! ```
//!
//! `$GAVEL_SUBMIT` and `$GAVEL_READ` are the broker's addresses for a user that may submit and for one that may
//! read, as `deploy/rabbitmq/definitions.json` makes them: `amqp://gavel-submitter:PASSWORD@HOST/gavel`,
//! `amqp://gavel-reader:…`. A backend takes [`submit`] into what accepts programs and [`read`] into a process of
//! its own; both outlive the broker's restarts. It needs lapin, tokio, futures-lite and serde_json.

use std::collections::HashSet;
use std::collections::hash_map::{Entry, HashMap};
use std::error::Error;
use std::time::Duration;

use futures_lite::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
    QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
use serde_json::{Value, json};

/// What verdicts are known by: they may come twice, their submission's id and judging do not.
type Key = (String, String);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [problem, language, sources @ ..] = &arguments[..] else {
        return Err("usage: submit_and_read PROBLEM LANGUAGE SOURCE...".into());
    };
    let mut wanted = HashSet::new();
    for (number, source) in sources.iter().enumerate() {
        let name = source.rsplit('/').next().unwrap_or(source);
        // A backend takes the id of its own row; the same id with another "judging" is a rejudging.
        let id = format!("{name}-{}-{number}", std::process::id());
        let submission = json!({
            "schema": 1,
            "id": &id,
            "language": language,
            "files": [{"name": name, "text": std::fs::read_to_string(source)?}],
            "problem": {"ref": problem},
            "priority": "contest",
        });
        submit(&std::env::var("GAVEL_SUBMIT")?, "judge.contest", &submission).await?;
        wanted.insert((id, "1".to_owned()));
    }
    read(&std::env::var("GAVEL_READ")?, &wanted).await;
    Ok(())
}

/// Returns once the broker has the submission on disk; tries as long as it takes.
async fn submit(address: &str, key: &str, submission: &Value) -> Result<(), Box<dyn Error>> {
    loop {
        match publish(address, key, submission.to_string().as_bytes()).await {
            Ok(Confirmation::Ack(None)) => return Ok(()),
            // It came back: nobody would ever read it.
            Ok(Confirmation::Ack(Some(_))) => {
                return Err(format!(
                    "no queue takes {key}: import deploy/rabbitmq/definitions.json or start a worker"
                )
                .into());
            }
            // What was not confirmed may be there all the same. Sent again it has the same id and judging, by
            // which workers and readers know it.
            Ok(other) => eprintln!("submitting again: {other:?}"),
            // A wrong password, an exchange that is not there or not ours: no second attempt mends that.
            Err(error) if error.is_amqp_soft_error() => return Err(error.into()),
            Err(error) => eprintln!("submitting again: {error}"),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// A backend that submits often keeps the connection and its channel.
async fn publish(address: &str, key: &str, body: &[u8]) -> lapin::Result<Confirmation> {
    let connection = Connection::connect(address, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    // Mandatory: what no queue takes comes back. Delivery mode 2: it survives the broker's restart.
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let properties =
        BasicProperties::default().with_content_type("application/json".into()).with_delivery_mode(2);
    channel.basic_publish("gavel.submit".into(), key.into(), options, body, properties).await?.await
}

/// Stores every verdict that comes, each once, until all that are wanted are there.
async fn read(address: &str, wanted: &HashSet<Key>) {
    // A backend has a table with a unique key of id and judging instead.
    let mut store = HashMap::new();
    while let Err(error) = read_over_one_connection(address, wanted, &mut store).await {
        eprintln!("reading again: {error}");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn read_over_one_connection(
    address: &str,
    wanted: &HashSet<Key>,
    store: &mut HashMap<Key, Value>,
) -> Result<(), Box<dyn Error>> {
    let connection = Connection::connect(address, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.basic_qos(100, BasicQosOptions::default()).await?;
    let mut progress = follow_progress(&channel).await?;
    let options = BasicConsumeOptions::default();
    let mut verdicts =
        channel.basic_consume("gavel.results".into(), "".into(), options, FieldTable::default()).await?;
    while !wanted.iter().all(|key| store.contains_key(key)) {
        tokio::select! {
            event = progress.next() => {
                let event: Value = serde_json::from_slice(&event.ok_or("progress ended")??.data)?;
                println!("{}: test {} {}", text(&event["id"]), text(&event["test"]["name"]), text(&event["test"]["verdict"]));
            }
            verdict = verdicts.next() => {
                let delivery = verdict.ok_or("the consumer was cancelled")??;
                let report: Value = serde_json::from_slice(&delivery.data)?;
                let key = (text(&report["id"]).to_owned(), text(&report["judging"]).to_owned());
                // After a broken connection nobody can know whether the first arrived: the second is of no
                // consequence.
                if let Entry::Vacant(place) = store.entry(key) {
                    let (verdict, most) = (text(&report["verdict"]), &report["max_cpu_ms"]);
                    println!("{}: {verdict}, at most {most} ms", place.key().0);
                    place.insert(report);
                }
                // Only now, when it is stored for good, may the broker forget it.
                delivery.ack(BasicAckOptions::default()).await?;
            }
        }
    }
    connection.close(200, "all there".into()).await?;
    Ok(())
}

/// A queue that lives as long as this connection: what it misses is no loss.
async fn follow_progress(channel: &Channel) -> lapin::Result<lapin::Consumer> {
    let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
    let queue = channel.queue_declare("".into(), options, FieldTable::default()).await?.name().clone();
    let (exchange, key) = ("gavel.progress".into(), "progress.test".into());
    channel
        .queue_bind(queue.clone(), exchange, key, QueueBindOptions::default(), FieldTable::default())
        .await?;
    let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    channel.basic_consume(queue, "".into(), options, FieldTable::default()).await
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
