//! The worker without a broker: standard input and output, settings, its HTTP port, fetching.

#![allow(clippy::unwrap_used)] // A helper that fails is a test that fails.

#[path = "../common/mod.rs"]
mod common;
mod fetch_http;
mod fetch_worker;
#[path = "../common/http.rs"]
mod http;
mod monitor;
#[path = "../common/server.rs"]
mod server;
mod settings;
mod stdio;
