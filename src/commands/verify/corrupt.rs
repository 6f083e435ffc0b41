//! Outputs that are made of an answer by spoiling it, for the fuzzing of checkers.
//!
//! Pure functions of the answer and a number: the same seed makes the same outputs on every host.

use crate::checker::{Comparator, Comparison, TokenOptions, compare};

/// A way to spoil an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Corruption {
    Empty,
    Binary,
    Text,
    Truncated,
    MissingToken,
    TrailingToken,
    TrailingNull,
    LongToken,
    NotANumber,
    Infinite,
    Overflow,
    Huge,
    Negative,
    OffByOne,
    SwappedTokens,
    SwappedLines,
    Repeated,
    OtherAnswer,
}

/// What an accepted corruption says about a checker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Suspicion {
    /// Nothing like it can be right on every test.
    Never,
    /// It is hardly ever right.
    Rarely,
    /// It is right in many problems: where order does not matter, or several answers do.
    MaybeRight,
}

impl Corruption {
    pub(super) const ALL: [Self; 18] = [
        Self::Empty,
        Self::Binary,
        Self::Text,
        Self::Truncated,
        Self::MissingToken,
        Self::TrailingToken,
        Self::TrailingNull,
        Self::LongToken,
        Self::NotANumber,
        Self::Infinite,
        Self::Overflow,
        Self::Huge,
        Self::Negative,
        Self::OffByOne,
        Self::SwappedTokens,
        Self::SwappedLines,
        Self::Repeated,
        Self::OtherAnswer,
    ];

    /// What it is, after "an output that is" or "the answer".
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Empty => "an empty output",
            Self::Binary => "random bytes",
            Self::Text => "random text",
            Self::Truncated => "the first half of the answer",
            Self::MissingToken => "the answer without its last token",
            Self::TrailingToken => "the answer with more text after it",
            Self::TrailingNull => "the answer with a zero byte after it",
            Self::LongToken => "a token of 100,000 letters",
            Self::NotANumber => "the answer with 'nan' for a number",
            Self::Infinite => "the answer with 'inf' for a number",
            Self::Overflow => "the answer with a number of 30 digits",
            Self::Huge => "the answer with 1e400 for a number",
            Self::Negative => "the answer with a number negated",
            Self::OffByOne => "the answer with a number off by one",
            Self::SwappedTokens => "the answer with two tokens swapped",
            Self::SwappedLines => "the answer with two lines swapped",
            Self::Repeated => "the answer twice",
            Self::OtherAnswer => "the answer of another test",
        }
    }

    pub(super) fn suspicion(self) -> Suspicion {
        match self {
            Self::Empty | Self::Binary | Self::Text => Suspicion::Never,
            Self::Truncated
            | Self::MissingToken
            | Self::TrailingToken
            | Self::TrailingNull
            | Self::LongToken
            | Self::NotANumber
            | Self::Infinite
            | Self::Overflow
            | Self::Huge => Suspicion::Rarely,
            Self::Negative
            | Self::OffByOne
            | Self::SwappedTokens
            | Self::SwappedLines
            | Self::Repeated
            | Self::OtherAnswer => Suspicion::MaybeRight,
        }
    }

    /// The spoilt answer; `None` where there is nothing to spoil in that way, or where what comes out has the same words
    /// as the answer.
    pub(super) fn of(self, answer: &[u8], other: Option<&[u8]>, numbers: &mut Numbers) -> Option<Vec<u8>> {
        let tokens = tokens(answer);
        let spoilt = match self {
            Self::Empty => Vec::new(),
            Self::Binary => (0..1024).map(|_| numbers.byte()).collect(),
            Self::Text => (0..200).map(|_| b' ' + numbers.byte() % 95).collect(),
            Self::Truncated => answer.get(..answer.trim_ascii_end().len() / 2)?.to_vec(),
            Self::MissingToken => answer.get(..tokens.last()?.0)?.to_vec(),
            Self::TrailingToken => [answer, b"\nand 17 more\n"].concat(),
            Self::TrailingNull => [answer, b"\0\n"].concat(),
            Self::LongToken => vec![b'a'; 100_000],
            Self::NotANumber => replace_number(answer, &tokens, numbers, |_| Some("nan".to_owned()))?,
            Self::Infinite => replace_number(answer, &tokens, numbers, |_| Some("inf".to_owned()))?,
            Self::Overflow => replace_number(answer, &tokens, numbers, |_| Some("9".repeat(30)))?,
            Self::Huge => replace_number(answer, &tokens, numbers, |_| Some("1e400".to_owned()))?,
            Self::Negative => replace_number(answer, &tokens, numbers, |number| {
                let is_zero = number.bytes().all(|byte| matches!(byte, b'0' | b'.' | b'-' | b'+'));
                (!is_zero).then(|| match number.strip_prefix('-') {
                    Some(rest) => rest.to_owned(),
                    None => format!("-{}", number.trim_start_matches('+')),
                })
            })?,
            Self::OffByOne => replace_number(answer, &tokens, numbers, |number| {
                number.parse::<i64>().ok()?.checked_add(1).map(|number| number.to_string())
            })?,
            Self::SwappedTokens => {
                let first = numbers.below(tokens.len().checked_sub(1)?)?;
                swap(answer, *tokens.get(first)?, *tokens.get(first + 1)?)
            }
            Self::SwappedLines => {
                let lines = lines(answer);
                let first = numbers.below(lines.len().checked_sub(1)?)?;
                swap(answer, *lines.get(first)?, *lines.get(first + 1)?)
            }
            Self::Repeated => [answer.trim_ascii_end(), b"\n", answer].concat(),
            Self::OtherAnswer => other?.to_vec(),
        };
        (!has_same_words(answer, &spoilt)).then_some(spoilt)
    }
}

/// Numbers that look random and are the same for the same seed (splitmix64).
#[derive(Debug, Clone)]
pub(super) struct Numbers(u64);

impl Numbers {
    /// A sequence of its own for each purpose.
    pub(super) fn new(seed: u64, purpose: u64) -> Self {
        let mut numbers = Self(seed ^ purpose.wrapping_mul(0xd6e8_feb8_6659_fd93));
        numbers.next();
        numbers
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    /// A number from 0 to below `bound`; `None` where there is none.
    pub(super) fn below(&mut self, bound: usize) -> Option<usize> {
        let place = self.next().checked_rem(bound as u64)?;
        usize::try_from(place).ok()
    }
}

/// Begin and end of every run of bytes that are not white space.
fn tokens(text: &[u8]) -> Vec<(usize, usize)> {
    spans(text, u8::is_ascii_whitespace)
}

/// Begin and end of every line that is not empty.
fn lines(text: &[u8]) -> Vec<(usize, usize)> {
    spans(text, |byte| matches!(byte, b'\n' | b'\r'))
}

fn spans(text: &[u8], separates: impl Fn(&u8) -> bool) -> Vec<(usize, usize)> {
    let mut spans = Vec::new();
    let mut begin = None;
    for (place, byte) in text.iter().enumerate() {
        match (separates(byte), begin) {
            (true, Some(start)) => {
                spans.push((start, place));
                begin = None;
            }
            (false, None) => begin = Some(place),
            _ => {}
        }
    }
    spans.extend(begin.map(|start| (start, text.len())));
    spans
}

/// The text with one of its numbers replaced.
fn replace_number(
    text: &[u8],
    tokens: &[(usize, usize)],
    numbers: &mut Numbers,
    replacement: impl Fn(&str) -> Option<String>,
) -> Option<Vec<u8>> {
    let candidates: Vec<(usize, usize, String)> = tokens
        .iter()
        .filter_map(|(begin, end)| {
            let token = std::str::from_utf8(text.get(*begin..*end)?).ok()?;
            token.parse::<f64>().ok().filter(|number| number.is_finite())?;
            Some((*begin, *end, replacement(token)?))
        })
        .collect();
    let (begin, end, new) = candidates.get(numbers.below(candidates.len())?)?;
    Some([text.get(..*begin)?, new.as_bytes(), text.get(*end..)?].concat())
}

/// The text with two of its spans swapped; the first comes before the second.
fn swap(text: &[u8], first: (usize, usize), second: (usize, usize)) -> Vec<u8> {
    let part = |begin: usize, end: usize| text.get(begin..end).unwrap_or_default();
    [
        part(0, first.0),
        part(second.0, second.1),
        part(first.1, second.0),
        part(first.0, first.1),
        part(second.1, text.len()),
    ]
    .concat()
}

fn has_same_words(mut left: &[u8], mut right: &[u8]) -> bool {
    let rules = Comparator::Tokens(TokenOptions { case_sensitive: true, ..TokenOptions::default() });
    // Reading from memory does not fail.
    compare(rules, &mut left, &mut right).is_ok_and(|found| found == Comparison::Accepted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spoil(corruption: Corruption, answer: &str) -> Option<String> {
        let mut numbers = Numbers::new(1, 7);
        corruption
            .of(answer.as_bytes(), Some(b"5\n"), &mut numbers)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    #[test]
    fn every_corruption_changes_the_words() {
        for corruption in Corruption::ALL {
            for answer in ["", "\n", "yes\n", "1\n", "1 2\n3 4\n", "-0.5 abc\n\n", "1 1\n1 1\n"] {
                if let Some(spoilt) = spoil(corruption, answer) {
                    assert!(
                        spoilt.split_ascii_whitespace().ne(answer.split_ascii_whitespace()),
                        "{corruption:?} of {answer:?} is {spoilt:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn corruptions_do_what_they_are_called() {
        assert_eq!(spoil(Corruption::Empty, "1\n").unwrap(), "");
        assert_eq!(spoil(Corruption::Empty, " \n"), None);
        assert_eq!(spoil(Corruption::Truncated, "abcd\n").unwrap(), "ab");
        assert_eq!(spoil(Corruption::MissingToken, "1 2\n").unwrap(), "1 ");
        assert_eq!(spoil(Corruption::OffByOne, "41\n").unwrap(), "42\n");
        assert_eq!(spoil(Corruption::Negative, "a -2.5\n").unwrap(), "a 2.5\n");
        assert_eq!(spoil(Corruption::Negative, "0\n"), None);
        assert_eq!(spoil(Corruption::NotANumber, "yes\n"), None);
        assert_eq!(spoil(Corruption::SwappedTokens, "1 2\n").unwrap(), "2 1\n");
        assert_eq!(spoil(Corruption::SwappedTokens, "7 7\n"), None);
        assert_eq!(spoil(Corruption::SwappedLines, "a b\n\nc\n").unwrap(), "c\n\na b\n");
        assert_eq!(spoil(Corruption::Repeated, "x\n").unwrap(), "x\nx\n");
        assert_eq!(spoil(Corruption::OtherAnswer, "5\n"), None);
        assert_eq!(spoil(Corruption::OtherAnswer, "6\n").unwrap(), "5\n");
    }

    #[test]
    fn the_same_seed_makes_the_same_outputs() {
        let make = |seed| {
            let mut numbers = Numbers::new(seed, 3);
            Corruption::Binary.of(b"1\n", None, &mut numbers)
        };
        assert_eq!(make(1), make(1));
        assert_ne!(make(1), make(2));
    }
}
