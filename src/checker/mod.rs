//! Decides whether an output is right.
//!
//! The built-in comparators are pure functions of two byte streams: the output under judgement and the
//! jury's answer. They know nothing of packages, verdicts or sandboxes.
//!
//! What always holds:
//! - memory is two buffers of 128 KiB and a little, whatever the sizes of the streams and of the tokens in them;
//!   only what may come in any order is kept, and a line or a token of the jury's: never more than the answer;
//! - every byte string has a comparison: NULs, invalid UTF-8 and endless tokens are wrong or right, never an
//!   error and never a panic;
//! - a stream that cannot be read is an error, never a verdict;
//! - the answer depends on the bytes alone, not on how the reads were cut.
//!
//! Each comparator is one file with one function from two `Source`s to a [`Comparison`]; a new one
//! is a new file, a variant of [`Comparator`] and a line in [`compare`].

mod comparator;
mod dmoj;
mod exact;
#[cfg(test)]
mod families;
mod first;
mod flags;
mod lines;
mod message;
mod number;
#[cfg(test)]
mod properties;
mod protocol;
mod source;
mod stripped;
#[cfg(test)]
mod tables;
mod testlib;
mod tokens;
mod white;
mod words;

pub use comparator::{Comparator, Comparison, TokenOptions, compare};
pub use dmoj::{DmojChecker, FloatMode};
pub use flags::FlagError;
pub use protocol::{
    BrokenProtocol, CheckerPaths, CustomScore, DmojKind, Feedback, Finished, Grade, Opinion, Protocol, Score,
    Used,
};
pub use testlib::TestlibChecker;
