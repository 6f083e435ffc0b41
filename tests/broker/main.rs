//! `gavel worker --queue amqp://…` on RabbitMQ: one node for all tests, with a virtual host for each, and nodes
//! of their own for those that hurt the node.
//!
//! Whatever is broken, afterwards every submission has its verdict, repeats can be told from first answers,
//! nothing waits, and nothing of a worker is left ([`site::Site::check`], [`worker::Worker::end`]).

#![allow(clippy::unwrap_used)] // A helper that fails is a test that fails.

mod alarms;
mod backend;
mod broker_faults;
mod cluster;
#[path = "../common/mod.rs"]
mod common;
mod credentials;
mod fleet;
mod host_faults;
#[path = "../common/http.rs"]
mod http;
mod invariants;
mod large;
mod messages;
mod network_faults;
mod node;
mod proxy;
mod readiness;
mod schedule;
mod sharing;
mod site;
mod upkeep;
mod worker;
mod worker_faults;
