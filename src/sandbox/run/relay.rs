//! A one-way channel between two programs: two pipes, and what is written to the one is passed on to the other.
//!
//! Passing on costs a wake-up a message. It is what makes bytes countable, and what makes the order of events certain:
//! neither program can notice the end of the other before we do, because the pipes that would tell it are ours.
//! At most a buffer is held here, whatever passes.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::Mode;
use nix::unistd::{pipe2, read, write};

use super::streams::may_be_opened;
use super::{SandboxError, syscalls};
use crate::units::Bytes;

/// Room in the pipe that is read from: as much as an unprivileged process may ask for. Together with the rest no less
/// than problemtools gives, for programs that write ahead without reading.
const READER_BYTES: i32 = 1 << 20;

/// Bytes taken at once: what a pipe has room for where nobody asks for more.
const BUFFER: usize = 64 * 1024;

/// How many buffers are passed on before something else is looked at.
const TURNS: usize = 16;

/// From one program to another.
pub(super) struct Channel {
    /// Places of the programs in their list.
    pub from: usize,
    pub to: usize,
    /// Our end of the pipe that is written to; `None` after its end.
    source: Option<OwnedFd>,
    /// Our end of the pipe that is read from; `None` when nobody reads it, or when its end was told.
    sink: Option<OwnedFd>,
    buffer: Box<[u8]>,
    start: usize,
    filled: usize,
    total: u64,
    limit: Option<Bytes>,
    told: bool,
    /// When something was written last, as far as we know.
    heard: Option<Instant>,
}

/// The programs' ends of a channel, to be handed over.
pub(super) struct Ends {
    pub reader: OwnedFd,
    pub writer: OwnedFd,
}

impl Channel {
    /// A channel and the programs' ends.
    pub(super) fn new(from: usize, to: usize, limit: Option<Bytes>) -> Result<(Self, Ends), SandboxError> {
        let pipe = || pipe2(OFlag::O_CLOEXEC).map_err(|errno| SandboxError::on("make", "a pipe", errno));
        let (source, writer) = pipe()?;
        let (reader, sink) = pipe()?;
        let failed = |errno| SandboxError::on("set up", "a pipe", errno);
        may_be_opened(&writer, Mode::S_IWUSR | Mode::S_IWGRP | Mode::S_IWOTH).map_err(failed)?;
        may_be_opened(&reader, Mode::S_IRUSR | Mode::S_IRGRP | Mode::S_IROTH).map_err(failed)?;
        for own in [&source, &sink] {
            // Our ends only: the programs get ordinary, blocking pipes.
            fcntl(own, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(failed)?;
        }
        // Refused where the user's pipes have used up their pages (pipe(7)); then it is just smaller.
        let _ = fcntl(&sink, FcntlArg::F_SETPIPE_SZ(READER_BYTES));
        let channel = Self {
            from,
            to,
            source: Some(source),
            sink: Some(sink),
            buffer: vec![0; BUFFER].into_boxed_slice(),
            start: 0,
            filled: 0,
            total: 0,
            limit,
            told: false,
            heard: None,
        };
        Ok((channel, Ends { reader, writer }))
    }

    /// What there is to wait for: something to take, or room to put it.
    pub(super) fn awaited(&self) -> Option<(BorrowedFd<'_>, bool)> {
        match (&self.source, &self.sink) {
            (_, Some(sink)) if self.start < self.filled => Some((sink.as_fd(), true)),
            (Some(source), _) => Some((source.as_fd(), false)),
            _ => None,
        }
    }

    /// Passes on what is there without waiting, telling `heard` of everything that was written.
    pub(super) fn pass(&mut self, heard: &mut dyn FnMut(&[u8])) -> io::Result<()> {
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
                        self.heard = Some(Instant::now());
                        heard(self.buffer.get(..length).unwrap_or_default());
                    }
                    Err(Errno::EAGAIN) => return Ok(()),
                    Err(Errno::EINTR) => continue,
                    Err(errno) => return Err(errno.into()),
                }
            }
            let Some(sink) = &self.sink else {
                // Nobody listens any more: the writer is not made to wait, or to die, for that.
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

    /// Bytes written to it, those too that a reader who lets it fill up keeps us from taking.
    pub(super) fn written(&self) -> u64 {
        let waiting = self.source.as_ref().map_or(0, |source| syscalls::unread(source.as_fd()).unwrap_or(0));
        self.total.saturating_add(waiting as u64)
    }

    /// Whether so much may be written.
    pub(super) fn allows(&self, bytes: u64) -> bool {
        self.limit.is_none_or(|limit| bytes <= limit.0)
    }

    /// Whether nothing was written for so long.
    pub(super) fn is_quiet_for(&self, time: Duration) -> bool {
        self.heard.is_none_or(|heard| heard.elapsed() >= time)
    }

    /// Whether more was taken than may be written.
    pub(super) fn is_over(&self) -> bool {
        !self.allows(self.total)
    }

    /// Whether everything was passed on and only the end is left to be told.
    pub(super) fn is_at_end(&self) -> bool {
        self.source.is_none() && self.start == self.filled && self.sink.is_some()
    }

    /// Tells the reader of the end.
    pub(super) fn tell_end(&mut self) {
        self.told |= self.sink.take().is_some();
    }

    /// Whether the reader was told of the end.
    pub(super) fn has_told_end(&self) -> bool {
        self.told
    }

    /// Whether nobody reads it any more.
    pub(super) fn is_deserted(&self) -> bool {
        self.sink.is_none()
    }

    /// Whether the reader has read all that was written.
    pub(super) fn is_all_read(&self) -> bool {
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

    fn pass(channel: &mut Channel) -> Vec<u8> {
        let mut heard = Vec::new();
        channel.pass(&mut |bytes| heard.extend_from_slice(bytes)).unwrap();
        heard
    }

    #[test]
    fn bytes_are_passed_on_counted_and_heard_and_the_end_is_told_last() {
        let (mut channel, ends) = Channel::new(0, 1, Some(Bytes(4))).unwrap();
        let (mut reader, mut writer) = (std::fs::File::from(ends.reader), std::fs::File::from(ends.writer));
        writer.write_all(b"abc").unwrap();
        assert!(!channel.is_all_read());
        assert_eq!(pass(&mut channel), b"abc");
        assert!(!channel.is_all_read() && !channel.is_over() && !channel.is_at_end());
        writer.write_all(b"de").unwrap();
        drop(writer);
        assert_eq!(pass(&mut channel), b"de");
        assert!(channel.is_over() && channel.is_at_end() && !channel.has_told_end());
        channel.tell_end();
        let mut read = String::new();
        reader.read_to_string(&mut read).unwrap();
        assert_eq!((read.as_str(), channel.written(), channel.is_all_read()), ("abcde", 5, true));
    }

    #[test]
    fn who_writes_to_somebody_who_has_left_neither_waits_nor_fails() {
        let (mut channel, ends) = Channel::new(0, 1, None).unwrap();
        let mut writer = std::fs::File::from(ends.writer);
        drop(ends.reader);
        for _ in 0..64 {
            writer.write_all(&[b'x'; 64 * 1024]).unwrap();
            pass(&mut channel);
        }
        assert_eq!(channel.written(), 64 * 64 * 1024);
    }

    #[test]
    fn no_more_than_the_pipes_and_a_buffer_is_held() {
        let (mut channel, ends) = Channel::new(0, 1, None).unwrap();
        fcntl(&ends.writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        let mut written = 0;
        loop {
            match write(&ends.writer, &[b'x'; 4096]) {
                Ok(length) => written += length,
                Err(_) => {
                    let before = channel.total;
                    pass(&mut channel);
                    if channel.total == before {
                        break;
                    }
                }
            }
        }
        assert!(written <= 2 * BUFFER + (1 << 20), "{written}");
        assert!(channel.awaited().is_some_and(|(_, is_room)| is_room));
    }

    #[test]
    fn what_lies_before_a_full_pipe_is_counted_as_written() {
        let (mut channel, ends) = Channel::new(0, 1, Some(Bytes(2 << 20))).unwrap();
        fcntl(&ends.writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        let mut written = 0;
        for _ in 0..1000 {
            while let Ok(length) = write(&ends.writer, &[b'x'; 4096]) {
                written += length as u64;
            }
            pass(&mut channel);
        }
        assert!(channel.total < written, "{written}");
        assert_eq!(channel.written(), written);
        assert!(channel.allows(2 << 20) && !channel.allows((2 << 20) + 1));
    }
}
