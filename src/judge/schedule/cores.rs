//! Leases cores host-wide, so that two gavel processes never measure programs on the same core.
//!
//! A lease is an exclusive flock(2) on the core's file in one directory that all users of the host share. The kernel
//! gives it up with the process that holds it, however that dies; the descriptor is close-on-exec, so neither the box
//! keeper nor a program inherits it. Whole physical cores are leased before a second hardware thread of a core in use.
//!
//! The directory is world-writable and sticky, like `/tmp`. Another user can hold locks in it or hold files back; then
//! this process gets fewer cores and says so, and nothing else follows from it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, Flock, FlockArg, OFlag, RenameFlags, open, openat, renameat2};
use nix::sched::{CpuSet, sched_getaffinity};
use nix::sys::stat::{Mode, fchmod, fstat};
use nix::unistd::{Gid, Pid, Uid, fchown};

/// Directories of leases, unless the operator names another one. The first that exists is used, else the first that can be
/// made: `/run/lock` belongs to root on some distributions, `/dev/shm` is writable for all users everywhere.
const PLACES: [&str; 2] = ["/run/lock/gavel", "/dev/shm/gavel-cores"];

/// The lock that is held while free cores are chosen, so that a core tried by one process does not look leased to
/// another.
const REGISTRY: &str = "registry";

/// Attempts to take that lock and the pause between them; without the lock a free core may be missed, but none is leased
/// twice.
const REGISTRY_TRIES: u32 = 100;
const REGISTRY_PAUSE: Duration = Duration::from_millis(5);

/// World-writable and sticky.
const DIRECTORY_MODE: Mode = Mode::from_bits_truncate(0o1777);
/// flock(2) asks for no more than a descriptor.
const FILE_MODE: Mode = Mode::from_bits_truncate(0o444);

const TOPOLOGY: &str = "/sys/devices/system/cpu";

/// One core that belongs to this process until dropped.
#[derive(Debug)]
pub(crate) struct CoreLease {
    core: usize,
    _lock: Flock<File>,
}

impl CoreLease {
    /// Returns the core's number as the kernel counts them.
    pub(crate) fn core(&self) -> usize {
        self.core
    }
}

/// Leases cores in the directory of the host.
#[derive(Debug)]
pub(crate) struct CoreLeases {
    /// The directory, or the reason why it cannot be used, with the remedy.
    directory: Result<Directory, String>,
    /// Hardware threads of each core's physical core, the core itself among them.
    siblings: BTreeMap<usize, BTreeSet<usize>>,
}

#[derive(Debug)]
struct Directory {
    path: PathBuf,
    handle: OwnedFd,
}

impl CoreLeases {
    /// Opens the directory of leases, made where missing; `place` instead of the usual ones where given.
    pub(crate) fn open(place: Option<&Path>, cores: &[usize]) -> Self {
        let directory = Directory::open(place);
        let siblings = cores.iter().map(|core| (*core, siblings_of(*core))).collect();
        Self { directory, siblings }
    }

    /// Leases `count` of `cores`, or as many as are free.
    pub(crate) fn lease(&self, cores: &[usize], count: usize) -> Vec<CoreLease> {
        let Ok(directory) = &self.directory else { return Vec::new() };
        let _registry = directory.registry();
        let mut free: Vec<CoreLease> = cores
            .iter()
            .filter_map(|core| {
                directory.lock(&file_name(*core)).map(|lock| CoreLease { core: *core, _lock: lock })
            })
            .collect();
        // Hardware threads that run measured programs: leased by others, or chosen here.
        let mut taken = self.leased_siblings(directory, &free);
        let mut chosen = Vec::new();
        while chosen.len() < count && !free.is_empty() {
            let company = |lease: &CoreLease| {
                let siblings = self.siblings.get(&lease.core);
                siblings.map_or(0, |siblings| siblings.intersection(&taken).count())
            };
            let Some(best) = (0..free.len()).min_by_key(|place| company(&free[*place])) else { break };
            let lease = free.remove(best);
            taken.insert(lease.core);
            chosen.push(lease);
        }
        chosen
    }

    /// Returns the siblings of these cores that another process has leased.
    fn leased_siblings(&self, directory: &Directory, free: &[CoreLease]) -> BTreeSet<usize> {
        let own: BTreeSet<usize> = free.iter().map(|lease| lease.core).collect();
        let siblings = own.iter().filter_map(|core| self.siblings.get(core)).flatten();
        let others: BTreeSet<usize> = siblings.filter(|core| !own.contains(core)).copied().collect();
        others.into_iter().filter(|core| directory.is_locked(&file_name(*core))).collect()
    }

    /// Returns why cores cannot be leased at all.
    pub(crate) fn problem(&self) -> Option<&str> {
        self.directory.as_ref().err().map(String::as_str)
    }

    /// Returns which processes lease these cores, as far as the kernel tells: process ids by core.
    pub(crate) fn holders(&self, cores: &[usize]) -> BTreeMap<usize, i32> {
        let Ok(directory) = &self.directory else { return BTreeMap::new() };
        let locks = std::fs::read_to_string("/proc/locks").unwrap_or_default();
        cores
            .iter()
            .filter_map(|core| {
                let file = std::fs::symlink_metadata(directory.path.join(file_name(*core))).ok()?;
                Some((*core, holder_in(&locks, file.dev(), file.ino())?))
            })
            .collect()
    }
}

fn file_name(core: usize) -> String {
    format!("core-{core}")
}

/// Returns the process that holds an exclusive flock on that inode (proc_locks(5): `1: FLOCK ADVISORY WRITE 4711 00:1a:42 0 EOF`).
fn holder_in(locks: &str, device: u64, inode: u64) -> Option<i32> {
    let wanted =
        format!("{:02x}:{:02x}:{inode}", nix::sys::stat::major(device), nix::sys::stat::minor(device));
    locks.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [_, "FLOCK", _, "WRITE", process, file, ..] if file == wanted => process.parse().ok(),
            _ => None,
        }
    })
}

impl Directory {
    fn open(place: Option<&Path>) -> Result<Self, String> {
        let places: Vec<&Path> = match place {
            Some(place) => vec![place],
            None => PLACES.iter().map(Path::new).collect(),
        };
        if let Some(found) = places.iter().find_map(|path| Self::existing(path).ok()) {
            return Ok(found);
        }
        let mut problems = Vec::new();
        for path in places {
            match Self::make(path) {
                Ok(made) => return Ok(made),
                Err(errno) => problems.push(format!("{}: {errno}", path.display())),
            }
        }
        Err(format!(
            "the directory of core leases cannot be used ({}); make it with mode 1777, or name another with \
             --core-locks",
            problems.join("; ")
        ))
    }

    fn existing(path: &Path) -> nix::Result<Self> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let handle = open(path, flags, Mode::empty())?;
        let status = fstat(&handle)?;
        // Made by a user who came first: from now on nobody but root can take files of others out of it.
        if Uid::effective().is_root() && status.st_uid != 0 {
            fchown(&handle, Some(Uid::from_raw(0)), Some(Gid::from_raw(0)))?;
            fchmod(&handle, DIRECTORY_MODE)?;
        }
        Ok(Self { path: path.to_owned(), handle })
    }

    /// Makes it under another name first: with its mode from the first moment, whatever the umask.
    fn make(path: &Path) -> nix::Result<Self> {
        let draft = path.with_extension(format!("new-{}", std::process::id()));
        nix::unistd::mkdir(&draft, Mode::S_IRWXU)?;
        let made = Self::existing(&draft)
            .and_then(|directory| fchmod(&directory.handle, DIRECTORY_MODE))
            .and_then(|()| renameat2(AT_FDCWD, &draft, AT_FDCWD, path, RenameFlags::RENAME_NOREPLACE));
        if made.is_err() {
            // It is empty, and nothing of anyone's when it cannot be removed.
            let _ = std::fs::remove_dir(&draft);
        }
        match made {
            // Another process was faster.
            Ok(()) | Err(Errno::EEXIST) => Self::existing(path),
            Err(errno) => Err(errno),
        }
    }

    /// Takes the lock of that name; `None` when another holds it, or keeps the file from us.
    fn lock(&self, name: &str) -> Option<Flock<File>> {
        // A file that is removed and made again between opening and locking is not the one others will lock.
        for _ in 0..3 {
            let file = match self.file(name) {
                Ok(file) => file,
                Err(error) => {
                    tracing::debug!(directory = %self.path.display(), name, %error, "no lock to take");
                    return None;
                }
            };
            let opened = file.metadata().ok()?;
            let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).ok()?;
            let named = std::fs::symlink_metadata(self.path.join(name)).ok();
            if named.is_some_and(|named| (named.dev(), named.ino()) == (opened.dev(), opened.ino())) {
                return Some(lock);
            }
        }
        None
    }

    fn is_locked(&self, name: &str) -> bool {
        self.open_file(name, OFlag::empty())
            .is_ok_and(|file| Flock::lock(file, FlockArg::LockExclusiveNonblock).is_err())
    }

    /// Takes the lock that is held while cores are chosen.
    fn registry(&self) -> Option<Flock<File>> {
        for _ in 0..REGISTRY_TRIES {
            if let Some(lock) = self.lock(REGISTRY) {
                return Some(lock);
            }
            std::thread::sleep(REGISTRY_PAUSE);
        }
        None
    }

    /// Opens a file, made where missing.
    fn file(&self, name: &str) -> io::Result<File> {
        match self.open_file(name, OFlag::empty()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => return opened,
        }
        // O_CREAT on a file that is another user's is refused in a sticky directory (fs.protected_regular in
        // sysctl/fs.rst), so it is used for files that are not there alone.
        match self.open_file(name, OFlag::O_CREAT | OFlag::O_EXCL) {
            Ok(file) => {
                fchmod(&file, FILE_MODE)?;
                Ok(file)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.open_file(name, OFlag::empty())
            }
            Err(error) => Err(error),
        }
    }

    fn open_file(&self, name: &str, more: OFlag) -> io::Result<File> {
        // Neither a link nor a FIFO that somebody put there is followed or waited for.
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let file = File::from(openat(self.handle.as_fd(), name, flags | more, FILE_MODE)?);
        let status = file.metadata()?;
        if !status.is_file() || status.nlink() > 1 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file of one name"));
        }
        // As with the directory: its owner could remove it, and then another process would lock another file.
        if Uid::effective().is_root() && status.uid() != 0 {
            fchown(&file, Some(Uid::from_raw(0)), Some(Gid::from_raw(0)))?;
        }
        Ok(file)
    }
}

/// Returns the cores this process may run on: its affinity mask, which its cpuset bounds.
pub(crate) fn usable_cores() -> nix::Result<Vec<usize>> {
    let set = sched_getaffinity(Pid::from_raw(0))?;
    Ok((0..CpuSet::count()).filter(|core| set.is_set(*core).unwrap_or(false)).collect())
}

/// Returns the hardware threads of a core's physical core; the core alone where the kernel does not tell.
fn siblings_of(core: usize) -> BTreeSet<usize> {
    let path = format!("{TOPOLOGY}/cpu{core}/topology/thread_siblings_list");
    let list = std::fs::read_to_string(path).unwrap_or_default();
    let mut siblings = cores_in(list.trim());
    siblings.insert(core);
    siblings
}

/// Reads a list of cores as the kernel writes them: `0-1,4`.
fn cores_in(list: &str) -> BTreeSet<usize> {
    list.split(',')
        .filter_map(|part| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)
        })
        .flatten()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leases(place: &Path, pairs: &[&[usize]]) -> CoreLeases {
        let siblings = pairs
            .iter()
            .flat_map(|pair| pair.iter().map(|core| (*core, pair.iter().copied().collect::<BTreeSet<_>>())));
        CoreLeases { directory: Directory::open(Some(place)), siblings: siblings.collect() }
    }

    fn numbers(leases: &[CoreLease]) -> Vec<usize> {
        leases.iter().map(CoreLease::core).collect()
    }

    #[test]
    fn physical_cores_are_leased_before_their_second_threads() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("locks");
        // Threads 0 and 1 are of one core, 2 and 3 of the other.
        let (first, second) = (leases(&place, &[&[0, 1], &[2, 3]]), leases(&place, &[&[0, 1], &[2, 3]]));
        let cores = [0, 1, 2, 3];
        let held = first.lease(&cores, 1);
        assert_eq!(numbers(&held), [0]);
        let more = second.lease(&cores, 2);
        assert_eq!(numbers(&more), [2, 1]);
        assert_eq!(numbers(&first.lease(&cores, 4)), [3]);
        drop(held);
        drop(more);
        assert_eq!(numbers(&second.lease(&cores, 9)), [0, 2, 1, 3]);
        // A sibling outside the mask counts too.
        let held = first.lease(&[1], 1);
        assert_eq!(numbers(&held), [1]);
        assert_eq!(numbers(&second.lease(&[0, 3], 1)), [3]);
    }

    #[test]
    fn a_lease_names_its_process_and_ends_with_its_owner() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("locks");
        let leases = leases(&place, &[&[5]]);
        let held = leases.lease(&[5], 1);
        assert_eq!(leases.holders(&[5, 6]), BTreeMap::from([(5, std::process::id().cast_signed())]));
        drop(held);
        assert_eq!(leases.holders(&[5, 6]), BTreeMap::new());
    }

    #[test]
    fn links_pipes_and_removed_files_are_no_leases() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("locks");
        let leases = leases(&place, &[&[0], &[1], &[2]]);
        let outside = directory.path().join("outside");
        std::os::unix::fs::symlink(&outside, place.join("core-0")).unwrap();
        nix::unistd::mkfifo(&place.join("core-1"), Mode::S_IRWXU).unwrap();
        assert_eq!(numbers(&leases.lease(&[0, 1, 2], 3)), [2]);
        assert!(!outside.exists());
        // Who holds a removed file holds nothing that others would see.
        let held = leases.lease(&[2], 1);
        std::fs::remove_file(place.join("core-2")).unwrap();
        assert_eq!(numbers(&leases.lease(&[2], 1)), [2]);
        drop(held);
    }

    #[test]
    fn a_directory_for_all_users_is_made_whatever_the_umask_and_a_link_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("locks");
        let leases = leases(&place, &[&[0]]);
        assert_eq!(std::fs::metadata(&place).unwrap().permissions().mode() & 0o7777, 0o1777);
        drop(leases.lease(&[0], 1));
        assert_eq!(std::fs::metadata(place.join("core-0")).unwrap().permissions().mode() & 0o777, 0o444);
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&place, &link).unwrap();
        let refused = CoreLeases::open(Some(&link), &[0]);
        assert!(refused.problem().unwrap().contains("--core-locks"), "{:?}", refused.problem());
        assert!(refused.lease(&[0], 1).is_empty());
    }

    #[test]
    fn lists_of_cores_are_read_as_the_kernel_writes_them() {
        assert_eq!(cores_in("0-2,7,9-9"), BTreeSet::from([0, 1, 2, 7, 9]));
        assert_eq!(cores_in(""), BTreeSet::new());
        let locks = "1: POSIX  ADVISORY  WRITE 12 00:1a:42 0 EOF\n2: FLOCK  ADVISORY  READ 13 00:1a:42 0 EOF\n\
                     3: -> FLOCK  ADVISORY  WRITE 14 00:1a:42 0 EOF\n4: FLOCK  ADVISORY  WRITE 15 00:1a:42 0 EOF\n";
        assert_eq!(holder_in(locks, nix::sys::stat::makedev(0, 0x1a), 42), Some(15));
        assert_eq!(holder_in(locks, nix::sys::stat::makedev(0, 0x1a), 43), None);
    }
}
