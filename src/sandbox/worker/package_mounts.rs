//! Mounts package roots and the cache so that a worker that becomes another user can reach them at their paths.
//!
//! Root may have put packages where no other user may go, such as below `/root` or in directories of mode 0700. Their
//! permissions on disk are not changed. Where it is needed the worker gets a mount namespace of its own, created while it
//! is still root: a package root is mounted over itself as the keeper's read-only view, in which the files of the root's
//! owner belong to the worker's user (an idmapped mount, mount_setattr(2)); an ancestor that this user may not pass
//! through is covered by an empty directory that contains only these mounts. So the worker reaches less of the host than
//! before, and none of the files beside its packages.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use super::account::Account;
use crate::sandbox::error::SandboxError;
use crate::sandbox::keeper::client::KeeperClient;
use crate::sandbox::sys::mounts;

/// The most entries of a package root that are checked for permission to read.
const EXAMINED: usize = 20_000;

/// The directories that a worker needs after it has become another user.
#[derive(Debug)]
pub struct Reachable<'a> {
    /// Package roots.
    pub packages: &'a [PathBuf],
    /// Its cache.
    pub cache: &'a Path,
}

/// A directory that the worker must reach.
struct Need<'a> {
    /// The path with links resolved.
    path: PathBuf,
    /// The path as it was given, for messages.
    given: &'a Path,
    is_package: bool,
    /// The outermost ancestor that the worker's user may not pass through.
    blocked: Option<PathBuf>,
    /// Whether it must be mounted.
    mounted: bool,
}

/// Creates the worker's mounts where they are needed. The caller has one thread.
///
/// # Errors
/// When the kernel refuses mounts without which the user cannot read a package root or use the cache.
pub(crate) fn prepare(
    keeper: &KeeperClient,
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
    // Outer ones first: a directory below a mount must be mounted into it.
    needs.sort_by(|one, other| one.path.cmp(&other.path));
    needs.dedup_by(|one, other| one.path == other.path);
    for index in 1..needs.len() {
        let (outer, inner) = needs.split_at_mut(index);
        let Some(inner) = inner.first_mut() else { continue };
        let covers = |outer: &Need<'_>| {
            outer.mounted
                && (inner.path.starts_with(&outer.path)
                    || outer.blocked.as_ref().is_some_and(|at| inner.path.starts_with(at)))
        };
        inner.mounted |= outer.iter().any(covers);
    }
    if needs.iter().any(|need| need.mounted) {
        mount_all(keeper, &needs).map_err(|error| unreachable(&needs, account, &error))?;
    }
    // Checked through the mounts, since not every file system supports mapped ids.
    match needs.iter().find(|need| need.is_package && !is_listable(&need.path, account)) {
        Some(need) => Err(unreadable(need, account)),
        None => Ok(()),
    }
}

/// Mounts every directory that needs it, in a new mount namespace.
fn mount_all(keeper: &KeeperClient, needs: &[Need<'_>]) -> Result<(), SandboxError> {
    unshare(CloneFlags::CLONE_NEWNS)
        .map_err(|errno| SandboxError::on("make", "a mount namespace for the worker", errno))?;
    let flags = MsFlags::MS_REC | MsFlags::MS_SLAVE;
    mount(None::<&str>, "/", None::<&str>, flags, None::<&str>)
        .map_err(|errno| SandboxError::at("make a slave of", "/", errno))?;
    let mut trees: Vec<(&Need<'_>, OwnedFd)> = Vec::new();
    for need in needs.iter().filter(|need| need.mounted) {
        let tree = if need.is_package { keeper.view(&need.path)? } else { mounts::clone(&need.path)? };
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
        mounts::attach(tree, &need.path)?;
    }
    Ok(())
}

/// Covers a directory with an empty one that every user may pass through.
fn cover(directory: &Path) -> Result<(), SandboxError> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("tmpfs"), directory, Some("tmpfs"), flags, Some("size=1m,mode=755"))
        .map_err(|errno| SandboxError::at("cover", directory, errno))
}

/// Returns the outermost directory above a path that the user may not pass through.
fn blocked(path: &Path, account: &Account) -> Option<PathBuf> {
    const SEARCH: u32 = 0o1;
    let mut above: Vec<&Path> = path.ancestors().skip(1).collect();
    above.reverse();
    let closed =
        |directory: &&Path| fs::metadata(directory).is_ok_and(|metadata| !account.may(&metadata, SEARCH));
    above.into_iter().find(closed).map(Path::to_owned)
}

/// Returns whether the user may list a directory.
fn is_listable(path: &Path, account: &Account) -> bool {
    fs::metadata(path).is_ok_and(|metadata| account.may(&metadata, 0o5))
}

/// Returns whether the user may read a directory and the first [`EXAMINED`] entries in it.
fn is_readable(path: &Path, account: &Account) -> bool {
    let mut pending = vec![path.to_owned()];
    let mut examined = 0;
    while let Some(path) = pending.pop() {
        examined += 1;
        // The reader of packages reports entries without metadata.
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

/// Describes a package root that the user may not read.
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

/// Describes mounts that could not be created, and the alternatives.
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
