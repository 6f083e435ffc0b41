//! Creates, fills and removes the cgroups of one box.
//!
//! In the v2 tree a box has a group `box-N` with a leaf `run`, in which CLONE_INTO_CGROUP starts its programs; its init
//! stays outside the leaf, so that its own usage is not counted. With v1 there is one group per controller; init is in it
//! and its children inherit it, because moving a process between v1 groups takes a global lock, which would cost every
//! run.

use std::fs::{self, File, OpenOptions};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use super::hierarchy::{Hierarchies, remove_tree};
use crate::sandbox::error::SandboxError;
use crate::sandbox::keeper::message::{Files, Role};
use crate::sandbox::resource_control::ResourceControl;
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::unistd::{Gid, Pid, Uid, chown};

/// The cgroups of one box, removed on drop.
#[derive(Debug)]
pub(crate) struct BoxGroup {
    control: ResourceControl,
    unified: Option<PathBuf>,
    memory: Option<PathBuf>,
    pids: Option<PathBuf>,
    cpuacct: Option<PathBuf>,
    /// The host uid of box init, which must be allowed to put programs into the leaf.
    owner: u32,
}

impl BoxGroup {
    /// Creates the groups of box `name`, whose init has the host uid `owner`.
    pub(crate) fn create(hierarchies: &Hierarchies, name: &str, owner: u32) -> Result<Self, SandboxError> {
        let make = |base: &Option<PathBuf>| -> Result<Option<PathBuf>, SandboxError> {
            base.as_ref()
                .map(|base| {
                    let path = base.join(name);
                    fs::create_dir(&path)
                        .map_err(|error| SandboxError::at("make the cgroup", path.clone(), error))?;
                    Ok(path)
                })
                .transpose()
        };
        // Fields are filled one by one, so that a failure removes the groups created before it.
        let mut group = Self {
            control: hierarchies.control,
            unified: None,
            memory: None,
            pids: None,
            cpuacct: None,
            owner,
        };
        group.unified = make(&hierarchies.unified)?;
        group.memory = make(&hierarchies.memory)?;
        group.pids = make(&hierarchies.pids)?;
        group.cpuacct = make(&hierarchies.cpuacct)?;
        Ok(group)
    }

    /// Opens the v2 group into which init is cloned.
    pub(crate) fn birthplace(&self) -> Result<Option<OwnedFd>, SandboxError> {
        self.unified.as_deref().map(open_directory).transpose()
    }

    /// Moves init into the v1 groups; to be called before init uses resources.
    pub(crate) fn adopt(&self, init: Pid) -> Result<(), SandboxError> {
        for path in [&self.memory, &self.pids, &self.cpuacct].into_iter().flatten() {
            let file = path.join("cgroup.procs");
            fs::write(&file, init.to_string())
                .map_err(|error| SandboxError::at("move box init into", file, error))?;
        }
        Ok(())
    }

    /// Creates the leaf for programs. Init has created its cgroup namespace before, so that the root of that contains the
    /// leaf. With v2 controllers init moves to a leaf of its own, so that the box's group may pass them on.
    pub(crate) fn settle(&mut self, init: Pid) -> Result<(), SandboxError> {
        let Some(unified) = self.unified.clone() else { return Ok(()) };
        if self.control == ResourceControl::CgroupV2 {
            let own = unified.join("init");
            fs::create_dir(&own).map_err(|error| SandboxError::at("make the cgroup", own.clone(), error))?;
            write(&own.join("cgroup.procs"), &init.to_string())?;
            let available = fs::read_to_string(unified.join("cgroup.controllers")).unwrap_or_default();
            for controller in
                available.split_whitespace().filter(|name| ["memory", "pids", "cpu"].contains(name))
            {
                write(&unified.join("cgroup.subtree_control"), &format!("+{controller}"))?;
            }
        }
        // The kernel asks for write permission on `cgroup.procs` of the target and of the common ancestor
        // (cgroup-v2.rst, "Delegation Containment").
        self.permit(&unified)?;
        self.make_leaf()
    }

    fn permit(&self, directory: &Path) -> Result<(), SandboxError> {
        let file = directory.join("cgroup.procs");
        if Uid::effective().as_raw() == self.owner {
            return Ok(());
        }
        chown(&file, Some(Uid::from_raw(self.owner)), Some(Gid::from_raw(self.owner)))
            .map_err(|errno| SandboxError::at("hand over", file, errno))
    }

    fn leaf_path(&self) -> Option<PathBuf> {
        // Every leaf has the same name: programs read it in `/proc/self/cgroup`, and a number would count the runs.
        self.unified.as_ref().map(|unified| unified.join("run"))
    }

    fn make_leaf(&self) -> Result<(), SandboxError> {
        let Some(path) = self.leaf_path() else { return Ok(()) };
        fs::create_dir(&path).map_err(|error| SandboxError::at("make the cgroup", path.clone(), error))?;
        self.permit(&path)?;
        if self.control == ResourceControl::CgroupV2 {
            // When the kernel kills one process for memory, it kills the whole run.
            write(&path.join("memory.oom.group"), "1")?;
            let swap = path.join("memory.swap.max");
            if swap.exists() {
                write(&swap, "0")?;
            }
        }
        Ok(())
    }

    /// Replaces the leaf, for a kernel that cannot reset a memory peak (before 6.12) and after a kill of the leaf.
    pub(crate) fn fresh_leaf(&mut self) -> Result<(), SandboxError> {
        if let Some(path) = self.leaf_path() {
            fs::remove_dir(&path).map_err(|error| SandboxError::at("remove the cgroup", path, error))?;
        }
        self.make_leaf()
    }

    /// Opens the files of the groups that the worker needs.
    pub(crate) fn files(&self) -> Result<Files, SandboxError> {
        let mut files = Files::new();
        if let Some(leaf) = self.leaf_path() {
            files.push((Role::Leaf, open_directory(&leaf)?));
            files.push((Role::Cpu, open(&leaf, "cpu.stat")?));
            files.push((Role::Kill, open(&leaf, "cgroup.kill")?));
            // Pressure accounting may be compiled out or off; then all waiting counts as wall time.
            files.extend(open(&leaf, "cpu.pressure").ok().map(|file| (Role::Pressure, file)));
            if self.control == ResourceControl::CgroupV2 {
                for (role, name) in [
                    (Role::MemoryPeak, "memory.peak"),
                    (Role::MemoryUsage, "memory.current"),
                    (Role::MemoryLimit, "memory.max"),
                    (Role::MemoryEvents, "memory.events"),
                    (Role::MemoryStat, "memory.stat"),
                    (Role::ProcessLimit, "pids.max"),
                    (Role::ProcessCount, "pids.current"),
                ] {
                    files.push((role, open(&leaf, name)?));
                }
            }
        }
        if let Some(memory) = &self.memory {
            for (role, name) in [
                (Role::MemoryPeak, "memory.max_usage_in_bytes"),
                (Role::MemoryUsage, "memory.usage_in_bytes"),
                (Role::MemoryLimit, "memory.limit_in_bytes"),
                (Role::MemoryEvents, "memory.oom_control"),
                (Role::MemoryStat, "memory.stat"),
                (Role::Reclaim, "memory.force_empty"),
            ] {
                files.push((role, open(memory, name)?));
            }
            // Exists only when the kernel accounts its own memory.
            files.extend(
                open(memory, "memory.kmem.usage_in_bytes").ok().map(|file| (Role::KernelMemory, file)),
            );
            // Exists only when the kernel accounts swap.
            files
                .extend(open(memory, "memory.memsw.limit_in_bytes").ok().map(|file| (Role::SwapLimit, file)));
            files.push((Role::OutOfMemory, out_of_memory_event(memory)?));
        }
        if let Some(pids) = &self.pids {
            files.push((Role::ProcessLimit, open(pids, "pids.max")?));
            files.push((Role::ProcessCount, open(pids, "pids.current")?));
        }
        if let Some(cpuacct) = &self.cpuacct {
            files.push((Role::Cpu, open(cpuacct, "cpuacct.usage")?));
        }
        Ok(files)
    }
}

impl Drop for BoxGroup {
    fn drop(&mut self) {
        for path in [&self.unified, &self.memory, &self.pids, &self.cpuacct].into_iter().flatten() {
            remove_tree(path);
        }
    }
}

/// Returns an eventfd that becomes readable when the v1 memory group is out of memory (memory.rst, "OOM Control").
fn out_of_memory_event(memory: &Path) -> Result<OwnedFd, SandboxError> {
    let control = open(memory, "memory.oom_control")?;
    let event = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)
        .map_err(|errno| SandboxError::on("make", "an eventfd", errno))?;
    write(
        &memory.join("cgroup.event_control"),
        &format!("{} {}", event.as_fd().as_raw_fd(), control.as_fd().as_raw_fd()),
    )?;
    Ok(event.into())
}

/// Opens a file for reading and writing where that is allowed, else for either.
fn open(directory: &Path, name: &str) -> Result<OwnedFd, SandboxError> {
    let path = directory.join(name);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&path)
        .or_else(|_| File::open(&path))
        .or_else(|_| OpenOptions::new().write(true).open(&path))
        .map_err(|error| SandboxError::at("open", path, error))?;
    Ok(file.into())
}

fn open_directory(path: &Path) -> Result<OwnedFd, SandboxError> {
    File::open(path).map(OwnedFd::from).map_err(|error| SandboxError::at("open", path, error))
}

fn write(path: &Path, text: &str) -> Result<(), SandboxError> {
    fs::write(path, text).map_err(|error| SandboxError::at("write", path, error))
}
