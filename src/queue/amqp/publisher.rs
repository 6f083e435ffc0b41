//! Publishes what must not be lost, one message at a time, until the broker has confirmed each.
//!
//! One at a time, because a returned message names no publish: with one in flight there is nothing to
//! confuse it with. A confirmation takes less than a millisecond, so one channel carries any worker's verdicts.

use std::sync::Arc;
use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation};
use tokio::sync::{Notify, mpsc};

use super::link::{Link, LinkError, within};
use super::topology::{self, PROGRESS};

/// Between attempts at a message the broker would not take.
const RETRY: Duration = Duration::from_millis(500);

/// A message that must not be lost.
pub(super) struct Publication {
    pub(super) exchange: &'static str,
    pub(super) key: String,
    pub(super) body: Vec<u8>,
    pub(super) properties: BasicProperties,
    /// Called once the broker has it.
    pub(super) confirmed: Box<dyn FnOnce() + Send + Sync>,
}

/// An event, for whoever listens.
pub(super) struct Progress {
    pub(super) kind: String,
    pub(super) body: Vec<u8>,
}

/// The publishing connection.
pub(super) struct Publisher {
    pub(super) link: Link,
    pub(super) publications: mpsc::UnboundedReceiver<Publication>,
    pub(super) progress: mpsc::Receiver<Progress>,
    pub(super) closing: Arc<Notify>,
}

impl Publisher {
    /// Publishes until told to close.
    pub(super) async fn run(mut self) {
        let mut pending = None;
        loop {
            let connection = tokio::select! {
                connection = self.link.connect() => connection,
                () = self.closing.notified() => return,
            };
            match self.serve(&connection, &mut pending).await {
                Ok(()) => {
                    // The broker would find out by itself; this is politeness.
                    let _ = within("closing", connection.close(200, "bye".into())).await;
                    return;
                }
                Err(error) => self.link.failed(&error),
            }
        }
    }

    async fn serve(
        &mut self,
        connection: &lapin::Connection,
        pending: &mut Option<Publication>,
    ) -> Result<(), LinkError> {
        let channel = within("opening a channel", connection.create_channel()).await?;
        within("asking for confirmations", channel.confirm_select(ConfirmSelectOptions::default())).await?;
        topology::declare(connection).await?;
        let events = within("opening a channel", connection.create_channel()).await?;
        self.link.was_useful();
        loop {
            let publication = match pending.take() {
                Some(publication) => publication,
                None => tokio::select! {
                    biased;
                    publication = self.publications.recv() => match publication {
                        Some(publication) => publication,
                        None => return Ok(()),
                    },
                    () = self.closing.notified() => return Ok(()),
                    progress = self.progress.recv() => {
                        if let Some(progress) = progress {
                            tell(&events, progress).await?;
                        }
                        continue;
                    }
                },
            };
            match publish(&channel, &publication).await {
                Ok(()) => (publication.confirmed)(),
                Err(error @ (LinkError::NotTaken(_) | LinkError::Unroutable(_))) => {
                    tracing::warn!(again_in = ?RETRY, "{error}");
                    *pending = Some(publication);
                    tokio::time::sleep(RETRY).await;
                    topology::declare(connection).await?;
                }
                Err(error) => {
                    *pending = Some(publication);
                    return Err(error);
                }
            }
        }
    }
}

/// Publishes and waits for the confirmation.
async fn publish(channel: &Channel, publication: &Publication) -> Result<(), LinkError> {
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let confirmation = within("publishing", async {
        channel
            .basic_publish(
                publication.exchange.into(),
                publication.key.clone().into(),
                options,
                &publication.body,
                publication.properties.clone(),
            )
            .await?
            .await
    })
    .await?;
    match confirmation {
        Confirmation::Ack(None) => Ok(()),
        Confirmation::Ack(Some(_)) => Err(LinkError::Unroutable(publication.exchange)),
        Confirmation::Nack(_) | Confirmation::NotRequested => Err(LinkError::NotTaken(publication.exchange)),
    }
}

/// Publishes an event without asking what became of it.
async fn tell(channel: &Channel, progress: Progress) -> Result<(), LinkError> {
    let properties = BasicProperties::default().with_content_type("application/json".into());
    within(
        "publishing progress",
        channel.basic_publish(
            PROGRESS.into(),
            format!("progress.{}", progress.kind).into(),
            BasicPublishOptions::default(),
            &progress.body,
            properties,
        ),
    )
    .await
    .map(|_| ())
}
