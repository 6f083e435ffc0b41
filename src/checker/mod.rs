//! Decides whether an output is right.
//!
//! The built-in comparators are pure functions of two byte streams: the output under judgement and the
//! jury's answer. They know nothing of packages, verdicts or sandboxes.
//!
//! What always holds:
//! - memory is two buffers of 128 KiB and a little, whatever the sizes of the streams and
//!   of the tokens in them;
//! - every byte string has a comparison: NULs, invalid UTF-8 and endless tokens are wrong or right, never an
//!   error and never a panic;
//! - a stream that cannot be read is an error, never a verdict;
//! - the answer depends on the bytes alone, not on how the reads were cut.
//!
//! Each comparator is one file with one function from two `Source`s to a [`Comparison`]; a new one
//! is a new file, a variant of [`Comparator`] and a line in [`compare`].

mod comparator;
mod exact;
mod flags;
mod message;
mod number;
#[cfg(test)]
mod properties;
mod protocol;
mod source;
#[cfg(test)]
mod tables;
mod tokens;

pub use comparator::{Comparator, Comparison, TokenOptions, compare};
pub use flags::FlagError;
pub use protocol::{
    BrokenProtocol, CheckerPaths, CustomScore, DmojKind, Feedback, Finished, Grade, Opinion, Protocol, Score,
};
