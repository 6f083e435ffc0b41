//! Lets a worker that becomes another user reach its package roots and its cache where they are.
//!
//! Root may have put packages where nobody else gets, such as below `/root` or in directories of mode 0700. Nothing of
//! that is changed on disk. Where it is needed the worker gets a mount namespace of its own, made while it is still
//! root: a package root is mounted over itself as the keeper's read-only view, in which what belongs to the root's
//! owner belongs to the worker's user (an idmapped mount, mount_setattr(2)); an ancestor that lets that user not
//! through is covered by an empty directory with nothing in it but those mounts. So the worker reaches less of the host
//! than before, and what lies beside its packages not at all.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use super::privileges::{Account, Reachable};
use super::{Sandbox, SandboxError, rootfs, syscalls};

/// Entries of a package root that are looked at for some that only its owner may read.
const EXAMINED: usize = 20_000;

/// A place the worker must reach.
struct Need<'a> {
    /// Without links.
    path: PathBuf,
    /// As it was given, for messages.
    given: &'a Path,
    is_package: bool,
    /// The ancestor nearest to the host's root that lets the worker's user not through.
    blocked: Option<PathBuf>,
    /// Whether it must be mounted.
    mounted: bool,
}

/// Prepares the worker's mounts where they are needed. The caller has one thread.
///
/// # Errors
/// When the kernel refuses and the user could not read a package root or use the cache otherwise.
pub(super) fn prepare(
    sandbox: &Sandbox,
    account: &Account,
    reachable: &Reachable<'_>,
) -> Result<(), SandboxError> {
    let mut needs = Vec::new();
    for (given, is_package) in
        reachable.packages.iter().map(|path| (path.as_path(), true)).chain([(reachable.cache, false)])
    {
        let path = given.canonicalize().map_err(|error| SandboxError::at("find", given, error))?;
        let blocked = blocked(&path, account);
        let mounted = blocked.is_some() || (is_package && !is_readable(&path, account));
        needs.push(Need { path, given, is_package, blocked, mounted });
    }
    // Outer ones first: what lies below a mount must be mounted into it.
    needs.sort_by(|one, other| one.path.cmp(&other.path));
    needs.dedup_by(|one, other| one.path == other.path);
    for place in 1..needs.len() {
        let (outer, inner) = needs.split_at_mut(place);
        let Some(inner) = inner.first_mut() else { continue };
        let covers = |outer: &Need<'_>| {
            outer.mounted
                && (inner.path.starts_with(&outer.path)
                    || outer.blocked.as_ref().is_some_and(|at| inner.path.starts_with(at)))
        };
        inner.mounted |= outer.iter().any(covers);
    }
    if needs.iter().any(|need| need.mounted) {
        mount_all(sandbox, &needs).map_err(|error| unreachable(&needs, account, &error))?;
    }
    // Looked at through the mounts: not every file system can be shown as another user's.
    match needs.iter().find(|need| need.is_package && !is_listable(&need.path, account)) {
        Some(need) => Err(unreadable(need, account)),
        None => Ok(()),
    }
}

fn mount_all(sandbox: &Sandbox, needs: &[Need<'_>]) -> Result<(), SandboxError> {
    unshare(CloneFlags::CLONE_NEWNS)
        .map_err(|errno| SandboxError::on("make", "a mount namespace for the worker", errno))?;
    let flags = MsFlags::MS_REC | MsFlags::MS_SLAVE;
    mount(None::<&str>, "/", None::<&str>, flags, None::<&str>)
        .map_err(|errno| SandboxError::at("make a slave of", "/", errno))?;
    let mut trees: Vec<(&Need<'_>, OwnedFd)> = Vec::new();
    for need in needs.iter().filter(|need| need.mounted) {
        let tree = if need.is_package { sandbox.view(&need.path)? } else { rootfs::clone_mount(&need.path)? };
        trees.push((need, tree));
    }
    let mut covered: Vec<&Path> = Vec::new();
    for (need, tree) in &trees {
        if let Some(at) = need.blocked.as_deref()
            && !covered.contains(&at)
        {
            cover(at)?;
            covered.push(at);
        }
        if need.blocked.is_some() {
            fs::create_dir_all(&need.path).map_err(|error| SandboxError::at("make", &need.path, error))?;
        }
        rootfs::attach(tree, &need.path)?;
    }
    Ok(())
}

/// Covers a directory by an empty one that lets everyone through.
fn cover(directory: &Path) -> Result<(), SandboxError> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("tmpfs"), directory, Some("tmpfs"), flags, Some("size=1m,mode=755"))
        .map_err(|errno| SandboxError::at("cover", directory, errno))
}

/// The outermost directory above a path that the user may not pass through.
fn blocked(path: &Path, account: &Account) -> Option<PathBuf> {
    const SEARCH: u32 = 0o1;
    let mut above: Vec<&Path> = path.ancestors().skip(1).collect();
    above.reverse();
    let closed =
        |directory: &&Path| fs::metadata(directory).is_ok_and(|metadata| !account.may(&metadata, SEARCH));
    above.into_iter().find(closed).map(Path::to_owned)
}

/// Whether the user may list a directory.
fn is_listable(path: &Path, account: &Account) -> bool {
    fs::metadata(path).is_ok_and(|metadata| account.may(&metadata, 0o5))
}

/// Whether the user may read a directory and, as far as is looked, everything in it.
fn is_readable(path: &Path, account: &Account) -> bool {
    let mut pending = vec![path.to_owned()];
    let mut examined = 0;
    while let Some(path) = pending.pop() {
        examined += 1;
        // What cannot be looked at is for the reader of packages to complain about.
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        let is_closed =
            if metadata.is_dir() { !account.may(&metadata, 0o5) } else { !account.may(&metadata, 0o4) };
        if is_closed && !metadata.is_symlink() {
            return false;
        }
        if metadata.is_dir() && examined < EXAMINED {
            pending.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
        }
    }
    true
}

fn unreadable(need: &Need<'_>, account: &Account) -> SandboxError {
    let path = need.given.display();
    let problem = format!(
        "{account} may not read it; make it readable: chgrp -R {gid} {path} && chmod -R g+rX {path}; or name another user \
         with --user",
        gid = account.gid
    );
    SandboxError::at(
        "use the package root",
        need.given,
        io::Error::new(io::ErrorKind::PermissionDenied, problem),
    )
}

/// Why the worker's mounts could not be made, and what to do without them.
fn unreachable(needs: &[Need<'_>], account: &Account, error: &SandboxError) -> SandboxError {
    let paths: Vec<_> = needs
        .iter()
        .filter(|need| need.mounted)
        .map(|need| need.blocked.as_deref().unwrap_or(&need.path).display().to_string())
        .collect();
    SandboxError::Host {
        missing: format!(
            "{account} may not get at {}, and it cannot be mounted for that user ({error})",
            paths.join(", ")
        ),
        remedy: "make these directories readable for that user, or stay root with --user root".to_owned(),
    }
}

/// The id maps of a mount that shows what belongs to `owner` as `reader`'s and the reverse, and the rest as it is: lines
/// for uid_map and gid_map of a user namespace (user_namespaces(7)).
pub(super) fn exchanged(owner: u32, reader: u32, end: u32) -> String {
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

/// A user namespace with those maps, for idmapped mounts. The caller has one thread and may write any map.
pub(super) fn exchanging_namespace(
    (owner_uid, owner_gid): (u32, u32),
    (uid, gid): (u32, u32),
) -> Result<OwnedFd, SandboxError> {
    let failed = |error: io::Error| SandboxError::on("make", "a user namespace for an idmapped mount", error);
    let cloned = syscalls::clone_process(libc::CLONE_NEWUSER, None).map_err(failed)?;
    let syscalls::Cloned::Parent { pid, pidfd } = cloned else {
        // It only holds the namespace until it is opened, and goes with its parent whatever happens.
        let _ = nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL);
        loop {
            nix::unistd::pause();
        }
    };
    // Where this process is in a user namespace itself, ids beyond its own cannot be mapped.
    let write = |end: u32| -> io::Result<()> {
        fs::write(format!("/proc/{pid}/uid_map"), exchanged(owner_uid, uid, end))?;
        fs::write(format!("/proc/{pid}/gid_map"), exchanged(owner_gid, gid, end))
    };
    let opened = write(u32::MAX)
        .or_else(|_| write(65_536))
        .and_then(|()| fs::File::open(format!("/proc/{pid}/ns/user")));
    let _ = syscalls::signal_process(pidfd.as_fd(), libc::SIGKILL);
    while let Ok(syscalls::Reaped::NoneYet) = syscalls::reap(pid.as_raw(), true) {}
    opened.map(OwnedFd::from).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::exchanged;

    #[test]
    fn two_ids_change_places_and_the_rest_stays() {
        assert_eq!(exchanged(0, 998, u32::MAX), "0 998 1\n1 1 997\n998 0 1\n999 999 4294966296\n");
        assert_eq!(exchanged(1000, 999, 65_536), "0 0 999\n999 1000 1\n1000 999 1\n1001 1001 64535\n");
        assert_eq!(exchanged(0, 1, 2), "0 1 1\n1 0 1\n");
        assert_eq!(exchanged(7, 7, 100), "0 0 100\n");
    }
}
