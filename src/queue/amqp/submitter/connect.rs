//! First contact with a broker, and what is wrong with it in the caller's terms.

use std::time::{Duration, Instant};

use lapin::{Channel, Connection, ErrorKind};

use super::super::link::{Link, LinkError, within};

/// Where submissions and control messages are published.
pub(super) const SUBMIT: &str = "gavel.submit";

/// AMQP's reply code for something that is not there.
const NOT_FOUND: u16 = 404;
/// How long the first connection may take; later ones are tried for ever.
const FIRST_CONTACT: Duration = Duration::from_secs(10);
/// Between attempts at the first connection.
const PAUSE: Duration = Duration::from_millis(250);

/// Why there is nothing more to wait for.
#[derive(Debug, thiserror::Error)]
pub enum SubmitterError {
    /// The broker is there and does not want us.
    #[error("broker {place}: {text}; check the queue's address and the user's permissions")]
    Refused {
        /// Host, port and virtual host.
        place: String,
        /// The broker's own words.
        text: String,
    },
    /// Nobody answers.
    #[error("no broker answers at {place}: {problem}; is it running, and is the queue's address right?")]
    Unreachable {
        /// Host, port and virtual host.
        place: String,
        /// What happened.
        problem: String,
    },
    /// It answers, and something does not work.
    #[error("broker {place}: {problem}")]
    Broken {
        /// Host, port and virtual host.
        place: String,
        /// What happened.
        problem: String,
    },
    /// The thread or its runtime cannot be made.
    #[error("cannot start the thread of the queue: {0}")]
    Start(#[from] std::io::Error),
}

impl SubmitterError {
    /// Whether the caller gave something wrong, rather than the broker being away.
    pub const fn is_usage(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }
}

/// Connects for the first time: what the broker refuses is final, what cannot be reached is for a while.
pub(super) async fn first_contact(link: &mut Link) -> Result<(String, Connection), SubmitterError> {
    let deadline = Instant::now() + FIRST_CONTACT;
    let mut is_told = false;
    loop {
        let (place, attempt) = link.attempt().await;
        match attempt {
            Ok(connection) => return Ok((place, connection)),
            Err(error) if error.is_final() => {
                return Err(SubmitterError::Refused { place, text: error.to_string() });
            }
            Err(error) if Instant::now() >= deadline => {
                return Err(SubmitterError::Unreachable { place, problem: error.to_string() });
            }
            Err(error) => {
                if !is_told {
                    let seconds = FIRST_CONTACT.as_secs();
                    tracing::warn!("no broker answers at {place}: {error}; trying for {seconds} s");
                    is_told = true;
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// What will not change by trying again: the broker's own refusals.
pub(super) fn final_error(place: &str, user: &str, error: &LinkError) -> Option<SubmitterError> {
    let text = || format!("it does not let {user} do this: {error}");
    error.is_forbidden().then(|| SubmitterError::Refused { place: place.to_owned(), text: text() })
}

/// Whether the broker says that a thing does not exist.
pub(super) fn is_not_found(error: &LinkError) -> bool {
    match error {
        LinkError::Refused(_, error) => {
            matches!(error.kind(), ErrorKind::ProtocolError(error) if error.get_id() == NOT_FOUND)
        }
        _ => false,
    }
}

/// Opens a channel.
pub(super) async fn channel(connection: &Connection) -> Result<Channel, LinkError> {
    within("opening a channel", connection.create_channel()).await
}
