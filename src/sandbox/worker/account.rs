//! The user that a worker becomes, and the cache that is handed over to it.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::unistd::{Gid, Uid, User, fchown};

use crate::sandbox::error::SandboxError;

/// The account that the systemd unit and its sysusers file create.
pub const DEFAULT_ACCOUNT: &str = "gavel";

/// The id that is used where that account does not exist. systemd's "UIDs-GIDs" leaves 65520 to 65533 unused, so no package or
/// container manager gives it to an account, and containers with the usual 65536 ids have it.
pub const DEFAULT_ID: u32 = 65_522;

/// The user that a worker becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name, or the number of an id without a name.
    pub name: String,
    /// Its user id.
    pub uid: u32,
    /// Its group id.
    pub gid: u32,
}

/// The reason why a worker cannot become a user.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// No account has that name, and it is not a number.
    #[error("'{0}' is not an account of this host; create it, or give a number")]
    Unknown(String),
    /// Only root can become another user.
    #[error(
        "'{0}' is another user; only root can start a worker for it: leave the setting out, or start it as '{0}'"
    )]
    NotRoot(String),
    /// The default id belongs to an account.
    #[error(
        "there is no account '{DEFAULT_ACCOUNT}', and id {DEFAULT_ID}, used in its place, belongs to '{0}'; create the account, or name another"
    )]
    Taken(String),
    /// The system's accounts cannot be read.
    #[error("the accounts of this host cannot be read: {0}")]
    Accounts(#[from] nix::Error),
}

impl Account {
    /// Returns the account that this process should become as a worker; `None` when it stays the same user.
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

    /// Returns whether the mode of a file gives this user all of `rights`, an octal digit.
    pub(crate) fn may(&self, metadata: &fs::Metadata, rights: u32) -> bool {
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

/// Returns the directory in which a worker that becomes `account` keeps its cache: `cache` if it belongs to the account, or
/// is new or empty and handed over now; otherwise it stays root's, and the account gets a directory in it.
///
/// # Errors
/// When it belongs to a third user, other users may write to it, or it cannot be created.
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
    // Only root can create entries here, so none is another user's link.
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

/// Opens a directory that is not a link, and creates it if it is missing.
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

/// Changes the owner of a directory by descriptor, so never through a link.
fn give(directory: &OwnedFd, account: &Account) -> io::Result<()> {
    let (uid, gid) = (Uid::from_raw(account.uid), Gid::from_raw(account.gid));
    fchown(directory, Some(uid), Some(gid)).map_err(io::Error::from)
}
