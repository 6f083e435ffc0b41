//! The other end of the queues: whoever sends submissions and waits for their verdicts.
//!
//! What always holds:
//! - a message counts as taken only once the broker confirmed it, published persistent and mandatory; one
//!   without a confirmation is published again, the same bytes under the same message id;
//! - verdicts are collected in a queue of the sender's own that is bound before anything is published, is
//!   durable and outlives the connection for a while: what was decided while the sender was away is told
//!   when it returns, also to the next process that names the same queue;
//! - when that queue is gone all the same, the sender is told that it may have missed verdicts;
//! - every wait for the broker has an end, and no message says a password.
//!
//! It refuses to know what a submission is: it carries bytes, numbers and keys. All of it runs on one thread
//! with a runtime of its own; callers wait for [`News`] without one.

mod connect;
mod desk;
mod exchange;
mod session;

pub use connect::SubmitterError;
pub use desk::{DeadMessage, Depth, Desk, Dispatch};
pub use exchange::{News, Post, Receipt, Submitter, SubmitterOptions};
