//! The cache under `kill -9`, damage, eviction, many processes, full and read-only disks.

#![allow(clippy::unwrap_used)] // A helper that fails is a test that fails.

mod damage;
mod eviction;
mod sharing;
#[path = "../common/small_disk.rs"]
mod small_disk;
