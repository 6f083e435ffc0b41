//! Commands as their users meet them: messages, exit codes, documents.

#![allow(clippy::unwrap_used)] // A helper that fails is a test that fails.

#[path = "../common/mod.rs"]
mod common;
mod console_blocks;
mod doctor;
mod errors;
mod grade;
mod language_table;
mod languages;
mod message_schema;
mod replay;
mod run;
