//! The input under check: a stream with as much look-ahead as is asked for.

use std::io::{self, Read};

use super::syntax::Position;

/// Bytes read at once.
const CHUNK: usize = 64 << 10;

pub(super) struct Input<'a> {
    source: &'a mut dyn Read,
    /// What was read; the bytes before `place` are done with.
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

    /// The byte at a distance from the next one; `None` past the end.
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

    /// Passes the next byte, which [`Input::peek`] showed.
    pub(super) fn advance(&mut self) {
        match self.buffer.get(self.place) {
            Some(b'\n') => self.position = Position { line: self.position.line + 1, column: 1 },
            Some(_) => self.position.column += 1,
            None => return,
        }
        self.place += 1;
    }

    /// Passes bytes that [`Input::at`] showed, and returns them.
    pub(super) fn take(&mut self, length: usize) -> Vec<u8> {
        let taken: Vec<u8> = self.buffer.iter().skip(self.place).take(length).copied().collect();
        for _ in 0..taken.len() {
            self.advance();
        }
        taken
    }

    /// Where the next byte stands.
    pub(super) fn position(&self) -> Position {
        self.position
    }
}
