//! Detached mounts: clones a mount tree, makes it read-only, and attaches it elsewhere (open_tree(2), move_mount(2)).

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::syscalls;
use crate::sandbox::error::SandboxError;

/// Attributes of every part of the host that a box shows.
const READ_ONLY: u64 = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;

/// Clones the mount tree at a path of the caller's mount namespace.
pub(crate) fn clone(path: &Path) -> Result<OwnedFd, SandboxError> {
    syscalls::clone_mount(&c_path(path)?).map_err(|error| SandboxError::at("clone the mount of", path, error))
}

/// Clones the mount tree at a path and makes the clone read-only.
pub(crate) fn clone_read_only(path: &Path) -> Result<OwnedFd, SandboxError> {
    make_read_only(clone(path)?, path)
}

/// Clones the mount tree that an open descriptor refers to and makes the clone read-only. `path` is for errors.
pub(crate) fn clone_held_read_only(held: &OwnedFd, path: &Path) -> Result<OwnedFd, SandboxError> {
    let tree = syscalls::clone_mount_of(held.as_fd())
        .map_err(|error| SandboxError::at("clone the mount of", path, error))?;
    make_read_only(tree, path)
}

fn make_read_only(tree: OwnedFd, path: &Path) -> Result<OwnedFd, SandboxError> {
    syscalls::restrict_mount(tree.as_fd(), READ_ONLY, true)
        .map_err(|error| SandboxError::at("make read-only", path, error))?;
    Ok(tree)
}

/// Attaches a detached mount at an existing file or directory.
pub(crate) fn attach(tree: &OwnedFd, target: &Path) -> Result<(), SandboxError> {
    let path = c_path(target)?;
    syscalls::attach_mount(tree.as_fd(), &path)
        .map_err(|error| SandboxError::at("attach a mount at", target, error))
}

fn c_path(path: &Path) -> Result<CString, SandboxError> {
    CString::new(path.as_os_str().as_bytes())
        .map_err(|error| SandboxError::at("use", path, io::Error::other(error)))
}
