//! RabbitMQ: submissions from quorum queues, verdicts back, nothing lost.
//!
//! What always holds:
//! - a submission is acknowledged only after the broker confirmed its verdict, published persistent and
//!   mandatory; what was not confirmed is published again, the same bytes under the same message id;
//! - no thread judges the next submission before its last verdict is confirmed, and none begins while a
//!   verdict cannot be handed over or the broker takes no publishes;
//! - a submission that comes again while it runs here starts nothing: its new delivery is the one that is
//!   acknowledged; one that comes again after its verdict was confirmed is acknowledged and not judged again,
//!   unless somebody published it anew: then its verdict says that it may be a repeat;
//! - a failure of this host is not answered before others had their chance: the submission goes back, and
//!   nothing is taken in until the host works again;
//! - a connection that breaks is made again, for ever, over all addresses in turn; consuming, publishing and
//!   telling (progress, replies) have connections of their own, so that a broker that blocks publishers still
//!   gets acknowledgements, and nothing that may be lost holds up what may not;
//! - a cancel that is sent while there is no connection waits for the next, for some minutes;
//! - a report that is larger than the broker takes is cut rather than lost, and says so in a header;
//! - no text of others is longer than AMQP allows where it is used: it is refused or cut by name;
//! - a task of this layer that panics ends the worker, to be started again;
//! - exchanges, queues and bindings that are deleted under a running worker are noticed and made again, or make it
//!   unready; a verdict is published only while the queue exists that keeps all verdicts;
//! - every wait for the broker has an end, and no message says a password;
//! - passwords and certificates are read again for every connection, and a broker's certificate is always
//!   verified.
//!
//! All of it runs on one thread with a runtime of its own; judging never does.

mod address;
mod client;
mod confirmed;
mod cut;
mod decisions;
mod dial;
mod events;
mod intake;
mod limits;
mod link;
mod login;
mod options;
mod parcel;
mod publisher;
mod secret_file;
mod session;
mod submitter;
mod teller;
mod tls;
mod topology;
mod troubles;
mod upkeep;

pub use address::{AddressError, Addresses};
pub use client::{Amqp, AmqpStartError};
pub use options::AmqpOptions;
pub use submitter::{
    DeadMessage, Depth, Desk, Dispatch, News, Post, Receipt, Submitter, SubmitterError, SubmitterOptions,
};
