//! Box init, process 1 of a box: starts one program at a time and reports how it ended.
//!
//! `process` is its life, `root` builds its file tree, `seccomp` filters its system calls and those of programs, `spawn`
//! starts a program, and `message` is how the worker talks to it. Imports nothing of the other processes.

pub(crate) mod message;
pub(crate) mod process;
pub(crate) mod root;
mod seccomp;
mod spawn;
