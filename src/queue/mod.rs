//! Queues: submissions come in, events and verdicts go out.
//!
//! Every queue fills the same two ends. It offers what arrives to a [`Backlog`], and it is the [`Outlet`]
//! that takes progress and verdicts back; a [`Worker`] between them judges on threads of its own, and knows
//! nothing of wires. Message formats are in `message` and nowhere else. Whoever sends submissions and waits for their
//! verdicts uses the other side: [`Submitter`], [`Desk`] and the messages of `outgoing`.
//!
//! What always holds:
//! - every submission taken in gets exactly one verdict from this process, or is given back;
//! - two deliveries of one `(id, judging)` with the same contents are one judging: the second takes nothing but the
//!   first's answer; one with other contents is refused with its reason;
//! - a message that cannot be read is answered with its reason and harms nothing else.

mod amqp;
mod backlog;
mod contents;
mod forms;
mod health;
mod memory;
mod message;
mod outgoing;
mod prefetch;
mod pulse;
mod schema;
mod stdio;
mod unknown_keys;
mod worker;

pub use amqp::{
    AddressError, Addresses, Amqp, AmqpOptions, AmqpStartError, DeadMessage, Depth, Desk, Dispatch, News,
    Post, Receipt, Submitter, SubmitterError, SubmitterOptions,
};
pub use backlog::{Backlog, Delivery, Job, Offer, Refusal, Tag, Upcoming};
pub use contents::Contents;
pub use health::Health;
pub use memory::Memory;
pub use message::{Key, LARGEST, Malformed, Message, parse};
pub use outgoing::{Outgoing, archived_problem, cancel_message, inline_problem, named_problem};
pub use pulse::Pulse;
pub use schema::Document;
pub use stdio::{Stdio, read_lines};
pub use worker::{Outlet, Settlement, Worker};
