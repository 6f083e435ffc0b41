//! Passes the standard streams of `gavel run` through pipes of its own.
//!
//! The caller's own descriptors never enter the box: the command could change the mode of the file behind one, truncate
//! it, move its offset or overwrite what was there before, and without privileges it has the caller's uid. Of an input
//! that is a file, what the command did not read is left to the caller's next command, as a shell script expects.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread::JoinHandle;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::{Mode, SFlag, fchmod, fstat};
use nix::unistd::{Whence, lseek, pipe2};

use super::CommandError;

/// Bytes passed on at once.
const BUFFER: usize = 64 << 10;

/// The command's ends of the pipes, and the threads at the other ends.
pub(super) struct Relay {
    stdin: OwnedFd,
    stdout: OwnedFd,
    /// `None` where both outputs go to one file: one pipe keeps their order.
    stderr: Option<OwnedFd>,
    /// Closed to stop the feeder.
    stop: OwnedFd,
    feeder: JoinHandle<usize>,
    /// The caller's standard input where it is a file, whose offset is put back.
    file: Option<OwnedFd>,
    writers: Vec<(&'static str, JoinHandle<io::Result<()>>)>,
}

impl Relay {
    /// Starts passing on.
    ///
    /// # Errors
    /// When the kernel is out of descriptors or threads, or a standard stream is closed.
    pub(super) fn start() -> Result<Self, CommandError> {
        Self::of(io::stdin().as_fd(), io::stdout().as_fd(), io::stderr().as_fd())
            .map_err(|error| CommandError::judging(format!("cannot pass on standard streams: {error}")))
    }

    fn of(input: BorrowedFd<'_>, output: BorrowedFd<'_>, errors: BorrowedFd<'_>) -> io::Result<Self> {
        let (stdin, feed) = pipe()?;
        fchmod(&stdin, Mode::S_IRUSR | Mode::S_IRGRP | Mode::S_IROTH)?;
        fcntl(&feed, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let (stopped, stop) = pipe()?;
        let (source, is_file) = (input.try_clone_to_owned()?, is_file(input));
        let file = if is_file { Some(input.try_clone_to_owned()?) } else { None };
        let feeder = named("input", move || feed_all(source, feed, stopped))?;
        let mut writers = Vec::new();
        let mut writer = |name, sink: BorrowedFd<'_>| -> io::Result<OwnedFd> {
            let (from, end) = pipe()?;
            fchmod(&end, Mode::S_IWUSR | Mode::S_IWGRP | Mode::S_IWOTH)?;
            let sink = File::from(sink.try_clone_to_owned()?);
            writers.push((name, named("output", move || write_all(File::from(from), sink))?));
            Ok(end)
        };
        let stdout = writer("standard output", output)?;
        let stderr = if is_same(output, errors) { None } else { Some(writer("standard error", errors)?) };
        Ok(Self { stdin, stdout, stderr, stop, feeder, file, writers })
    }

    /// The command's standard input.
    pub(super) fn stdin(&self) -> BorrowedFd<'_> {
        self.stdin.as_fd()
    }

    /// The command's standard output.
    pub(super) fn stdout(&self) -> BorrowedFd<'_> {
        self.stdout.as_fd()
    }

    /// The command's standard error.
    pub(super) fn stderr(&self) -> BorrowedFd<'_> {
        self.stderr.as_ref().unwrap_or(&self.stdout).as_fd()
    }

    /// Passes on what is left, the command being dead.
    ///
    /// # Errors
    /// When output cannot be written, unless its reader has closed it.
    pub(super) fn finish(self) -> Result<(), CommandError> {
        let Self { stdin, stdout, stderr, stop, feeder, file, writers } = self;
        drop((stdout, stderr, stop));
        // A terminal or a pipe may keep the feeder waiting; nothing it has read can be put back anyway.
        if let Some(file) = file {
            let unsent = feeder.join().unwrap_or(0);
            let unread = crate::sandbox::unread(stdin.as_fd()).unwrap_or(0);
            let back = i64::try_from(unsent + unread).unwrap_or(0);
            let _ = lseek(&file, -back, Whence::SeekCur);
        }
        for (name, writer) in writers {
            let written = writer.join().unwrap_or_else(|_| Err(io::Error::other("its thread has panicked")));
            match written {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                    return Err(CommandError::judging(format!("cannot write to {name}: {error}")));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(pipe2(OFlag::O_CLOEXEC)?)
}

fn named<T: Send + 'static>(
    name: &str,
    run: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(run)
}

fn is_file(descriptor: BorrowedFd<'_>) -> bool {
    fstat(descriptor)
        .is_ok_and(|status| SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT == SFlag::S_IFREG)
}

fn is_same(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> bool {
    let identity = |descriptor| fstat(descriptor).map(|status| (status.st_dev, status.st_ino));
    matches!((identity(one), identity(other)), (Ok(one), Ok(other)) if one == other)
}

/// Passes input on until its end, until nobody reads it, or until `stopped` is closed at its other end; returns how many
/// bytes were read and not passed on.
fn feed_all(source: OwnedFd, feed: OwnedFd, stopped: OwnedFd) -> usize {
    let mut buffer = vec![0; BUFFER];
    let (mut start, mut end) = (0, 0);
    let mut source = File::from(source);
    let mut feed = File::from(feed);
    loop {
        // Read only when there is room, so that as little as possible is taken from a source that others read too.
        let mut watched = vec![
            PollFd::new(stopped.as_fd(), PollFlags::POLLIN),
            PollFd::new(feed.as_fd(), PollFlags::POLLOUT),
        ];
        if !waited(&mut watched) || is_ready(&watched[0]) {
            return end - start;
        }
        if start == end {
            let mut watched = vec![
                PollFd::new(stopped.as_fd(), PollFlags::POLLIN),
                // Not readable any more: the command has closed its end.
                PollFd::new(feed.as_fd(), PollFlags::empty()),
                PollFd::new(source.as_fd(), PollFlags::POLLIN),
            ];
            if !waited(&mut watched) || is_ready(&watched[0]) || is_ready(&watched[1]) {
                return 0;
            }
            match source.read(&mut buffer) {
                Ok(0) => return 0,
                Ok(length) => (start, end) = (0, length),
                Err(error) if is_passing(&error) => {}
                Err(_) => return 0,
            }
        }
        match feed.write(&buffer[start..end]) {
            Ok(length) => start += length,
            Err(error) if is_passing(&error) => {}
            Err(_) => return end - start,
        }
    }
}

/// Passes output on until its end, or until it cannot be written; then the command's writes fail, as they would on the
/// caller's own descriptor.
fn write_all(mut from: File, mut sink: File) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let length = match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let mut rest = &buffer[..length];
        while !rest.is_empty() {
            match sink.write(rest) {
                Ok(length) => rest = &rest[length..],
                // Another process may have made the caller's terminal non-blocking.
                Err(error) if is_passing(&error) => {
                    waited(&mut [PollFd::new(sink.as_fd(), PollFlags::POLLOUT)]);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock)
}

fn is_ready(watched: &PollFd<'_>) -> bool {
    watched.revents().is_some_and(|events| !events.is_empty())
}

/// Waits until something is ready; false when that cannot be waited for.
fn waited(watched: &mut [PollFd<'_>]) -> bool {
    loop {
        match poll(watched, PollTimeout::NONE) {
            Ok(_) => return true,
            Err(Errno::EINTR) => {}
            Err(_) => return false,
        }
    }
}
