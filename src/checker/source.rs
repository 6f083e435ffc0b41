//! A stream seen through one fixed buffer, with the place it has come to.
//!
//! Comparators look at [`Source::available`] and take from its front; the buffer is only ever refilled, never
//! grown, which is what keeps memory flat. Two sources whose next bytes are the same are moved along together
//! by [`skip_equal`], which is where nearly all the time of a right answer goes.

use std::io::{self, ErrorKind, Read};

/// Bytes buffered of each stream. Two of them fit a core's second-level cache, and a read of this size
/// costs little beside the system call's copy.
pub(super) const CAPACITY: usize = 128 * 1024;

/// Bytes left unused at the front of a buffer, so that the kernel does not copy from a page's beginning to a
/// page's beginning: with both aligned alike, `read` of a cached file took 2.8 times as long (33 us instead of
/// 12 us for each buffer on an AMD EPYC).
const MARGIN: usize = 64;

/// A place in a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    /// Bytes before it.
    pub offset: u64,
    /// Line, from 1.
    pub line: u64,
    /// Byte in the line, from 1.
    pub column: u64,
}

/// One stream under comparison.
pub(super) struct Source<'reader> {
    reader: &'reader mut dyn Read,
    buffer: Box<[u8]>,
    start: usize,
    filled: usize,
    ended: bool,
    offset: u64,
    line: u64,
    line_start: u64,
}

impl<'reader> Source<'reader> {
    pub(super) fn new(reader: &'reader mut dyn Read) -> Self {
        Self {
            reader,
            buffer: vec![0; MARGIN + CAPACITY].into_boxed_slice(),
            start: MARGIN,
            filled: MARGIN,
            ended: false,
            offset: 0,
            line: 1,
            line_start: 0,
        }
    }

    /// What is buffered and not yet consumed.
    pub(super) fn available(&self) -> &[u8] {
        &self.buffer[self.start..self.filled]
    }

    /// Where the next byte stands.
    pub(super) fn position(&self) -> Position {
        Position { offset: self.offset, line: self.line, column: self.offset - self.line_start + 1 }
    }

    /// Reads until the buffer is full or the stream ends; says whether anything came.
    pub(super) fn fill(&mut self) -> io::Result<bool> {
        if self.ended || self.available().len() == CAPACITY {
            return Ok(false);
        }
        self.buffer.copy_within(self.start..self.filled, MARGIN);
        self.filled -= self.start - MARGIN;
        self.start = MARGIN;
        let before = self.filled;
        while self.filled < self.buffer.len() {
            match self.reader.read(&mut self.buffer[self.filled..]) {
                Ok(0) => {
                    self.ended = true;
                    break;
                }
                Ok(count) => self.filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.filled > before)
    }

    /// The next byte, without consuming it; `None` at the end of the stream.
    pub(super) fn peek(&mut self) -> io::Result<Option<u8>> {
        if self.start == self.filled {
            self.fill()?;
        }
        Ok(self.available().first().copied())
    }

    /// Goes past a byte order mark, where the next bytes are one.
    pub(super) fn skip_byte_order_mark(&mut self) -> io::Result<()> {
        const MARK: &[u8] = b"\xef\xbb\xbf";
        // A buffer that is filled is full or holds all that there is.
        self.peek()?;
        if self.available().starts_with(MARK) {
            self.consume(MARK.len());
        }
        Ok(())
    }

    /// Length of the first run of available bytes that `wanted` holds for, reading on to its end; `None`
    /// when the run fills the buffer and has not ended.
    pub(super) fn run_length(&mut self, wanted: impl Fn(u8) -> bool) -> io::Result<Option<usize>> {
        let mut searched = 0;
        loop {
            if let Some(length) = self.available()[searched..].iter().position(|byte| !wanted(*byte)) {
                return Ok(Some(searched + length));
            }
            searched = self.available().len();
            if !self.fill()? {
                return Ok(self.ended.then_some(searched));
            }
        }
    }

    /// Goes past `count` available bytes.
    pub(super) fn consume(&mut self, count: usize) {
        let lines = Lines::of(&self.available()[..count]);
        self.advance(count, lines);
    }

    fn advance(&mut self, count: usize, lines: Lines) {
        if let Some(last) = lines.last {
            self.line += lines.count;
            self.line_start = self.offset + last + 1;
        }
        self.start += count;
        self.offset += count as u64;
    }
}

/// Newlines in a piece of a stream.
#[derive(Clone, Copy)]
struct Lines {
    count: u64,
    last: Option<u64>,
}

impl Lines {
    fn of(bytes: &[u8]) -> Self {
        let last = memchr::memrchr(b'\n', bytes);
        let count = last.map_or(0, |last| memchr::memchr_iter(b'\n', &bytes[..=last]).count());
        Self { count: count as u64, last: last.map(|last| last as u64) }
    }
}

/// Length of the common beginning of two slices.
pub(super) fn common_prefix(left: &[u8], right: &[u8]) -> usize {
    const BLOCK: usize = 2048;
    const WORD: usize = size_of::<u64>();
    let length = left.len().min(right.len());
    let (left, right) = (&left[..length], &right[..length]);
    // Whole blocks go through the C library's memcmp; the first unequal block is searched word by word.
    let mut at = 0;
    while at + BLOCK <= length && left[at..at + BLOCK] == right[at..at + BLOCK] {
        at += BLOCK;
    }
    while at + WORD <= length && left[at..at + WORD] == right[at..at + WORD] {
        at += WORD;
    }
    while at < length && left[at] == right[at] {
        at += 1;
    }
    at
}

/// Moves both sources past the bytes they have in common, which end where they differ, where either ends, or,
/// so that a caller meets differing tokens whole, after the last byte before that for which `boundary` holds.
///
/// Gives up, having gone past nothing more, where a piece without a boundary fills the buffer.
pub(super) fn skip_equal(
    left: &mut Source<'_>,
    right: &mut Source<'_>,
    boundary: impl Fn(u8) -> bool,
) -> io::Result<()> {
    loop {
        left.peek()?;
        right.peek()?;
        let length = left.available().len().min(right.available().len());
        let common = common_prefix(left.available(), right.available());
        let equal = &left.available()[..common];
        let whole = equal.iter().rposition(|byte| boundary(*byte)).map_or(0, |last| last + 1);
        let lines = Lines::of(&equal[..whole]);
        left.advance(whole, lines);
        right.advance(whole, lines);
        if common < length {
            return Ok(());
        }
        if whole == 0 {
            let left_grew = left.fill()?;
            let right_grew = right.fill()?;
            if !left_grew && !right_grew {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_prefix_is_found_at_every_place() {
        for length in [0, 1, 7, 8, 9, 2047, 2048, 2049, 5000] {
            let left = vec![b'a'; length];
            assert_eq!(common_prefix(&left, &left), length);
            assert_eq!(common_prefix(&left, &[]), 0);
            for place in (0..length).step_by(if length > 100 { 97 } else { 1 }) {
                let mut right = left.clone();
                right[place] = b'b';
                assert_eq!(common_prefix(&left, &right), place);
            }
        }
    }

    #[test]
    fn positions_count_lines_and_columns_from_one() {
        let mut text: &[u8] = b"ab\n\ncd";
        let mut source = Source::new(&mut text);
        assert_eq!(source.peek().unwrap(), Some(b'a'));
        assert_eq!(source.position(), Position { offset: 0, line: 1, column: 1 });
        source.consume(2);
        assert_eq!(source.position(), Position { offset: 2, line: 1, column: 3 });
        source.consume(3);
        assert_eq!(source.position(), Position { offset: 5, line: 3, column: 2 });
        source.consume(1);
        assert_eq!(source.peek().unwrap(), None);
    }

    #[test]
    fn interrupted_reads_are_tried_again() {
        struct Interrupted(bool);
        impl Read for Interrupted {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                if std::mem::replace(&mut self.0, false) {
                    return Err(ErrorKind::Interrupted.into());
                }
                buffer[0] = b'x';
                Ok(1)
            }
        }
        let mut reader = Interrupted(true);
        assert_eq!(Source::new(&mut reader).peek().unwrap(), Some(b'x'));
    }
}
