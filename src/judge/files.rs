//! Opens a package's files for judging.
//!
//! Others may write to the disk of a package: a file that was replaced by a FIFO must not block a slot, and a program must not
//! be able to change the package through its input, even where it runs with the owner's uid (boxes made without
//! privileges). So inputs are opened below a read-only view of the package.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};

use crate::judge::fault::Fault;
use crate::package::{Lease, Package};
use crate::sandbox::{Sandbox, SandboxError, sealed};

/// Inputs of up to so many bytes are copied for each run, which takes less time than a mount of their own.
const COPIED: u64 = 256 << 10;

/// Read-only views of a package's directories.
#[derive(Debug)]
pub(crate) struct Inputs {
    /// The package's own first; absolute and without links.
    views: Vec<(PathBuf, OwnedFd)>,
}

impl Inputs {
    /// Opens views of a package's own directory and those it holds beside it.
    pub(crate) fn of(sandbox: &Sandbox, package: &Package) -> Result<Self, SandboxError> {
        let held = package.leases.iter().map(Lease::directory);
        let mut views: Vec<(PathBuf, OwnedFd)> = Vec::new();
        for directory in std::iter::once(package.directory.as_path()).chain(held) {
            let directory = directory.canonicalize().map_err(|source| SandboxError::System {
                operation: "find",
                subject: directory.display().to_string(),
                source,
            })?;
            if !views.iter().any(|(seen, _)| directory.starts_with(seen)) {
                let view = sandbox.view(&directory)?;
                views.push((directory, view));
            }
        }
        Ok(Self { views })
    }

    /// Returns the directory that a file lies in: the package's own, or one it holds beside it.
    pub(crate) fn directory_of(&self, path: &Path) -> Option<&Path> {
        let resolved = path.canonicalize().ok()?;
        self.views
            .iter()
            .map(|(directory, _)| directory.as_path())
            .find(|directory| resolved.starts_with(directory))
    }

    /// Returns the path of a file below `directory`, where all users may read it; `None` where they may not, or the name is
    /// not UTF-8.
    pub(crate) fn readable_by_all(directory: &Path, path: &Path) -> Option<String> {
        const READ: u32 = 0o4;
        const SEARCH: u32 = 0o1;
        let allows = |path: &Path, right: u32| {
            path.symlink_metadata().is_ok_and(|metadata| metadata.mode() & right != 0)
        };
        let resolved = path.canonicalize().ok()?;
        let below = resolved.strip_prefix(directory).ok()?;
        let folders = resolved.ancestors().skip(1).take(below.components().count());
        let open = allows(&resolved, READ) && folders.into_iter().all(|folder| allows(folder, SEARCH));
        open.then(|| below.to_str().map(str::to_owned)).flatten()
    }

    /// Opens an input as the standard input of a program: under a name that tells nothing of the test, since programs
    /// read it in `/proc/self/fd`, and so that every program may open it again (`/dev/stdin`).
    pub(crate) fn open_for_program(&self, sandbox: &Sandbox, path: &Path) -> Result<File, Fault> {
        let mut file = self.open(path)?;
        let broken =
            |error: io::Error| Fault::Package(format!("cannot read the input {}: {error}", path.display()));
        let metadata = file.metadata().map_err(broken)?;
        let is_readable_by_all = metadata.mode() & 0o4 != 0;
        if metadata.len() <= COPIED || !is_readable_by_all {
            let mut content = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
            file.read_to_end(&mut content).map_err(broken)?;
            return sealed(&content).map_err(|error| Fault::file("copy", path, error));
        }
        let view = sandbox.view(&path.canonicalize().map_err(broken)?)?;
        // Opened like any file: what the view is rooted at has no path.
        let opened = open_regular(&PathBuf::from(format!("/proc/self/fd/{}", view.as_raw_fd())));
        let opened = opened.map_err(broken)?;
        let found = opened.metadata().map_err(broken)?;
        if (found.dev(), found.ino()) != (metadata.dev(), metadata.ino()) {
            return Err(broken(io::Error::other("it was replaced meanwhile")));
        }
        Ok(opened)
    }

    /// Opens an input anew: with a file offset of its own.
    pub(crate) fn open(&self, path: &Path) -> Result<File, Fault> {
        self.open_as("input", path)
    }

    /// Opens a test's file in the directory that was the package's when the judging began, whatever has that
    /// directory's name by now.
    pub(crate) fn open_as(&self, what: &str, path: &Path) -> Result<File, Fault> {
        let broken =
            |error: io::Error| Fault::Package(format!("cannot read the {what} {}: {error}", path.display()));
        let how = OpenHow::new()
            .flags(OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS);
        // Most paths contain no links; any error here is reported by the full resolution below.
        let views = self.views.iter();
        let named = views.filter_map(|(directory, view)| Some((view, path.strip_prefix(directory).ok()?)));
        for (view, below) in named {
            if let Ok(opened) = openat2(view.as_fd(), below, how) {
                return regular(opened.into()).map_err(broken);
            }
        }
        // Links are followed on the host, where the package's reader has checked that they stay inside.
        let resolved = path.canonicalize().map_err(broken)?;
        let (view, below) = self
            .views
            .iter()
            .find_map(|(directory, view)| Some((view, resolved.strip_prefix(directory).ok()?)))
            .ok_or_else(|| {
                broken(io::Error::new(io::ErrorKind::InvalidInput, "it lies outside the package"))
            })?;
        let opened = openat2(view.as_fd(), below, how).map_err(|errno| broken(errno.into()))?;
        regular(opened.into()).map_err(broken)
    }
}

/// Describes a file for cache keys by everything that changes when it is replaced or written to, including its ctime, which
/// no program can set back.
pub(crate) fn state(path: &Path, metadata: &Metadata) -> String {
    format!(
        "{} {}:{} {} {}.{} {}.{}",
        path.display(),
        metadata.dev(),
        metadata.ino(),
        metadata.len(),
        metadata.mtime(),
        metadata.mtime_nsec(),
        metadata.ctime(),
        metadata.ctime_nsec()
    )
}

/// Reads the first bytes of a regular file.
pub(crate) fn read_at_most(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Opens a regular file for reading; does not block on a FIFO that has replaced it.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    regular(File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path)?)
}

fn regular(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"))
}
