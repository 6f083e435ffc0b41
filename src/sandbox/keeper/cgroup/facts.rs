//! Lists the cgroup hierarchies of this host for reports: the mounts, and where gavel may create groups.
//!
//! Chooses none of them; `hierarchy` does. Runs in the worker's process, which is in the same group of every hierarchy as
//! the keeper that it would start.

use std::io;
use std::path::PathBuf;

use procfs::process::Process;
use serde::Serialize;

use super::hierarchy::{base_of, is_delegated};
use crate::sandbox::error::SandboxError;

/// The controllers that gavel uses; others are left out.
const CONTROLLERS: [&str; 5] = ["cpu", "cpuacct", "cpuset", "memory", "pids"];

/// One mounted cgroup hierarchy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hierarchy {
    /// 1 or 2.
    pub version: u8,
    /// The mount point.
    pub mount_point: PathBuf,
    /// Its controllers among cpu, cpuacct, cpuset, memory and pids; with v2, those that the base may pass on.
    pub controllers: Vec<String>,
    /// The group below which gavel may create its own; `None` where it may not write.
    pub base: Option<PathBuf>,
    /// Whether its manager has delegated that group to gavel (systemd's `Delegate=yes`).
    pub delegated: bool,
}

/// Lists all mounted hierarchies with a controller that gavel uses.
///
/// # Errors
/// When procfs cannot be read.
pub(crate) fn hierarchies() -> Result<Vec<Hierarchy>, SandboxError> {
    let unreadable =
        |error: procfs::ProcError| SandboxError::on("read", "/proc/self/mountinfo", io::Error::other(error));
    let process = Process::myself().map_err(unreadable)?;
    let own = process.cgroups().map(|groups| groups.into_iter().collect::<Vec<_>>()).unwrap_or_default();
    let mut list = Vec::new();
    for mount in process.mountinfo().map_err(unreadable)? {
        let unified = match mount.fs_type.as_str() {
            "cgroup2" => true,
            "cgroup" => false,
            _ => continue,
        };
        let named = |name: &str| mount.super_options.contains_key(name);
        let mut controllers: Vec<String> =
            CONTROLLERS.iter().filter(|name| named(name)).map(|name| (*name).to_owned()).collect();
        if !unified && controllers.is_empty() {
            continue;
        }
        let path = own.iter().find(|group| {
            if unified {
                group.controllers.iter().all(String::is_empty)
            } else {
                group.controllers.iter().any(|name| controllers.contains(name))
            }
        });
        let path = path.map(|group| group.pathname.as_str());
        let base = base_of(&mount.mount_point, &mount.root, path, unified);
        if unified {
            let file = base.as_ref().unwrap_or(&mount.mount_point).join("cgroup.controllers");
            let text = std::fs::read_to_string(file).unwrap_or_default();
            controllers = text
                .split_whitespace()
                .filter(|name| CONTROLLERS.contains(name))
                .map(str::to_owned)
                .collect();
        }
        list.push(Hierarchy {
            version: if unified { 2 } else { 1 },
            delegated: base.as_ref().is_some_and(|base| unified && is_delegated(base)),
            mount_point: mount.mount_point,
            controllers,
            base,
        });
    }
    Ok(list)
}
