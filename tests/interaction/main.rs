//! Programs and interactors that misbehave towards each other: each pair gets one verdict, with the blame on the right
//! side, and everything the table in `src/judge/interact` says is done by real programs.

#![allow(clippy::unwrap_used)] // A helper that fails is a test that fails.

mod communication;
mod conventions;
mod passes;
mod stage;
mod table;
mod volume;
