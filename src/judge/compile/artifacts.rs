//! Moves files into and out of a box's work directory, by descriptor.
//!
//! The author of the source controls the work directory after a compiler ran: nothing there is opened by path, through a
//! symlink or before everything in the box is dead, and only regular files with one link and a bounded size are taken out. A
//! FIFO, a device or a link is the submission's fault.
//!
//! So are names: their length, number and depth are bounded, and a file is made below the descriptor of its own directory, so
//! that the length of gavel's own paths does not matter. A name that the disk of the cache refuses is [`Unusable`] as well,
//! never a [`Fault`].

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::sys::stat::{Mode, fchmod, mkdirat};

use crate::judge::fault::Fault;
use crate::judge::request::Source;
use crate::units::Bytes;

/// Directory of the sources in the work directory of a compile box.
pub(crate) const SRC: &str = "src";
/// Directory where a compiler leaves the program.
pub(crate) const OUT: &str = "out";
/// Directories below each other that an artifact may have.
const MAX_DEPTH: usize = 32;
/// Files an artifact may have.
const MAX_FILES: usize = 10_000;
/// Bytes that the path of an artifact's file may have, below the artifact's own directory. Kept well below the
/// kernel's 4,096 bytes (path_resolution(7)), which also hold the path of the cache or of the box's `/program`.
const MAX_PATH: usize = 1024;
/// Bytes of all these paths together: the cache's manifest holds each of them.
const MAX_PATHS: usize = 4 << 20;

/// Why the files that a compiler left cannot become a program: the submission's fault.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unusable(String);

/// Why artifacts cannot be taken out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TakeError {
    #[error(transparent)]
    Unusable(#[from] Unusable),
    #[error(transparent)]
    Fault(#[from] Fault),
}

fn refuse(message: String) -> TakeError {
    TakeError::Unusable(Unusable(message))
}

/// Makes `src/` with the files and an empty `out/`, both writable by the box's user: compilers put temporary files beside
/// their sources.
pub(crate) fn fill_workspace(workspace: BorrowedFd<'_>, sources: &[Source]) -> Result<(), Fault> {
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

/// Returns the folders a name lies in, the outermost first: `a` and `a/b` for `a/b/c`.
fn folders(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('/').map(|(end, _)| &name[..end])
}

/// Writes a new file with these permissions regardless of the umask, in a directory that no live process can change.
pub(crate) fn write_new(
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

/// Makes a directory that the box's user may write to.
pub(crate) fn make_directory(parent: BorrowedFd<'_>, name: &str) -> Result<OwnedFd, Fault> {
    let path = Path::new(name);
    let fail = |error: Errno| Fault::file("make directory", path, error);
    mkdirat(parent, path, Mode::from_bits_truncate(0o777)).map_err(fail)?;
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let directory = openat(parent, path, flags, Mode::empty()).map_err(fail)?;
    // mkdir's mode is cut by our umask; chmod's is not.
    fchmod(&directory, Mode::from_bits_truncate(0o777)).map_err(fail)?;
    Ok(directory)
}

/// Opens a directory of gavel.
fn open_own(path: &Path) -> Result<OwnedFd, Fault> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    nix::fcntl::open(path, flags, Mode::empty()).map_err(|error| Fault::file("open", path, error))
}

/// Opens a directory that all users may list, regardless of the umask; makes it where missing.
fn own_directory(parent: BorrowedFd<'_>, name: &Path) -> Result<OwnedFd, TakeError> {
    let made = match mkdirat(parent, name, Mode::S_IRWXU) {
        Err(Errno::EEXIST) => false,
        made => made.map(|()| true).map_err(|error| not_made("make directory", name, error))?,
    };
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let directory =
        openat(parent, name, flags, Mode::empty()).map_err(|error| not_made("open", name, error))?;
    if made {
        fchmod(&directory, Mode::from_bits_truncate(0o755))
            .map_err(|error| Fault::file("make directory", name, error))?;
    }
    Ok(directory)
}

/// Tells a name that the disk refuses from a disk that takes no files.
fn not_made(operation: &'static str, name: &Path, error: Errno) -> TakeError {
    let shown = name.display();
    match error {
        Errno::ENAMETOOLONG | Errno::EILSEQ | Errno::EINVAL => {
            refuse(format!("the name '{shown}' cannot be stored: {}", error.desc()))
        }
        // Two names that are one on a disk that folds case.
        Errno::EEXIST | Errno::ENOTDIR | Errno::EISDIR => {
            refuse(format!("the name '{shown}' is taken by another file"))
        }
        error => TakeError::Fault(Fault::file(operation, name, error)),
    }
}

/// Writes the sources themselves as the program.
///
/// # Errors
/// [`Unusable`] when the disk of the cache does not take their names.
pub(crate) fn write_sources(destination: &Path, sources: &[Source]) -> Result<(), TakeError> {
    let root = open_own(destination)?;
    for source in sources {
        let path = Path::new(&source.name);
        let mut directory = root.try_clone().map_err(|error| Fault::file("open", destination, error))?;
        for folder in path.parent().into_iter().flat_map(Path::components) {
            directory = own_directory(directory.as_fd(), Path::new(&folder))?;
        }
        let name = Path::new(path.file_name().unwrap_or_default());
        let mut file = create(directory.as_fd(), name)?;
        io::copy(&mut source.bytes.as_slice(), &mut file)
            .map_err(|error| Fault::file("write", path, error))?;
    }
    Ok(())
}

/// Copies the one file `out/<name>` to `destination`.
///
/// # Errors
/// [`Unusable`] when it is missing, no plain file, linked elsewhere or over `limit`.
pub(crate) fn take_file(
    workspace: BorrowedFd<'_>,
    name: &str,
    destination: &Path,
    limit: Bytes,
) -> Result<(), TakeError> {
    let out = open_beneath(workspace, Path::new(OUT), OFlag::O_DIRECTORY)?;
    let mut budget = Budget::new(limit);
    copy_file(out.as_fd(), Path::new(name), open_own(destination)?.as_fd(), &mut budget)
}

/// Copies every file below the directory `name` of the workspace, [`OUT`] or [`SRC`], to `destination`.
///
/// # Errors
/// [`Unusable`] when there is none, or anything but plain files and directories, or more than `limit`.
pub(crate) fn take_directory(
    workspace: BorrowedFd<'_>,
    name: &str,
    destination: &Path,
    limit: Bytes,
) -> Result<(), TakeError> {
    let out = open_beneath(workspace, Path::new(name), OFlag::O_DIRECTORY)?;
    let mut budget = Budget::new(limit);
    copy_directory(out, open_own(destination)?.as_fd(), &mut budget, Level { depth: 0, path: 0 })?;
    if budget.files == MAX_FILES {
        return Err(refuse("the compiler produced no file".to_owned()));
    }
    Ok(())
}

/// The remaining size and number of files of an artifact.
struct Budget {
    limit: Bytes,
    bytes: u64,
    files: usize,
    paths: usize,
}

/// Depth and path length of a directory in an artifact.
#[derive(Clone, Copy)]
struct Level {
    /// Directories above it.
    depth: usize,
    /// Bytes of its path, with the slash behind it.
    path: usize,
}

impl Budget {
    fn new(limit: Bytes) -> Self {
        Self { limit, bytes: limit.0, files: MAX_FILES, paths: MAX_PATHS }
    }

    /// Takes one name, in a directory at that level.
    fn take_name(&mut self, level: Level, name: &Path) -> Result<(), Unusable> {
        if level.depth > MAX_DEPTH {
            return Err(Unusable(format!("the compiler made directories more than {MAX_DEPTH} deep")));
        }
        let length = level.path + name.as_os_str().len();
        if length > MAX_PATH {
            return Err(Unusable(format!(
                "the compiler made a file whose path is longer than {MAX_PATH} bytes; use shorter names"
            )));
        }
        self.files = self
            .files
            .checked_sub(1)
            .ok_or_else(|| Unusable(format!("the compiler made more than {MAX_FILES} files")))?;
        self.paths = self.paths.checked_sub(length).ok_or_else(|| {
            let most = Bytes(MAX_PATHS as u64);
            Unusable(format!("the paths of the files that the compiler made are longer than {most}"))
        })?;
        Ok(())
    }

    fn take_bytes(&mut self, size: u64) -> Result<(), Unusable> {
        self.bytes = self
            .bytes
            .checked_sub(size)
            .ok_or_else(|| Unusable(format!("the compiler wrote more than the {} it may", self.limit)))?;
        Ok(())
    }
}

fn copy_directory(
    directory: OwnedFd,
    destination: BorrowedFd<'_>,
    budget: &mut Budget,
    level: Level,
) -> Result<(), TakeError> {
    let read_fault = |error: Errno| Fault::file("read", Path::new(OUT), error);
    let handle = directory.try_clone().map_err(|error| Fault::file("read", Path::new(OUT), error))?;
    let mut listing = Dir::from_fd(directory).map_err(read_fault)?;
    for entry in listing.iter() {
        let entry = entry.map_err(read_fault)?;
        let name_bytes = entry.file_name().to_bytes();
        if name_bytes == b"." || name_bytes == b".." {
            continue;
        }
        let name = Path::new(std::ffi::OsStr::from_bytes(name_bytes));
        budget.take_name(level, name)?;
        // O_NONBLOCK: opening a FIFO must not wait for a writer.
        let opened = open_beneath(handle.as_fd(), name, OFlag::O_NONBLOCK)?;
        let metadata = nix::sys::stat::fstat(&opened).map_err(|error| Fault::file("read", name, error))?;
        if metadata.st_mode & libc::S_IFMT == libc::S_IFDIR {
            let below = own_directory(destination, name)?;
            let level = Level { depth: level.depth + 1, path: level.path + name_bytes.len() + 1 };
            copy_directory(opened, below.as_fd(), budget, level)?;
        } else {
            copy_opened(File::from(opened), name, destination, budget)?;
        }
    }
    Ok(())
}

/// Copies one plain file of at most what the budget has left.
fn copy_file(
    directory: BorrowedFd<'_>,
    name: &Path,
    destination: BorrowedFd<'_>,
    budget: &mut Budget,
) -> Result<(), TakeError> {
    let source = open_beneath(directory, name, OFlag::O_NONBLOCK)?;
    copy_opened(File::from(source), name, destination, budget)
}

fn copy_opened(
    source: File,
    name: &Path,
    destination: BorrowedFd<'_>,
    budget: &mut Budget,
) -> Result<(), TakeError> {
    let metadata = source.metadata().map_err(|error| Fault::file("read", name, error))?;
    let shown = name.display();
    if !metadata.is_file() {
        return Err(refuse(format!("the compiler left '{shown}', which is not a regular file")));
    }
    if metadata.nlink() != 1 {
        return Err(refuse(format!("the compiler left '{shown}' with {} hard links", metadata.nlink())));
    }
    budget.take_bytes(metadata.len())?;
    let mut target = create(destination, name)?;
    // The file cannot grow, nothing in the box being alive; the bound costs nothing.
    io::copy(&mut source.take(metadata.len()), &mut target)
        .map_err(|error| Fault::file("write", name, error))?;
    Ok(())
}

/// Makes a new file that all users may read and execute, regardless of the umask.
fn create(directory: BorrowedFd<'_>, name: &Path) -> Result<File, TakeError> {
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let file =
        openat(directory, name, flags, Mode::S_IRWXU).map_err(|error| not_made("write", name, error))?;
    fchmod(&file, Mode::from_bits_truncate(0o755)).map_err(|error| Fault::file("write", name, error))?;
    Ok(File::from(file))
}

/// Opens for reading without following any link out of `directory`.
pub(crate) fn open_beneath(
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

    /// Makes a chain of directories with a file `x` in the last, and returns the bytes of its path.
    fn chain(out: &Path, names: &[String]) -> usize {
        let mut directory = open_own(out).unwrap();
        for name in names {
            directory = own_directory(directory.as_fd(), Path::new(name)).unwrap();
        }
        create(directory.as_fd(), Path::new("x")).unwrap();
        names.iter().map(|name| name.len() + 1).sum::<usize>() + 1
    }

    #[test]
    fn the_length_of_a_path_never_is_a_fault_of_ours() {
        // One byte below the bound, and one above it; far above it, and beyond what the kernel takes at once.
        for (names, is_taken) in [
            (vec!["p".repeat(254), "q".repeat(254), "r".repeat(254), "s".repeat(254)], true),
            (vec!["p".repeat(255), "q".repeat(255), "r".repeat(255), "s".repeat(255)], false),
            (vec!["p".repeat(250); 15], false),
            (vec!["p".repeat(250); 30], false),
        ] {
            let (directory, handle) = workspace();
            let length = chain(&directory.path().join(OUT), &names);
            let target = tempfile::tempdir().unwrap();
            let deep = target.path().join("d".repeat(200)).join("e".repeat(200));
            std::fs::create_dir_all(&deep).unwrap();
            let result = take_directory(handle.as_fd(), OUT, &deep, Bytes::kib(1));
            if is_taken {
                result.unwrap();
                assert!(deep.join(names.iter().collect::<std::path::PathBuf>()).join("x").is_file());
            } else {
                assert!(refusal(result).contains("longer than 1024 bytes"), "{length}");
            }
        }
    }

    #[test]
    fn directories_are_taken_out_to_a_bounded_depth_and_number() {
        let (directory, handle) = workspace();
        chain(&directory.path().join(OUT), &vec!["d".to_owned(); MAX_DEPTH + 1]);
        let target = tempfile::tempdir().unwrap();
        let result = take_directory(handle.as_fd(), OUT, target.path(), Bytes::kib(1));
        assert!(refusal(result).contains("more than 32 deep"));
        let mut budget = Budget::new(Bytes(1));
        let level = Level { depth: 0, path: 0 };
        for _ in 0..MAX_FILES {
            budget.take_name(level, Path::new("x")).unwrap();
        }
        assert!(budget.take_name(level, Path::new("x")).unwrap_err().to_string().contains("10000 files"));
        let mut budget = Budget::new(Bytes(1));
        let name = "x".repeat(MAX_PATH);
        for _ in 0..MAX_PATHS / MAX_PATH {
            budget.take_name(level, Path::new(&name)).unwrap();
        }
        assert!(budget.take_name(level, Path::new(&name)).unwrap_err().to_string().contains("4MiB"));
    }

    #[test]
    fn names_of_any_bytes_come_out() {
        let (directory, handle) = workspace();
        let name = std::ffi::OsStr::from_bytes(b"a\xff\nb");
        std::fs::write(directory.path().join(OUT).join(name), "1").unwrap();
        let target = tempfile::tempdir().unwrap();
        take_directory(handle.as_fd(), OUT, target.path(), Bytes::kib(1)).unwrap();
        assert!(target.path().join(name).is_file());
    }

    #[test]
    fn names_that_the_disk_does_not_take_are_refused() {
        let target = tempfile::tempdir().unwrap();
        let source = |name: &str| Source { name: name.to_owned(), bytes: Vec::new() };
        for sources in [vec![source(&"x".repeat(256))], vec![source("a"), source("a")], vec![source("a/b")]] {
            assert!(refusal(write_sources(target.path(), &sources)).contains("name"));
        }
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
