//! Looks every few seconds whether the exchanges, queues and bindings are there that this worker relies on, and makes
//! again those that are missing.
//!
//! AMQP says nothing of a deleted exchange or a binding that is gone: without looking, a worker would be ready and deaf.

use std::sync::Arc;
use std::time::Duration;

use lapin::types::ShortString;
use lapin::{Channel, Connection};
use tokio::task::JoinHandle;

use super::link::{LinkError, within};
use super::topology::{self, CONTROL, EXHAUSTED};
use crate::queue::health::Health;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(3);
/// Names this part in health.
const PART: &str = "topology";

/// Looks after exchanges and queues as long as it lives.
#[derive(Debug)]
pub(super) struct Upkeep {
    task: JoinHandle<()>,
    health: Health,
}

impl Upkeep {
    /// Starts looking after them, and after the binding of this worker's own queue for cancels.
    pub(super) fn start(
        connection: &Arc<Connection>,
        control: Option<ShortString>,
        may_declare: bool,
        health: Health,
    ) -> Self {
        let state = State {
            connection: Arc::clone(connection),
            control,
            may_declare,
            health: health.clone(),
            channel: None,
            goes_without_exhausted: false,
        };
        Self { task: tokio::spawn(state.run()), health }
    }
}

impl Drop for Upkeep {
    fn drop(&mut self) {
        self.task.abort();
        self.health.recover(PART);
    }
}

struct State {
    connection: Arc<Connection>,
    control: Option<ShortString>,
    may_declare: bool,
    health: Health,
    /// Kept from look to look until the broker closes it.
    channel: Option<Channel>,
    /// The queue of what the broker gave up is missing and may not be declared: such a worker judges without it.
    goes_without_exhausted: bool,
}

impl State {
    async fn run(mut self) {
        loop {
            tokio::time::sleep(EVERY).await;
            if !self.connection.status().connected() {
                return;
            }
            if let Err(error) = self.look().await {
                self.channel = None;
                if let Err(other) = self.repair(&error).await
                    && self.connection.status().connected()
                {
                    self.complain(&format!("cannot look after exchanges and queues: {other}"));
                }
            } else if self.health.recover(PART) {
                tracing::warn!("all exchanges and queues are there again");
            }
        }
    }

    /// Asks for everything, and binds what this user may bind, in a round trip or two.
    async fn look(&mut self) -> Result<(), LinkError> {
        let channel = match &self.channel {
            Some(channel) if channel.status().connected() => channel.clone(),
            _ => within("opening a channel", self.connection.create_channel()).await?,
        };
        let goes_without: &[&str] = if self.goes_without_exhausted { &[EXHAUSTED] } else { &[] };
        topology::ask_for_all(&channel, goes_without).await?;
        if self.may_declare {
            topology::bind_all(&channel).await?;
        }
        // The answer to this one says that all before it went well.
        match &self.control {
            Some(queue) => topology::bind(&channel, queue.as_str(), CONTROL, "", false).await?,
            None => topology::ask_for_queue(&channel, topology::JUDGE[0], false).await?,
        }
        self.channel = Some(channel);
        Ok(())
    }

    /// Finds out what is missing and makes it again, where this user may.
    async fn repair(&mut self, error: &LinkError) -> Result<(), LinkError> {
        let missing = self.missing().await?;
        if missing.is_empty() && error.is_forbidden() {
            // Something may not be asked for or bound: what can be asked for is there.
            self.may_declare = false;
            self.health.recover(PART);
            return Ok(());
        }
        if missing.is_empty() {
            // Deleted and made again while it was asked for; its bindings are looked after in the next round.
            tracing::debug!("a look at exchanges and queues failed: {error}");
            return Ok(());
        }
        let named = missing.join(", ");
        let was_alone = is_exhausted_alone(&missing);
        if !was_alone {
            self.complain(&format!("missing at the broker: {named}"));
        }
        self.may_declare = topology::declare_again(&self.connection).await?;
        let left = self.missing().await?;
        if !self.may_declare && was_alone && is_exhausted_alone(&left) {
            self.goes_without_exhausted = true;
            tracing::warn!(
                "not consuming {EXHAUSTED}: the queue is missing and this user may not declare it; import \
                 deploy/rabbitmq/definitions.json or permit it, and restart this worker"
            );
            self.health.recover(PART);
            return Ok(());
        }
        if left.is_empty() {
            tracing::warn!("declared again: {named}");
            if let Some(queue) = &self.control {
                let channel = within("opening a channel", self.connection.create_channel()).await?;
                topology::bind(&channel, queue.as_str(), CONTROL, "", false).await?;
                within("closing a channel", channel.close(200, "bound".into())).await?;
            }
            self.health.recover(PART);
        } else {
            self.complain(&format!(
                "missing at the broker: {}; this user may not declare them: import \
                 deploy/rabbitmq/definitions.json or permit it",
                left.join(", ")
            ));
        }
        Ok(())
    }

    /// Names what is missing of all that this worker does not go without.
    async fn missing(&self) -> Result<Vec<String>, LinkError> {
        let mut missing = topology::missing(&self.connection).await?;
        if self.goes_without_exhausted {
            missing.retain(|name| !is_exhausted_alone(std::slice::from_ref(name)));
        }
        Ok(missing)
    }

    fn complain(&self, problem: &str) {
        if self.health.complain(PART, problem) {
            tracing::warn!("{problem}");
        }
    }
}

/// Whether nothing but the queue of what the broker gave up is missing.
fn is_exhausted_alone(missing: &[String]) -> bool {
    matches!(missing, [name] if *name == format!("queue '{EXHAUSTED}'"))
}
