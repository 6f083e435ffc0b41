//! The host directories that a keeper may show: opened when it starts, fixed until it ends.
//!
//! The worker reads messages from the network, so the keeper does not take its word for a path. A request names a
//! path below one of these directories, and the keeper resolves the rest itself from the descriptor it opened at the
//! start (openat2(2) with RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS and RESOLVE_NO_MAGICLINKS). It mounts what that
//! descriptor refers to and never resolves the path again, so a directory that is exchanged for a link between check and
//! mount changes nothing.
//!
//! Everything is shown read-only, and programs keep to the permissions of the files. A hard link in a listed directory
//! shows its file: the kernel lets users link only files of their own (`fs.protected_hardlinks`). File systems mounted
//! below a listed directory belong to it, except those of the kernel. A store that is removed may be made again, in the
//! same place and by the same owner: it is found by the held descriptor of the directory it is in.

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

use super::{PACKAGE, SandboxError, Shape};

/// Paths a list can hold.
const MOST: usize = 65_536;

/// File systems through which the kernel shows itself; none is part of a directory of the operator's.
const KERNEL_FILE_SYSTEMS: &[FsType] = &[
    PROC_SUPER_MAGIC,
    SYSFS_MAGIC,
    CGROUP_SUPER_MAGIC,
    CGROUP2_SUPER_MAGIC,
    DEBUGFS_MAGIC,
    TRACEFS_MAGIC,
    SECURITYFS_MAGIC,
];

/// The directories a sandbox may show in its boxes. All of them are shown read-only.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Directories {
    /// Problem packages, or directories of them: anything below is shown at [`PACKAGE`] or as a view.
    pub packages: Vec<PathBuf>,
    /// Stores of gavel's own, such as the cache: anything below is shown at any attach point or as a view.
    pub stores: Vec<PathBuf>,
    /// Files and directories shown at the same path inside ([`Shape::mounts`]). Those missing at the start are skipped.
    pub mounts: Vec<PathBuf>,
    /// A directory shown as `/` ([`Shape::rootfs`]).
    pub rootfs: Option<PathBuf>,
    /// Files that the worker reads again and again, such as one with a password, and only root may. Each is opened in the
    /// directory it was in at the start; links in it may not lead out.
    pub files: Vec<PathBuf>,
}

impl Directories {
    /// The same list with absolute paths.
    pub(super) fn absolute(mut self) -> Result<Self, SandboxError> {
        for path in self.packages.iter_mut().chain(&mut self.stores).chain(&mut self.files) {
            *path = absolute(path)?;
        }
        Ok(self)
    }

    /// The same list in parts of at most `count` paths, each small enough for a message.
    pub(super) fn in_parts(&self, count: usize) -> Vec<Self> {
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

    /// Adds a part.
    pub(super) fn extend(&mut self, part: Self) -> Result<(), String> {
        self.packages.extend(part.packages);
        self.stores.extend(part.stores);
        self.mounts.extend(part.mounts);
        self.files.extend(part.files);
        self.rootfs = part.rootfs.or(self.rootfs.take());
        let count = self.packages.len() + self.stores.len() + self.mounts.len() + self.files.len();
        if count > MOST { Err(format!("{count} directories; at most {MOST} can be listed")) } else { Ok(()) }
    }
}

/// A directory, or a file to view, as a request names it: by path, and by what the worker found there.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) device: u64,
    pub(super) inode: u64,
}

impl Source {
    /// The directory at a path as this process sees it.
    pub(super) fn of(path: &Path) -> Result<Self, SandboxError> {
        let status = stat(path).map_err(|errno| SandboxError::at("examine", path, errno))?;
        Ok(Self { path: absolute(path)?, device: status.st_dev, inode: status.st_ino })
    }
}

/// A path of this process's for the keeper, whose working directory is another.
fn absolute(path: &Path) -> Result<PathBuf, SandboxError> {
    std::path::absolute(path).map_err(|error| SandboxError::at("find", path, error))
}

/// What a directory is to be shown as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// At an attach point, such as [`super::PROGRAM`].
    Attach(&'static str),
    /// As a view for the worker.
    View,
}

/// The list as the keeper holds it.
#[derive(Debug)]
pub(super) struct Listed {
    trees: Vec<Tree>,
    /// None for those that were missing at the start.
    mounts: Vec<(PathBuf, Option<OwnedFd>)>,
    rootfs: Option<(PathBuf, OwnedFd)>,
    /// With the directory that each is in; none where there was no such directory.
    files: Vec<(PathBuf, Option<OwnedFd>)>,
}

#[derive(Debug)]
struct Tree {
    /// As it was given, and without links.
    names: [PathBuf; 2],
    /// Of a store: where it is, for when it is removed and made again.
    place: Option<Place>,
    directory: OwnedFd,
}

#[derive(Debug)]
struct Place {
    parent: OwnedFd,
    name: OsString,
    /// Its owner.
    owner: u32,
}

impl Listed {
    /// Opens every directory of the list, following links this once: the operator named them.
    ///
    /// # Errors
    /// When a package directory, a store or the root is missing or cannot be listed.
    pub(super) fn open(list: &Directories) -> Result<Self, SandboxError> {
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

    /// The directory a request names, opened below the listed one.
    ///
    /// # Errors
    /// [`SandboxError::Refused`] when it lies below no listed directory that may be shown so, is reached through a link,
    /// or is not the one the worker found there.
    pub(super) fn find(&self, source: &Source, shown_as: Use) -> Result<OwnedFd, SandboxError> {
        let operation = match shown_as {
            Use::Attach(_) => "show a directory in a box",
            Use::View => "make a read-only view of a directory or file",
        };
        let path = &source.path;
        let refused = |problem: &str| SandboxError::Refused {
            operation,
            detail: format!("{}: {problem}", named(path)),
        };
        if !is_plain(path) {
            return Err(refused("give an absolute path without '..'"));
        }
        let allows =
            |tree: &&Tree| tree.place.is_some() || matches!(shown_as, Use::View | Use::Attach(PACKAGE));
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

    /// Takes note of stores that were removed and made again.
    pub(super) fn look_again(&mut self) {
        for tree in &mut self.trees {
            // What is not there is found missing by whoever needs it.
            let _ = tree.hold_again();
        }
    }

    /// Makes a store again that was removed and is or contains `path`, for its owner and that group.
    ///
    /// # Errors
    /// [`SandboxError::Refused`] when no store is there or above.
    pub(super) fn restore(&mut self, path: &Path, group: u32) -> Result<(), SandboxError> {
        let is_it =
            |tree: &&mut Tree| tree.place.is_some() && tree.names.iter().any(|name| path.starts_with(name));
        match self.trees.iter_mut().find(is_it) {
            Some(tree) => tree.restore(group).map_err(|errno| SandboxError::at("make again", path, errno)),
            None => {
                let detail = format!("{}: it is not in a store listed at the start", named(path));
                Err(SandboxError::Refused { operation: "make a store again", detail })
            }
        }
    }

    /// Opens a listed file as it is now.
    ///
    /// # Errors
    /// [`SandboxError::Refused`] when it is not listed, is not a regular file, or a link leads out of its directory.
    pub(super) fn file(&self, path: &Path) -> Result<OwnedFd, SandboxError> {
        let refused = |problem: &str| SandboxError::Refused {
            operation: "open a file",
            detail: format!("{}: {problem}", named(path)),
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

    /// The mounts of a shape that exist, with their descriptors.
    ///
    /// # Errors
    /// [`SandboxError::Refused`] when one is not in the list.
    pub(super) fn mounts<'a>(
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

    /// The root of a shape, where it names one.
    ///
    /// # Errors
    /// [`SandboxError::Refused`] when it is not the listed one.
    pub(super) fn rootfs(&self, shape: &Shape) -> Result<Option<(&Path, &OwnedFd)>, SandboxError> {
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
        let place = match (resolved.parent(), resolved.file_name()) {
            (Some(parent), Some(name)) if is_store => {
                let status = fstat(&directory).map_err(|errno| SandboxError::at("examine", path, errno))?;
                Some(Place { parent: open_directory(parent)?, name: name.to_owned(), owner: status.st_uid })
            }
            _ => None,
        };
        Ok(Self { names: [path.to_owned(), resolved], place, directory })
    }

    /// Holds a store that was made again, where the held one was removed: a directory of the same owner in the same place.
    fn hold_again(&mut self) -> Result<(), Errno> {
        let Some(place) = &self.place else { return Ok(()) };
        if fstat(&self.directory)?.st_nlink > 0 {
            return Ok(());
        }
        let how =
            OpenHow::new().flags(OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC).resolve(beneath());
        let made = openat2(&place.parent, place.name.as_os_str(), how)?;
        let status = fstat(&made)?;
        if status.st_uid != place.owner || status.st_mode & 0o022 != 0 {
            return Err(Errno::EPERM);
        }
        self.directory = made;
        Ok(())
    }

    /// Makes a store again that was removed.
    fn restore(&mut self, group: u32) -> Result<(), Errno> {
        let Some(place) = &self.place else { return Ok(()) };
        if fstat(&self.directory)?.st_nlink > 0 {
            return Ok(());
        }
        match mkdirat(&place.parent, place.name.as_os_str(), Mode::S_IRWXU) {
            Ok(()) => {
                let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
                let how = OpenHow::new().flags(flags).resolve(beneath());
                let made = openat2(&place.parent, place.name.as_os_str(), how)?;
                fchown(&made, Some(Uid::from_raw(place.owner)), Some(Gid::from_raw(group)))?;
            }
            Err(Errno::EEXIST) => {}
            Err(errno) => return Err(errno),
        }
        self.hold_again()
    }

    fn open_below(&self, below: &Path, shown_as: Use) -> Result<OwnedFd, Errno> {
        let kind = if shown_as == Use::View { OFlag::empty() } else { OFlag::O_DIRECTORY };
        let how = OpenHow::new().flags(OFlag::O_PATH | OFlag::O_CLOEXEC | kind).resolve(beneath());
        let below = if below.as_os_str().is_empty() { Path::new(".") } else { below };
        openat2(&self.directory, below, how)
    }
}

/// How anything below a listed directory is resolved.
pub(super) fn beneath() -> ResolveFlag {
    ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_NO_MAGICLINKS
}

/// A path as an error names it: on one line and of a bounded length, whatever a message contains.
pub(super) fn named(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().chars().flat_map(char::escape_debug).take(300).collect::<String>())
}

fn is_plain(path: &Path) -> bool {
    path.is_absolute()
        && path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)))
}

fn unlisted_in_shape(path: &Path, what: &str) -> SandboxError {
    let detail = format!("{}: it is not listed as a {what} at the start", named(path));
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
        return Err("it is part of a file system of the kernel's".to_owned());
    }
    Ok(())
}

/// The entries of a directory that is held by an O_PATH descriptor.
pub(super) fn entries(directory: &OwnedFd) -> io::Result<Vec<OsString>> {
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

/// The metadata of what a descriptor refers to, an O_PATH one too.
pub(super) fn metadata(held: &OwnedFd) -> io::Result<std::fs::Metadata> {
    File::from(held.try_clone()?).metadata()
}
