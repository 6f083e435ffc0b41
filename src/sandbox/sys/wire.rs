//! Messages with descriptors over a local socket: one message, one packet, whole or not at all.
//!
//! Worker, keeper and box inits are joined by SOCK_SEQPACKET socket pairs (unix(7)): boundaries are kept,
//! an end of file means the other side is gone, and descriptors travel with the bytes. Requests to the keeper
//! are JSON (rare, and readable in a trace); requests to a box are built by [`super::run_message`].

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg, sendmsg,
    socketpair,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Descriptors one message can carry.
const MAX_DESCRIPTORS: usize = 24;

/// Bytes one message can carry: below the kernel's default socket buffer (net.core.wmem_default, 212,992).
pub(super) const MAX_MESSAGE: usize = 128 * 1024;

/// Two connected ends, both close-on-exec.
pub(super) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?)
}

/// Sends one packet with descriptors.
pub(super) fn send(socket: BorrowedFd<'_>, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    if bytes.len() > MAX_MESSAGE {
        return Err(io::Error::from_raw_os_error(libc::E2BIG));
    }
    let raw: Vec<RawFd> = descriptors.iter().map(|descriptor| descriptor.as_raw_fd()).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let control: &[ControlMessage<'_>] = if raw.is_empty() { &[] } else { &rights };
    loop {
        match sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(bytes)], control, MsgFlags::MSG_NOSIGNAL, None)
        {
            Ok(sent) if sent == bytes.len() => return Ok(()),
            Ok(_) => return Err(io::Error::from(io::ErrorKind::WriteZero)),
            Err(nix::errno::Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// A place to receive into, reused from message to message.
pub(super) struct Inbox {
    bytes: Vec<u8>,
    control: Vec<u8>,
}

impl Inbox {
    /// Room for the largest message.
    pub(super) fn new() -> Self {
        Self { bytes: vec![0; MAX_MESSAGE], control: nix::cmsg_space!([RawFd; MAX_DESCRIPTORS]) }
    }

    /// Waits for one packet; `None` when the other side is gone. Received descriptors are close-on-exec.
    pub(super) fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<Option<(&[u8], Vec<OwnedFd>)>> {
        let (length, truncated, descriptors) = loop {
            let mut slices = [IoSliceMut::new(&mut self.bytes)];
            let flags = MsgFlags::MSG_CMSG_CLOEXEC;
            match recvmsg::<()>(socket.as_raw_fd(), &mut slices, Some(&mut self.control), flags) {
                Ok(message) => {
                    let mut descriptors = Vec::new();
                    for control in message.cmsgs()? {
                        if let ControlMessageOwned::ScmRights(raw) = control {
                            descriptors.extend(raw.into_iter().map(super::syscalls::adopt));
                        }
                    }
                    let truncated = message.flags.intersects(MsgFlags::MSG_TRUNC | MsgFlags::MSG_CTRUNC);
                    break (message.bytes, truncated, descriptors);
                }
                Err(nix::errno::Errno::EINTR) => {}
                Err(nix::errno::Errno::ECONNRESET) => return Ok(None),
                Err(errno) => return Err(errno.into()),
            }
        };
        if truncated {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a message was cut"));
        }
        if length == 0 {
            return Ok(None);
        }
        Ok(Some((&self.bytes[..length], descriptors)))
    }
}

/// Sends a value as JSON.
pub(super) fn send_json(
    socket: BorrowedFd<'_>,
    value: &impl Serialize,
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    send(socket, &serde_json::to_vec(value)?, descriptors)
}

/// Receives a value sent by [`send_json`].
pub(super) fn receive_json<T: DeserializeOwned>(
    inbox: &mut Inbox,
    socket: BorrowedFd<'_>,
) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    match inbox.receive(socket)? {
        Some((bytes, descriptors)) => Ok(Some((serde_json::from_slice(bytes)?, descriptors))),
        None => Ok(None),
    }
}
