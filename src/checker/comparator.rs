//! Which comparators there are, and what they answer.

use std::io::{self, Read};

use super::dmoj::DmojChecker;
use super::source::Source;
use super::testlib::TestlibChecker;
use super::{dmoj, exact, first, lines, stripped, testlib, tokens, white};

/// A built-in comparison of an output with the jury's answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Comparator {
    /// Byte for byte.
    Exact,
    /// Token by token; numbers within tolerances where any is given: the Kattis default validator.
    Tokens(TokenOptions),
    /// One of testlib's own checkers.
    Testlib(TestlibChecker),
    /// One of DMOJ's own checkers.
    Dmoj(DmojChecker),
    /// Byte for byte, white space at the end of the whole apart (QDUOJ).
    Stripped,
    /// Line by line, white space at the ends of lines and empty lines at the end of the whole apart (Hydro).
    TrimmedLines,
    /// CMS's own: line by line the same tokens, empty lines at the end apart.
    WhiteDiff,
    /// The first so many tokens, letter for letter, whatever follows them.
    FirstTokens(u32),
}

/// Options of the token comparison, named after the Kattis default validator's flags.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct TokenOptions {
    /// `case_sensitive`: letters must match in case. Without it ASCII letters match in either case; bytes
    /// beyond ASCII always must be the same.
    pub case_sensitive: bool,
    /// `space_change_sensitive`: white space must match exactly.
    pub space_change_sensitive: bool,
    /// `float_absolute_tolerance`: how far a number may be from the jury's.
    pub absolute_tolerance: Option<f64>,
    /// `float_relative_tolerance`: how far, as a fraction of the jury's number.
    pub relative_tolerance: Option<f64>,
}

/// What a comparison found.
#[derive(Debug, Clone, PartialEq)]
pub enum Comparison {
    /// The output is right.
    Accepted,
    /// It is not.
    Wrong {
        /// One line, at most 300 characters, control characters escaped: where the first difference is.
        message: String,
    },
    /// It is right in part.
    Partial {
        /// How much of it, more than 0 and less than 1.
        fraction: f64,
        /// As of [`Comparison::Wrong`].
        message: String,
    },
    /// The jury's answer is none that this comparison can use: the package's fault, which decides nothing about the
    /// output.
    BrokenAnswer {
        /// One line: what is wrong with it, and where.
        message: String,
    },
}

/// Compares a whole output with a whole answer; memory stays flat whatever their sizes, but for the jury's words where
/// they may come in any order.
///
/// Reading stops at the first difference that decides, so the rest of either stream may stay unread.
///
/// # Errors
/// When either cannot be read: a fault of ours, never the contestant's.
pub fn compare(
    comparator: Comparator,
    output: &mut dyn Read,
    answer: &mut dyn Read,
) -> io::Result<Comparison> {
    let output = Source::new(output);
    let answer = Source::new(answer);
    match comparator {
        Comparator::Exact => exact::compare(output, answer),
        Comparator::Tokens(options) => tokens::compare(tokens::kattis_rules(options), output, answer),
        Comparator::Testlib(checker) => testlib::compare(checker, output, answer),
        Comparator::Dmoj(checker) => dmoj::compare(checker, output, answer),
        Comparator::Stripped => stripped::compare(output, answer),
        Comparator::TrimmedLines => lines::compare_trimmed(output, answer),
        Comparator::WhiteDiff => white::compare(output, answer),
        Comparator::FirstTokens(count) => first::compare(count, output, answer),
    }
}
