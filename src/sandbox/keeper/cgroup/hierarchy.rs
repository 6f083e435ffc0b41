//! Finds the cgroup hierarchies to use, and creates and removes gavel's own directory in each.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use procfs::process::Process;

use crate::sandbox::error::SandboxError;
use crate::sandbox::resource_control::ResourceControl;
use crate::sandbox::sys::syscalls;

/// Name of gavel's directory in every hierarchy.
const DIRECTORY: &str = "gavel";

/// The group, below the delegated one, for gavel's own processes when they keep it from enabling controllers (cgroup v2's
/// "no internal processes" rule).
const SUPERVISOR: &str = "gavel-supervisor";

/// This keeper's directory in each hierarchy in use.
#[derive(Debug)]
pub(crate) struct Hierarchies {
    pub(crate) control: ResourceControl,
    /// The v2 tree.
    pub(crate) unified: Option<PathBuf>,
    /// v1 memory.
    pub(crate) memory: Option<PathBuf>,
    /// v1 pids.
    pub(crate) pids: Option<PathBuf>,
    /// v1 cpuacct.
    pub(crate) cpuacct: Option<PathBuf>,
    /// Directories to remove at the end, outermost last.
    made: Vec<PathBuf>,
}

/// The usable group of every mounted hierarchy, before a choice.
#[derive(Debug, Default)]
struct Found {
    unified: Option<PathBuf>,
    unified_controllers: Vec<String>,
    memory: Option<PathBuf>,
    pids: Option<PathBuf>,
    cpuacct: Option<PathBuf>,
}

impl Hierarchies {
    /// Chooses the best control of the host, or the demanded one, and creates this keeper's directories.
    ///
    /// # Errors
    /// [`SandboxError::Host`] when the demanded one is not available; system errors otherwise.
    pub(crate) fn claim(demanded: Option<ResourceControl>) -> Result<Self, SandboxError> {
        let found = Found::look()?;
        let wanted = match demanded {
            Some(control) => found.missing(control).map_or(Ok(control), |missing| {
                Err(SandboxError::Host {
                    missing: format!("{} ({missing})", control.id()),
                    remedy:
                        "run as root, or under 'systemd-run --scope -p Delegate=yes' (with '--user' when \
                                 not root), or choose another with --cgroups"
                            .to_owned(),
                })
            })?,
            None => [ResourceControl::CgroupV2, ResourceControl::CgroupHybrid, ResourceControl::CgroupV1]
                .into_iter()
                .find(|control| found.missing(*control).is_none())
                .unwrap_or(ResourceControl::None),
        };
        let mut hierarchies = Self {
            control: wanted,
            unified: None,
            memory: None,
            pids: None,
            cpuacct: None,
            made: Vec::new(),
        };
        let name = keeper_name()?;
        if matches!(wanted, ResourceControl::CgroupV2 | ResourceControl::CgroupHybrid) {
            hierarchies.unified = found.unified.map(|base| hierarchies.claim_in(&base, &name)).transpose()?;
        }
        if wanted == ResourceControl::CgroupV2
            && let Some(own) = &hierarchies.unified
        {
            let top = own.parent().unwrap_or(own);
            delegate(top.parent().unwrap_or(top))?;
            delegate(top)?;
            delegate(own)?;
        }
        if matches!(wanted, ResourceControl::CgroupV1 | ResourceControl::CgroupHybrid) {
            hierarchies.memory = found.memory.map(|base| hierarchies.claim_in(&base, &name)).transpose()?;
            hierarchies.pids = found.pids.map(|base| hierarchies.claim_in(&base, &name)).transpose()?;
        }
        if wanted == ResourceControl::CgroupV1 {
            hierarchies.cpuacct = found.cpuacct.map(|base| hierarchies.claim_in(&base, &name)).transpose()?;
        }
        Ok(hierarchies)
    }

    /// Returns what `control` lacks on this host; `None` when it is available.
    pub(crate) fn missing(control: ResourceControl) -> Result<Option<String>, SandboxError> {
        Ok(Found::look()?.missing(control))
    }

    /// Creates this keeper's directory below `base`, after removing those of dead keepers.
    fn claim_in(&mut self, base: &Path, name: &str) -> Result<PathBuf, SandboxError> {
        let top = base.join(DIRECTORY);
        // Another keeper may remove the empty top directory between the two steps: try again.
        for _ in 0..16 {
            make_directory(&top)?;
            remove_stale(&top);
            match fs::create_dir(top.join(name)) {
                Ok(()) => {
                    self.made.push(top.join(name));
                    self.made.push(top.clone());
                    return Ok(top.join(name));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error)
                    if error.kind() == io::ErrorKind::AlreadyExists
                        && self.made.contains(&top.join(name)) =>
                {
                    return Ok(top.join(name));
                }
                Err(error) => return Err(SandboxError::at("make the cgroup", top.join(name), error)),
            }
        }
        Err(SandboxError::at("make the cgroup", top.join(name), io::Error::from(io::ErrorKind::Interrupted)))
    }
}

impl Drop for Hierarchies {
    fn drop(&mut self) {
        for directory in &self.made {
            // The top directory stays while another keeper uses it; the next start clears a failure.
            let _ = fs::remove_dir(directory);
        }
    }
}

impl Found {
    fn look() -> Result<Self, SandboxError> {
        let unreadable = |error: procfs::ProcError| {
            SandboxError::on("read", "/proc/self/mountinfo", io::Error::other(error))
        };
        let process = Process::myself().map_err(unreadable)?;
        let own: Vec<(Vec<String>, String)> = process
            .cgroups()
            .map(|groups| groups.into_iter().map(|group| (group.controllers, group.pathname)).collect())
            .unwrap_or_default();
        let mut found = Self::default();
        for mount in process.mountinfo().map_err(unreadable)? {
            let controller = |name: &str| mount.super_options.contains_key(name);
            match mount.fs_type.as_str() {
                "cgroup2" if found.unified.is_none() => {
                    let path = own.iter().find(|(names, _)| names.iter().all(String::is_empty));
                    let base =
                        base_of(&mount.mount_point, &mount.root, path.map(|(_, path)| path.as_str()), true);
                    if let Some(base) = base {
                        let list = fs::read_to_string(base.join("cgroup.controllers")).unwrap_or_default();
                        found.unified_controllers = list.split_whitespace().map(str::to_owned).collect();
                        found.unified = Some(base);
                    }
                }
                "cgroup" => {
                    for (name, place) in [
                        ("memory", &mut found.memory),
                        ("pids", &mut found.pids),
                        ("cpuacct", &mut found.cpuacct),
                    ] {
                        if place.is_none() && controller(name) {
                            let path = own.iter().find(|(names, _)| names.iter().any(|own| own == name));
                            let path = path.map(|(_, path)| path.as_str());
                            *place = base_of(&mount.mount_point, &mount.root, path, false);
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(found)
    }

    /// Returns what `control` lacks, in words; `None` when it is available.
    fn missing(&self, control: ResourceControl) -> Option<String> {
        let lacks = |present: bool, what: &str| (!present).then(|| format!("no writable {what}"));
        let has = |name: &str| self.unified_controllers.iter().any(|controller| controller == name);
        let kill = self.unified.as_ref().is_some_and(|_| kernel_at_least(5, 14));
        match control {
            ResourceControl::CgroupV2 => lacks(self.unified.is_some(), "cgroup v2 tree")
                .or_else(|| lacks(has("memory"), "memory controller in the cgroup v2 tree"))
                .or_else(|| lacks(has("pids"), "pids controller in the cgroup v2 tree"))
                .or_else(|| lacks(kernel_at_least(5, 19), "memory.peak: the kernel is older than 5.19")),
            ResourceControl::CgroupHybrid => lacks(kill, "cgroup v2 tree with cgroup.kill (kernel 5.14)")
                .or_else(|| lacks(self.memory.is_some(), "cgroup v1 memory controller"))
                .or_else(|| lacks(self.pids.is_some(), "cgroup v1 pids controller")),
            ResourceControl::CgroupV1 => lacks(self.memory.is_some(), "cgroup v1 memory controller")
                .or_else(|| lacks(self.pids.is_some(), "cgroup v1 pids controller"))
                .or_else(|| lacks(self.cpuacct.is_some(), "cgroup v1 cpuacct controller")),
            ResourceControl::None => None,
        }
    }
}

/// Returns the group below which gavel may create its own: the group delegated to it, else the top for root, else its own.
///
/// A group that systemd's system manager delegated carries the extended attribute `user.delegate` or
/// `trusted.delegate` (systemd.resource-control(5), "Delegate="); one that a user's manager delegated carries
/// none, but belongs to the user. This process may be one level below it ("DelegateSubgroup="), or in the [`SUPERVISOR`]
/// group of an earlier gavel. Attributes further up are of other managers: `user@.service` is delegated to the user's own.
/// Root without such a group uses the top of the hierarchy, as a v2 group that contains processes cannot pass controllers
/// on.
pub(crate) fn base_of(
    mount_point: &Path,
    mount_root: &str,
    own: Option<&str>,
    unified: bool,
) -> Option<PathBuf> {
    let below = own.map(|path| path.strip_prefix(mount_root).unwrap_or(path).trim_start_matches('/'));
    let mut own = below.filter(|path| !path.is_empty()).map(|path| mount_point.join(path));
    while unified && own.as_deref().is_some_and(|path| path.ends_with(SUPERVISOR)) {
        own = own.and_then(|path| path.parent().map(Path::to_owned)).filter(|path| path != mount_point);
    }
    let delegated = own.as_deref().filter(|_| unified).and_then(|own| {
        let near = own.ancestors().take(2).filter(|path| path.starts_with(mount_point));
        near.map(Path::to_owned).find(|path| is_delegated(path) && is_writable(path))
    });
    delegated
        .or_else(|| Some(mount_point.to_owned()).filter(|path| is_writable(path)))
        .or_else(|| own.filter(|path| is_writable(path)))
}

pub(crate) fn is_delegated(path: &Path) -> bool {
    ["user.delegate", "trusted.delegate"].iter().any(|name| {
        let mut value = [0u8; 4];
        matches!(syscalls::read_attribute(path, name, &mut value), Ok(1) if value[0] == b'1')
    })
}

/// Returns whether groups can be created in a directory; a read-only mount refuses root as well.
fn is_writable(path: &Path) -> bool {
    use nix::unistd::{AccessFlags, access};
    access(path, AccessFlags::W_OK).is_ok() && access(&path.join("cgroup.procs"), AccessFlags::W_OK).is_ok()
}

/// Enables the controllers for the children of `directory`, first moving gavel's own processes out of it where they
/// prevent that.
fn delegate(directory: &Path) -> Result<(), SandboxError> {
    let available = fs::read_to_string(directory.join("cgroup.controllers"))
        .map_err(|error| SandboxError::at("read", directory.join("cgroup.controllers"), error))?;
    let control = directory.join("cgroup.subtree_control");
    let wanted = ["memory", "pids", "cpu"];
    for controller in wanted.into_iter().filter(|name| available.split_whitespace().any(|own| own == *name)) {
        let request = format!("+{controller}");
        let mut result = fs::write(&control, &request);
        // A process that forks meanwhile leaves a child behind, so one round may not be enough.
        for _ in 0..8 {
            if !result.as_ref().is_err_and(|error| error.raw_os_error() == Some(libc::EBUSY)) {
                break;
            }
            move_processes(directory)?;
            result = fs::write(&control, &request);
        }
        match result {
            // The CPU controller is optional.
            Err(error) if controller != "cpu" => {
                return Err(SandboxError::at("enable controllers in", control, error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Moves every process of `directory` into a leaf of its own.
fn move_processes(directory: &Path) -> Result<(), SandboxError> {
    let leaf = directory.join(SUPERVISOR);
    make_directory(&leaf)?;
    let list = directory.join("cgroup.procs");
    let pids = fs::read_to_string(&list).map_err(|error| SandboxError::at("read", list, error))?;
    for pid in pids.split_whitespace() {
        match fs::write(leaf.join("cgroup.procs"), pid) {
            Err(error) if error.raw_os_error() != Some(libc::ESRCH) => {
                return Err(SandboxError::at("move processes into", leaf, error));
            }
            _ => {}
        }
    }
    Ok(())
}

fn make_directory(path: &Path) -> Result<(), SandboxError> {
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(SandboxError::at("make the cgroup", path, error))
        }
        _ => Ok(()),
    }
}

/// Returns `<pid>-<start time>`, which stays unique when the process id is used again.
fn keeper_name() -> Result<String, SandboxError> {
    let stat = Process::myself()
        .and_then(|process| process.stat())
        .map_err(|error| SandboxError::on("read", "/proc/self/stat", io::Error::other(error)))?;
    Ok(format!("{}-{}", stat.pid, stat.starttime))
}

/// Removes the empty groups of dead keepers. `rmdir` refuses a group with a process in it, and no process is killed (the
/// init of a box dies with its keeper anyway).
fn remove_stale(top: &Path) {
    let Ok(entries) = fs::read_dir(top) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some((pid, start)) = name.to_str().and_then(|name| name.split_once('-')) else { continue };
        let (Ok(pid), Ok(start)) = (pid.parse::<i32>(), start.parse::<u64>()) else { continue };
        // A dead keeper stays a zombie while no process reaps it (a container's PID 1 may not).
        let alive = Process::new(pid)
            .and_then(|process| process.stat())
            .is_ok_and(|stat| stat.starttime == start && !matches!(stat.state, 'Z' | 'X'));
        if !alive {
            remove_tree(&entry.path());
        }
    }
}

/// Removes a group and those below it, as far as they are empty. Logs a failure.
pub(crate) fn remove_tree(directory: &Path) {
    if let Ok(entries) = fs::read_dir(directory) {
        for entry in entries.flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                remove_tree(&entry.path());
            }
        }
    }
    if let Err(error) = fs::remove_dir(directory)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::debug!(path = %directory.display(), %error, "a cgroup stays behind");
    }
}

/// Returns whether the running kernel is at least `major.minor`.
fn kernel_at_least(major: u8, minor: u8) -> bool {
    procfs::sys::kernel::Version::current()
        .is_ok_and(|version| (version.major, version.minor) >= (major, minor))
}
