//! Records what judged a submission: the host, and the digest of everything in a package that judging reads.

use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;

use crate::cache::{Digest, KeyBuilder, Lookup, Store};
use crate::judge::fault::Fault;
use crate::package::Package;
use crate::report::Provenance;
use crate::sandbox::ResourceControl;

/// Each program ran on a core that is leased to its slot.
const LEASED: &str = "leased";
/// Some programs may have run on any core.
pub(crate) const SHARED: &str = "shared";

/// Facts about the host that do not change while a judge lives.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) worker: String,
    kernel: String,
    cpu: String,
    control: ResourceControl,
}

impl Host {
    /// Reads kernel release and processor model.
    pub(crate) fn read(worker: String, control: ResourceControl) -> Self {
        let kernel = nix::sys::utsname::uname()
            .map(|name| name.release().to_string_lossy().into_owned())
            .unwrap_or_default();
        Self { worker, kernel, cpu: cpu_model(), control }
    }

    /// Returns the provenance of a judging, without toolchain and package.
    pub(crate) fn provenance(&self, language: &str, are_cores_leased: bool) -> Provenance {
        Provenance {
            gavel: env!("CARGO_PKG_VERSION").to_owned(),
            worker: self.worker.clone(),
            language: language.to_owned(),
            toolchain: String::new(),
            package: String::new(),
            kernel: self.kernel.clone(),
            cpu: self.cpu.clone(),
            sandbox: self.control.id().to_owned(),
            memory_source: self.control.memory_source().to_owned(),
            cores: if are_cores_leased { LEASED } else { SHARED }.to_owned(),
            limitations: self.control.limitations().iter().map(|text| (*text).to_owned()).collect(),
        }
    }
}

/// Returns the first `model name`, or the architecture where the kernel tells none (ARM).
fn cpu_model() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix("model name").and_then(|rest| rest.split_once(':')))
        .map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, model)| model.trim().to_owned())
}

/// `sha256:` and the digest of a package, with the state its files were in.
///
/// Reading the files takes as long as they are large, so the digest is kept in the cache under what `stat`
/// says of them; ctime is among it, which no program can set back.
pub(crate) fn package_digest(
    store: &Store,
    digests: &Digests,
    package: &Package,
) -> Result<(String, Snapshot), Fault> {
    let (snapshot, is_settled) = Snapshot::settled(package)?;
    if let Some(digest) = digests.get(&snapshot) {
        return Ok((digest, snapshot));
    }
    let digest = match store.get_or_lock(&snapshot.key(package))? {
        Lookup::Hit(entry) => {
            let path = entry.path().join("digest");
            std::fs::read_to_string(&path).map_err(|error| Fault::file("read", &path, error))?
        }
        Lookup::Miss(draft) => {
            // Not one that the package remembers: the files may have changed since, and then the key is new.
            let digest = package.digest_now().map_err(|error| Fault::Package(error.to_string()))?;
            if !is_settled || !snapshot.holds(package) {
                return Ok((digest, snapshot));
            }
            let path = draft.path().join("digest");
            std::fs::write(&path, &digest).map_err(|error| Fault::file("write", &path, error))?;
            store.commit(draft)?;
            digest
        }
    };
    digests.insert(snapshot.clone(), digest.clone());
    Ok((digest, snapshot))
}

/// Digests of the packages judged last, by the state of their files.
#[derive(Debug, Default)]
pub(crate) struct Digests(Mutex<VecDeque<(Snapshot, String)>>);

impl Digests {
    /// A package of 200 tests takes 25 KiB.
    const KEPT: usize = 16;

    fn get(&self, snapshot: &Snapshot) -> Option<String> {
        self.0.lock().iter().find(|(known, _)| known == snapshot).map(|(_, digest)| digest.clone())
    }

    fn insert(&self, snapshot: Snapshot, digest: String) {
        let mut digests = self.0.lock();
        digests.truncate(Self::KEPT - 1);
        digests.push_front((snapshot, digest));
    }
}

/// The state of a package's files at one time: what judgings read, and the directories that lead to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Snapshot {
    directory: PathBuf,
    /// The package's settings that decide verdicts.
    settings: String,
    /// A hash of the files' names and paths.
    names: u64,
    files: Vec<FileState>,
    directories: Vec<FileState>,
}

/// Everything that changes when a file is replaced or written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileState {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileState {
    fn of(path: &Path) -> Result<Self, Fault> {
        let metadata = path.metadata().map_err(|error| {
            Fault::Package(format!("cannot read the package's file {}: {error}", path.display()))
        })?;
        Ok(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

impl Snapshot {
    /// Takes it when the newest of the files and directories is older than a tick of the kernel's clock, and returns
    /// whether that came to pass. Before Linux 6.13 a file that is written to twice within a tick has the same ctime
    /// after both.
    fn settled(package: &Package) -> Result<(Self, bool), Fault> {
        const TICKS: Duration = Duration::from_millis(20);
        const ATTEMPTS: u32 = 5;
        for _ in 0..ATTEMPTS {
            let snapshot = Self::of(package)?;
            // A time in the future stays there: the clock was set back.
            let age = snapshot.newest().and_then(|newest| newest.elapsed().ok()).unwrap_or(TICKS);
            if age >= TICKS {
                return Ok((snapshot, true));
            }
            std::thread::sleep(TICKS.saturating_sub(age));
        }
        Ok((Self::of(package)?, false))
    }

    /// Takes it with one `stat` a file, which tells every later change: a file that is written to or replaced has
    /// another inode or ctime, and so has a directory in which something takes another's place, or that is renamed.
    fn of(package: &Package) -> Result<Self, Fault> {
        let (mut states, mut directories) = (Vec::new(), Vec::new());
        let mut seen = HashSet::new();
        let mut names = DefaultHasher::new();
        for (name, path) in package.judged_files() {
            (name, path).hash(&mut names);
            states.push(FileState::of(path)?);
            let above = path.ancestors().skip(1).take_while(|above| above.starts_with(&package.directory));
            for directory in above {
                if !seen.insert(directory) {
                    break;
                }
                directories.push(FileState::of(directory)?);
            }
        }
        Ok(Self {
            directory: package.directory.clone(),
            settings: format!("{:?}\n{}", package.limits, package.settings()),
            names: names.finish(),
            files: states,
            directories,
        })
    }

    /// Returns whether the package's files are still the same.
    pub(crate) fn holds(&self, package: &Package) -> bool {
        Self::of(package).is_ok_and(|now| now == *self)
    }

    /// Returns when the newest of the files and directories was written to, its status included.
    fn newest(&self) -> Option<SystemTime> {
        let (seconds, nanoseconds) =
            self.files.iter().chain(&self.directories).map(|file| file.changed).max()?;
        let since = Duration::new(u64::try_from(seconds).ok()?, u32::try_from(nanoseconds).ok()?);
        Some(UNIX_EPOCH + since)
    }

    /// Returns the key of the digest in the cache.
    fn key(&self, package: &Package) -> Digest {
        let mut key =
            KeyBuilder::default().field("kind", "package digest 5").field("settings", &self.settings);
        for ((name, path), file) in package.judged_files().zip(&self.files) {
            key = key
                .field("name", &name)
                .field("path", path.display().to_string())
                .field("file", format!("{file:?}"));
        }
        key.finish()
    }
}
