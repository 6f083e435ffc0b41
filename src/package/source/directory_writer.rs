//! Writes files below a directory of the cache, under names that a package chooses.
//!
//! Every folder of a name is opened by its descriptor, below that of the folder before it and never through a symbolic link
//! (openat(2) with O_NOFOLLOW). A name with an empty part, `.` or `..` is refused. So no name leads out of the directory,
//! whatever the reader of the format let pass.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{Mode, mkdirat};

use super::error::{PackageError, one_line};

/// A directory to be filled.
#[derive(Debug)]
pub(crate) struct DirectoryWriter {
    directory: OwnedFd,
    path: PathBuf,
}

impl DirectoryWriter {
    /// Opens the directory at `path`.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(crate) fn open(path: &Path) -> Result<Self, PackageError> {
        let directory = open(path, FOLDER, Mode::empty())
            .map_err(|errno| PackageError::io("open", path)(io::Error::from(errno)))?;
        Ok(Self { directory, path: path.to_owned() })
    }

    /// Writes a new file with the folders above it.
    ///
    /// # Errors
    /// [`PackageError::Invalid`] when the name leads out of the directory, is taken, or is one that no file can have;
    /// [`PackageError::Io`] when the disk refuses.
    pub(crate) fn write(&self, name: &str, content: &[u8]) -> Result<(), PackageError> {
        let failed = |errno: Errno| match errno {
            Errno::EEXIST | Errno::ENOTDIR | Errno::EISDIR | Errno::ELOOP => {
                wrong(name, "is the name of two files, or of a file and a folder", "rename one of them")
            }
            Errno::ENAMETOOLONG | Errno::EILSEQ | Errno::EINVAL => {
                wrong(name, "is a name that the disk of the cache does not take", "give it a shorter name")
            }
            errno => PackageError::io("write", &self.path.join(name))(io::Error::from(errno)),
        };
        let parts: Vec<&str> = name.split('/').collect();
        if !parts.iter().all(|part| is_plain_part(part)) {
            return Err(wrong(name, "is not a path below the package", "name files without '.' and '..'"));
        }
        let Some((last, folders)) = parts.split_last() else { return Ok(()) };
        let mut above: Option<OwnedFd> = None;
        for folder in folders {
            let parent = above.as_ref().unwrap_or(&self.directory).as_fd();
            match mkdirat(parent, *folder, Mode::S_IRWXU) {
                Ok(()) | Err(Errno::EEXIST) => {}
                Err(errno) => return Err(failed(errno)),
            }
            above = Some(openat(parent, *folder, FOLDER, Mode::empty()).map_err(failed)?);
        }
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let parent = above.as_ref().unwrap_or(&self.directory).as_fd();
        let file = openat(parent, *last, flags, Mode::S_IRUSR | Mode::S_IWUSR).map_err(failed)?;
        File::from(file).write_all(content).map_err(PackageError::io("write", &self.path.join(name)))
    }
}

/// How folders are opened.
const FOLDER: OFlag =
    OFlag::O_RDONLY.union(OFlag::O_DIRECTORY).union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

/// Whether a file or folder may have this name, as one part of a path.
pub(crate) fn is_plain_part(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\0'])
}

fn wrong(name: &str, problem: &str, remedy: &str) -> PackageError {
    PackageError::value(0, "", format!("'{}' {problem}", one_line(name)), remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_outside_of_the_directory() {
        let outside = tempfile::tempdir().unwrap();
        let inside = outside.path().join("a/draft");
        std::fs::create_dir_all(&inside).unwrap();
        std::os::unix::fs::symlink(outside.path(), inside.join("link")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("x"), inside.join("file")).unwrap();
        let draft = DirectoryWriter::open(&inside).unwrap();
        let absolute = outside.path().join("x").to_string_lossy().into_owned();
        let names =
            ["../../x", "a/../../../x", "link/x", "file", &absolute, "", "a//x", "./x", "x/", "x\0", ".."];
        for name in names {
            let error = draft.write(name, b"1").unwrap_err();
            assert!(!error.is_ours(), "{name:?}: {error}");
        }
        assert!(!outside.path().join("x").exists());
    }

    #[test]
    fn a_name_is_written_once_and_is_a_file_or_a_folder() {
        let directory = tempfile::tempdir().unwrap();
        let draft = DirectoryWriter::open(directory.path()).unwrap();
        draft.write("a/b/c", b"1").unwrap();
        draft.write("a/b/d", b"2").unwrap();
        assert_eq!(std::fs::read(directory.path().join("a/b/d")).unwrap(), b"2");
        for name in ["a/b/c", "a/b", "a/b/c/d", &"x".repeat(300)] {
            let error = draft.write(name, b"3").unwrap_err();
            assert!(!error.is_ours(), "{name:?}: {error}");
        }
        assert_eq!(std::fs::read(directory.path().join("a/b/c")).unwrap(), b"1");
    }
}
