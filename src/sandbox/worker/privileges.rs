//! Gives up the rights of a worker before it talks to the network.
//!
//! A worker that root starts needs root's rights only to start the keeper. After that it becomes a user of its own: no
//! groups, no capabilities, none to gain (`no_new_privs`), and a filter that denies calls that a worker never makes
//! ([`super::network_filter`]). Access to files that only root may read is prepared before: [`super::package_mounts`]
//! mounts package roots where that user finds them, and the keeper opens files of the operator that are read again and
//! again, which it lists at its start. A worker that an ordinary user starts has only the rights of that user to give up.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, OnceLock, Weak};

use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};

use super::account::Account;
use super::network_filter;
use super::package_mounts::{self, Reachable};
use crate::sandbox::error::SandboxError;
use crate::sandbox::keeper::client::{self, KeeperClient};
use crate::sandbox::keeper::message::Request;
use crate::sandbox::sys::syscalls;

/// Gives up every right that judging does not need (see [`crate::sandbox::Sandbox::give_up_privileges`]).
pub(crate) fn give_up(
    keeper: &Arc<KeeperClient>,
    account: Option<&Account>,
    reachable: &Reachable<'_>,
) -> Result<(), SandboxError> {
    let failed = |operation: &'static str, subject: &str| {
        let subject = subject.to_owned();
        move |errno: nix::Error| SandboxError::on(operation, subject, errno)
    };
    if let Some(account) = account {
        package_mounts::prepare(keeper, account, reachable)?;
    }
    let stays_root = account.is_none() && Uid::effective().is_root();
    // Needs a capability itself, so it comes before the change of user. Without one there is none to keep either.
    for capability in 0.. {
        if stays_root || syscalls::drop_bounding_capability(capability).is_err() {
            break;
        }
    }
    if let Some(account) = account {
        let remedy = |what: &'static str| {
            let subject = format!("{account}: give --user root to stay root");
            move |errno: nix::Error| SandboxError::on(what, subject, errno)
        };
        setgroups(&[]).map_err(remedy("empty the groups of"))?;
        let (uid, gid) = (Uid::from_raw(account.uid), Gid::from_raw(account.gid));
        setresgid(gid, gid, gid).map_err(remedy("take the group of"))?;
        setresuid(uid, uid, uid).map_err(remedy("become"))?;
        client::set_changed_user();
    }
    if !stays_root {
        syscalls::keep_capabilities(0)
            .map_err(|error| SandboxError::on("give up", "the capabilities of this process", error))?;
    }
    nix::sys::prctl::set_no_new_privs().map_err(failed("give up", "new privileges"))?;
    for filter in network_filter::filters()? {
        seccompiler::apply_filter_all_threads(&filter).map_err(|error| {
            SandboxError::on("install", "the system-call filter", io::Error::other(error))
        })?;
    }
    // Only the first sandbox of a process lists files of the operator.
    let _ = KEEPER.set(Arc::downgrade(keeper));
    Ok(())
}

/// The keeper that opens listed files.
static KEEPER: OnceLock<Weak<KeeperClient>> = OnceLock::new();

/// Lets the keeper recreate a removed store that is or contains `path`, where this process has become a user that may not;
/// returns whether to try again.
pub fn restore_store(path: &Path) -> bool {
    let keeper = KEEPER.get().and_then(Weak::upgrade).filter(|_| client::has_changed_user());
    keeper.is_some_and(|keeper| keeper.ask(&Request::Restore { path: path.to_owned() }).is_ok())
}

/// Opens the current file of the operator at a path, such as one with a password: with this process's rights, or through
/// the keeper where it was listed at the start ([`crate::sandbox::Directories::files`]) and only root may read it.
///
/// # Errors
/// As [`File::open`].
pub fn open_file(path: &Path) -> io::Result<File> {
    // O_NONBLOCK, so that a FIFO in its place does not block.
    let own = File::options().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path);
    match (&own, KEEPER.get().and_then(Weak::upgrade)) {
        (Err(error), Some(keeper)) if error.kind() == io::ErrorKind::PermissionDenied => {
            let path = std::path::absolute(path)?;
            match keeper.ask(&Request::Read { path }) {
                Ok((_, files)) => files.into_iter().next().map_or(own, |(_, file)| Ok(File::from(file))),
                Err(SandboxError::System { source, .. }) => Err(source),
                Err(error) => Err(io::Error::new(io::ErrorKind::PermissionDenied, error.to_string())),
            }
        }
        _ => own,
    }
}
