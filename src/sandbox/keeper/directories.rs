//! The host directories that a keeper may show: opened when it starts, fixed until it ends.
//!
//! The worker reads messages from the network, so the keeper does not trust its paths. A request names a path below one
//! of these directories, and the keeper resolves the rest itself from the descriptor that it opened at the start
//! (openat2(2) with RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS and RESOLVE_NO_MAGICLINKS). It mounts the directory of that
//! descriptor and never resolves the path again, so replacing the directory with a link between check and mount has no
//! effect.
//!
//! Everything is shown read-only, and the permissions of files hold for programs. A hard link in a listed directory shows
//! its file: the kernel lets users link only their own files (`fs.protected_hardlinks`). File systems mounted below a
//! listed directory belong to it, except those of the kernel. A removed store may be recreated in the same place and by
//! the same owner: it is found through the open descriptor of its parent directory.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat2};
use nix::sys::stat::{Mode, SFlag, fstat, mkdirat, stat};
use nix::sys::statfs::{
    CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, DEBUGFS_MAGIC, FsType, PROC_SUPER_MAGIC, SECURITYFS_MAGIC,
    SYSFS_MAGIC, TRACEFS_MAGIC, fstatfs,
};
use nix::unistd::{Gid, Uid, fchown};
use serde::{Deserialize, Serialize};

use crate::sandbox::error::SandboxError;
use crate::sandbox::shape::{PACKAGE, Shape};

/// The most paths in a list.
const MOST: usize = 65_536;

/// The kernel's own file systems; none is part of a directory of the operator.
const KERNEL_FILE_SYSTEMS: &[FsType] = &[
    PROC_SUPER_MAGIC,
    SYSFS_MAGIC,
    CGROUP_SUPER_MAGIC,
    CGROUP2_SUPER_MAGIC,
    DEBUGFS_MAGIC,
    TRACEFS_MAGIC,
    SECURITYFS_MAGIC,
];

/// The host directories that a sandbox may show in its boxes, read-only.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Directories {
    /// Problem packages, or directories of them: shown, with everything below, at [`PACKAGE`] or as a view.
    pub packages: Vec<PathBuf>,
    /// Stores of gavel's own, such as the cache: shown, with everything below, at any attach point or as a view.
    pub stores: Vec<PathBuf>,
    /// Files and directories shown at the same path inside ([`Shape::mounts`]). Those missing at the start are skipped.
    pub mounts: Vec<PathBuf>,
    /// The directory shown as `/` ([`Shape::rootfs`]).
    pub rootfs: Option<PathBuf>,
    /// Files that the worker reads again and again and that only root may read, such as one with a password. Each is
    /// opened in the directory it was in at the start; a link may not lead out of that.
    pub files: Vec<PathBuf>,
}

impl Directories {
    /// Makes all paths absolute.
    pub(crate) fn absolute(mut self) -> Result<Self, SandboxError> {
        for path in self.packages.iter_mut().chain(&mut self.stores).chain(&mut self.files) {
            *path = absolute(path)?;
        }
        Ok(self)
    }

    /// Splits the list into parts of at most `count` paths, each small enough for a message.
    pub(crate) fn in_parts(&self, count: usize) -> Vec<Self> {
        let part = |fill: fn(&mut Self, Vec<PathBuf>), paths: &[PathBuf]| -> Vec<Self> {
            paths
                .chunks(count)
                .map(|paths| {
                    let mut part = Self::default();
                    fill(&mut part, paths.to_vec());
                    part
                })
                .collect()
        };
        let mut parts = part(|part, paths| part.packages = paths, &self.packages);
        parts.extend(part(|part, paths| part.stores = paths, &self.stores));
        parts.extend(part(|part, paths| part.mounts = paths, &self.mounts));
        parts.extend(part(|part, paths| part.files = paths, &self.files));
        parts.extend(self.rootfs.as_ref().map(|path| Self { rootfs: Some(path.clone()), ..Self::default() }));
        parts
    }

    /// Adds a part to the list.
    pub(crate) fn extend(&mut self, part: Self) -> Result<(), String> {
        self.packages.extend(part.packages);
        self.stores.extend(part.stores);
        self.mounts.extend(part.mounts);
        self.files.extend(part.files);
        self.rootfs = part.rootfs.or(self.rootfs.take());
        let count = self.packages.len() + self.stores.len() + self.mounts.len() + self.files.len();
        if count > MOST { Err(format!("{count} directories; at most {MOST} can be listed")) } else { Ok(()) }
    }
}

/// A directory, or a file to view, as a request names it: by path, and by the device and inode that the worker saw.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) device: u64,
    pub(crate) inode: u64,
}

impl Source {
    /// Names the directory or file at a path, as this process sees it.
    pub(crate) fn of(path: &Path) -> Result<Self, SandboxError> {
        let status = stat(path).map_err(|errno| SandboxError::at("examine", path, errno))?;
        Ok(Self { path: absolute(path)?, device: status.st_dev, inode: status.st_ino })
    }
}

/// Makes a path absolute for the keeper, which has another working directory.
fn absolute(path: &Path) -> Result<PathBuf, SandboxError> {
    std::path::absolute(path).map_err(|error| SandboxError::at("find", path, error))
}

/// The way to show a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// At an attach point, such as `/program`.
    Attach(&'static str),
    /// As a view for the worker.
    View,
}

/// The list with the descriptors that the keeper has opened.
#[derive(Debug)]
pub(crate) struct Listed {
    trees: Vec<Tree>,
    /// The descriptor is `None` for mounts that were missing at the start.
    mounts: Vec<(PathBuf, Option<OwnedFd>)>,
    rootfs: Option<(PathBuf, OwnedFd)>,
    /// Each with its parent directory, `None` where that was missing at the start.
    files: Vec<(PathBuf, Option<OwnedFd>)>,
}

#[derive(Debug)]
struct Tree {
    /// The path as it was given, and with links resolved.
    names: [PathBuf; 2],
    /// The location of a store, for when it is removed and recreated; `None` for packages.
    location: Option<Location>,
    directory: OwnedFd,
}

#[derive(Debug)]
struct Location {
    parent: OwnedFd,
    name: OsString,
    /// The owner of the store.
    owner: u32,
}

impl Listed {
    /// Opens every directory of the list. Links are followed this once, since the operator named the paths.
    ///
    /// # Errors
    /// When a package directory, a store or the root is missing or cannot be listed.
    pub(crate) fn open(list: &Directories) -> Result<Self, SandboxError> {
        let mut trees = Vec::with_capacity(list.packages.len() + list.stores.len());
        let kinds = [(false, &list.packages), (true, &list.stores)];
        for (is_store, path) in
            kinds.into_iter().flat_map(|(kind, paths)| paths.iter().map(move |path| (kind, path)))
        {
            trees.push(Tree::open(path, is_store)?);
        }
        let mut mounts = Vec::with_capacity(list.mounts.len());
        for path in &list.mounts {
            refuse_root(path)?;
            match open(path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty()) {
                Ok(held) => mounts.push((path.clone(), Some(held))),
                Err(Errno::ENOENT | Errno::ENOTDIR | Errno::EACCES) => mounts.push((path.clone(), None)),
                Err(errno) => return Err(SandboxError::at("open", path, errno)),
            }
        }
        let rootfs = match &list.rootfs {
            Some(path) => Some((path.clone(), open_directory(path)?)),
            None => None,
        };
        let directory = |path: &PathBuf| open_directory(&path.parent()?.canonicalize().ok()?).ok();
        let files = list.files.iter().map(|path| (path.clone(), directory(path))).collect();
        Ok(Self { trees, mounts, rootfs, files })
    }

    /// Opens the directory that a request names, below the listed one.
    ///
    /// # Errors
    /// [`SandboxError::Refused`] when it lies below no listed directory that may be shown so, is reached through a link,
    /// or is not the one that the worker saw there.
    pub(crate) fn find(&self, source: &Source, shown_as: Use) -> Result<OwnedFd, SandboxError> {
        let operation = match shown_as {
            Use::Attach(_) => "show a directory in a box",
            Use::View => "make a read-only view of a directory or file",
        };
        let path = &source.path;
        let refused = |problem: &str| SandboxError::Refused {
            operation,
            detail: format!("{}: {problem}", quoted(path)),
        };
        if !is_plain(path) {
            return Err(refused("give an absolute path without '..'"));
        }
        let allows =
            |tree: &&Tree| tree.location.is_some() || matches!(shown_as, Use::View | Use::Attach(PACKAGE));
        let mut found = Err(refused("it lies below none of the directories listed at the start"));
        for tree in self.trees.iter().filter(allows) {
            for below in tree.names.iter().filter_map(|name| path.strip_prefix(name).ok()) {
                match tree.open_below(below, shown_as) {
                    Ok(directory) => {
                        found = Ok(directory);
                        break;
                    }
                    Err(Errno::ELOOP | Errno::EXDEV) => {
                        found = Err(refused("it is reached through a link"));
                    }
                    Err(errno) => found = Err(SandboxError::at("open", path, errno)),
                }
            }
            if found.is_ok() {
                break;
            }
        }
        let directory = found?;
        refuse_kernel(&directory).map_err(|problem| refused(&problem))?;
        let status = fstat(&directory).map_err(|errno| SandboxError::at("examine", path, errno))?;
        let kind = SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT;
        if ![SFlag::S_IFDIR, SFlag::S_IFREG].contains(&kind) {
            return Err(refused("it is neither a directory nor a regular file"));
        }
        if (status.st_dev, status.st_ino) != (source.device, source.inode) {
            return Err(refused(
                "it is not the directory that the worker sees there; if a listed directory was replaced, start gavel again",
            ));
        }
        Ok(directory)
    }

    /// Opens stores again that were removed and recreated.
    pub(crate) fn reopen_stores(&mut self) {
        for tree in &mut self.trees {
            // A request that needs a missing store fails by itself.
            let _ = tree.reopen();
        }
    }

    /// Recreates a removed store that is or contains `path`, for its owner and `group`.
    ///
    /// # Errors
    /// [`SandboxError::Refused`] when no listed store is or contains `path`.
    pub(crate) fn restore(&mut self, path: &Path, group: u32) -> Result<(), SandboxError> {
        let is_it = |tree: &&mut Tree| {
            tree.location.is_some() && tree.names.iter().any(|name| path.starts_with(name))
        };
        match self.trees.iter_mut().find(is_it) {
            Some(tree) => tree.restore(group).map_err(|errno| SandboxError::at("recreate", path, errno)),
            None => {
                let detail = format!("{}: it is not in a store listed at the start", quoted(path));
                Err(SandboxError::Refused { operation: "recreate a store", detail })
            }
        }
    }

    /// Opens a listed file, resolving its name anew.
    ///
    /// # Errors
    /// [`SandboxError::Refused`] when it is not listed, is not a regular file, or a link leads out of its directory.
    pub(crate) fn file(&self, path: &Path) -> Result<OwnedFd, SandboxError> {
        let refused = |problem: &str| SandboxError::Refused {
            operation: "open a file",
            detail: format!("{}: {problem}", quoted(path)),
        };
        let listed = self.files.iter().find(|(name, _)| name == path);
        let Some((_, directory)) = listed else {
            return Err(refused("it is not listed as a file at the start"));
        };
        let (Some(directory), Some(name)) = (directory, path.file_name()) else {
            return Err(SandboxError::at("open", path, Errno::ENOENT));
        };
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let resolve = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS;
        let file = match openat2(directory, name, OpenHow::new().flags(flags).resolve(resolve)) {
            Ok(file) => file,
            Err(Errno::EXDEV | Errno::ELOOP) => return Err(refused("a link leads out of its directory")),
            Err(errno) => return Err(SandboxError::at("open", path, errno)),
        };
        let metadata = metadata(&file).map_err(|error| SandboxError::at("examine", path, error))?;
        if metadata.is_file() { Ok(file) } else { Err(refused("it is not a regular file")) }
    }

    /// Returns the existing mounts of a shape, with their descriptors.
    ///
    /// # Errors
    /// [`SandboxError::Refused`] when one is not in the list.
    pub(crate) fn mounts<'a>(
        &'a self,
        shape: &'a Shape,
    ) -> Result<Vec<(&'a Path, &'a OwnedFd)>, SandboxError> {
        let mut found = Vec::with_capacity(shape.mounts.len());
        for path in &shape.mounts {
            match self.mounts.iter().find(|(name, _)| name == path) {
                Some((name, Some(held))) => found.push((name.as_path(), held)),
                Some((_, None)) => {}
                None => return Err(unlisted_in_shape(path, "mount")),
            }
        }
        Ok(found)
    }

    /// Returns the root of a shape, where it names one.
    ///
    /// # Errors
    /// [`SandboxError::Refused`] when it is not the listed one.
    pub(crate) fn rootfs(&self, shape: &Shape) -> Result<Option<(&Path, &OwnedFd)>, SandboxError> {
        match (&shape.rootfs, &self.rootfs) {
            (None, _) => Ok(None),
            (Some(path), Some((name, held))) if path == name => Ok(Some((name, held))),
            (Some(path), _) => Err(unlisted_in_shape(path, "root")),
        }
    }
}

impl Tree {
    fn open(path: &Path, is_store: bool) -> Result<Self, SandboxError> {
        let resolved = path.canonicalize().map_err(|error| SandboxError::at("find", path, error))?;
        refuse_root(&resolved)?;
        let directory = open_directory(path)?;
        refuse_kernel(&directory)
            .map_err(|problem| SandboxError::at("list", path, io::Error::other(problem)))?;
        let location = match (resolved.parent(), resolved.file_name()) {
            (Some(parent), Some(name)) if is_store => {
                let status = fstat(&directory).map_err(|errno| SandboxError::at("examine", path, errno))?;
                Some(Location {
                    parent: open_directory(parent)?,
                    name: name.to_owned(),
                    owner: status.st_uid,
                })
            }
            _ => None,
        };
        Ok(Self { names: [path.to_owned(), resolved], location, directory })
    }

    /// Opens a removed store again, if a directory of the same owner now has its name.
    fn reopen(&mut self) -> Result<(), Errno> {
        let Some(location) = &self.location else { return Ok(()) };
        if fstat(&self.directory)?.st_nlink > 0 {
            return Ok(());
        }
        let how =
            OpenHow::new().flags(OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC).resolve(beneath());
        let made = openat2(&location.parent, location.name.as_os_str(), how)?;
        let status = fstat(&made)?;
        if status.st_uid != location.owner || status.st_mode & 0o022 != 0 {
            return Err(Errno::EPERM);
        }
        self.directory = made;
        Ok(())
    }

    /// Recreates the store if it was removed.
    fn restore(&mut self, group: u32) -> Result<(), Errno> {
        let Some(location) = &self.location else { return Ok(()) };
        if fstat(&self.directory)?.st_nlink > 0 {
            return Ok(());
        }
        match mkdirat(&location.parent, location.name.as_os_str(), Mode::S_IRWXU) {
            Ok(()) => {
                let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
                let how = OpenHow::new().flags(flags).resolve(beneath());
                let made = openat2(&location.parent, location.name.as_os_str(), how)?;
                fchown(&made, Some(Uid::from_raw(location.owner)), Some(Gid::from_raw(group)))?;
            }
            Err(Errno::EEXIST) => {}
            Err(errno) => return Err(errno),
        }
        self.reopen()
    }

    fn open_below(&self, below: &Path, shown_as: Use) -> Result<OwnedFd, Errno> {
        let kind = if shown_as == Use::View { OFlag::empty() } else { OFlag::O_DIRECTORY };
        let how = OpenHow::new().flags(OFlag::O_PATH | OFlag::O_CLOEXEC | kind).resolve(beneath());
        let below = if below.as_os_str().is_empty() { Path::new(".") } else { below };
        openat2(&self.directory, below, how)
    }
}

/// Returns the restrictions for resolving a path below a listed directory.
pub(crate) fn beneath() -> ResolveFlag {
    ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_NO_MAGICLINKS
}

/// Quotes a path for an error: on one line and of a bounded length, for any bytes in a message.
pub(crate) fn quoted(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().chars().flat_map(char::escape_debug).take(300).collect::<String>())
}

fn is_plain(path: &Path) -> bool {
    path.is_absolute()
        && path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)))
}

fn unlisted_in_shape(path: &Path, what: &str) -> SandboxError {
    let detail = format!("{}: it is not listed as a {what} at the start", quoted(path));
    SandboxError::Refused { operation: "make a box", detail }
}

fn open_directory(path: &Path) -> Result<OwnedFd, SandboxError> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    open(path, flags, Mode::empty()).map_err(|errno| SandboxError::at("open", path, errno))
}

fn refuse_root(path: &Path) -> Result<(), SandboxError> {
    if path == Path::new("/") || !path.is_absolute() {
        let problem = io::Error::other("give an absolute path that is not '/'");
        return Err(SandboxError::at("list", path, problem));
    }
    Ok(())
}

fn refuse_kernel(directory: &OwnedFd) -> Result<(), String> {
    let kind = fstatfs(directory.as_fd()).map_err(|errno| errno.to_string())?.filesystem_type();
    if KERNEL_FILE_SYSTEMS.contains(&kind) {
        return Err("it is part of one of the kernel's own file systems".to_owned());
    }
    Ok(())
}

/// Lists the entries of a directory with an O_PATH descriptor.
pub(crate) fn entries(directory: &OwnedFd) -> io::Result<Vec<OsString>> {
    use std::os::unix::ffi::OsStrExt;
    let how =
        OpenHow::new().flags(OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC).resolve(beneath());
    let mut listing = nix::dir::Dir::from_fd(openat2(directory, ".", how)?)?;
    let mut names = Vec::new();
    for entry in listing.iter() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(std::ffi::OsStr::from_bytes(name).to_owned());
        }
    }
    Ok(names)
}

/// Returns the metadata of a descriptor's file, which may be an O_PATH descriptor.
pub(crate) fn metadata(held: &OwnedFd) -> io::Result<std::fs::Metadata> {
    File::from(held.try_clone()?).metadata()
}
