//! Relays bytes one way between two programs: reads them from one pipe and writes them to another.
//!
//! A relay costs a wake-up per message. It makes the bytes countable and the order of events certain: neither program can
//! notice the end of the other before the worker does, because each is connected to the worker only. A relay holds at
//! most one buffer.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::Mode;
use nix::unistd::{pipe2, read, write};

use super::streams::allow_reopening;
use crate::sandbox::error::SandboxError;
use crate::sandbox::sys::syscalls;
use crate::units::Bytes;

/// Capacity of the reader's pipe: the largest for an unprivileged process. With the rest it is no less than that of
/// problemtools, for programs that write ahead without reading.
const READER_BYTES: i32 = 1 << 20;

/// The most bytes read at once: the default capacity of a pipe.
const BUFFER: usize = 64 * 1024;

/// The number of buffers relayed before other events are handled.
const TURNS: usize = 16;

/// A relay from one program to another.
pub(crate) struct Relay {
    /// Index of the program that writes.
    pub from: usize,
    /// Index of the program that reads.
    pub to: usize,
    /// The worker's end of the writer's pipe; `None` after its end.
    source: Option<OwnedFd>,
    /// The worker's end of the reader's pipe; `None` when the reader has closed its own, or when this one was closed.
    sink: Option<OwnedFd>,
    buffer: Box<[u8]>,
    start: usize,
    filled: usize,
    total: u64,
    limit: Option<Bytes>,
    closed: bool,
    /// When bytes were read last.
    last_read: Option<Instant>,
}

/// The programs' ends of a relay.
pub(crate) struct Ends {
    /// For the program that reads.
    pub reader: OwnedFd,
    /// For the program that writes.
    pub writer: OwnedFd,
}

impl Relay {
    /// Creates a relay and the programs' ends.
    pub(crate) fn new(from: usize, to: usize, limit: Option<Bytes>) -> Result<(Self, Ends), SandboxError> {
        let pipe = || pipe2(OFlag::O_CLOEXEC).map_err(|errno| SandboxError::on("make", "a pipe", errno));
        let (source, writer) = pipe()?;
        let (reader, sink) = pipe()?;
        let failed = |errno| SandboxError::on("set up", "a pipe", errno);
        allow_reopening(&writer, Mode::S_IWUSR | Mode::S_IWGRP | Mode::S_IWOTH).map_err(failed)?;
        allow_reopening(&reader, Mode::S_IRUSR | Mode::S_IRGRP | Mode::S_IROTH).map_err(failed)?;
        for own in [&source, &sink] {
            // The worker's ends only: the programs get ordinary, blocking pipes.
            fcntl(own, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(failed)?;
        }
        // Refused where the user's pipes have used up their pages (pipe(7)); then the pipe stays small.
        let _ = fcntl(&sink, FcntlArg::F_SETPIPE_SZ(READER_BYTES));
        let relay = Self {
            from,
            to,
            source: Some(source),
            sink: Some(sink),
            buffer: vec![0; BUFFER].into_boxed_slice(),
            start: 0,
            filled: 0,
            total: 0,
            limit,
            closed: false,
            last_read: None,
        };
        Ok((relay, Ends { reader, writer }))
    }

    /// Returns the descriptor to wait for, and whether for room to write rather than for bytes to read.
    pub(crate) fn awaited(&self) -> Option<(BorrowedFd<'_>, bool)> {
        match (&self.source, &self.sink) {
            (_, Some(sink)) if self.start < self.filled => Some((sink.as_fd(), true)),
            (Some(source), _) => Some((source.as_fd(), false)),
            _ => None,
        }
    }

    /// Relays all available bytes without waiting; calls `on_bytes` with everything that was written.
    pub(crate) fn pass(&mut self, on_bytes: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        for _ in 0..TURNS {
            if self.start == self.filled {
                let Some(source) = &self.source else { return Ok(()) };
                match read(source, &mut self.buffer) {
                    Ok(0) => {
                        self.source = None;
                        return Ok(());
                    }
                    Ok(length) => {
                        (self.start, self.filled) = (0, length);
                        self.total += length as u64;
                        self.last_read = Some(Instant::now());
                        on_bytes(self.buffer.get(..length).unwrap_or_default());
                    }
                    Err(Errno::EAGAIN) => return Ok(()),
                    Err(Errno::EINTR) => continue,
                    Err(errno) => return Err(errno.into()),
                }
            }
            let Some(sink) = &self.sink else {
                // The reader is gone: the bytes are dropped, so that the writer neither waits nor gets SIGPIPE.
                self.start = self.filled;
                continue;
            };
            match write(sink, self.buffer.get(self.start..self.filled).unwrap_or_default()) {
                Ok(length) => self.start += length,
                Err(Errno::EAGAIN) => return Ok(()),
                Err(Errno::EINTR) => {}
                // The program has closed its standard input.
                Err(Errno::EPIPE) => self.sink = None,
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }

    /// Returns the bytes written so far, including those that wait in the pipe because the reader does not read.
    pub(crate) fn written(&self) -> u64 {
        let waiting = self.source.as_ref().map_or(0, |source| syscalls::unread(source.as_fd()).unwrap_or(0));
        self.total.saturating_add(waiting as u64)
    }

    /// Returns whether the limit allows so many bytes.
    pub(crate) fn allows(&self, bytes: u64) -> bool {
        self.limit.is_none_or(|limit| bytes <= limit.0)
    }

    /// Returns whether no bytes were read for that time.
    pub(crate) fn is_quiet_for(&self, time: Duration) -> bool {
        self.last_read.is_none_or(|read| read.elapsed() >= time)
    }

    /// Returns whether more bytes were read than the limit allows.
    pub(crate) fn is_over(&self) -> bool {
        !self.allows(self.total)
    }

    /// Returns whether everything was relayed and only the reader's pipe is still open.
    pub(crate) fn is_at_end(&self) -> bool {
        self.source.is_none() && self.start == self.filled && self.sink.is_some()
    }

    /// Closes the reader's pipe, which tells it of the end.
    pub(crate) fn close(&mut self) {
        self.closed |= self.sink.take().is_some();
    }

    /// Returns whether [`Relay::close`] has closed the reader's pipe.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Returns whether the reader's pipe is closed on either side.
    pub(crate) fn has_no_reader(&self) -> bool {
        self.sink.is_none()
    }

    /// Returns whether the reader has read everything that was written.
    pub(crate) fn is_all_read(&self) -> bool {
        let in_pipe = |pipe: &Option<OwnedFd>| {
            pipe.as_ref().is_some_and(|pipe| syscalls::unread(pipe.as_fd()).unwrap_or(0) > 0)
        };
        self.start == self.filled && !in_pipe(&self.source) && !in_pipe(&self.sink)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    fn pass(relay: &mut Relay) -> Vec<u8> {
        let mut passed = Vec::new();
        relay.pass(&mut |bytes| passed.extend_from_slice(bytes)).unwrap();
        passed
    }

    #[test]
    fn bytes_are_relayed_and_counted_and_the_end_comes_last() {
        let (mut relay, ends) = Relay::new(0, 1, Some(Bytes(4))).unwrap();
        let (mut reader, mut writer) = (std::fs::File::from(ends.reader), std::fs::File::from(ends.writer));
        writer.write_all(b"abc").unwrap();
        assert!(!relay.is_all_read());
        assert_eq!(pass(&mut relay), b"abc");
        assert!(!relay.is_all_read() && !relay.is_over() && !relay.is_at_end());
        writer.write_all(b"de").unwrap();
        drop(writer);
        assert_eq!(pass(&mut relay), b"de");
        assert!(relay.is_over() && relay.is_at_end() && !relay.is_closed());
        relay.close();
        let mut read = String::new();
        reader.read_to_string(&mut read).unwrap();
        assert_eq!((read.as_str(), relay.written(), relay.is_all_read()), ("abcde", 5, true));
    }

    #[test]
    fn a_writer_whose_reader_is_gone_neither_waits_nor_fails() {
        let (mut relay, ends) = Relay::new(0, 1, None).unwrap();
        let mut writer = std::fs::File::from(ends.writer);
        drop(ends.reader);
        for _ in 0..64 {
            writer.write_all(&[b'x'; 64 * 1024]).unwrap();
            pass(&mut relay);
        }
        assert_eq!(relay.written(), 64 * 64 * 1024);
    }

    #[test]
    fn at_most_the_pipes_and_one_buffer_are_held() {
        let (mut relay, ends) = Relay::new(0, 1, None).unwrap();
        fcntl(&ends.writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        let mut written = 0;
        loop {
            match write(&ends.writer, &[b'x'; 4096]) {
                Ok(length) => written += length,
                Err(_) => {
                    let before = relay.total;
                    pass(&mut relay);
                    if relay.total == before {
                        break;
                    }
                }
            }
        }
        assert!(written <= 2 * BUFFER + (1 << 20), "{written}");
        assert!(relay.awaited().is_some_and(|(_, is_room)| is_room));
    }

    #[test]
    fn bytes_before_a_full_pipe_count_as_written() {
        let (mut relay, ends) = Relay::new(0, 1, Some(Bytes(2 << 20))).unwrap();
        fcntl(&ends.writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        let mut written = 0;
        for _ in 0..1000 {
            while let Ok(length) = write(&ends.writer, &[b'x'; 4096]) {
                written += length as u64;
            }
            pass(&mut relay);
        }
        assert!(relay.total < written, "{written}");
        assert_eq!(relay.written(), written);
        assert!(relay.allows(2 << 20) && !relay.allows((2 << 20) + 1));
    }
}
