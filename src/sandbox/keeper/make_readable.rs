//! Makes the files that programs left in a work directory readable for a worker that is not root.
//!
//! They belong to the box's user, and some compilers create theirs for their owner alone. Everything is opened relative to
//! a descriptor and never through a link.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{Mode, SFlag, fchmod, fstat, fstatat};

/// The deepest level of directories; files below it are never taken out of a box.
const MAX_DEPTH: usize = 64;

/// Adds the permission to read, for every user, to all files and directories below a directory.
///
/// # Errors
/// The kernel's. Entries that vanish or are replaced meanwhile are skipped.
pub(crate) fn make_readable(directory: &OwnedFd) -> io::Result<()> {
    visit(directory.as_fd(), 0)
}

fn visit(directory: BorrowedFd<'_>, depth: usize) -> io::Result<()> {
    if depth >= MAX_DEPTH {
        return Ok(());
    }
    let mut listing = Dir::from_fd(open_at(directory, c".", OFlag::O_DIRECTORY)?)?;
    for entry in listing.iter() {
        let entry = entry?;
        let name = entry.file_name();
        if [c".", c".."].contains(&name) {
            continue;
        }
        let Ok(status) = fstatat(directory, name, AtFlags::AT_SYMLINK_NOFOLLOW) else { continue };
        let kind = SFlag::from_bits_truncate(status.st_mode & SFlag::S_IFMT.bits());
        let wanted = match kind {
            SFlag::S_IFDIR => Mode::from_bits_truncate(0o555),
            SFlag::S_IFREG => Mode::from_bits_truncate(0o444),
            _ => continue,
        };
        let is_open = Mode::from_bits_truncate(status.st_mode).contains(wanted);
        if is_open && kind == SFlag::S_IFREG {
            continue;
        }
        // O_NONBLOCK, since it may have become a FIFO in the meantime.
        let opened = match open_at(directory, name, OFlag::O_NONBLOCK) {
            Ok(opened) => opened,
            Err(Errno::ENOENT | Errno::ELOOP | Errno::ENXIO) => continue,
            Err(errno) => return Err(errno.into()),
        };
        if !is_open {
            let mode = Mode::from_bits_truncate(fstat(&opened)?.st_mode & 0o7777) | wanted;
            fchmod(&opened, mode)?;
        }
        if kind == SFlag::S_IFDIR {
            visit(opened.as_fd(), depth + 1)?;
        }
    }
    Ok(())
}

fn open_at(directory: BorrowedFd<'_>, name: &std::ffi::CStr, more: OFlag) -> Result<OwnedFd, Errno> {
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NOCTTY | OFlag::O_CLOEXEC | more;
    openat(directory, name, flags, Mode::empty())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File, Permissions};
    use std::os::fd::OwnedFd;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::make_readable;

    #[test]
    fn closed_files_become_readable_and_files_outside_stay_closed() {
        // Only root can open files without permissions.
        if !nix::unistd::Uid::effective().is_root() {
            return;
        }
        let scene = tempfile::tempdir().unwrap();
        let (work, outside) = (scene.path().join("work"), scene.path().join("outside"));
        fs::create_dir_all(work.join("closed/inner")).unwrap();
        for path in [&outside, &work.join("closed/inner/file"), &work.join("open")] {
            fs::write(path, "").unwrap();
        }
        symlink(&outside, work.join("link")).unwrap();
        let set =
            |path: &std::path::Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        set(&outside, 0o600);
        set(&work.join("closed/inner/file"), 0o200);
        set(&work.join("open"), 0o755);
        set(&work.join("closed/inner"), 0o700);
        set(&work.join("closed"), 0o000);
        make_readable(&OwnedFd::from(File::open(&work).unwrap())).unwrap();
        let mode = |path: &std::path::Path| fs::metadata(path).unwrap().mode() & 0o7777;
        assert_eq!(mode(&outside), 0o600);
        assert_eq!(mode(&work.join("open")), 0o755);
        assert_eq!(mode(&work.join("closed")), 0o555);
        assert_eq!(mode(&work.join("closed/inner")), 0o755);
        assert_eq!(mode(&work.join("closed/inner/file")), 0o644);
    }
}
