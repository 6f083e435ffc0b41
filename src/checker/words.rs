//! A stream as words and lines, for comparisons that look at more than whether bytes are equal.
//!
//! A word of any length is read in flat memory: only its first bytes are kept, as many as the caller asks for. Of the
//! jury's answer callers keep whole words and lines, of the output no more than the answer's are long.

use std::io;

use super::comparator::Comparison;
use super::message::{self, WINDOW};
use super::number::Scanner;
use super::source::{Position, Source};

/// White space in C's `isspace` and Python's `bytes.split`.
pub(super) fn is_space(byte: u8) -> bool {
    byte == b' ' || (b'\t'..=b'\r').contains(&byte)
}

/// What testlib skips between tokens (`isBlanks`).
pub(super) fn is_testlib_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// What ends a line where `\r` and `\n` both do, each by itself.
pub(super) fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

/// One word of a stream; its first bytes are in [`Words::head`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Word {
    /// Where it begins.
    pub(super) position: Position,
    /// Its length in bytes.
    pub(super) length: u64,
}

/// What comes next in a stream that is read line by line.
#[derive(Debug, Clone, Copy)]
pub(super) enum Event {
    /// A word.
    Word(Word),
    /// The end of a line, or of the stream after the beginning of one.
    LineEnd {
        /// Whether there was no byte in it, not even white space.
        is_empty: bool,
    },
    /// The end of the stream.
    End,
}

/// A stream read word by word.
pub(super) struct Words<'reader> {
    pub(super) source: Source<'reader>,
    is_blank: fn(u8) -> bool,
    /// Whether there was a byte in the line that is being read.
    in_line: bool,
    head: Vec<u8>,
    number: Scanner,
}

impl<'reader> Words<'reader> {
    /// Words between bytes that are blank.
    pub(super) fn new(source: Source<'reader>, is_blank: fn(u8) -> bool) -> Self {
        Self { source, is_blank, in_line: false, head: Vec::new(), number: Scanner::default() }
    }

    /// Changes what is blank from here on.
    pub(super) fn set_blanks(&mut self, is_blank: fn(u8) -> bool) {
        self.is_blank = is_blank;
    }

    /// The next word, of which `keep` bytes are kept; `None` at the end.
    pub(super) fn next(&mut self, keep: usize) -> io::Result<Option<Word>> {
        self.skip_blanks()?;
        match self.source.peek()? {
            None => Ok(None),
            Some(_) => self.word(keep).map(Some),
        }
    }

    /// Goes past what is blank.
    pub(super) fn skip_blanks(&mut self) -> io::Result<()> {
        while let Some(byte) = self.source.peek()?
            && (self.is_blank)(byte)
        {
            let bytes = self.source.available();
            let length = bytes.iter().position(|byte| !(self.is_blank)(*byte)).unwrap_or(bytes.len());
            self.source.consume(length);
        }
        Ok(())
    }

    /// The next word or end of a line. Lines end with a byte that `ends` holds for, which must be blank too.
    pub(super) fn event(&mut self, keep: usize, ends: fn(u8) -> bool) -> io::Result<Event> {
        while let Some(byte) = self.source.peek()? {
            if ends(byte) {
                self.source.consume(1);
                return Ok(Event::LineEnd { is_empty: !std::mem::take(&mut self.in_line) });
            }
            if !(self.is_blank)(byte) {
                self.in_line = true;
                return self.word(keep).map(Event::Word);
            }
            // A carriage return that ends no line by itself belongs to the newline after it.
            self.in_line |= byte != b'\r';
            self.source.consume(1);
        }
        Ok(if std::mem::take(&mut self.in_line) { Event::LineEnd { is_empty: false } } else { Event::End })
    }

    fn word(&mut self, keep: usize) -> io::Result<Word> {
        let position = self.source.position();
        self.head.clear();
        self.number.reset();
        let mut length = 0;
        while self.source.peek()?.is_some() {
            let bytes = self.source.available();
            let end = bytes.iter().position(|byte| (self.is_blank)(*byte)).unwrap_or(bytes.len());
            let is_over = end < bytes.len();
            let room = keep.saturating_sub(self.head.len()).min(end);
            self.head.extend_from_slice(&bytes[..room]);
            self.number.feed(&bytes[..end]);
            length += end as u64;
            self.source.consume(end);
            if is_over {
                break;
            }
        }
        Ok(Word { position, length })
    }

    /// The kept bytes of the last word.
    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }

    /// The finite number that the last word is; hexadecimal ones as well.
    pub(super) fn number(&mut self) -> Option<f64> {
        self.number.finish()
    }

    /// The same in decimal alone.
    pub(super) fn decimal(&mut self) -> Option<f64> {
        // An `x` in a number is its second or third byte.
        let is_hexadecimal = self.head.iter().take(3).any(|byte| byte.eq_ignore_ascii_case(&b'x'));
        if is_hexadecimal { None } else { self.number() }
    }

    /// Whether the last word, of which more bytes than these are kept, is this one.
    pub(super) fn is(&self, word: Word, expected: &[u8]) -> bool {
        word.length == expected.len() as u64 && self.head == expected
    }

    /// The last word, quoted.
    pub(super) fn quoted(&self, word: Word) -> String {
        let shown = &self.head[..self.head.len().min(WINDOW)];
        message::quote_part(shown, false, word.length > shown.len() as u64)
    }
}

/// How much of an output's word to keep to compare it with the jury's and to show it.
pub(super) fn enough_for(expected: &[u8]) -> usize {
    (expected.len() + 1).max(WINDOW)
}

/// "Wrong": the jury has this, the output that.
pub(super) fn differ(at: Position, in_answer: Position, expected: &str, found: &str) -> Comparison {
    message::wrong(&format!("{}: expected {expected}, got {found}", message::place(at, in_answer)))
}

/// "Wrong": the output is over, and this was to come.
pub(super) fn missing(end: Position, expected: &str) -> Comparison {
    message::wrong(&if end.offset == 0 {
        format!("output is empty: expected {expected}")
    } else {
        format!("output ends at line {}, column {}: expected {expected}", end.line, end.column)
    })
}

/// "Wrong": the answer is over, and this came.
pub(super) fn trailing(at: Position, found: &str) -> Comparison {
    message::wrong(&format!(
        "line {}, column {}: trailing output {found} after the answer's end",
        at.line, at.column
    ))
}

/// The jury's answer is none that this comparison can use.
pub(super) fn broken_answer(at: Position, problem: &str) -> Comparison {
    Comparison::BrokenAnswer {
        message: format!("line {}, column {} of the answer: {problem}", at.line, at.column),
    }
}
