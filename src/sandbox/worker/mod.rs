//! Prepares the worker process itself: makes it another user, gives up its rights, and keeps its memory small.
//!
//! `account` chooses the user, `privileges` becomes it, `package_mounts` keeps its packages reachable and `network_filter`
//! denies system calls. `allocator` has nothing to do with boxes; it is here because its calls are `unsafe`.

pub(crate) mod account;
pub mod allocator;
mod network_filter;
pub(crate) mod package_mounts;
pub(crate) mod privileges;
