//! Both ends of a program's output streams.
//!
//! Captured ones are pipes that are emptied without waiting and counted; at the limit they are closed. Nothing
//! here decides what going over a limit means.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{Mode, fchmod};
use nix::unistd::{pipe2, read};

use super::command::Stream;
use super::{Capture, SandboxError};
use crate::units::Bytes;

/// Room in a wide pipe: 1 ms at 256 MB/s.
const PIPE_BYTES: i32 = 256 * 1024;

/// Lets programs open their end of a pipe again by name (`/dev/stdin`, `/dev/stdout`): they are not the user who made
/// it, and only its owner may open a new pipe.
pub(super) fn may_be_opened(pipe: &OwnedFd, mode: Mode) -> nix::Result<()> {
    fchmod(pipe, mode)
}

/// Our end of an output stream.
pub(super) enum Source<'a> {
    Captured {
        capture: &'a mut Capture,
        /// `None` at the end of the stream.
        pipe: Option<OwnedFd>,
        limit: Option<Bytes>,
    },
    Inherited,
}

/// The program's end of it.
pub(super) enum Writer<'a> {
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
    /// Both ends for one stream.
    pub(super) fn new(stream: Stream<'a>, limit: Option<Bytes>) -> Result<(Self, Writer<'a>), SandboxError> {
        match stream {
            Stream::Inherit(descriptor) => Ok((Self::Inherited, Writer::Inherited(descriptor))),
            Stream::Capture(capture) => {
                capture.clear();
                let (reader, writer) =
                    pipe2(OFlag::O_CLOEXEC).map_err(|errno| SandboxError::on("make", "a pipe", errno))?;
                let failed = |errno| SandboxError::on("set up", "a pipe", errno);
                may_be_opened(&writer, Mode::S_IWUSR | Mode::S_IWGRP | Mode::S_IWOTH).map_err(failed)?;
                // Our end only: the program gets an ordinary, blocking pipe.
                nix::fcntl::fcntl(&reader, nix::fcntl::FcntlArg::F_SETFL(OFlag::O_NONBLOCK))
                    .map_err(failed)?;
                Ok((Self::Captured { capture, pipe: Some(reader), limit }, Writer::Pipe(writer)))
            }
        }
    }

    /// Makes room for much output.
    pub(super) fn widen(&self) {
        if let Some(pipe) = self.descriptor() {
            // Refused where the user's pipes have used up their pages (pipe(7)); then it is just smaller.
            let _ = nix::fcntl::fcntl(pipe, nix::fcntl::FcntlArg::F_SETPIPE_SZ(PIPE_BYTES));
        }
    }

    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Captured { pipe, .. } => pipe.as_ref().map(AsFd::as_fd),
            Self::Inherited => None,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.descriptor().is_some()
    }

    pub(super) fn total(&self) -> u64 {
        match self {
            Self::Captured { capture, .. } => capture.total(),
            Self::Inherited => 0,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        match self {
            Self::Captured { capture, limit, .. } => limit.is_some_and(|limit| capture.total() > limit.0),
            Self::Inherited => false,
        }
    }

    /// Takes what is there, up to some pipes' worth, without waiting; true when there was at least a quarter of one.
    pub(super) fn take(&mut self) -> io::Result<bool> {
        let Self::Captured { capture, pipe: place, limit } = self else { return Ok(false) };
        let Some(pipe) = place else { return Ok(false) };
        let mut buffer = [0u8; 64 * 1024];
        let mut full = false;
        for _ in 0..8 {
            match read(&*pipe, &mut buffer) {
                Ok(0) => {
                    *place = None;
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
                *place = None;
                return Ok(false);
            }
        }
        Ok(full)
    }

    /// Takes all that is left, every writer being dead.
    pub(super) fn drain(&mut self) -> io::Result<()> {
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
