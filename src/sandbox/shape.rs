//! What a box looks like inside: everything that is fixed when it is made.
//!
//! Two runs can share a box only if they want the same shape; it is the key of the pool of boxes.

use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::SandboxError;
use crate::units::Bytes;

/// Everything about a box that cannot change during its life.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// The system-call filter.
    pub profile: Profile,
    /// Host directories and files shown read-only at the same path, besides [`BASE_MOUNTS`].
    /// Missing ones are skipped.
    pub mounts: Vec<PathBuf>,
    /// Whether programs cannot do without `/proc` (`subset=pid,hidepid=2`), which every box has where the host
    /// lets it be mounted: where it does not, such a box is not made.
    pub proc: bool,
    /// Size cap of the work directory, which is also `/tmp`.
    pub workspace: Bytes,
    /// Inode cap of the work directory.
    pub workspace_inodes: u64,
    /// Host name seen inside.
    pub hostname: String,
    /// A directory shown read-only as `/` instead of the host's system directories.
    pub rootfs: Option<PathBuf>,
}

/// System directories of every box: what a dynamic loader and a Debian-like toolchain need.
pub const BASE_MOUNTS: &[&str] = &[
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
];

/// The work directory inside a box: writable, capped, fresh for every run. `/tmp` is the same place.
pub const WORKSPACE: &str = "/w";

/// Where the compiled program (or the sources of an interpreted one) is shown, read-only.
pub const PROGRAM: &str = "/program";

/// Where what a language prepared once is shown, read-only.
pub const PREPARED: &str = "/prepared";

/// Where a problem package is shown, read-only: to the jury's programs, never to a contestant's.
pub const PACKAGE: &str = "/package";

/// Where named pipes to other boxes are shown.
pub const CHANNELS: &str = "/channels";

/// Places of a box's own: nothing of the host can be shown below them.
pub(super) const OWN: &[&str] =
    &["/dev", "/proc", "/sys", "/tmp", WORKSPACE, PROGRAM, PREPARED, PACKAGE, CHANNELS];

impl Shape {
    /// Refuses what cannot be built.
    ///
    /// # Errors
    /// [`SandboxError::Command`] naming the mount.
    pub(super) fn validate(&self) -> Result<(), SandboxError> {
        for mount in &self.mounts {
            let refuse = |problem: String| SandboxError::Command {
                detail: format!("{} cannot be shown in a box: {problem}", mount.display()),
            };
            let plain =
                mount.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
            if !mount.is_absolute() || !plain || mount == Path::new("/") {
                return Err(refuse("give an absolute path without '..', and not '/'".to_owned()));
            }
            let own = OWN.iter().find(|own| mount.starts_with(own));
            if let Some(own) = own.or_else(|| ["/etc"].iter().find(|own| mount == Path::new(own))) {
                return Err(refuse(format!("{own} is the box's own; copy or bind it to another place")));
            }
        }
        Ok(())
    }
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            profile: Profile::Native,
            mounts: Vec::new(),
            proc: false,
            workspace: Bytes::mib(64),
            workspace_inodes: 4096,
            hostname: "box".to_owned(),
            rootfs: None,
        }
    }
}

/// System-call allow-lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Compiled programs and simple interpreters.
    Native,
    /// Runtimes with threads, just-in-time compilers and probing of their own: JVM, Mono, Node, Go.
    Managed,
    /// Compilers and linkers: processes, renames, hard links.
    Compile,
}
