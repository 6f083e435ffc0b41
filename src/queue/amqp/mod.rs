//! RabbitMQ: submissions from quorum queues, verdicts back, nothing lost.
//!
//! What always holds:
//! - a submission is acknowledged only after the broker confirmed its verdict, published persistent and
//!   mandatory; what was not confirmed is published again, the same bytes under the same message id;
//! - no thread judges the next submission before its last verdict is confirmed;
//! - a submission that comes again while it runs here starts nothing: its new delivery is the one that is
//!   acknowledged;
//! - a connection that breaks is made again, for ever, over all addresses in turn; consuming and publishing
//!   have connections of their own, so that a broker that blocks publishers still gets acknowledgements;
//! - every wait for the broker has an end, and no message says a password;
//! - passwords and certificates are read again for every connection, and a broker's certificate is always verified.
//!
//! All of it runs on one thread with a runtime of its own; judging never does.

mod address;
mod client;
mod dial;
mod intake;
mod link;
mod login;
mod publisher;
mod secret_file;
mod tls;
mod topology;

pub use address::{AddressError, Addresses};
pub use client::{Amqp, AmqpStartError};
