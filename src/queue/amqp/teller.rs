//! Tells what may be lost: progress, and copies of verdicts for the queues that submissions name.
//!
//! Over a connection of its own, because a broker that holds up a publisher holds up all its connection's
//! channels: nothing that happens here can delay a verdict. What cannot be told soon is dropped and counted.

use std::collections::VecDeque;
use std::sync::Arc;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ErrorKind};
use tokio::sync::{Notify, mpsc};

use super::events::Events;
use super::link::{Link, LinkError, PATIENCE, within};
use super::topology::{self, PROGRESS};

/// A message that may be lost.
pub(super) enum Tale {
    /// An event, for whoever listens.
    Progress { kind: &'static str, body: Vec<u8> },
    /// A copy of a verdict for one queue.
    Reply { queue: String, body: Vec<u8>, properties: Box<BasicProperties> },
}

/// The telling connection.
pub(super) struct Teller {
    pub(super) link: Link,
    pub(super) tales: mpsc::Receiver<Tale>,
    pub(super) closing: Arc<Notify>,
}

impl Teller {
    /// Tells until told to close, and then what is still to be told.
    pub(super) async fn run(mut self) {
        let mut unsaid = VecDeque::new();
        loop {
            let connection = tokio::select! {
                connection = self.link.connect() => connection,
                () = self.closing.notified() => return,
            };
            match self.serve(&connection, &mut unsaid).await {
                Ok(()) => {
                    // The broker would find out by itself; this is politeness.
                    let _ = within("closing", connection.close(200, "bye".into())).await;
                    return;
                }
                Err(error) => self.link.failed(&error),
            }
        }
    }

    async fn serve(&mut self, connection: &Connection, unsaid: &mut VecDeque<Tale>) -> Result<(), LinkError> {
        topology::declare(connection).await?;
        let mut events = Events::of(connection);
        let progress = within("opening a channel", connection.create_channel()).await?;
        let replies = within("opening a channel", connection.create_channel()).await?;
        within("asking for confirmations", replies.confirm_select(ConfirmSelectOptions::default())).await?;
        self.link.was_useful();
        let mut is_closing = false;
        loop {
            let tale = match unsaid.pop_front() {
                Some(tale) => tale,
                None if is_closing => match self.tales.try_recv() {
                    Ok(tale) => tale,
                    Err(_) => return Ok(()),
                },
                None => tokio::select! {
                    biased;
                    tale = self.tales.recv() => match tale {
                        Some(tale) => tale,
                        None => return Ok(()),
                    },
                    () = self.closing.notified() => {
                        is_closing = true;
                        continue;
                    }
                    changed = events.changed() => {
                        changed?;
                        continue;
                    }
                },
            };
            if let Err(error) = tell(&progress, &replies, &mut events, &tale).await {
                match &tale {
                    // The broker closed the channel over this very message: it must not come again.
                    Tale::Reply { queue, .. } if is_about_the_message(&error) => {
                        tracing::warn!(%queue, "a copy of a verdict is dropped: {error}");
                    }
                    _ => unsaid.push_back(tale),
                }
                return Err(error);
            }
        }
    }
}

fn is_about_the_message(error: &LinkError) -> bool {
    matches!(error, LinkError::Refused(_, error) if matches!(error.kind(), ErrorKind::ProtocolError(_)))
}

/// Publishes; waits while the broker takes no messages.
async fn tell(
    progress: &Channel,
    replies: &Channel,
    events: &mut Events,
    tale: &Tale,
) -> Result<(), LinkError> {
    let telling = async {
        match tale {
            Tale::Progress { kind, body } => {
                let key = format!("progress.{kind}");
                let properties = BasicProperties::default()
                    .with_content_type("application/json".into())
                    .with_type((*kind).into());
                let options = BasicPublishOptions::default();
                // What became of it is nobody's concern.
                progress
                    .basic_publish(PROGRESS.into(), key.into(), options, body, properties)
                    .await
                    .map(|_| ())
            }
            Tale::Reply { queue, body, properties } => {
                let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
                let key = queue.as_str().into();
                let confirmation = replies
                    .basic_publish("".into(), key, options, body, (**properties).clone())
                    .await?
                    .await?;
                match confirmation {
                    Confirmation::Ack(None) => {}
                    Confirmation::Ack(Some(_)) => {
                        tracing::warn!(%queue, "reply_to names no queue: the verdict is in gavel.verdicts alone");
                    }
                    Confirmation::Nack(_) | Confirmation::NotRequested => {
                        tracing::warn!(%queue, "the queue of reply_to is full: the verdict is in gavel.verdicts alone");
                    }
                }
                Ok(())
            }
        }
    };
    tokio::pin!(telling);
    loop {
        tokio::select! {
            biased;
            told = &mut telling => return told.map_err(|error| LinkError::Refused("telling", error)),
            changed = events.changed() => changed?,
            () = tokio::time::sleep(PATIENCE), if events.blocked().is_none() => {
                return Err(LinkError::Silent("telling"));
            }
        }
    }
}
