//! One user's connection, and what the broker says to what it tries.

use std::time::{Duration, Instant};

use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicGetOptions, BasicNackOptions, BasicPublishOptions,
    ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
    QueuePurgeOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, ErrorKind, ExchangeKind,
};
use serde_json::{Map, Value};

/// Far longer than anything takes; reached only by what hangs.
const PATIENCE: Duration = Duration::from_secs(180);

pub(crate) struct Account {
    runtime: tokio::runtime::Runtime,
    connection: Connection,
}

/// What became of an attempt.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    Done,
    /// No queue takes the message.
    Returned,
    /// A queue cannot take it at the moment.
    NotNow,
    /// The broker's code: 403 is a permission.
    Refused(u16),
}

/// A message that was read.
pub(crate) struct Read {
    pub(crate) body: Vec<u8>,
    pub(crate) key: String,
    pub(crate) headers: Value,
    pub(crate) properties: BasicProperties,
}

impl Account {
    pub(crate) fn open(address: &str) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let connecting = Connection::connect(address, ConnectionProperties::default());
        let connection = runtime
            .block_on(async { tokio::time::timeout(PATIENCE, connecting).await })
            .map_err(|_| "no answer".to_owned())?
            .map_err(|error| error.to_string())?;
        Ok(Self { runtime, connection })
    }

    /// Tries something on a channel of its own, which a refusal closes.
    fn attempt<T>(&self, work: impl AsyncFnOnce(&Channel) -> lapin::Result<T>) -> Result<T, Answer> {
        self.runtime.block_on(async {
            let channel = self.connection.create_channel().await.unwrap();
            let answer = tokio::time::timeout(PATIENCE, work(&channel)).await.expect("the broker answers");
            match answer {
                Ok(value) => {
                    channel.close(200, "done".into()).await.unwrap();
                    Ok(value)
                }
                Err(error) => match error.kind() {
                    ErrorKind::ProtocolError(error) => Err(Answer::Refused(error.get_id())),
                    _ => panic!("{error}"),
                },
            }
        })
    }

    fn answer(attempt: Result<(), Answer>) -> Answer {
        attempt.err().unwrap_or(Answer::Done)
    }

    pub(crate) fn publish(&self, exchange: &str, key: &str, body: &[u8]) -> Answer {
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let properties = BasicProperties::default().with_delivery_mode(2);
        let published = self.attempt(async |channel| {
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            channel.basic_publish(exchange.into(), key.into(), options, body, properties).await?.await
        });
        match published {
            Ok(Confirmation::Ack(None)) => Answer::Done,
            Ok(Confirmation::Ack(Some(_))) => Answer::Returned,
            Ok(Confirmation::Nack(_)) => Answer::NotNow,
            Ok(other) => panic!("{other:?}"),
            Err(answer) => answer,
        }
    }

    pub(crate) fn consume(&self, queue: &str) -> Answer {
        let options = BasicConsumeOptions::default();
        Self::answer(self.attempt(async |channel| {
            channel.basic_consume(queue.into(), "".into(), options, FieldTable::default()).await.map(drop)
        }))
    }

    pub(crate) fn declare(&self, queue: &str) -> Answer {
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        Self::answer(self.attempt(async |channel| {
            channel.queue_declare(queue.into(), options, FieldTable::default()).await.map(drop)
        }))
    }

    pub(crate) fn declare_exchange(&self, exchange: &str) -> Answer {
        let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        Self::answer(self.attempt(async |channel| {
            channel
                .exchange_declare(exchange.into(), ExchangeKind::Topic, options, FieldTable::default())
                .await
        }))
    }

    pub(crate) fn delete(&self, queue: &str) -> Answer {
        Self::answer(self.attempt(async |channel| {
            channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.map(drop)
        }))
    }

    pub(crate) fn bind(&self, queue: &str, exchange: &str, key: &str) -> Answer {
        let options = QueueBindOptions::default();
        Self::answer(self.attempt(async |channel| {
            let nothing = FieldTable::default();
            channel.queue_bind(queue.into(), exchange.into(), key.into(), options, nothing).await
        }))
    }

    pub(crate) fn unbind(&self, queue: &str, exchange: &str, key: &str) -> Answer {
        Self::answer(self.attempt(async |channel| {
            channel.queue_unbind(queue.into(), exchange.into(), key.into(), FieldTable::default()).await
        }))
    }

    pub(crate) fn purge(&self, queue: &str) -> Answer {
        let options = QueuePurgeOptions::default();
        Self::answer(self.attempt(async |channel| channel.queue_purge(queue.into(), options).await.map(drop)))
    }

    /// Declares a queue that the broker names and binds it.
    pub(crate) fn bind_own(&self, exchange: &str, key: &str) -> Answer {
        let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
        Self::answer(self.attempt(async |channel| {
            let nothing = FieldTable::default;
            let queue = channel.queue_declare("".into(), options, nothing()).await?.name().clone();
            channel
                .queue_bind(queue, exchange.into(), key.into(), QueueBindOptions::default(), nothing())
                .await
        }))
    }

    /// The next message of a queue, acknowledged.
    pub(crate) fn read(&self, queue: &str) -> Read {
        self.next(queue, true)
    }

    /// Takes the next message of a queue and gives it back.
    pub(crate) fn give_back(&self, queue: &str) {
        self.next(queue, false);
    }

    fn next(&self, queue: &str, keep: bool) -> Read {
        let deadline = Instant::now() + PATIENCE;
        let get = async |channel: &Channel| {
            loop {
                if let Some(message) = channel.basic_get(queue.into(), BasicGetOptions::default()).await? {
                    if keep {
                        message.acker.ack(BasicAckOptions::default()).await?;
                    } else {
                        let options = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
                        message.acker.nack(options).await?;
                    }
                    return Ok(message);
                }
                assert!(Instant::now() < deadline, "nothing comes to {queue}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let message = loop {
            match self.attempt(get) {
                // A worker that has just begun may still be declaring it.
                Err(Answer::Refused(404)) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                message => break message,
            }
        };
        let delivery = message.unwrap().delivery;
        let headers = delivery.properties.headers().clone().unwrap_or_default();
        Read {
            body: delivery.data.clone(),
            key: delivery.routing_key.as_str().to_owned(),
            headers: table(&headers),
            properties: delivery.properties.clone(),
        }
    }

    /// Messages ready in a queue, and its consumers.
    pub(crate) fn look(&self, queue: &str) -> (u32, u32) {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let queue = self.attempt(async |channel| {
            channel.queue_declare(queue.into(), options, FieldTable::default()).await
        });
        let queue = queue.unwrap();
        (queue.message_count(), queue.consumer_count())
    }

    /// Waits until a queue has a consumer.
    pub(crate) fn wait_for_consumer(&self, queue: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.look(queue).1 == 0 {
            assert!(Instant::now() < deadline, "nobody consumes {queue}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Headers as JSON, as far as the contract speaks of them.
fn table(headers: &FieldTable) -> Value {
    let fields = headers.inner().iter().map(|(name, value)| (name.as_str().to_owned(), field(value)));
    Value::Object(fields.collect::<Map<_, _>>())
}

fn field(value: &AMQPValue) -> Value {
    match value {
        AMQPValue::Boolean(value) => (*value).into(),
        AMQPValue::LongLongInt(value) => (*value).into(),
        AMQPValue::LongString(text) => String::from_utf8_lossy(text.as_bytes()).into_owned().into(),
        AMQPValue::FieldArray(values) => values.as_slice().iter().map(field).collect(),
        AMQPValue::FieldTable(values) => table(values),
        other => format!("{other:?}").into(),
    }
}
