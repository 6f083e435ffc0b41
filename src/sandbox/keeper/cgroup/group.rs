//! The groups of one box: made, filled and removed by the keeper.
//!
//! In the v2 tree a box has `box-N` with a leaf `run`, where its programs live, born there by
//! CLONE_INTO_CGROUP; its init stays outside the leaf, so that its own use counts nowhere. With v1 there is one
//! group a controller; init is in it and its children inherit it, because moving a process between v1 groups
//! takes a global lock, once per run too often.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::unistd::{Gid, Pid, Uid, chown};
use serde::{Deserialize, Serialize};

use super::hierarchy::{Hierarchies, remove_tree};
use crate::sandbox::{ResourceControl, SandboxError};

/// What a descriptor handed to the worker is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(in crate::sandbox) enum Role {
    /// The connection to box init.
    Init,
    /// The work directory.
    Workspace,
    /// A detached, read-only mount of a host directory.
    View,
    /// A file of the operator's.
    File,
    /// The directory of the leaf programs are born into.
    Leaf,
    /// CPU time used.
    Cpu,
    /// Time stalled for want of a core (PSI).
    Pressure,
    /// Kills everything in the leaf.
    Kill,
    /// Memory peak.
    MemoryPeak,
    /// Memory now.
    MemoryUsage,
    /// Memory limit.
    MemoryLimit,
    /// Swap limit (v2), memory and swap limit (v1).
    SwapLimit,
    /// Counts of OOM kills.
    MemoryEvents,
    /// Memory of the kernel's own structures (v1).
    KernelMemory,
    /// Breakdown of memory.
    MemoryStat,
    /// Makes the kernel reclaim the group's memory (v1).
    Reclaim,
    /// Readable when the v1 group has run out of memory.
    OutOfMemory,
    /// Process limit.
    ProcessLimit,
    /// Processes now.
    ProcessCount,
}

/// Descriptors with their roles.
pub(in crate::sandbox) type Files = Vec<(Role, OwnedFd)>;

/// The groups of one box. Removed on drop, which logs a failure.
#[derive(Debug)]
pub(in crate::sandbox) struct BoxGroup {
    control: ResourceControl,
    unified: Option<PathBuf>,
    memory: Option<PathBuf>,
    pids: Option<PathBuf>,
    cpuacct: Option<PathBuf>,
    /// Who box init is outside: it must be allowed to put programs into the leaf.
    owner: u32,
}

impl BoxGroup {
    /// Makes the groups of box `name`, whose init has the uid `owner` outside.
    pub(in crate::sandbox) fn create(
        hierarchies: &Hierarchies,
        name: &str,
        owner: u32,
    ) -> Result<Self, SandboxError> {
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
        // Fields are filled one by one so that a failure half-way removes what was made.
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

    /// The v2 group init is to be born into.
    pub(in crate::sandbox) fn birthplace(&self) -> Result<Option<OwnedFd>, SandboxError> {
        self.unified.as_deref().map(open_directory).transpose()
    }

    /// Puts init into the v1 groups; before it has used anything.
    pub(in crate::sandbox) fn adopt(&self, init: Pid) -> Result<(), SandboxError> {
        for path in [&self.memory, &self.pids, &self.cpuacct].into_iter().flatten() {
            let file = path.join("cgroup.procs");
            fs::write(&file, init.to_string())
                .map_err(|error| SandboxError::at("move box init into", file, error))?;
        }
        Ok(())
    }

    /// Makes the leaf for programs; init's cgroup namespace must be made by now, as its root is to contain
    /// the leaf. With v2 controllers init moves to a leaf of its own, so that the box's group may pass them on.
    pub(in crate::sandbox) fn settle(&mut self, init: Pid) -> Result<(), SandboxError> {
        let Some(unified) = self.unified.clone() else { return Ok(()) };
        if self.control == ResourceControl::CgroupV2 {
            let quarters = unified.join("init");
            fs::create_dir(&quarters)
                .map_err(|error| SandboxError::at("make the cgroup", quarters.clone(), error))?;
            write(&quarters.join("cgroup.procs"), &init.to_string())?;
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
        // One name for every leaf: programs read it in `/proc/self/cgroup`, and a number would count the runs.
        self.unified.as_ref().map(|unified| unified.join("run"))
    }

    fn make_leaf(&self) -> Result<(), SandboxError> {
        let Some(path) = self.leaf_path() else { return Ok(()) };
        fs::create_dir(&path).map_err(|error| SandboxError::at("make the cgroup", path.clone(), error))?;
        self.permit(&path)?;
        if self.control == ResourceControl::CgroupV2 {
            // One program killed for memory means all of the run is killed.
            write(&path.join("memory.oom.group"), "1")?;
            let swap = path.join("memory.swap.max");
            if swap.exists() {
                write(&swap, "0")?;
            }
        }
        Ok(())
    }

    /// Replaces the leaf: where the kernel cannot reset a memory peak (before 6.12), each run needs its own.
    pub(in crate::sandbox) fn fresh_leaf(&mut self) -> Result<(), SandboxError> {
        if let Some(path) = self.leaf_path() {
            fs::remove_dir(&path).map_err(|error| SandboxError::at("remove the cgroup", path, error))?;
        }
        self.make_leaf()
    }

    /// Opens what the worker needs of the groups.
    pub(in crate::sandbox) fn files(&self) -> Result<Files, SandboxError> {
        let mut files = Files::new();
        if let Some(leaf) = self.leaf_path() {
            files.push((Role::Leaf, open_directory(&leaf)?));
            files.push((Role::Cpu, open(&leaf, "cpu.stat")?));
            files.push((Role::Kill, open(&leaf, "cgroup.kill")?));
            // Pressure accounting may be compiled out or off; then wall limits count all waiting.
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
            // Only there when the kernel accounts its own memory.
            files.extend(
                open(memory, "memory.kmem.usage_in_bytes").ok().map(|file| (Role::KernelMemory, file)),
            );
            // Only there when the kernel accounts swap.
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

/// An eventfd that becomes readable when the v1 memory group is out of memory (memory.rst, "OOM Control").
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

/// Opens for reading and writing where that is allowed, else for either.
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

/// Borrows the descriptor of a role.
pub(in crate::sandbox) fn find(files: &Files, role: Role) -> Option<BorrowedFd<'_>> {
    files.iter().find(|(own, _)| *own == role).map(|(_, file)| file.as_fd())
}

/// A failed `io` operation on a cgroup file of that role.
pub(super) fn role_error(operation: &'static str, role: Role, error: io::Error) -> SandboxError {
    SandboxError::on(operation, format!("{role:?} of a box"), error)
}
