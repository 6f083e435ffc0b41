//! What judged a submission: the host, and the digest of everything in a package that judging reads.

use std::collections::HashSet;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use super::fault::Fault;
use super::{Judge, files};
use crate::cache::{Digest, KeyBuilder, Lookup};
use crate::package::Package;
use crate::report::Provenance;
use crate::sandbox::ResourceControl;

/// Each program ran on a core that is leased to its slot.
const LEASED: &str = "leased";
/// Some programs may have run on any core.
pub(super) const SHARED: &str = "shared";

/// What does not change while a judge lives.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) worker: String,
    kernel: String,
    cpu: String,
    control: ResourceControl,
}

impl Host {
    /// Asks the kernel.
    pub(super) fn read(worker: String, control: ResourceControl) -> Self {
        let kernel = nix::sys::utsname::uname()
            .map(|name| name.release().to_string_lossy().into_owned())
            .unwrap_or_default();
        Self { worker, kernel, cpu: cpu_model(), control }
    }

    /// The provenance of a judging that has not looked at toolchain and package yet.
    pub(super) fn provenance(&self, language: &str, are_cores_leased: bool) -> Provenance {
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

/// The first `model name`, or the architecture where the kernel tells none (ARM).
fn cpu_model() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix("model name").and_then(|rest| rest.split_once(':')))
        .map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, model)| model.trim().to_owned())
}

/// `sha256:` and the digest of a package.
///
/// Reading the files takes as long as they are large, so the digest is kept in the cache under what `stat`
/// says of them; ctime is among it, which no program can set back.
pub(super) fn package_digest(judge: &Judge, package: &Package) -> Result<String, Fault> {
    wait_out_the_clock(package);
    let key = key(package)?;
    let draft = match judge.store.get_or_lock(&key)? {
        Lookup::Hit(entry) => {
            let path = entry.path().join("digest");
            return std::fs::read_to_string(&path).map_err(|error| Fault::file("read", &path, error));
        }
        Lookup::Miss(draft) => draft,
    };
    // Not one that the package remembers: the files may have changed since, and then the key is new.
    let digest = package.digest_now().map_err(|error| Fault::Package(error.to_string()))?;
    if self::key(package)? == key {
        let path = draft.path().join("digest");
        std::fs::write(&path, &digest).map_err(|error| Fault::file("write", &path, error))?;
        judge.store.commit(draft)?;
    }
    Ok(digest)
}

/// The state of a package's files at one time: what judgings read, and the directories that lead to it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Snapshot(Digest);

impl Snapshot {
    /// Takes it with one `stat` a file, which tells every later change: a file that is written to or replaced has
    /// another inode or ctime, and so has a directory in which something takes another's place, or that is renamed.
    pub(super) fn of(package: &Package) -> Result<Self, Fault> {
        let mut snapshot = KeyBuilder::default().field("files", key(package)?.to_string());
        let mut seen = HashSet::new();
        for (_, path) in package.judged_files() {
            let above = path.ancestors().skip(1).take_while(|above| above.starts_with(&package.directory));
            for directory in above {
                if !seen.insert(directory.to_owned()) {
                    break;
                }
                let metadata = directory.metadata().map_err(|error| unreadable(directory, &error))?;
                snapshot = snapshot.field("directory", files::state(directory, &metadata));
            }
        }
        Ok(Self(snapshot.finish()))
    }

    /// Whether the package's files are still the same.
    pub(super) fn holds(&self, package: &Package) -> bool {
        Self::of(package).is_ok_and(|now| now == *self)
    }
}

/// Waits until the newest of the package's files is older than a tick of the kernel's clock, for two ticks at most.
/// Before Linux 6.13 a file that is written to twice within a tick has the same ctime after both.
fn wait_out_the_clock(package: &Package) {
    const TICKS: Duration = Duration::from_millis(20);
    let changed = |path: &Path| {
        let metadata = path.metadata().ok()?;
        let seconds = u64::try_from(metadata.ctime()).ok()?;
        Some(UNIX_EPOCH + Duration::new(seconds, u32::try_from(metadata.ctime_nsec()).ok()?))
    };
    let newest = package.judged_files().filter_map(|(_, path)| changed(path)).max();
    if let Some(age) = newest.and_then(|newest| newest.elapsed().ok()) {
        std::thread::sleep(TICKS.saturating_sub(age));
    }
}

/// What `stat` says of everything in the digest.
fn key(package: &Package) -> Result<Digest, Fault> {
    let mut key = KeyBuilder::default()
        .field("kind", "package digest 3")
        .field("limits", limits(package))
        .field("settings", package.settings());
    for (name, path) in package.judged_files() {
        let metadata = path.metadata().map_err(|error| unreadable(path, &error))?;
        key = key.field("name", &name).field("file", files::state(path, &metadata));
    }
    Ok(key.finish())
}

fn unreadable(path: &Path, error: &std::io::Error) -> Fault {
    Fault::Package(format!("cannot read the package's file {}: {error}", path.display()))
}

/// What of the limits decides verdicts.
fn limits(package: &Package) -> String {
    let limits = &package.limits;
    format!("{:?} {:?} {} {} {:?}", limits.time, limits.wall, limits.memory, limits.output, limits.processes)
}
