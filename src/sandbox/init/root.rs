//! Builds the file tree of a box: a read-only tmpfs with read-only mounts of the host's directories, a few devices and
//! one capped writable directory.
//!
//! The keeper clones the host's mounts before anything is covered, since it may read directories that box init may not.
//! Box init builds the tree from these clones in its own mount namespace, before it gives up its privileges. A path that
//! is not named does not exist inside: no `/home`, no `/root`, no `/sys`, no host `/etc` beyond the loader's files.

use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, open};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::{Mode, UtimensatFlags, lstat, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::{chdir, chroot, fchdir, pivot_root};

use crate::sandbox::error::SandboxError;
use crate::sandbox::shape::{CHANNELS, PACKAGE, PREPARED, PROGRAM, Shape, WORKSPACE};
use crate::sandbox::sys::mounts;

/// Directories of the host on which the new root can be built; covered in the box's own mount namespace only.
const STAGING: &[&str] = &["/tmp", "/run", "/mnt", "/proc"];

/// The time of last access and modification of every file of a box's own: 1 January 2000. The real ones would tell
/// programs when the box was created.
const OWN_TIME: TimeSpec = TimeSpec::new(946_684_800, 0);

/// Detached mounts of everything of the host that a box shows, cloned by the keeper.
#[derive(Debug)]
pub(crate) struct Sources {
    /// Files, directories and links.
    pub shown: Vec<Shown>,
    /// Device files with their paths.
    pub devices: Vec<(&'static str, OwnedFd)>,
}

/// A part of the host to be shown at `target`.
#[derive(Debug)]
pub(crate) struct Shown {
    /// Its path inside the box.
    pub target: PathBuf,
    /// How it is shown.
    pub kind: Kind,
}

/// How a part of the host is shown.
#[derive(Debug)]
pub(crate) enum Kind {
    /// Recreates a link of the host: `/bin -> usr/bin`.
    Link(PathBuf),
    /// Attaches the mount of a directory.
    Directory(OwnedFd),
    /// Attaches the mount of a file.
    File(OwnedFd),
}

impl Sources {
    /// Returns the descriptors of all mounts.
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let shown = self.shown.iter().filter_map(|shown| match &shown.kind {
            Kind::Link(_) => None,
            Kind::Directory(tree) | Kind::File(tree) => Some(tree.as_fd()),
        });
        shown.chain(self.devices.iter().map(|(_, device)| device.as_fd()))
    }
}

/// Builds the tree without the work directory, and makes it the root.
pub(crate) fn enter(sources: Sources, shape: &Shape) -> Result<(), SandboxError> {
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
        mounts::attach(&device, &target)?;
    }
    match mount_proc(&below(root, Path::new("/proc"))) {
        // Containers often hide parts of /proc, and then the kernel refuses a new one to a user namespace (`doctor`
        // reports it). Boxes that do not need /proc go without.
        Err(Errno::EPERM) if !shape.proc => {}
        mounted => mounted.map_err(|errno| SandboxError::at("mount procfs on", "/proc of the box", errno))?,
    }
    set_times(root, lstat(root).map_err(|errno| SandboxError::at("examine", root, errno))?.st_dev)?;
    make_root(root)
}

/// Makes the finished tree the root of this mount namespace, and read-only.
fn make_root(root: &Path) -> Result<(), SandboxError> {
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

/// Returns the path of the tree under construction that will be `path` inside the box.
fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

fn staging_place() -> Result<&'static Path, SandboxError> {
    STAGING.iter().map(Path::new).find(|path| path.is_dir()).ok_or_else(|| SandboxError::Host {
        missing: format!("a directory to build roots on ({})", STAGING.join(", ")),
        remedy: "make an empty /tmp".to_owned(),
    })
}

/// Adds one source to the tree.
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
            mounts::attach(tree, &target)
        }
        Kind::File(tree) => {
            if !target.exists() {
                fs::write(&target, b"").map_err(failed)?;
            }
            mounts::attach(tree, &target)
        }
    }
}

/// Sets the times of a file of the box's own to a fixed moment.
pub(crate) fn set_own_time(path: &Path) -> Result<(), SandboxError> {
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
    // Last, since reading a directory sets its time of access.
    set_own_time(path)
}

/// Creates the directories, links and files that do not come from the host.
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
        // Runtimes look up their user (getpwuid(3)).
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

/// Mounts a procfs of the box's own PID namespace that shows programs only their own processes (proc(5), "subset" and
/// "hidepid"). Read-only, since `clear_refs` would reset the memory peak of a process.
fn mount_proc(target: &Path) -> nix::Result<()> {
    let flags = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), target, Some("proc"), flags, Some("subset=pid,hidepid=2"))
}

/// Leaves the box's mount namespace, which the keeper holds open, for an empty one, and keeps the box's tree as the root
/// directory. `/proc/self/mountinfo` lists the mounts of a process's namespace below its root directory (proc(5)): now
/// none, where it would show the host's disks and directories.
pub(crate) fn hide_mounts() -> Result<(), SandboxError> {
    let failed = |operation| move |errno| SandboxError::at(operation, "an empty mount namespace", errno);
    let tree = open("/", OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
        .map_err(|errno| SandboxError::at("open", "/", errno))?;
    unshare(CloneFlags::CLONE_NEWNS).map_err(failed("make"))?;
    // The new namespace is a copy of the old mounts. They are detached as a whole, under a new empty root.
    mount(Some("tmpfs"), WORKSPACE, Some("tmpfs"), MsFlags::MS_RDONLY, Some("size=4k,nr_inodes=1"))
        .map_err(failed("mount the root of"))?;
    chdir(WORKSPACE).map_err(failed("enter"))?;
    pivot_root(".", ".").map_err(failed("make the root of"))?;
    umount2(".", MntFlags::MNT_DETACH).map_err(failed("detach the old mounts from"))?;
    fchdir(&tree).map_err(|errno| SandboxError::at("return to", "/", errno))?;
    chroot(".").map_err(|errno| SandboxError::at("return to", "/", errno))
}
