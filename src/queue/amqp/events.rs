//! What the broker says about a connection as a whole: that it takes no publishes for now, or its end.

use std::pin::Pin;

use futures_core::Stream;
use lapin::{Connection, ConnectionStatus, Event};

use super::link::LinkError;

/// Follows one connection.
pub(super) struct Events {
    stream: Pin<Box<dyn Stream<Item = Event> + Send>>,
    status: ConnectionStatus,
    blocked: Option<String>,
}

impl Events {
    pub(super) fn of(connection: &Connection) -> Self {
        let stream = Box::pin(connection.events_listener());
        // Blocked before anyone listened: the reason is lost then, the fact is not.
        let blocked = connection.status().blocked().then(String::new);
        Self { stream, status: connection.status().clone(), blocked }
    }

    /// Why the broker takes no publishes now: it is short of memory or disk.
    pub(super) fn blocked(&self) -> Option<&str> {
        self.blocked.as_deref()
    }

    /// Waits until [`Events::blocked`] changes.
    ///
    /// # Errors
    /// When the connection ends.
    pub(super) async fn changed(&mut self) -> Result<(), LinkError> {
        loop {
            match std::future::poll_fn(|context| self.stream.as_mut().poll_next(context)).await {
                Some(Event::ConnectionBlocked(reason)) => self.blocked = Some(reason),
                Some(Event::ConnectionUnblocked) => self.blocked = None,
                // A channel's own end concerns whoever uses the channel.
                Some(Event::Error(_)) if self.status.connected() => continue,
                Some(Event::Error(error)) => return Err(LinkError::Refused("the connection", error)),
                Some(_) => continue,
                None => return Err(LinkError::Gone),
            }
            return Ok(());
        }
    }
}
