//! `gavel verify`: its findings on broken packages, and the packages of `testdata/`.

#![allow(clippy::unwrap_used)] // A helper that fails is a test that fails.

#[path = "../common/mod.rs"]
mod common;
mod findings;
mod packages;
