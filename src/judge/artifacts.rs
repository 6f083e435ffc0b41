//! Files into and out of a box's work directory, by descriptor.
//!
//! What lies in a work directory after a compiler ran was made by whoever wrote the source: nothing there
//! is opened by path, through a symlink or before everything in the box is dead, and only regular files
//! with one link and a bounded size are taken out. A FIFO, a device, a link is the submission's own doing.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::sys::stat::{Mode, fchmod, mkdirat};

use super::fault::Fault;
use super::request::Source;
use crate::units::Bytes;

/// Where sources lie in the workspace of a compile box.
pub(super) const SRC: &str = "src";
/// Where it leaves what it made.
pub(super) const OUT: &str = "out";
/// Directories below each other that an artifact may have.
const MAX_DEPTH: usize = 32;
/// Files an artifact may have.
const MAX_FILES: usize = 10_000;

/// Why what a compiler left cannot become a program: the submission's doing.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unusable(String);

/// What can go wrong when artifacts are taken out.
#[derive(Debug, thiserror::Error)]
pub(super) enum TakeError {
    #[error(transparent)]
    Unusable(#[from] Unusable),
    #[error(transparent)]
    Fault(#[from] Fault),
}

fn refuse(message: String) -> TakeError {
    TakeError::Unusable(Unusable(message))
}

/// Makes `src/` with the files and an empty `out/`, both writable by the box's own user: compilers put
/// temporary files beside their sources.
pub(super) fn fill_workspace(workspace: BorrowedFd<'_>, sources: &[Source]) -> Result<(), Fault> {
    make_directory(workspace, OUT)?;
    let directory = make_directory(workspace, SRC)?;
    let mut made = HashSet::new();
    for source in sources {
        for folder in folders(&source.name) {
            if made.insert(folder) {
                make_directory(directory.as_fd(), folder)?;
            }
        }
        write_new(directory.as_fd(), &source.name, 0o755, &mut source.bytes.as_slice())?;
    }
    Ok(())
}

/// The folders a name lies in, the outermost first: `a` and `a/b` of `a/b/c`.
fn folders(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('/').map(|(end, _)| &name[..end])
}

/// Writes a file that is not there yet, with these permissions whatever our umask, in a directory that nothing alive can
/// change.
pub(super) fn write_new(
    directory: BorrowedFd<'_>,
    name: &str,
    permissions: u32,
    content: &mut dyn Read,
) -> Result<(), Fault> {
    let path = Path::new(name);
    let fail = |error: Errno| Fault::file("write", path, error);
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mode = Mode::from_bits_truncate(permissions);
    let mut file = File::from(openat(directory, path, flags, mode).map_err(fail)?);
    fchmod(&file, mode).map_err(fail)?;
    io::copy(content, &mut file).map_err(|error| Fault::file("write", path, error))?;
    Ok(())
}

/// A directory that the box's own user may write to.
pub(super) fn make_directory(parent: BorrowedFd<'_>, name: &str) -> Result<OwnedFd, Fault> {
    let path = Path::new(name);
    let fail = |error: Errno| Fault::file("make directory", path, error);
    mkdirat(parent, path, Mode::from_bits_truncate(0o777)).map_err(fail)?;
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let directory = openat(parent, path, flags, Mode::empty()).map_err(fail)?;
    // mkdir's mode is cut by our umask; chmod's is not.
    fchmod(&directory, Mode::from_bits_truncate(0o777)).map_err(fail)?;
    Ok(directory)
}

/// A directory everyone may list, whatever our umask, unless it is there already.
fn make_own_directory(path: &Path) -> Result<(), Fault> {
    let fail = |error: io::Error| Fault::file("make directory", path, error);
    match std::fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        made => made.map_err(fail)?,
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).map_err(fail)
}

/// Writes the sources themselves as the program.
pub(super) fn write_sources(destination: &Path, sources: &[Source]) -> Result<(), Fault> {
    for source in sources {
        let path = destination.join(&source.name);
        for folder in folders(&source.name) {
            let folder = destination.join(folder);
            make_own_directory(&folder)?;
        }
        let mut file = create(&path)?;
        file.write_all(&source.bytes).map_err(|error| Fault::file("write", &path, error))?;
    }
    Ok(())
}

/// Copies the one file `out/<name>` to `destination`.
///
/// # Errors
/// [`Unusable`] when it is missing, no plain file, linked elsewhere or over `limit`.
pub(super) fn take_file(
    workspace: BorrowedFd<'_>,
    name: &str,
    destination: &Path,
    limit: Bytes,
) -> Result<(), TakeError> {
    let out = open_beneath(workspace, Path::new(OUT), OFlag::O_DIRECTORY)?;
    copy_file(out.as_fd(), Path::new(name), &destination.join(name), limit.0)?;
    Ok(())
}

/// Copies every file below the directory `name` of the workspace, [`OUT`] or [`SRC`], to `destination`.
///
/// # Errors
/// [`Unusable`] when there is none, or anything but plain files and directories, or more than `limit`.
pub(super) fn take_directory(
    workspace: BorrowedFd<'_>,
    name: &str,
    destination: &Path,
    limit: Bytes,
) -> Result<(), TakeError> {
    let out = open_beneath(workspace, Path::new(name), OFlag::O_DIRECTORY)?;
    let mut budget = Budget { bytes: limit.0, files: MAX_FILES };
    copy_directory(out, destination, &mut budget, 0)?;
    if budget.files == MAX_FILES {
        return Err(refuse("the compiler produced no file".to_owned()));
    }
    Ok(())
}

struct Budget {
    bytes: u64,
    files: usize,
}

fn copy_directory(
    directory: OwnedFd,
    destination: &Path,
    budget: &mut Budget,
    depth: usize,
) -> Result<(), TakeError> {
    if depth > MAX_DEPTH {
        return Err(refuse(format!("the compiler made directories more than {MAX_DEPTH} deep")));
    }
    let read_fault = |error: Errno| Fault::file("read", destination, error);
    let handle = directory.try_clone().map_err(|error| Fault::file("read", destination, error))?;
    let mut listing = Dir::from_fd(directory).map_err(read_fault)?;
    for entry in listing.iter() {
        let entry = entry.map_err(read_fault)?;
        let name_bytes = entry.file_name().to_bytes();
        if name_bytes == b"." || name_bytes == b".." {
            continue;
        }
        if budget.files == 0 {
            return Err(refuse(format!("the compiler made more than {MAX_FILES} files")));
        }
        let name = Path::new(std::ffi::OsStr::from_bytes(name_bytes));
        let target = destination.join(name);
        let opened = open_beneath(handle.as_fd(), name, OFlag::O_NONBLOCK)?;
        let metadata = File::from(opened.try_clone().map_err(|error| Fault::file("read", name, error))?)
            .metadata()
            .map_err(|error| Fault::file("read", name, error))?;
        if metadata.is_dir() {
            budget.files -= 1;
            std::fs::create_dir(&target).map_err(|error| Fault::file("make directory", &target, error))?;
            copy_directory(opened, &target, budget, depth + 1)?;
        } else {
            budget.files -= 1;
            budget.bytes -= copy_file(handle.as_fd(), name, &target, budget.bytes)?;
        }
    }
    Ok(())
}

/// Copies one plain file of at most `limit` bytes and returns its size.
fn copy_file(
    directory: BorrowedFd<'_>,
    name: &Path,
    destination: &Path,
    limit: u64,
) -> Result<u64, TakeError> {
    // O_NONBLOCK: opening a FIFO must not wait for a writer.
    let source = File::from(open_beneath(directory, name, OFlag::O_NONBLOCK)?);
    let metadata = source.metadata().map_err(|error| Fault::file("read", name, error))?;
    let shown = name.display();
    if !metadata.is_file() {
        return Err(refuse(format!("the compiler left '{shown}', which is not a regular file")));
    }
    if metadata.nlink() != 1 {
        return Err(refuse(format!("the compiler left '{shown}' with {} hard links", metadata.nlink())));
    }
    if metadata.len() > limit {
        return Err(refuse(format!("the compiler wrote more than the {} it may", Bytes(limit))));
    }
    let mut target = create(destination)?;
    // The file cannot grow, nothing in the box being alive; the bound costs nothing.
    let copied = io::copy(&mut source.take(limit), &mut target)
        .map_err(|error| Fault::file("write", destination, error))?;
    Ok(copied)
}

/// A new file everyone may read and execute, whatever our umask.
fn create(path: &Path) -> Result<File, Fault> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o700)
        .open(path)
        .map_err(|error| Fault::file("write", path, error))?;
    fchmod(&file, Mode::from_bits_truncate(0o755)).map_err(|error| Fault::file("write", path, error))?;
    Ok(file)
}

/// Opens for reading without following any link out of `directory`.
pub(super) fn open_beneath(
    directory: BorrowedFd<'_>,
    path: &Path,
    flags: OFlag,
) -> Result<OwnedFd, TakeError> {
    let how = OpenHow::new().flags(flags | OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NOCTTY).resolve(
        ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_NO_MAGICLINKS,
    );
    openat2(directory, path, how).map_err(|error| {
        let shown = path.display();
        match error {
            Errno::ENOENT => refuse(format!("the compiler produced no '{shown}'")),
            Errno::ELOOP => refuse(format!("the compiler left '{shown}', which is a symbolic link")),
            Errno::ENXIO | Errno::ENOTDIR | Errno::EXDEV | Errno::EACCES | Errno::EPERM => {
                refuse(format!("the compiler left '{shown}', which cannot be opened: {}", error.desc()))
            }
            other => TakeError::Fault(Fault::file("open", path, other)),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use nix::unistd::mkfifo;

    use super::*;

    fn workspace() -> (tempfile::TempDir, File) {
        let directory = tempfile::tempdir().unwrap();
        let handle = File::open(directory.path()).unwrap();
        fill_workspace(handle.as_fd(), &[Source { name: "-o".to_owned(), bytes: b"x".to_vec() }]).unwrap();
        (directory, handle)
    }

    fn refusal(result: Result<(), TakeError>) -> String {
        match result {
            Err(TakeError::Unusable(error)) => error.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_plain_file_comes_out_executable() {
        let (directory, handle) = workspace();
        std::fs::write(directory.path().join("out/program"), b"\x7fELF").unwrap();
        let target = tempfile::tempdir().unwrap();
        take_file(handle.as_fd(), "program", target.path(), Bytes::kib(1)).unwrap();
        let metadata = std::fs::metadata(target.path().join("program")).unwrap();
        assert_eq!((metadata.len(), metadata.mode() & 0o777), (4, 0o755));
        assert_eq!(std::fs::read(directory.path().join("src/-o")).unwrap(), b"x");
    }

    #[test]
    fn links_fifos_and_oversized_files_are_refused() {
        let (directory, handle) = workspace();
        let target = tempfile::tempdir().unwrap();
        let program = directory.path().join("out/program");
        let take = || take_file(handle.as_fd(), "program", target.path(), Bytes(8));

        assert!(refusal(take()).contains("no 'program'"));
        symlink("/etc/passwd", &program).unwrap();
        assert!(refusal(take()).contains("symbolic link"));
        std::fs::remove_file(&program).unwrap();
        mkfifo(&program, Mode::S_IRWXU).unwrap();
        assert!(refusal(take()).contains("not a regular file"));
        std::fs::remove_file(&program).unwrap();
        std::fs::write(&program, b"x").unwrap();
        std::fs::hard_link(&program, directory.path().join("src/other")).unwrap();
        assert!(refusal(take()).contains("hard links"));
        std::fs::remove_file(&program).unwrap();
        std::fs::write(&program, b"123456789").unwrap();
        assert!(refusal(take()).contains("more than the 8B"));
        assert_eq!(std::fs::read_dir(target.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_replaced_out_directory_is_not_followed() {
        let (directory, handle) = workspace();
        let target = tempfile::tempdir().unwrap();
        std::fs::remove_dir(directory.path().join("out")).unwrap();
        symlink("/etc", directory.path().join("out")).unwrap();
        assert!(
            refusal(take_directory(handle.as_fd(), OUT, target.path(), Bytes::mib(1)))
                .contains("symbolic link")
        );
    }

    #[test]
    fn directories_come_out_whole_within_the_limit() {
        let (directory, handle) = workspace();
        let out = directory.path().join("out");
        std::fs::create_dir(out.join("sub")).unwrap();
        std::fs::write(out.join("sub/A.class"), b"12345").unwrap();
        std::fs::write(out.join("Main.class"), b"123").unwrap();
        let target = tempfile::tempdir().unwrap();
        take_directory(handle.as_fd(), OUT, target.path(), Bytes(8)).unwrap();
        assert_eq!(std::fs::read(target.path().join("sub/A.class")).unwrap(), b"12345");
        let small = tempfile::tempdir().unwrap();
        assert!(refusal(take_directory(handle.as_fd(), OUT, small.path(), Bytes(7))).contains("more than"));
        let (_empty, handle) = workspace();
        assert!(refusal(take_directory(handle.as_fd(), OUT, small.path(), Bytes(7))).contains("no file"));
    }
}
