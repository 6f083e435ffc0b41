//! Compiles programs, submissions and the jury's alike, once for each content.
//!
//! `toolchain` finds the compiler, `precompiled` builds what a language needs once a host, `included` adds the package's
//! files to a submission, `program` compiles through the cache, `artifacts` moves files into and out of the box.

pub(crate) mod artifacts;
pub(crate) mod big_math;
pub(crate) mod compiler;
pub(crate) mod included;
pub(crate) mod language_hint;
mod precompiled;
pub(crate) mod program;
pub(crate) mod toolchain;
