//! Creates the pipes of a program's output streams, and reads and counts them.
//!
//! Captured streams are pipes that are read without waiting and closed at their limit. The supervisor decides what follows
//! from a limit.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{Mode, fchmod};
use nix::unistd::{pipe2, read};

use super::capture::Capture;
use crate::sandbox::command::Stream;
use crate::sandbox::error::SandboxError;
use crate::units::Bytes;

/// Capacity of a large pipe: 1 ms at 256 MB/s.
const PIPE_BYTES: i32 = 256 * 1024;

/// Lets programs open their end of a pipe again by name (`/dev/stdin`, `/dev/stdout`): a new pipe can be opened only by
/// its owner, and that is another user.
pub(crate) fn allow_reopening(pipe: &OwnedFd, mode: Mode) -> nix::Result<()> {
    fchmod(pipe, mode)
}

/// The worker's end of an output stream.
pub(crate) enum Source<'a> {
    /// A pipe to read.
    Captured {
        capture: &'a mut Capture,
        /// `None` at the end of the stream.
        pipe: Option<OwnedFd>,
        limit: Option<Bytes>,
    },
    /// A descriptor of the caller, uncounted.
    Inherited,
}

/// The program's end of an output stream.
pub(crate) enum Writer<'a> {
    Pipe(OwnedFd),
    Inherited(BorrowedFd<'a>),
}

impl AsFd for Writer<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Pipe(pipe) => pipe.as_fd(),
            Self::Inherited(descriptor) => *descriptor,
        }
    }
}

impl<'a> Source<'a> {
    /// Creates both ends of a stream.
    pub(crate) fn new(stream: Stream<'a>, limit: Option<Bytes>) -> Result<(Self, Writer<'a>), SandboxError> {
        match stream {
            Stream::Inherit(descriptor) => Ok((Self::Inherited, Writer::Inherited(descriptor))),
            Stream::Capture(capture) => {
                capture.clear();
                let (reader, writer) =
                    pipe2(OFlag::O_CLOEXEC).map_err(|errno| SandboxError::on("make", "a pipe", errno))?;
                let failed = |errno| SandboxError::on("set up", "a pipe", errno);
                allow_reopening(&writer, Mode::S_IWUSR | Mode::S_IWGRP | Mode::S_IWOTH).map_err(failed)?;
                // The worker's end only: the program gets an ordinary, blocking pipe.
                nix::fcntl::fcntl(&reader, nix::fcntl::FcntlArg::F_SETFL(OFlag::O_NONBLOCK))
                    .map_err(failed)?;
                Ok((Self::Captured { capture, pipe: Some(reader), limit }, Writer::Pipe(writer)))
            }
        }
    }

    /// Enlarges the pipe for large output.
    pub(crate) fn widen(&self) {
        if let Some(pipe) = self.descriptor() {
            // Refused where the user's pipes have used up their pages (pipe(7)); then the pipe stays small.
            let _ = nix::fcntl::fcntl(pipe, nix::fcntl::FcntlArg::F_SETPIPE_SZ(PIPE_BYTES));
        }
    }

    /// Returns the pipe, while it is open.
    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Captured { pipe, .. } => pipe.as_ref().map(AsFd::as_fd),
            Self::Inherited => None,
        }
    }

    /// Returns whether more output may come.
    pub(crate) fn is_open(&self) -> bool {
        self.descriptor().is_some()
    }

    /// Returns the number of bytes read.
    pub(crate) fn total(&self) -> u64 {
        match self {
            Self::Captured { capture, .. } => capture.total(),
            Self::Inherited => 0,
        }
    }

    /// Returns whether more was read than the limit.
    pub(crate) fn is_over(&self) -> bool {
        match self {
            Self::Captured { capture, limit, .. } => limit.is_some_and(|limit| capture.total() > limit.0),
            Self::Inherited => false,
        }
    }

    /// Reads without waiting, up to 512 KiB; returns whether a read filled its buffer of 64 KiB.
    pub(crate) fn take(&mut self) -> io::Result<bool> {
        let Self::Captured { capture, pipe: slot, limit } = self else { return Ok(false) };
        let Some(pipe) = slot else { return Ok(false) };
        let mut buffer = [0u8; 64 * 1024];
        let mut full = false;
        for _ in 0..8 {
            match read(&*pipe, &mut buffer) {
                Ok(0) => {
                    *slot = None;
                    return Ok(false);
                }
                Ok(length) => {
                    full |= length == buffer.len();
                    capture.push(&buffer[..length])?;
                }
                Err(Errno::EAGAIN) => return Ok(full),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
            if limit.is_some_and(|limit| capture.total() > limit.0) {
                *slot = None;
                return Ok(false);
            }
        }
        Ok(full)
    }

    /// Reads the rest of the stream, when all writers are dead.
    pub(crate) fn drain(&mut self) -> io::Result<()> {
        while self.is_open() {
            let before = self.total();
            self.take()?;
            if self.total() == before {
                break;
            }
        }
        Ok(())
    }
}
