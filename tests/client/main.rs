//! The commands of those who send submissions, on a RabbitMQ node and with a worker of each test's own.

#![allow(clippy::unwrap_used)] // A helper that fails is a test that fails.

#[path = "../common/mod.rs"]
mod common;
mod console;
mod desk;
mod interruptions;
#[path = "../broker/node.rs"]
mod node;
mod refusals;
mod replay;

mod stage;
mod submit;
