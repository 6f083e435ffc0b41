//! The limits the kernel enforces a process at a time (setrlimit(2)): a second line behind cgroups and timers,
//! and the first where there are no cgroups.

use std::io;

use rlimit::Resource;

use super::box_handle::BoxHandle;
use super::{Limits, Profile, ResourceControl};
use crate::units::Bytes;

/// The limits that are the same for every program. Box init sets them once, and programs inherit them.
///
/// # Errors
/// Those of setrlimit(2).
pub(super) fn set_common_limits() -> io::Result<()> {
    let limits = [
        // Not 0: a limit of 1 is the one that also stops core dumps to a pipe (core(5)).
        (Resource::CORE, 1),
        (Resource::MEMLOCK, 64 * 1024),
        (Resource::MSGQUEUE, 0),
    ];
    for (resource, value) in limits {
        let value = value.min(resource.get_hard()?);
        resource.set(value, value)?;
    }
    Ok(())
}

/// The limits the kernel enforces a process at a time, as a second line behind the cgroup's and ours.
pub(super) fn resource_limits(limits: &Limits, handle: &BoxHandle) -> Vec<(u32, u64)> {
    let mut list = vec![
        (libc::RLIMIT_NOFILE, u64::from(open_files(limits, handle))),
        // Never unlimited: that changes the layout of the address space (mmap_base in the kernel).
        (libc::RLIMIT_STACK, limits.memory.unwrap_or(Bytes::gib(1)).0),
    ];
    if let Some(cpu) = limits.cpu {
        // Whole seconds; a dead man's switch should this process be stopped.
        list.push((libc::RLIMIT_CPU, cpu.as_secs() + 2));
    }
    if let Some(size) = limits.file_size {
        list.push((libc::RLIMIT_FSIZE, size.0));
    }
    if handle.control == ResourceControl::None {
        if let Some(processes) = limits.processes {
            list.push((libc::RLIMIT_NPROC, u64::from(processes)));
        }
        // Not for runtimes, nor for anything with threads: their stacks, each as large as RLIMIT_STACK, count too.
        let counts = handle.shape.profile == Profile::Native && limits.processes == Some(1);
        if let Some(memory) = limits.memory.filter(|_| counts) {
            // Twice the limit: who goes over is seen by measuring; this only keeps the host safe meanwhile.
            list.push((libc::RLIMIT_DATA, memory.0.saturating_mul(2).saturating_add(64 << 20)));
            // A page of page tables for each 2 MiB, also where only zeroes are read: 32 MiB and a little.
            list.push((libc::RLIMIT_AS, memory.0.saturating_mul(4).saturating_add(16 << 30)));
        }
    }
    list.into_iter().map(|(resource, value)| (resource, handle.hard_limits.cap(resource, value))).collect()
}

/// Without cgroups only the number of descriptors bounds the buffers of pipes and sockets (up to 208 KiB each, as much
/// again in flight).
fn open_files(limits: &Limits, handle: &BoxHandle) -> u32 {
    match (handle.control, handle.shape.profile) {
        (ResourceControl::None, Profile::Native) => limits.open_files.min(128),
        (ResourceControl::None, Profile::Managed) => limits.open_files.min(256),
        _ => limits.open_files,
    }
}

/// The limits this process was started with: without CAP_SYS_RESOURCE none can be raised above them.
#[derive(Debug)]
pub(super) struct HardLimits(Vec<(u32, u64)>);

impl HardLimits {
    /// Reads them all; once a box.
    pub(super) fn read() -> Self {
        let resources = [
            (libc::RLIMIT_NOFILE, Resource::NOFILE),
            (libc::RLIMIT_STACK, Resource::STACK),
            (libc::RLIMIT_CPU, Resource::CPU),
            (libc::RLIMIT_FSIZE, Resource::FSIZE),
            (libc::RLIMIT_NPROC, Resource::NPROC),
            (libc::RLIMIT_DATA, Resource::DATA),
            (libc::RLIMIT_AS, Resource::AS),
        ];
        Self(resources.into_iter().filter_map(|(number, own)| Some((number, own.get_hard().ok()?))).collect())
    }

    /// `value`, or as much of it as is allowed.
    fn cap(&self, resource: u32, value: u64) -> u64 {
        self.0.iter().find(|(own, _)| *own == resource).map_or(value, |(_, hard)| value.min(*hard))
    }
}
