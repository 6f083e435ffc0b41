//! The sandbox as its callers meet it: hostile and ordinary programs in real boxes, effects observed.
//!
//! Every behaviour is checked under each resource control this host has (see [`harness::each_control`]), and
//! the whole suite once more by a user without privileges ([`unprivileged`]).
//!
//! What [`gavel::sandbox::ResourceControl::None`] cannot do, here for all tests: memory over the limit is found
//! by sampling (every 10 ms) or at the end, so a program goes over before it is stopped; the figure of a tree is
//! the largest sample of its sum or the largest process, so short-lived neighbours are not added up; buffers of pipes
//! and sockets are bounded and not counted; CPU time of children whose parent ignores SIGCHLD is sampled; the process
//! limit counts per user id.

#![allow(clippy::unwrap_used)] // A helper that fails is a test that fails.

mod cancellation;
mod charges;
mod endurance;
mod false_worker;
mod figures;
mod harness;
mod isolation;
mod limits;
mod lost_boxes;
mod nothing_left;
mod run;
mod shown;
mod traces;
mod unprivileged;
