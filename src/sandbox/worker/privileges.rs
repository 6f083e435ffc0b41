//! Gives up the rights of a worker before it speaks to the network.
//!
//! A worker that root starts needs root's rights only to start the keeper. After that it becomes a user of its own: no
//! groups, no capabilities, none to gain (`no_new_privs`), and a filter that denies what a worker never does
//! ([`super::seccomp`]). What only root could read is prepared before: `reach` mounts package roots where that user finds
//! them, and files of the operator's that are read again and again are opened by the keeper, which lists them at its
//! start. A worker that a user starts has no rights but those of its user to give up.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::unistd::{Gid, Uid, User, fchown, setgroups, setresgid, setresuid};

use super::keeper_client::KeeperClient;
use super::keeper_message::Request;
use super::{Sandbox, SandboxError, reach, seccomp, syscalls};

/// The account that the unit and its sysusers file make.
pub const DEFAULT_ACCOUNT: &str = "gavel";

/// The id used where that account does not exist. systemd's "UIDs-GIDs" leaves 65520 to 65533 unused, so no package or
/// container manager gives it to an account, and containers with the usual 65536 ids have it.
pub const DEFAULT_ID: u32 = 65_522;

/// The user that a worker becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name; the number where it has none.
    pub name: String,
    /// Its user id.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
}

/// Why a worker cannot become a user.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// No account has that name, and it is not a number.
    #[error("'{0}' is not an account of this host; create it, or give a number")]
    Unknown(String),
    /// Only root can become somebody else.
    #[error(
        "'{0}' is another user; only root can start a worker for it: leave the setting out, or start it as '{0}'"
    )]
    NotRoot(String),
    /// The default id belongs to somebody.
    #[error(
        "there is no account '{DEFAULT_ACCOUNT}', and id {DEFAULT_ID}, used in its place, belongs to '{0}'; create the account, or name another"
    )]
    Taken(String),
    /// The system's accounts cannot be read.
    #[error("the accounts of this host cannot be read: {0}")]
    Accounts(#[from] nix::Error),
}

impl Account {
    /// The account that a worker of this process is to become; `None` when it stays what it is.
    ///
    /// # Errors
    /// [`AccountError`] when there is no such account, or this process may not become it.
    pub fn choose(setting: Option<&str>) -> Result<Option<Self>, AccountError> {
        let own = Uid::effective();
        let chosen = match setting {
            Some(text) => Self::find(text)?.ok_or_else(|| AccountError::Unknown(text.to_owned()))?,
            None if !own.is_root() => return Ok(None),
            None => match Self::find(DEFAULT_ACCOUNT)? {
                Some(account) if account.uid != 0 => account,
                _ => match User::from_uid(Uid::from_raw(DEFAULT_ID))? {
                    Some(user) => return Err(AccountError::Taken(user.name)),
                    None => Self { name: DEFAULT_ID.to_string(), uid: DEFAULT_ID, gid: DEFAULT_ID },
                },
            },
        };
        if chosen.uid == own.as_raw() {
            return Ok(None);
        }
        if !own.is_root() {
            return Err(AccountError::NotRoot(chosen.name));
        }
        Ok(Some(chosen))
    }

    fn find(text: &str) -> Result<Option<Self>, AccountError> {
        let of = |user: User| Self { name: user.name, uid: user.uid.as_raw(), gid: user.gid.as_raw() };
        if let Some(user) = User::from_name(text)? {
            return Ok(Some(of(user)));
        }
        let Ok(id) = text.parse::<u32>() else { return Ok(None) };
        // The last id means "no change" to the kernel (setresuid(2)).
        if id == u32::MAX {
            return Ok(None);
        }
        let user = User::from_uid(Uid::from_raw(id))?;
        Ok(Some(user.map_or_else(|| Self { name: id.to_string(), uid: id, gid: id }, of)))
    }

    /// Whether permissions let this user do to a file all that `rights` names, as one octal digit.
    pub(super) fn may(&self, metadata: &fs::Metadata, rights: u32) -> bool {
        let shift = if metadata.uid() == self.uid {
            6
        } else if metadata.gid() == self.gid {
            3
        } else {
            0
        };
        metadata.mode() >> shift & rights == rights
    }
}

impl std::fmt::Display for Account {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "user {} (uid {})", self.name, self.uid)
    }
}

/// Returns the directory in which a worker that becomes `account` keeps its cache: `cache` where it is the account's, or
/// new or empty and handed over now; else, as root's own cache it stays root's, a directory of the account's in it.
///
/// # Errors
/// When it belongs to a third user, may be written by others, or cannot be made.
pub fn hand_over_cache(cache: &Path, account: &Account) -> Result<PathBuf, SandboxError> {
    let failed = |operation: &'static str, path: &Path| {
        let path = path.to_owned();
        move |error: io::Error| SandboxError::at(operation, path, error)
    };
    if let Some(parent) = cache.parent() {
        DirBuilder::new().recursive(true).mode(0o755).create(parent).map_err(failed("make", parent))?;
    }
    let held = hold_or_make(cache)?;
    let metadata = File::from(held.try_clone().map_err(failed("open", cache))?)
        .metadata()
        .map_err(failed("examine", cache))?;
    let unsafe_cache = |problem: &str| {
        let problem =
            io::Error::other(format!("{problem}; choose another place with --cache or GAVEL_CACHE"));
        SandboxError::at("use the cache", cache, problem)
    };
    if metadata.uid() == account.uid {
        return Ok(cache.to_owned());
    }
    if metadata.uid() != 0 {
        return Err(unsafe_cache("it belongs to another user"));
    }
    if metadata.mode() & 0o022 != 0 {
        return Err(unsafe_cache("other users may write to it"));
    }
    let is_empty = fs::read_dir(cache).map_err(failed("list", cache))?.next().is_none();
    if is_empty {
        give(&held, account).map_err(failed("hand over", cache))?;
        return Ok(cache.to_owned());
    }
    // Only root can have put anything here, so no link of somebody else's is in the way.
    if metadata.mode() & 0o001 == 0 {
        let mode = fs::Permissions::from_mode(metadata.mode() & 0o7777 | 0o011);
        fs::set_permissions(cache, mode).map_err(failed("let others pass through", cache))?;
    }
    let own = cache.join(format!("user-{}", account.uid));
    let held = hold_or_make(&own)?;
    let metadata = fs::symlink_metadata(&own).map_err(failed("examine", &own))?;
    if metadata.uid() == 0 {
        give(&held, account).map_err(failed("hand over", &own))?;
    }
    Ok(own)
}

/// Opens a directory that is not a link, made where missing.
fn hold_or_make(path: &Path) -> Result<OwnedFd, SandboxError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(SandboxError::at("make", path, error));
        }
        _ => {}
    }
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    open(path, flags, Mode::empty()).map_err(|errno| SandboxError::at("open", path, errno))
}

/// Changes the owner of the directory behind a descriptor: never along a link.
fn give(directory: &OwnedFd, account: &Account) -> io::Result<()> {
    let (uid, gid) = (Uid::from_raw(account.uid), Gid::from_raw(account.gid));
    fchown(directory, Some(uid), Some(gid)).map_err(io::Error::from)
}

/// Gives up everything that judging does not need; for good, and for all threads to come. The keeper must have been
/// started. With an account this process becomes that user, which finds the package roots where they are; without one
/// only capabilities and system calls go, and of root, which it then is to stay, only system calls.
///
/// # Errors
/// When this process has more than one thread, a step is refused, or the account cannot read a package root.
pub fn give_up(
    sandbox: &Sandbox,
    account: Option<&Account>,
    reachable: &Reachable<'_>,
) -> Result<(), SandboxError> {
    let failed = |operation: &'static str, subject: &str| {
        let subject = subject.to_owned();
        move |errno: nix::Error| SandboxError::on(operation, subject, errno)
    };
    if let Some(account) = account {
        reach::prepare(sandbox, account, reachable)?;
    }
    let stays_root = account.is_none() && Uid::effective().is_root();
    // Needs a capability itself, so not after the change of user. Without one there is none to keep either.
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
        BECAME.store(true, Ordering::Relaxed);
    }
    if !stays_root {
        syscalls::clear_capabilities()
            .map_err(|error| SandboxError::on("give up", "the capabilities of this process", error))?;
    }
    nix::sys::prctl::set_no_new_privs().map_err(failed("give up", "new privileges"))?;
    for filter in seccomp::network_filters()? {
        seccompiler::apply_filter_all_threads(&filter).map_err(|error| {
            SandboxError::on("install", "the system-call filter", io::Error::other(error))
        })?;
    }
    // Only the first sandbox of a process is started with files of the operator's.
    let _ = KEEPER.set(Arc::downgrade(&sandbox.keeper));
    Ok(())
}

/// What a worker still reaches as another user.
#[derive(Debug)]
pub struct Reachable<'a> {
    /// Package roots.
    pub packages: &'a [PathBuf],
    /// Its cache.
    pub cache: &'a Path,
}

/// Whether this process has become another user than the one that started the keeper.
static BECAME: AtomicBool = AtomicBool::new(false);

/// Whether this process is another user than its keeper.
pub(super) fn is_another_user() -> bool {
    BECAME.load(Ordering::Relaxed)
}

/// The keeper that opens the listed files.
static KEEPER: OnceLock<Weak<KeeperClient>> = OnceLock::new();

/// Has the keeper make a store again that was removed and is `path` or above it, where this process has become a user that
/// may not; returns whether it is worth another try.
pub fn restore_store(path: &Path) -> bool {
    let keeper = KEEPER.get().and_then(Weak::upgrade).filter(|_| is_another_user());
    keeper.is_some_and(|keeper| keeper.ask(&Request::Restore { path: path.to_owned() }).is_ok())
}

/// Opens a file of the operator's, such as one with a password, as it is now: with this process's rights, or by the
/// keeper where it was listed at the start ([`super::Directories::files`]) and only root may read it.
///
/// # Errors
/// As [`File::open`].
pub fn open_file(path: &Path) -> io::Result<File> {
    // A FIFO in its place must not be waited for.
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
