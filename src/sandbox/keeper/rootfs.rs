//! Opens the parts of the host that a box shows, and mounts its work directory: the keeper's share of a box's file tree.
//!
//! System directories are cloned by path, the mounts and the root of a shape from the descriptors of the list that the
//! keeper opened at its start ([`super::directories`]). `init::root` builds the tree from them.

use std::ffi::OsStr;
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2, readlinkat};
use nix::mount::{MsFlags, mount};

use super::directories::{self, Listed};
use crate::sandbox::error::SandboxError;
use crate::sandbox::init::root::{Kind, Shown, Sources, set_own_time};
use crate::sandbox::shape::{BASE_MOUNTS, OWN, Shape};
use crate::sandbox::sys::{mounts, syscalls};

/// Devices that give nothing away (full(4), null(4), random(4)).
const DEVICES: &[&str] = &["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

/// Clones everything that a box of `shape` shows out of the caller's mount namespace. `listed` is the result of
/// [`of_shape`].
pub(crate) fn open(shape: &Shape, listed: Vec<Shown>) -> Result<Sources, SandboxError> {
    let mut shown = if shape.rootfs.is_none() { base()? } else { Vec::new() };
    shown.extend(listed);
    let devices = DEVICES
        .iter()
        .filter(|path| Path::new(path).exists())
        .map(|path| {
            let device = mounts::clone(Path::new(path))?;
            // Read-only does not keep programs from writing to the device, only from changing the host's inode:
            // its times would be a channel between boxes.
            let attributes = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NOEXEC;
            syscalls::restrict_mount(device.as_fd(), attributes, false)
                .map_err(|error| SandboxError::at("restrict", *path, error))?;
            Ok((*path, device))
        })
        .collect::<Result<_, SandboxError>>()?;
    Ok(Sources { shown, devices })
}

/// Mounts a work directory, which is a tmpfs. It is sticky and owned by `owner` (a uid as seen here), which must differ
/// from the programs' where there is a choice, so that they can use the directory but not change it; `noatime`, so that
/// reading it leaves no trace.
pub(crate) fn mount_workspace(target: &Path, shape: &Shape, owner: u32) -> Result<(), SandboxError> {
    let options = format!(
        "size={},nr_inodes={},mode=1777,uid={owner},gid={owner}",
        shape.workspace.0, shape.workspace_inodes
    );
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOATIME;
    mount(Some("tmpfs"), target, Some("tmpfs"), flags, Some(options.as_str()))
        .map_err(|errno| SandboxError::at("mount a tmpfs on", target, errno))?;
    set_own_time(target)
}

/// Clones the mounts and the root of a shape. Only the keeper can: the descriptors of its list belong to its own mount
/// namespace.
pub(crate) fn of_shape(shape: &Shape, listed: &Listed) -> Result<Vec<Shown>, SandboxError> {
    let mut sources = Vec::new();
    if let Some((rootfs, directory)) = listed.rootfs(shape)? {
        let names =
            directories::entries(directory).map_err(|error| SandboxError::at("read", rootfs, error))?;
        for name in names {
            let target = Path::new("/").join(&name);
            if !OWN.iter().any(|path| Path::new(path) == target) {
                sources.extend(of_root(directory, &name, target)?);
            }
        }
    }
    for (path, held) in listed.mounts(shape)? {
        sources.extend(opened(held, path, path.to_owned())?);
    }
    Ok(sources)
}

/// Clones an entry of a shape's root; returns `None` when it does not exist or cannot be shown.
fn of_root(root: &OwnedFd, name: &OsStr, target: PathBuf) -> Result<Option<Shown>, SandboxError> {
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let how = OpenHow::new()
        .flags(flags)
        .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    let held = match openat2(root, name, how) {
        Ok(held) => held,
        Err(Errno::ENOENT) => return Ok(None),
        Err(errno) => return Err(SandboxError::at("open", target, errno)),
    };
    // An empty path reads the link of the descriptor itself (readlinkat(2)).
    match readlinkat(&held, "") {
        Ok(link) => Ok(Some(Shown { target, kind: Kind::Link(link.into()) })),
        Err(_) => opened(&held, &target.clone(), target),
    }
}

/// Clones the file or directory of a descriptor; returns `None` for anything else.
fn opened(held: &OwnedFd, path: &Path, target: PathBuf) -> Result<Option<Shown>, SandboxError> {
    let metadata = directories::metadata(held).map_err(|error| SandboxError::at("examine", path, error))?;
    let kind = if metadata.is_dir() {
        Kind::Directory(mounts::clone_held_read_only(held, path)?)
    } else if metadata.is_file() {
        Kind::File(mounts::clone_held_read_only(held, path)?)
    } else {
        return Ok(None);
    };
    Ok(Some(Shown { target, kind }))
}

/// Clones the host's system directories.
fn base() -> Result<Vec<Shown>, SandboxError> {
    let mut sources = Vec::new();
    for path in BASE_MOUNTS.iter().map(Path::new) {
        sources.extend(source(path, path.to_owned())?);
    }
    Ok(sources)
}

/// Clones one host path; returns `None` when it does not exist or is neither file, directory nor link.
fn source(path: &Path, target: PathBuf) -> Result<Option<Shown>, SandboxError> {
    let Ok(metadata) = fs::symlink_metadata(path) else { return Ok(None) };
    let kind = if metadata.is_symlink() {
        Kind::Link(fs::read_link(path).map_err(|error| SandboxError::at("read the link", path, error))?)
    } else if metadata.is_dir() {
        Kind::Directory(mounts::clone_read_only(path)?)
    } else if metadata.is_file() {
        Kind::File(mounts::clone_read_only(path)?)
    } else {
        return Ok(None);
    };
    Ok(Some(Shown { target, kind }))
}
