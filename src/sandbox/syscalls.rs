//! System calls that neither the standard library nor `nix` wraps, each once, typed.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// The one place that turns a raw result into an [`io::Result`].
fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// A close-on-exec, non-blocking eventfd.
pub(crate) fn event_descriptor() -> io::Result<OwnedFd> {
    // SAFETY: eventfd takes no pointers; the result is checked before it becomes an owned descriptor.
    let raw = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    check(raw.into())?;
    // SAFETY: `raw` is a fresh descriptor that nothing else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}
