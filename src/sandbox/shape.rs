//! The shape of a box: everything about it that is fixed when it is created.
//!
//! Two runs can share a box only if they need the same shape, which is the key of the box pool.

use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::SandboxError;
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
    /// Whether programs need `/proc` (`subset=pid,hidepid=2`). Every box has it where the host allows the mount; elsewhere a
    /// box with this flag cannot be created.
    pub proc: bool,
    /// Size cap of the work directory, which is also `/tmp`.
    pub workspace: Bytes,
    /// Inode cap of the work directory.
    pub workspace_inodes: u64,
    /// The host name inside the box.
    pub hostname: String,
    /// A directory shown read-only as `/` in place of the host's system directories.
    pub rootfs: Option<PathBuf>,
}

/// The system directories of every box, for dynamic loaders and Debian-like toolchains.
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

/// The work directory inside a box: writable, capped, fresh for every run. `/tmp` is a link to it.
pub const WORKSPACE: &str = "/w";

/// The attach point of the compiled program, or of the sources of an interpreted one.
pub const PROGRAM: &str = "/program";

/// The attach point of the files that a language prepares once.
pub const PREPARED: &str = "/prepared";

/// The attach point of a problem package, for the jury's programs only, never for a contestant's.
pub const PACKAGE: &str = "/package";

/// The attach point of named pipes to other boxes.
pub const CHANNELS: &str = "/channels";

/// The box's own directories, below which no part of the host can be mounted.
pub(crate) const OWN: &[&str] =
    &["/dev", "/proc", "/sys", "/tmp", WORKSPACE, PROGRAM, PREPARED, PACKAGE, CHANNELS];

impl Shape {
    /// Checks that a box of this shape can be built.
    ///
    /// # Errors
    /// [`SandboxError::Command`] naming the mount.
    pub(crate) fn validate(&self) -> Result<(), SandboxError> {
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
