//! What the commands of senders begin with: the broker's addresses, and names for what they make there.

use std::hash::{BuildHasher, Hasher, RandomState};

use super::CommandError;
use crate::cli::Broker;
use crate::queue::{Addresses, SubmitterError};

/// What queues of senders are called; users need rights over them.
pub(crate) const QUEUE_PREFIX: &str = "gavel.client.";

/// The broker the options name.
///
/// # Errors
/// When there is none, or the address cannot be read.
pub(crate) fn addresses(broker: &Broker) -> Result<Addresses, CommandError> {
    parse(broker.queue.as_deref())
}

/// The broker of an address as it was given.
///
/// # Errors
/// As [`addresses`].
pub(crate) fn parse(address: Option<&str>) -> Result<Addresses, CommandError> {
    match address {
        None | Some("" | "stdio") => Err(CommandError::usage(
            "no broker: give --queue amqp://USER:PASSWORD@HOST:PORT/VHOST, or set GAVEL_QUEUE",
        )),
        Some(address) => Addresses::parse(address).map_err(CommandError::usage),
    }
}

/// A name for a queue of this process's own that nobody else has.
pub(crate) fn queue_name() -> String {
    // Keyed by the kernel's randomness, anew each time.
    format!("{QUEUE_PREFIX}{:016x}", RandomState::new().build_hasher().finish())
}

/// What the broker shows as the name of a connection.
pub(crate) fn connection_name(command: &str) -> String {
    format!("{command} {}", std::process::id())
}

/// Whose fault it is.
pub(crate) fn failure(error: &SubmitterError) -> CommandError {
    if error.is_usage() { CommandError::usage(error) } else { CommandError::judging(error) }
}
