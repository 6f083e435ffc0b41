//! Shares what runs with several processes of a submission need: named pipes, and one outcome of all processes.

use std::fs::{File, Permissions};
use std::io::Read as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::judge::exec::GroupFinished;
use crate::judge::fault::Fault;
use crate::judge::test::stderr::StandardError;
use crate::package::Test;
use crate::sandbox::{Exit, MemorySource, Outcome};
use crate::units::Bytes;

/// Prefix of the directories' names.
const PREFIX: &str = "pipes-";
/// A directory younger than this may not be locked yet.
const YOUTH: Duration = Duration::from_secs(60);

/// A directory for named pipes, removed with its content. It stays locked while it is used, so that directories of killed
/// processes can be recognised.
#[derive(Debug)]
pub(crate) struct PipeDirectory {
    directory: tempfile::TempDir,
    _lock: File,
}

impl PipeDirectory {
    /// Makes a directory below `place` and locks it.
    ///
    /// # Errors
    /// When it cannot be made or locked.
    pub(crate) fn make(place: &Path) -> Result<Self, Fault> {
        let directory = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir_in(place)
            .map_err(|error| Fault::file("make a directory in", place, error))?;
        let lock = File::open(directory.path())
            .and_then(|lock| lock.lock().map(|()| lock))
            .map_err(|error| Fault::file("lock", directory.path(), error))?;
        Ok(Self { directory, _lock: lock })
    }

    /// Returns its path.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Sets a mode regardless of the umask: the boxes have users of their own. Other users cannot enter the parent
    /// directory.
    ///
    /// # Errors
    /// When the mode cannot be set.
    pub(crate) fn open_to_all(path: &Path, mode: u32) -> Result<(), Fault> {
        std::fs::set_permissions(path, Permissions::from_mode(mode))
            .map_err(|error| Fault::file("open to all", path, error))
    }
}

/// Makes a named pipe that every user may open, and opens its reading end without waiting for a writer (fifo(7)). While
/// that end is held, no writer is killed by SIGPIPE, whichever process leaves first.
///
/// # Errors
/// When it cannot be made or opened.
pub(crate) fn make_fifo(path: &Path) -> Result<File, Fault> {
    mkfifo(path, Mode::S_IRWXU).map_err(|errno| Fault::file("make pipe", path, errno))?;
    PipeDirectory::open_to_all(path, 0o666)?;
    let reader = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path);
    reader.map_err(|error| Fault::file("open", path, error))
}

/// Opens and closes one end of a named pipe, which wakes a process that waits to open the other end (fifo(7)).
pub(crate) fn wake_other_end(path: &Path, writes: bool) {
    let mut options = File::options();
    options.read(!writes).write(writes).custom_flags(libc::O_NONBLOCK);
    drop(options.open(path));
}

/// Reads and drops what was written to a named pipe, at most a pipe's capacity and without blocking.
pub(crate) fn drain(mut reader: &File) {
    let mut buffer = [0_u8; 64 * 1024];
    while matches!(reader.read(&mut buffer), Ok(taken) if taken == buffer.len()) {}
}

/// Removes the pipe directories of killed processes.
pub(crate) fn sweep(place: &Path) {
    sweep_older_than(place, YOUTH);
}

fn sweep_older_than(place: &Path, age: Duration) {
    let is_left = |path: &Path| {
        let lock = File::open(path).ok()?;
        let since = lock.metadata().ok()?.modified().ok()?.elapsed().ok()?;
        (since >= age && lock.try_lock().is_ok()).then_some(())
    };
    for entry in std::fs::read_dir(place).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        if is_ours
            && is_left(&entry.path()).is_some()
            && let Err(error) = std::fs::remove_dir_all(entry.path())
        {
            tracing::warn!(path = %entry.path().display(), %error, "pipes of a dead process cannot be removed");
        }
    }
}

/// Reads the standard error of the process that decides: the first that failed, else the first that wrote something.
pub(crate) fn deciding_stderr(processes: &mut [GroupFinished], test: &Test) -> Result<StandardError, Fault> {
    let failed = processes.iter().position(|process| process.ran.outcome.exit != Exit::Code(0));
    let wrote = || processes.iter().position(|process| process.ran.stderr.total() > 0);
    let decides = failed.or_else(wrote).unwrap_or(0);
    let Some(process) = processes.get_mut(decides) else { return Ok(StandardError::default()) };
    StandardError::of(&mut process.ran.stderr)
        .map_err(|error| Fault::file("read the standard error of", &test.input, error))
}

/// Combines the outcomes of all processes: the end of the first that failed, every limit that was met, the sum of their CPU
/// time, the largest memory.
pub(crate) fn combine(processes: &[Outcome]) -> Outcome {
    let mut all = Outcome {
        exit: Exit::Code(0),
        stopped: Vec::new(),
        cpu: Duration::ZERO,
        wall: Duration::ZERO,
        memory: Bytes(0),
        memory_bound: Some(Bytes(0)),
        memory_source: MemorySource::default(),
        output_bytes: 0,
        asked_to_end: Some(false),
    };
    for outcome in processes {
        if all.exit == Exit::Code(0) {
            (all.exit, all.asked_to_end) = (outcome.exit, outcome.asked_to_end);
        }
        for stopped in &outcome.stopped {
            if !all.stopped.contains(stopped) {
                all.stopped.push(*stopped);
            }
        }
        all.cpu += outcome.cpu;
        all.wall = all.wall.max(outcome.wall);
        if outcome.memory >= all.memory {
            (all.memory, all.memory_source) = (outcome.memory, outcome.memory_source);
        }
        all.memory_bound = all.memory_bound.zip(outcome.memory_bound).map(|(one, other)| one.max(other));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pipes_in_use_stay_and_those_of_the_dead_go() {
        let place = tempfile::tempdir().unwrap();
        let other = place.path().join("spilled");
        std::fs::write(&other, "").unwrap();
        let used = PipeDirectory::make(place.path()).unwrap();
        let fifo = used.path().join("fifo");
        make_fifo(&fifo).unwrap();
        let PipeDirectory { directory, _lock: lock } = PipeDirectory::make(place.path()).unwrap();
        let left = directory.keep();
        drop(lock);
        sweep(place.path());
        assert!(left.exists());
        sweep_older_than(place.path(), Duration::ZERO);
        assert!(!left.exists() && fifo.exists() && other.exists());
        let path = used.path().to_owned();
        drop(used);
        assert!(!path.exists());
    }
}
