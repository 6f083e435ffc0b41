//! The file tree of a box: a read-only tmpfs with read-only binds of the host's directories, a few devices and
//! one capped writable place.
//!
//! The keeper clones the host's mounts (open_tree) before anything is covered, since it may read directories that box
//! init may not: the system directories by path, what a shape names from the descriptors of its list. Box init builds
//! the tree from the clones in its own mount namespace, before it gives up its privileges. What is not named does not
//! exist inside: no `/home`, no `/root`, no `/sys`, no host `/etc` beyond the loader's files.

use std::ffi::{CString, OsStr};
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, open, openat2, readlinkat};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::{Mode, UtimensatFlags, lstat, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::{chdir, chroot, fchdir, pivot_root};

use super::directories::{self, Listed};
use super::shape::{BASE_MOUNTS, CHANNELS, OWN, PACKAGE, PREPARED, PROGRAM, Shape, WORKSPACE};
use super::{SandboxError, syscalls};

/// Directories of the host that can serve as the staging place of the new root; covered in the box's own mount
/// namespace only.
const STAGING: &[&str] = &["/tmp", "/run", "/mnt", "/proc"];

/// Devices that give nothing away (full(4), null(4), random(4)).
const DEVICES: &[&str] = &["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

/// Attributes of everything that is shown of the host.
const SHOWN: u64 = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;

/// The time of last access and modification of every file of a box's own: 1 January 2000. The real ones would tell
/// programs when the box was made.
const OWN_TIME: TimeSpec = TimeSpec::new(946_684_800, 0);

/// Something of the host to be shown at `target`.
#[derive(Debug)]
pub(super) struct Shown {
    target: PathBuf,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// A link of the host's, made again: `/bin -> usr/bin`.
    Link(PathBuf),
    Directory(OwnedFd),
    File(OwnedFd),
}

impl Shown {
    /// The detached mount, where it is one.
    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        match &self.kind {
            Kind::Link(_) => None,
            Kind::Directory(tree) | Kind::File(tree) => Some(tree.as_fd()),
        }
    }
}

/// Detached mounts of everything of the host that a box shows.
pub(super) struct Sources {
    shown: Vec<Shown>,
    devices: Vec<(&'static str, OwnedFd)>,
}

impl Sources {
    /// Clones them out of the caller's mount namespace; `listed` is what [`of_shape`] has opened.
    pub(super) fn open(shape: &Shape, listed: Vec<Shown>) -> Result<Self, SandboxError> {
        let mut shown = if shape.rootfs.is_none() { base()? } else { Vec::new() };
        shown.extend(listed);
        let devices = DEVICES
            .iter()
            .filter(|path| Path::new(path).exists())
            .map(|path| {
                let device = clone_mount(Path::new(path))?;
                // Read-only does not keep programs from writing to the device, only from changing the host's inode:
                // its times would be a channel between boxes.
                let attributes = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NOEXEC;
                syscalls::restrict_mount(device.as_fd(), attributes, false)
                    .map_err(|error| SandboxError::at("restrict", *path, error))?;
                Ok((*path, device))
            })
            .collect::<Result<_, SandboxError>>()?;
        Ok(Self { shown, devices })
    }

    /// Their descriptors.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let shown = self.shown.iter().filter_map(Shown::descriptor);
        shown.chain(self.devices.iter().map(|(_, device)| device.as_fd()))
    }
}

/// Builds the tree, all but the work directory, and makes it the root.
pub(super) fn enter(sources: Sources, shape: &Shape) -> Result<(), SandboxError> {
    let flags = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, flags, None::<&str>)
        .map_err(|errno| SandboxError::at("make private", "/", errno))?;
    let root = staging_place()?;
    mount(
        Some("tmpfs"),
        root,
        Some("tmpfs"),
        MsFlags::MS_NOSUID | MsFlags::MS_NODEV,
        Some("size=1m,mode=755"),
    )
    .map_err(|errno| SandboxError::at("mount a tmpfs on", root, errno))?;
    for source in sources.shown {
        place(root, &source)?;
    }
    make_own_files(root, shape)?;
    for (path, device) in sources.devices {
        let target = below(root, Path::new(path));
        fs::write(&target, b"").map_err(|error| SandboxError::at("make", target.clone(), error))?;
        attach(&device, &target)?;
    }
    match mount_proc(&below(root, Path::new("/proc"))) {
        // Containers often hide parts of /proc, and then the kernel gives no other to a user namespace (doctor says
        // so). Programs that can do without get a box without.
        Err(Errno::EPERM) if !shape.proc => {}
        mounted => mounted.map_err(|errno| SandboxError::at("mount procfs on", "/proc of the box", errno))?,
    }
    set_times(root, lstat(root).map_err(|errno| SandboxError::at("examine", root, errno))?.st_dev)?;
    chdir(root).map_err(|errno| SandboxError::at("enter", root, errno))?;
    pivot_root(".", ".").map_err(|errno| SandboxError::at("make the root of", root, errno))?;
    umount2(".", MntFlags::MNT_DETACH)
        .map_err(|errno| SandboxError::at("detach", "the host's root", errno))?;
    chdir("/").map_err(|errno| SandboxError::at("enter", "/", errno))?;
    let flags =
        MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(None::<&str>, "/", None::<&str>, flags, None::<&str>)
        .map_err(|errno| SandboxError::at("make read-only", "/", errno))
}

/// A work directory: a tmpfs of its own. Sticky and owned by `owner` (a uid as seen here), which must not be the
/// programs' where there is a choice, so that they can use but not change it; `noatime`, so that reading it leaves no
/// trace.
pub(super) fn mount_workspace(target: &Path, shape: &Shape, owner: u32) -> Result<(), SandboxError> {
    let options = format!(
        "size={},nr_inodes={},mode=1777,uid={owner},gid={owner}",
        shape.workspace.0, shape.workspace_inodes
    );
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOATIME;
    mount(Some("tmpfs"), target, Some("tmpfs"), flags, Some(options.as_str()))
        .map_err(|errno| SandboxError::at("mount a tmpfs on", target, errno))?;
    set_own_time(target)
}

fn set_own_time(path: &Path) -> Result<(), SandboxError> {
    utimensat(AT_FDCWD, path, &OWN_TIME, &OWN_TIME, UtimensatFlags::NoFollowSymlink)
        .map_err(|errno| SandboxError::at("set the times of", path, errno))
}

/// Sets the times of `path` and of everything below it on the file system `device`.
fn set_times(path: &Path, device: u64) -> Result<(), SandboxError> {
    let status = lstat(path).map_err(|errno| SandboxError::at("examine", path, errno))?;
    if status.st_dev != device {
        return Ok(());
    }
    if status.st_mode & libc::S_IFMT == libc::S_IFDIR {
        let failed = |error| SandboxError::at("read", path, error);
        for entry in fs::read_dir(path).map_err(failed)? {
            set_times(&entry.map_err(failed)?.path(), device)?;
        }
    }
    // Last: reading a directory sets its time of access.
    set_own_time(path)
}

/// A detached, read-only copy of the mount tree at an open descriptor, to be attached in a box.
pub(super) fn shown(held: &OwnedFd, path: &Path) -> Result<OwnedFd, SandboxError> {
    let tree = syscalls::clone_mount_of(held.as_fd())
        .map_err(|error| SandboxError::at("clone the mount of", path, error))?;
    restrict(tree, path)
}

fn restrict(tree: OwnedFd, path: &Path) -> Result<OwnedFd, SandboxError> {
    syscalls::restrict_mount(tree.as_fd(), SHOWN, true)
        .map_err(|error| SandboxError::at("make read-only", path, error))?;
    Ok(tree)
}

/// Attaches a detached mount.
pub(super) fn attach(tree: &OwnedFd, target: &Path) -> Result<(), SandboxError> {
    let path = c_path(target)?;
    syscalls::attach_mount(tree.as_fd(), &path)
        .map_err(|error| SandboxError::at("attach a mount at", target, error))
}

pub(super) fn clone_mount(path: &Path) -> Result<OwnedFd, SandboxError> {
    syscalls::clone_mount(&c_path(path)?).map_err(|error| SandboxError::at("clone the mount of", path, error))
}

fn c_path(path: &Path) -> Result<CString, SandboxError> {
    CString::new(path.as_os_str().as_bytes())
        .map_err(|error| SandboxError::at("use", path, io::Error::other(error)))
}

/// `/x` below the staging place.
fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

fn staging_place() -> Result<&'static Path, SandboxError> {
    STAGING.iter().map(Path::new).find(|path| path.is_dir()).ok_or_else(|| SandboxError::Host {
        missing: format!("a directory to build roots on ({})", STAGING.join(", ")),
        remedy: "make an empty /tmp".to_owned(),
    })
}

/// Opens what a shape names, in the keeper: the descriptors of its list belong to the keeper's mounts, which can be
/// cloned there only.
pub(super) fn of_shape(shape: &Shape, listed: &Listed) -> Result<Vec<Shown>, SandboxError> {
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

/// An entry of a box's root.
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
    // An empty path reads the link that the descriptor itself refers to (readlinkat(2)).
    match readlinkat(&held, "") {
        Ok(link) => Ok(Some(Shown { target, kind: Kind::Link(link.into()) })),
        Err(_) => opened(&held, &target.clone(), target),
    }
}

/// What a descriptor refers to; `None` when it is neither file nor directory.
fn opened(held: &OwnedFd, path: &Path, target: PathBuf) -> Result<Option<Shown>, SandboxError> {
    let metadata = directories::metadata(held).map_err(|error| SandboxError::at("examine", path, error))?;
    let kind = if metadata.is_dir() {
        Kind::Directory(shown(held, path)?)
    } else if metadata.is_file() {
        Kind::File(shown(held, path)?)
    } else {
        return Ok(None);
    };
    Ok(Some(Shown { target, kind }))
}

/// Opens the host's system directories.
fn base() -> Result<Vec<Shown>, SandboxError> {
    let mut sources = Vec::new();
    for path in BASE_MOUNTS.iter().map(Path::new) {
        sources.extend(source(path, path.to_owned())?);
    }
    Ok(sources)
}

/// One host path, opened; `None` when it does not exist or is neither file, directory nor link.
fn source(path: &Path, target: PathBuf) -> Result<Option<Shown>, SandboxError> {
    let Ok(metadata) = fs::symlink_metadata(path) else { return Ok(None) };
    let kind = if metadata.is_symlink() {
        Kind::Link(fs::read_link(path).map_err(|error| SandboxError::at("read the link", path, error))?)
    } else if metadata.is_dir() {
        Kind::Directory(restrict(clone_mount(path)?, path)?)
    } else if metadata.is_file() {
        Kind::File(restrict(clone_mount(path)?, path)?)
    } else {
        return Ok(None);
    };
    Ok(Some(Shown { target, kind }))
}

/// Puts one source into the new tree.
fn place(root: &Path, source: &Shown) -> Result<(), SandboxError> {
    let target = below(root, &source.target);
    let failed = |error| SandboxError::at("make", target.clone(), error);
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    match &source.kind {
        Kind::Link(_) if target.symlink_metadata().is_ok() => Ok(()),
        Kind::Link(link) => symlink(link, &target).map_err(failed),
        Kind::Directory(tree) => {
            fs::create_dir_all(&target).map_err(failed)?;
            attach(tree, &target)
        }
        Kind::File(tree) => {
            if !target.exists() {
                fs::write(&target, b"").map_err(failed)?;
            }
            attach(tree, &target)
        }
    }
}

/// Directories, links and files of gavel's own.
fn make_own_files(root: &Path, shape: &Shape) -> Result<(), SandboxError> {
    for path in ["/dev", "/etc", "/proc", WORKSPACE, PROGRAM, PREPARED, PACKAGE, CHANNELS] {
        let target = below(root, Path::new(path));
        fs::create_dir_all(&target).map_err(|error| SandboxError::at("make", target, error))?;
    }
    let links = [
        ("/tmp", "w"),
        // Shared memory and named semaphores (shm_open(3), sem_open(3)): capped, counted and renewed with the rest.
        ("/dev/shm", "../w"),
        ("/dev/fd", "../proc/self/fd"),
        ("/dev/stdin", "../proc/self/fd/0"),
        ("/dev/stdout", "../proc/self/fd/1"),
        ("/dev/stderr", "../proc/self/fd/2"),
    ];
    for (path, link) in links {
        let target = below(root, Path::new(path));
        symlink(link, &target).map_err(|error| SandboxError::at("link", target, error))?;
    }
    if shape.rootfs.is_none() {
        // Runtimes look their user up (getpwuid(3)); these two lines are all there is to find.
        for (path, text) in [
            ("/etc/passwd", "root:x:0:0::/:/bin/sh\nbox:x:1000:1000::/w:/bin/sh\n"),
            ("/etc/group", "root:x:0:\nbox:x:1000:\n"),
            ("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n"),
            ("/etc/hosts", "127.0.0.1 localhost\n"),
        ] {
            let target = below(root, Path::new(path));
            fs::write(&target, text).map_err(|error| SandboxError::at("write", target, error))?;
        }
    }
    Ok(())
}

/// A procfs of the box's own PID namespace that shows programs their own processes and nothing else
/// (proc(5), "subset" and "hidepid"). Read-only: `clear_refs` would reset the memory peak of a process.
fn mount_proc(target: &Path) -> nix::Result<()> {
    let flags = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), target, Some("proc"), flags, Some("subset=pid,hidepid=2"))
}

/// Leaves the box's mount namespace, which the keeper holds on to, for an empty one, and keeps the box's tree as the
/// root directory. `/proc/self/mountinfo` lists the mounts of a process's namespace below its root directory
/// (proc(5)): now none, where it told of the host's disks and directories.
pub(super) fn hide_mounts() -> Result<(), SandboxError> {
    let failed = |operation| move |errno| SandboxError::at(operation, "an empty mount namespace", errno);
    let tree = open("/", OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
        .map_err(|errno| SandboxError::at("open", "/", errno))?;
    unshare(CloneFlags::CLONE_NEWNS).map_err(failed("make"))?;
    // A copy of everything, made before what is mounted here; it goes as a whole.
    mount(Some("tmpfs"), WORKSPACE, Some("tmpfs"), MsFlags::MS_RDONLY, Some("size=4k,nr_inodes=1"))
        .map_err(failed("mount the root of"))?;
    chdir(WORKSPACE).map_err(failed("enter"))?;
    pivot_root(".", ".").map_err(failed("make the root of"))?;
    umount2(".", MntFlags::MNT_DETACH).map_err(failed("detach the old mounts from"))?;
    fchdir(&tree).map_err(|errno| SandboxError::at("come back to", "/", errno))?;
    chroot(".").map_err(|errno| SandboxError::at("come back to", "/", errno))
}
