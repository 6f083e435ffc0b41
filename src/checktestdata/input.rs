//! Reads the input under check as a stream, with look-ahead of any length.

use std::io::{self, Read};

use super::syntax::Position;

/// Bytes of one read.
const CHUNK: usize = 64 << 10;

pub(super) struct Input<'a> {
    source: &'a mut dyn Read,
    /// Bytes that were read; those before `place` are consumed.
    buffer: Vec<u8>,
    place: usize,
    is_at_end: bool,
    position: Position,
}

impl<'a> Input<'a> {
    pub(super) fn new(source: &'a mut dyn Read) -> Self {
        let position = Position { line: 1, column: 1 };
        Self { source, buffer: Vec::new(), place: 0, is_at_end: false, position }
    }

    /// Returns the byte at a distance from the next one; `None` past the end.
    pub(super) fn at(&mut self, distance: usize) -> io::Result<Option<u8>> {
        while self.buffer.len() - self.place <= distance && !self.is_at_end {
            self.read_on()?;
        }
        Ok(self.buffer.get(self.place + distance).copied())
    }

    pub(super) fn peek(&mut self) -> io::Result<Option<u8>> {
        self.at(0)
    }

    fn read_on(&mut self) -> io::Result<()> {
        if self.place >= CHUNK {
            self.buffer.drain(..self.place);
            self.place = 0;
        }
        let length = self.buffer.len();
        self.buffer.resize(length + CHUNK, 0);
        let read = loop {
            match self.source.read(&mut self.buffer[length..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        self.buffer.truncate(length + *read.as_ref().unwrap_or(&0));
        self.is_at_end = read? == 0;
        Ok(())
    }

    /// Consumes the next byte, which [`Input::peek`] returned.
    pub(super) fn advance(&mut self) {
        match self.buffer.get(self.place) {
            Some(b'\n') => self.position = Position { line: self.position.line + 1, column: 1 },
            Some(_) => self.position.column += 1,
            None => return,
        }
        self.place += 1;
    }

    /// Consumes bytes that [`Input::at`] returned, and returns them.
    pub(super) fn take(&mut self, length: usize) -> Vec<u8> {
        let taken: Vec<u8> = self.buffer.iter().skip(self.place).take(length).copied().collect();
        for _ in 0..taken.len() {
            self.advance();
        }
        taken
    }

    /// Returns the position of the next byte.
    pub(super) fn position(&self) -> Position {
        self.position
    }
}
