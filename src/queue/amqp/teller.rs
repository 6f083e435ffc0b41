//! Tells what may be lost: progress, and copies of verdicts for the queues that submissions name.
//!
//! Over a connection of its own, because a broker that holds up a publisher holds up all its connection's
//! channels: nothing that happens here can delay a verdict. What cannot be told soon is dropped and counted.

use std::collections::VecDeque;
use std::sync::Arc;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::protocol::AMQPErrorKind;
use lapin::types::ShortString;
use lapin::{BasicProperties, Channel, Confirmation, Connection, ErrorKind};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use super::confirmed::Decision;
use super::decisions::{DecisionListener, Decisions};
use super::events::Events;
use super::link::{Link, LinkError, PATIENCE, within};
use super::topology::{self, DECISIONS, PROGRESS};

/// A message that may be lost.
pub(super) enum Tale {
    /// An event, for whoever listens.
    Progress { kind: &'static str, body: Vec<u8> },
    /// A copy of a verdict for one queue.
    Reply { queue: ShortString, body: Vec<u8>, properties: Box<BasicProperties> },
    /// A judging that was decided, for the other workers; told at once where they may believe otherwise.
    Decided { decision: Decision, is_urgent: bool },
    /// Several of them.
    Announcement(Vec<Decision>),
}

/// The telling connection.
pub(super) struct Teller {
    pub(super) link: Link,
    pub(super) tales: mpsc::Receiver<Tale>,
    pub(super) decisions: Decisions,
    pub(super) listener: DecisionListener,
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
        let mut channels = Channels::open(connection).await?;
        let listener = self.listener.clone();
        let subscription = listener.subscribe(connection).await;
        self.decisions.begin_connection();
        self.link.was_useful();
        tokio::select! {
            biased;
            end = self.tell_all(connection, &mut channels, unsaid) => end,
            never = listener.listen(connection, subscription) => match never {},
        }
    }

    async fn tell_all(
        &mut self,
        connection: &Connection,
        channels: &mut Channels,
        unsaid: &mut VecDeque<Tale>,
    ) -> Result<(), LinkError> {
        let mut events = Events::of(connection);
        let mut is_closing = false;
        loop {
            let tale = match unsaid.pop_front() {
                Some(tale) => tale,
                None if is_closing => match self.tales.try_recv() {
                    Ok(tale) => tale,
                    Err(_) => match self.decisions.take() {
                        Some(decisions) => Tale::Announcement(decisions),
                        None => return Ok(()),
                    },
                },
                None => tokio::select! {
                    biased;
                    () = until(self.decisions.due()) => match self.decisions.take() {
                        Some(decisions) => Tale::Announcement(decisions),
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
            if let Err(error) = self.tell(channels, &mut events, &tale).await {
                let is_closed = is_closing && matches!(tale, Tale::Announcement(_));
                self.has_failed(connection, channels, tale, error, unsaid).await?;
                if is_closed {
                    return Ok(());
                }
            }
        }
    }

    /// Drops what the broker refused, keeps what may be told later, and opens again the channels that are closed.
    async fn has_failed(
        &mut self,
        connection: &Connection,
        channels: &mut Channels,
        tale: Tale,
        error: LinkError,
        unsaid: &mut VecDeque<Tale>,
    ) -> Result<(), LinkError> {
        let is_refusal = is_about_the_message(&error) && connection.status().connected();
        match tale {
            // The broker closed the channel over this very message: it must not come again.
            Tale::Reply { queue, .. } if is_refusal => {
                tracing::warn!(%queue, "a copy of a verdict is dropped: {error}");
            }
            Tale::Announcement(_) if is_refusal && error.is_forbidden() => {
                self.decisions.forbid();
                tracing::warn!(
                    "other workers do not learn what this one decides, and may hold cancels of it against the same \
                     judging sent again: let this worker's user write to '{DECISIONS}' ({error})"
                );
            }
            Tale::Announcement(decisions) => {
                self.decisions.keep(decisions);
                if !is_refusal {
                    return Err(error);
                }
                // Deleted, say: not to be declared is no reason to end the connection.
                if let Err(error) = topology::declare_decisions(connection).await {
                    tracing::info!("decisions are announced later: {error}");
                }
            }
            // The exchange is missing, say: no copy of a verdict waits behind it.
            Tale::Progress { .. }
                if connection.status().connected() && !matches!(error, LinkError::Silent(_)) => {}
            tale => {
                unsaid.push_back(tale);
                return Err(error);
            }
        }
        channels.open_again(connection).await
    }
}

/// The channels of the telling connection.
struct Channels {
    progress: Channel,
    /// Confirms.
    replies: Channel,
}

impl Channels {
    async fn open(connection: &Connection) -> Result<Self, LinkError> {
        let progress = within("opening a channel", connection.create_channel()).await?;
        Ok(Self { progress, replies: Self::confirming(connection).await? })
    }

    async fn confirming(connection: &Connection) -> Result<Channel, LinkError> {
        let channel = within("opening a channel", connection.create_channel()).await?;
        within("asking for confirmations", channel.confirm_select(ConfirmSelectOptions::default())).await?;
        Ok(channel)
    }

    /// Replaces the channels that the broker closed.
    async fn open_again(&mut self, connection: &Connection) -> Result<(), LinkError> {
        if !self.progress.status().connected() {
            self.progress = within("opening a channel", connection.create_channel()).await?;
        }
        if !self.replies.status().connected() {
            self.replies = Self::confirming(connection).await?;
        }
        Ok(())
    }
}

/// Waits until then; for ever without a time.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// Whether the broker closed a channel because of the message. What ends the connection may have any cause.
fn is_about_the_message(error: &LinkError) -> bool {
    let LinkError::Refused(_, error) = error else { return false };
    matches!(error.kind(), ErrorKind::ProtocolError(error) if matches!(error.kind(), AMQPErrorKind::Soft(_)))
}

impl Teller {
    /// Publishes; waits while the broker takes no messages.
    async fn tell(&self, channels: &Channels, events: &mut Events, tale: &Tale) -> Result<(), LinkError> {
        let Channels { progress, replies } = channels;
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
                Tale::Announcement(decisions) => {
                    let properties = BasicProperties::default()
                        .with_content_type("application/json".into())
                        .with_type("decided".into());
                    let options = BasicPublishOptions::default();
                    // Confirmed, so that a refusal is about this message and no other.
                    replies
                        .basic_publish(
                            DECISIONS.into(),
                            "".into(),
                            options,
                            &self.decisions.body(decisions),
                            properties,
                        )
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
}

#[cfg(test)]
mod tests {
    use lapin::protocol::{AMQPError, AMQPHardError, AMQPSoftError};

    use super::*;

    #[test]
    fn an_error_that_ends_the_connection_is_not_about_the_message() {
        let refused = |kind: AMQPErrorKind| {
            let error = AMQPError::new(kind, "of the test".into());
            LinkError::Refused("telling", ErrorKind::ProtocolError(error).into())
        };
        assert!(is_about_the_message(&refused(AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED))));
        assert!(!is_about_the_message(&refused(AMQPErrorKind::Hard(AMQPHardError::CONNECTIONFORCED))));
        assert!(!is_about_the_message(&LinkError::Gone));
    }
}
