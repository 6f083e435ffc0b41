//! Tells what may be lost: progress, and copies of verdicts for the queues that submissions name.
//!
//! Over a connection of its own, because a broker that holds up a publisher holds up all its connection's
//! channels: nothing that happens here can delay a verdict. What cannot be told soon is dropped and counted.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::ShortString;
use lapin::{BasicProperties, Channel, Confirmation, Connection, ErrorKind};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use super::confirmed::{Announcement, Decision};
use super::events::Events;
use super::link::{Link, LinkError, PATIENCE, within};
use super::topology::{self, CONTROL, PROGRESS};

/// A message that may be lost.
pub(super) enum Tale {
    /// An event, for whoever listens.
    Progress { kind: &'static str, body: Vec<u8> },
    /// A copy of a verdict for one queue.
    Reply { queue: ShortString, body: Vec<u8>, properties: Box<BasicProperties> },
    /// A judging that was decided, for the other workers; told at once where they may believe otherwise.
    Decided { decision: Decision, is_urgent: bool },
    /// Several of them.
    Announcement { body: Vec<u8> },
}

/// How long decisions are collected before the other workers are told.
const COLLECTING: Duration = Duration::from_millis(50);
/// Decisions in one message.
const MOST_DECISIONS: usize = 1000;

/// Decisions that the other workers do not know yet.
#[derive(Debug, Default)]
pub(super) struct Decisions {
    /// This process, as the other workers know it.
    pub(super) instance: String,
    collected: Vec<Decision>,
    due: Option<Instant>,
    /// The broker does not let this user tell them.
    is_forbidden: bool,
}

impl Decisions {
    pub(super) fn new(instance: String) -> Self {
        Self { instance, ..Self::default() }
    }

    fn collect(&mut self, decision: Decision, is_urgent: bool) {
        if self.is_forbidden {
            return;
        }
        self.collected.push(decision);
        let now = Instant::now();
        let is_due = is_urgent || self.collected.len() >= MOST_DECISIONS;
        self.due = Some(if is_due { now } else { self.due.unwrap_or(now + COLLECTING) });
    }

    fn announcement(&mut self) -> Option<Tale> {
        self.due = None;
        let collected = std::mem::take(&mut self.collected);
        if collected.is_empty() {
            return None;
        }
        let body = serde_json::to_vec(&Announcement::new(&self.instance, &collected)).ok()?;
        Some(Tale::Announcement { body })
    }
}

/// The telling connection.
pub(super) struct Teller {
    pub(super) link: Link,
    pub(super) tales: mpsc::Receiver<Tale>,
    pub(super) decisions: Decisions,
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
                    Err(_) => match self.decisions.announcement() {
                        Some(tale) => tale,
                        None => return Ok(()),
                    },
                },
                None => tokio::select! {
                    biased;
                    () = until(self.decisions.due) => match self.decisions.announcement() {
                        Some(tale) => tale,
                        None => continue,
                    },
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
            if let Tale::Decided { decision, is_urgent } = tale {
                self.decisions.collect(decision, is_urgent);
                continue;
            }
            if let Err(error) = tell(&progress, &replies, &mut events, &tale).await {
                match &tale {
                    // The broker closed the channel over this very message: it must not come again.
                    Tale::Reply { queue, .. } if is_about_the_message(&error) => {
                        tracing::warn!(%queue, "a copy of a verdict is dropped: {error}");
                    }
                    Tale::Announcement { .. } if is_about_the_message(&error) => {
                        self.decisions.is_forbidden = true;
                        tracing::warn!(
                            "other workers do not learn what this one decides, and may hold cancels of it against the \
                             same judging sent again: let this worker's user write to '{CONTROL}' ({error})"
                        );
                    }
                    // The exchange is missing, say: no copy of a verdict waits behind it.
                    Tale::Progress { .. } if connection.status().connected() => {}
                    _ => unsaid.push_back(tale),
                }
                return Err(error);
            }
        }
    }
}

/// Waits until then; for ever without a time.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
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
            // Collected by the caller.
            Tale::Decided { .. } => Ok(()),
            Tale::Announcement { body } => {
                let properties = BasicProperties::default()
                    .with_content_type("application/json".into())
                    .with_type("decided".into());
                let options = BasicPublishOptions::default();
                // Confirmed, so that a refusal is about this message and no other.
                replies
                    .basic_publish(CONTROL.into(), "".into(), options, body, properties)
                    .await?
                    .await
                    .map(|_| ())
            }
            Tale::Reply { queue, body, properties } => {
                let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
                let key = queue.clone();
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
