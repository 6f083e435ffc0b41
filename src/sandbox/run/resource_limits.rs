//! Computes the limits that the kernel enforces per process (setrlimit(2)): a second line of defence behind cgroups and
//! timers, and the first without cgroups.

use rlimit::Resource;

use crate::sandbox::command::Limits;
use crate::sandbox::init::message::ResourceLimit;
use crate::sandbox::resource_control::ResourceControl;
use crate::sandbox::shape::Profile;
use crate::units::Bytes;

/// Returns the resource limits of a run with `limits` in a box of that control and profile.
pub(crate) fn resource_limits(
    limits: &Limits,
    control: ResourceControl,
    profile: Profile,
    hard_limits: &HardLimits,
) -> Vec<ResourceLimit> {
    let mut list = vec![
        (libc::RLIMIT_NOFILE, u64::from(open_files(limits, control, profile))),
        // Never unlimited: that changes the layout of the address space (mmap_base in the kernel).
        (libc::RLIMIT_STACK, limits.memory.unwrap_or(Bytes::gib(1)).0),
    ];
    if let Some(cpu) = limits.cpu {
        // Whole seconds; takes effect only if this process is stopped.
        list.push((libc::RLIMIT_CPU, cpu.as_secs() + 2));
    }
    if let Some(size) = limits.file_size {
        list.push((libc::RLIMIT_FSIZE, size.0));
    }
    if control == ResourceControl::None {
        if let Some(processes) = limits.processes {
            list.push((libc::RLIMIT_NPROC, u64::from(processes)));
        }
        // Not for runtimes, nor for anything with threads: their stacks, each as large as RLIMIT_STACK, count too.
        let counts = profile == Profile::Native && limits.processes == Some(1);
        if let Some(memory) = limits.memory.filter(|_| counts) {
            // Twice the limit: sampling finds a program above it; this only protects the host meanwhile.
            list.push((libc::RLIMIT_DATA, memory.0.saturating_mul(2).saturating_add(64 << 20)));
            // Each 2 MiB takes a page of page tables, even if only zeroes are read: 32 MiB and a little.
            list.push((libc::RLIMIT_AS, memory.0.saturating_mul(4).saturating_add(16 << 30)));
        }
    }
    list.into_iter()
        .map(|(resource, value)| ResourceLimit { resource, value: hard_limits.cap(resource, value) })
        .collect()
}

/// Returns the limit of open files, which without cgroups alone bounds the buffers of pipes and sockets (up to 208 KiB
/// each, as much again in flight).
fn open_files(limits: &Limits, control: ResourceControl, profile: Profile) -> u32 {
    match (control, profile) {
        (ResourceControl::None, Profile::Native) => limits.open_files.min(128),
        (ResourceControl::None, Profile::Managed) => limits.open_files.min(256),
        _ => limits.open_files,
    }
}

/// The hard limits of this process: without CAP_SYS_RESOURCE no limit can be raised above them.
#[derive(Debug)]
pub(crate) struct HardLimits(Vec<(u32, u64)>);

impl HardLimits {
    /// Reads all of them; once per box.
    pub(crate) fn read() -> Self {
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

    /// Returns `value`, or the hard limit where that is smaller.
    fn cap(&self, resource: u32, value: u64) -> u64 {
        self.0.iter().find(|(own, _)| *own == resource).map_or(value, |(_, hard)| value.min(*hard))
    }
}
