//! DMOJ's own checkers, by their names (<https://github.com/DMOJ/judge-server>, `dmoj/checkers/`).
//!
//! They accept and reject what those do. Lines end with `\n` and `\r`, each by itself; white space is C's `isspace`.

use std::collections::HashMap;
use std::io;

use super::comparator::{Comparison, TokenOptions};
use super::message;
use super::source::Source;
use super::tokens::{self, Rules, Spaces};
use super::words::{Event, Words, differ, enough_for, is_line_end, is_space, missing, trailing};
use super::{exact, lines};

/// One of DMOJ's checkers with its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DmojChecker {
    /// The default: the same tokens, and a new line between two of them where the jury has one.
    Standard,
    /// The same letters, as often, in any order, white space and case apart.
    Easy,
    /// Line by line the same tokens, numbers with a tolerance.
    Floats {
        /// `precision`: a tolerance of ten to the minus this; 6 unless given.
        precision: u8,
        /// `error_mode`.
        mode: FloatMode,
    },
    /// Byte for byte.
    Identical,
    /// The fraction of lines that are right.
    Linecount,
    /// The same lines, white space at their ends apart.
    Rstripped {
        /// `filter_new_line`: empty lines are left out.
        filter_new_line: bool,
    },
    /// The same lines in any order, each as a sequence of tokens.
    SortedLines,
    /// The same tokens in any order: `sorted` with `split_on: whitespace`, or `unordered`.
    SortedTokens,
}

/// What the tolerance of `floats` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum FloatMode {
    /// Absolute, or relative to a jury's number that is no smaller than the tolerance.
    #[default]
    Default,
    /// Absolute (`floatsabs`).
    Absolute,
    /// Relative to the jury's number (`floatsrel`).
    Relative,
}

pub(super) fn compare(
    checker: DmojChecker,
    output: Source<'_>,
    answer: Source<'_>,
) -> io::Result<Comparison> {
    match checker {
        DmojChecker::Standard => {
            let options = TokenOptions { case_sensitive: true, ..TokenOptions::default() };
            tokens::compare(Rules { options, spaces: Spaces::Lines, is_space }, output, answer)
        }
        DmojChecker::Identical => exact::compare(output, answer),
        DmojChecker::Easy => easy(output, answer),
        DmojChecker::Floats { precision, mode } => floats(output, answer, precision, mode),
        DmojChecker::Linecount => lines::count_right(output, answer),
        DmojChecker::Rstripped { filter_new_line } => {
            lines::compare_right_stripped(output, answer, filter_new_line)
        }
        DmojChecker::SortedLines => unordered(output, answer, true),
        DmojChecker::SortedTokens => unordered(output, answer, false),
    }
}

fn easy(mut output: Source<'_>, mut answer: Source<'_>) -> io::Result<Comparison> {
    let (found, expected) = (letters(&mut output)?, letters(&mut answer)?);
    for byte in 0..=u8::MAX {
        let (found, expected) = (found[usize::from(byte)], expected[usize::from(byte)]);
        if found != expected {
            let shown = message::quote(&[byte]);
            return Ok(message::wrong(&format!(
                "{shown} comes {found} times, the jury has it {expected} times"
            )));
        }
    }
    Ok(Comparison::Accepted)
}

/// How often each byte comes, in small letters and without white space.
fn letters(source: &mut Source<'_>) -> io::Result<[u64; 256]> {
    let mut counts = [0; 256];
    while source.peek()?.is_some() {
        let available = source.available();
        let length = available.len();
        for byte in available.iter().filter(|byte| !is_space(**byte)) {
            counts[usize::from(byte.to_ascii_lowercase())] += 1;
        }
        source.consume(length);
    }
    Ok(counts)
}

fn floats(output: Source<'_>, answer: Source<'_>, precision: u8, mode: FloatMode) -> io::Result<Comparison> {
    // Read, not computed: the nearest double.
    let error: f64 = format!("1e-{precision}").parse().unwrap_or_default();
    let mut output = Words::new(output, is_space);
    let mut answer = Words::new(answer, is_space);
    loop {
        let expected = filled_line_event(&mut answer, usize::MAX)?;
        let found = filled_line_event(&mut output, enough_for(answer.head()))?;
        let (here, there) = (output.source.position(), answer.source.position());
        match (found, expected) {
            (Event::End, Event::End) => return Ok(Comparison::Accepted),
            (Event::LineEnd { .. }, Event::LineEnd { .. }) => {}
            (Event::Word(found), Event::Word(expected)) => {
                let same = match python_float(&mut answer) {
                    None => output.is(found, answer.head()),
                    Some(jury) => {
                        python_float(&mut output).is_some_and(|found| mode.near(jury, found, error))
                    }
                };
                if !same {
                    let (wanted, got) = (answer.quoted(expected), output.quoted(found));
                    return Ok(differ(found.position, expected.position, &wanted, &got));
                }
            }
            (Event::Word(found), Event::LineEnd { .. }) => {
                return Ok(differ(found.position, there, "the end of the line", &output.quoted(found)));
            }
            (Event::Word(found), Event::End) => return Ok(trailing(found.position, &output.quoted(found))),
            (Event::LineEnd { .. }, Event::End) => return Ok(trailing(here, "line")),
            (Event::LineEnd { .. }, Event::Word(expected)) => {
                return Ok(differ(here, expected.position, &answer.quoted(expected), "the end of the line"));
            }
            (Event::End, Event::Word(expected)) => return Ok(missing(here, &answer.quoted(expected))),
            (Event::End, Event::LineEnd { .. }) => return Ok(missing(here, "another line")),
        }
    }
}

/// The next event of a stream whose empty lines are left out; one with white space in it is not empty.
fn filled_line_event(words: &mut Words<'_>, keep: usize) -> io::Result<Event> {
    loop {
        match words.event(keep, is_line_end)? {
            Event::LineEnd { is_empty: true } => {}
            event => return Ok(event),
        }
    }
}

/// What Python's `float` makes of the last word: a finite number in decimal, with single `_` between digits, or one of the
/// names of what is not finite.
fn python_float(words: &mut Words<'_>) -> Option<f64> {
    if let Some(number) = words.decimal() {
        return Some(number);
    }
    let text = std::str::from_utf8(words.head()).ok()?;
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text).to_ascii_lowercase();
    if matches!(unsigned.as_str(), "inf" | "infinity" | "nan") {
        return text.parse().ok();
    }
    let starts = text
        .strip_prefix(['+', '-'])
        .unwrap_or(text)
        .starts_with(|first: char| first.is_ascii_digit() || first == '.');
    if !starts {
        return None;
    }
    let bytes = text.as_bytes();
    let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    let grouped = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'_');
    let well_grouped = grouped.clone().all(|(at, _)| digit(at.checked_sub(1)) && digit(Some(at + 1)));
    // Beyond the range of doubles a number is infinite.
    well_grouped.then(|| text.replace('_', "").parse().ok()).flatten()
}

impl FloatMode {
    /// In the arithmetic of the original; nothing is near to nan.
    fn near(self, jury: f64, found: f64, error: f64) -> bool {
        let absolute = (found - jury).abs() <= error;
        match self {
            Self::Default => absolute || (jury.abs() >= error && (1.0 - found / jury).abs() <= error),
            Self::Absolute => absolute,
            Self::Relative => {
                let ends = (jury * (1.0 - error), jury * (1.0 + error));
                // A comparison with nan is false, also where `min` passed it over.
                ends.0.min(ends.1) <= found && found <= ends.0.max(ends.1)
            }
        }
    }
}

/// The same lines or tokens as often. Of the output no more is kept than one line of the answer is long.
fn unordered(output: Source<'_>, answer: Source<'_>, by_line: bool) -> io::Result<Comparison> {
    let mut left: HashMap<Vec<u8>, u64> = HashMap::new();
    let mut longest = 0;
    let mut answer = Items { words: Words::new(answer, is_space), by_line };
    let mut item = Vec::new();
    while answer.next(&mut item, usize::MAX)? {
        longest = longest.max(item.len());
        match left.get_mut(&item) {
            Some(count) => *count += 1,
            None => drop(left.insert(item.clone(), 1)),
        }
    }
    let mut output = Items { words: Words::new(output, is_space), by_line };
    let keep = (longest + 1).max(message::WINDOW);
    while output.next(&mut item, keep)? {
        match left.get_mut(&item) {
            Some(1) => drop(left.remove(&item)),
            Some(count) => *count -= 1,
            None => {
                let end = output.words.source.position();
                return Ok(message::wrong(&format!(
                    "before line {}, column {}: {} is one too many",
                    end.line,
                    end.column,
                    message::quote(&item)
                )));
            }
        }
    }
    Ok(match left.keys().min() {
        Some(item) => message::wrong(&format!("the output lacks {}", message::quote(item))),
        None => Comparison::Accepted,
    })
}

/// A stream as things that may come in any order.
struct Items<'reader> {
    words: Words<'reader>,
    by_line: bool,
}

impl Items<'_> {
    /// The next thing, cut to `keep` bytes: a word, or the words of a line with one space between them.
    fn next(&mut self, item: &mut Vec<u8>, keep: usize) -> io::Result<bool> {
        item.clear();
        if !self.by_line {
            let word = self.words.next(keep)?;
            item.extend_from_slice(self.words.head());
            return Ok(word.is_some());
        }
        let mut is_first = true;
        loop {
            match filled_line_event(&mut self.words, keep)? {
                Event::End => return Ok(false),
                Event::LineEnd { .. } => return Ok(true),
                Event::Word(_) => {
                    if !std::mem::take(&mut is_first) {
                        item.push(b' ');
                    }
                    item.extend_from_slice(self.words.head());
                    item.truncate(keep);
                }
            }
        }
    }
}
