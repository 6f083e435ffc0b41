//! Creates user namespaces that swap an owner's ids with the worker's, for idmapped mounts (mount_setattr(2)).

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sys::signal::Signal;

use crate::sandbox::error::SandboxError;
use crate::sandbox::sys::syscalls::{self, Inheritance, Reaped};

/// Returns the id maps of a mount that shows the ids `owner` and `reader` swapped and all others unchanged: lines for
/// uid_map and gid_map of a user namespace (user_namespaces(7)).
fn swapped(owner: u32, reader: u32, end: u32) -> String {
    let (low, high) = (owner.min(reader), owner.max(reader));
    if low == high {
        return format!("0 0 {end}\n");
    }
    let after = high.saturating_add(1);
    let ranges = [
        (0, 0, low),
        (low, high, 1),
        (low + 1, low + 1, high - low - 1),
        (high, low, 1),
        (after, after, end.saturating_sub(after)),
    ];
    ranges
        .into_iter()
        .filter(|(_, _, count)| *count > 0)
        .map(|(inside, outside, count)| format!("{inside} {outside} {count}\n"))
        .collect()
}

/// The state of a process that only holds a namespace: none.
struct Holder;

impl Inheritance for Holder {
    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        Vec::new()
    }
}

/// Creates a user namespace in which an owner and a reader, each a uid and gid, are swapped. The caller has one thread and
/// may write any map.
pub(crate) fn swapping_namespace(
    (owner_uid, owner_gid): (u32, u32),
    (uid, gid): (u32, u32),
) -> Result<OwnedFd, SandboxError> {
    let failed = |error: io::Error| SandboxError::on("make", "a user namespace for an idmapped mount", error);
    let holder = syscalls::run_in_clone(libc::CLONE_NEWUSER, None, Holder, |Holder| {
        // The process only holds the namespace until it is opened, and dies with its parent.
        let _ = nix::sys::prctl::set_pdeathsig(Signal::SIGKILL);
        loop {
            nix::unistd::pause();
        }
    })
    .map_err(failed)?;
    let pid = holder.pid;
    // Where this process is in a user namespace itself, ids beyond its own cannot be mapped.
    let write = |end: u32| -> io::Result<()> {
        fs::write(format!("/proc/{pid}/uid_map"), swapped(owner_uid, uid, end))?;
        fs::write(format!("/proc/{pid}/gid_map"), swapped(owner_gid, gid, end))
    };
    let opened =
        write(u32::MAX).or_else(|_| write(65_536)).and_then(|()| File::open(format!("/proc/{pid}/ns/user")));
    let _ = syscalls::signal_process(holder.pidfd.as_fd(), libc::SIGKILL);
    while let Ok(Reaped::NoneYet) = syscalls::reap(pid.as_raw(), true) {}
    opened.map(OwnedFd::from).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::swapped;

    #[test]
    fn two_ids_are_swapped_and_all_others_stay() {
        assert_eq!(swapped(0, 998, u32::MAX), "0 998 1\n1 1 997\n998 0 1\n999 999 4294966296\n");
        assert_eq!(swapped(1000, 999, 65_536), "0 0 999\n999 1000 1\n1000 999 1\n1001 1001 64535\n");
        assert_eq!(swapped(0, 1, 2), "0 1 1\n1 0 1\n");
        assert_eq!(swapped(7, 7, 100), "0 0 100\n");
    }
}
