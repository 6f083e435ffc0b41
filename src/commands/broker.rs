//! What the commands of senders begin with: the broker's addresses, and names for what they make there.

use std::hash::{BuildHasher, Hasher, RandomState};

use super::CommandError;
use crate::cli::Broker;
use crate::queue::{Addresses, SubmitterError};
use crate::settings::{AccessFlags, KEYS, Resolved, Settings};

/// What queues of senders are called; users need rights over them.
pub(crate) const QUEUE_PREFIX: &str = "gavel.client.";

/// The broker the options name.
///
/// # Errors
/// When there is none, or the address cannot be read.
pub(crate) fn addresses(broker: &Broker) -> Result<Addresses, CommandError> {
    parse(broker.queue.as_deref(), &broker.access)
}

/// The broker of an address as it was given, and how to get into it.
///
/// # Errors
/// As [`addresses`].
pub(crate) fn parse(address: Option<&str>, access: &AccessFlags) -> Result<Addresses, CommandError> {
    let Some(address) = address.filter(|address| !matches!(*address, "" | "stdio")) else {
        return Err(CommandError::usage(
            "no broker: give --queue amqp://USER:PASSWORD@HOST:PORT/VHOST, or set GAVEL_QUEUE",
        ));
    };
    let environment: Vec<_> = std::env::vars_os().collect();
    let settings = Resolved::access(access, &environment).and_then(|resolved| Settings::of(&resolved));
    let settings = settings.map_err(|error| CommandError::Usage(in_flags(&error.to_string())))?;
    Addresses::parse(address)
        .and_then(|addresses| addresses.with(&settings.amqp, &settings.tls))
        .map_err(|error| CommandError::Usage(in_flags(&error.to_string())))
}

/// A message with the flags of settings for their names in the worker's file, which a sender does not have.
pub(crate) fn in_flags(message: &str) -> String {
    let keys = KEYS.iter().filter(|key| key.is_about_access());
    keys.filter_map(|key| Some((key.name, key.flag()?)))
        .fold(message.to_owned(), |message, (name, flag)| message.replace(name, &format!("--{flag}")))
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
    let message = in_flags(&error.to_string());
    if error.is_usage() { CommandError::Usage(message) } else { CommandError::Judging(message) }
}
