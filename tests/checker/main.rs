//! Checkers under their protocols, and checkers that fail.

#![allow(clippy::unwrap_used)] // A helper that fails is a test that fails.

#[path = "../common/mod.rs"]
mod common;
mod faults;
mod protocols;
