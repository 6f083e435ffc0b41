//! The keeper process, which alone has privileges: it creates, recycles and destroys boxes and their cgroups.
//!
//! `server` is its loop and `boxes` its state, `bounds` and `directories` limit what a request may ask for, `rootfs`,
//! `id_map` and `make_readable` work on file systems, and `cgroup` finds hierarchies and fills them. `client` is the
//! worker's end of the connection, and `message` is how the two talk. The keeper clones box inits, so it imports `init`;
//! of the worker's folders it imports nothing.

mod bounds;
pub(crate) mod boxes;
pub(crate) mod cgroup;
pub(crate) mod client;
pub(crate) mod directories;
mod id_map;
mod make_readable;
pub(crate) mod message;
mod rootfs;
pub(crate) mod server;
