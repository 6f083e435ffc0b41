//! Package formats: what is read, refused, converted and generated.

#![allow(clippy::unwrap_used)] // A helper that fails is a test that fails.

mod broken;
mod check;
mod cms;
#[path = "../common/mod.rs"]
mod common;
mod convert;
mod dmoj;
mod folder;
mod icpc;
mod kattis;
mod made;
mod olympiads;
mod polygon;
mod task_types;
