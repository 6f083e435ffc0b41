//! Content-addressed directories on disk: compiled programs and prepared files.
//!
//! What always holds:
//! - an entry is whole or not there: its manifest, renamed into place last, is what makes it exist;
//! - an entry is never changed, and never evicted while an [`Entry`] of it lives in any process;
//! - of all threads and processes that want the same missing entry, one makes it and the rest wait for it;
//!   if it dies, even of SIGKILL, the next takes over, because the locks are the kernel's (`flock`);
//! - nothing here trusts names found on disk: what does not look like the store's own is left alone.
//!
//! Nothing is ever fsynced: everything here can be made again, and a flush costs more than many compilations.
//! Instead a manifest records the SHA-256 of every file and the boot it was written in. Within one boot the
//! kernel shows what was written, so comparing sizes and change times is enough; an entry from an earlier
//! boot, which a power failure may have cut, is read and compared once before it is used.
//!
//! ```text
//! root/                      0700, owned by us
//!   objects/ab/<key>/        an entry: directories 0555, files 0444 or 0555
//!   objects/ab/<key>.meta    its manifest; its modification time is the last use, its lock says "in use"
//!   drafts/<key>/            being made
//!   drafts/<key>.lock        held by the maker
//!   drafts/<key>.meta        a manifest on its way
//!   drafts/trash-*           being deleted
//! ```
//!
//! It refuses to know what the entries are or how they are made.

mod digest;
mod draft;
mod entry;
mod error;
mod evict;
mod manifest;
mod store;
mod tree;

pub use digest::{Digest, KeyBuilder};
pub use draft::Draft;
pub use entry::Entry;
pub use error::CacheError;
pub(crate) use store::make_directories;
pub use store::{Lookup, Store};
