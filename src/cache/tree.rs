//! Directory trees of the store: making them read-only, removing them.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

/// Sets a mode.
pub(super) fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(mode))
}

/// Removes whatever is at `path`: a file, a symbolic link (never what it points to), or a directory whose
/// parts may be read-only. Nothing being there is success.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    let outcome = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => make_writable(path).and_then(|()| fs::remove_dir_all(path)),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Only root may unlink from a read-only directory; gavel often is not root.
fn make_writable(root: &Path) -> io::Result<()> {
    let mut pending = vec![root.to_owned()];
    while let Some(directory) = pending.pop() {
        set_mode(&directory, 0o700)?;
        for item in fs::read_dir(&directory)? {
            let item = item?;
            if item.file_type()?.is_dir() {
                pending.push(item.path());
            }
        }
    }
    Ok(())
}

/// `base` joined with a relative path that cannot leave it.
pub(super) fn join_inside(base: &Path, name: &Path) -> io::Result<PathBuf> {
    let harmless = name.components().all(|part| matches!(part, Component::Normal(_)));
    if !harmless || name == OsStr::new("") {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("'{}' is not a plain relative path", name.display()),
        ));
    }
    Ok(base.join(name))
}
