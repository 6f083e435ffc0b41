//! Compiles programs, submissions and the jury's alike, once for each content.
//!
//! `toolchain` finds the compiler, `precompiled` builds what a language needs once a host, `included` adds the package's
//! files to a submission, `program` compiles through the cache, `artifacts` moves files into and out of the box.

pub(in crate::judge) mod artifacts;
pub(in crate::judge) mod big_math;
pub(in crate::judge) mod compiler;
pub(in crate::judge) mod included;
pub(in crate::judge) mod language_hint;
mod precompiled;
pub(in crate::judge) mod program;
pub(in crate::judge) mod toolchain;
