//! Sends and receives messages with descriptors over a local socket, one packet each.
//!
//! SOCK_SEQPACKET socket pairs join worker, keeper and box inits (unix(7)): message boundaries are kept, an end of file
//! means that the peer has died, and descriptors travel with the bytes. Requests to the keeper are JSON (rare, and
//! readable in a trace); requests to a box have the binary form of `init::message`.

use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::sys::socket::{AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, sendmsg, socketpair};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::syscalls;

/// The most descriptors in one message.
const MAX_DESCRIPTORS: usize = 24;

/// The most bytes in one message: below the kernel's default socket buffer (net.core.wmem_default, 212,992).
pub(crate) const MAX_MESSAGE: usize = 128 * 1024;

/// Returns two connected sockets, both close-on-exec.
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?)
}

/// Sends one packet with descriptors.
pub(crate) fn send(socket: BorrowedFd<'_>, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
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

/// Buffers for received messages, reused from message to message.
pub(crate) struct Inbox {
    bytes: Vec<u8>,
    control: Vec<u8>,
}

impl Inbox {
    /// Allocates room for the largest message.
    pub(crate) fn new() -> Self {
        Self { bytes: vec![0; MAX_MESSAGE], control: nix::cmsg_space!([RawFd; MAX_DESCRIPTORS]) }
    }

    /// Waits for one packet; returns `None` when the peer has closed its end. Received descriptors are close-on-exec.
    pub(crate) fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<Option<(&[u8], Vec<OwnedFd>)>> {
        let packet = loop {
            match syscalls::receive(socket, &mut self.bytes, &mut self.control) {
                Ok(packet) => break packet,
                Err(nix::errno::Errno::EINTR) => {}
                Err(nix::errno::Errno::ECONNRESET) => return Ok(None),
                Err(errno) => return Err(errno.into()),
            }
        };
        if packet.truncated {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a message was truncated"));
        }
        if packet.length == 0 {
            return Ok(None);
        }
        Ok(Some((&self.bytes[..packet.length], packet.descriptors)))
    }
}

/// Sends a value as JSON.
pub(crate) fn send_json(
    socket: BorrowedFd<'_>,
    value: &impl Serialize,
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    send(socket, &serde_json::to_vec(value)?, descriptors)
}

/// Receives a value sent by [`send_json`].
pub(crate) fn receive_json<T: DeserializeOwned>(
    inbox: &mut Inbox,
    socket: BorrowedFd<'_>,
) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    match inbox.receive(socket)? {
        Some((bytes, descriptors)) => Ok(Some((serde_json::from_slice(bytes)?, descriptors))),
        None => Ok(None),
    }
}
