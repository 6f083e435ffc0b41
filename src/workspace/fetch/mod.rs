//! Fetches files and packages that a submission names by URL and SHA-256, into the cache.
//!
//! What always holds:
//! - nothing is asked of a host the operator did not allow, redirects included; `file:` never is;
//! - nothing looks at what was fetched before its SHA-256 was compared;
//! - of all threads and processes that want the same, one fetches it and the rest wait for it; what a killed
//!   process left half-written is never used, and is cleared by the next one;
//! - what is in use stays, and what is not goes when the cache is full, least recently used first.
//!
//! It refuses to know what a package is, what submissions are, and which of several is judged next.

mod address;
mod error;
mod http;
#[cfg(feature = "s3")]
mod s3;
mod settings;

pub use address::{AddressError, AllowedUrl};
pub use error::FetchError;
pub use settings::{FetchSettings, RATIO_FREE, S3Settings};

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::archive;
use crate::cache::{Digest, Draft, Entry, KeyBuilder, Lookup, Store};
use crate::cancel::CancelToken;
use crate::submission::Remote;
use crate::units::Bytes;
use address::{Address, Scheme, shortened};

/// How often it is looked whether what somebody else fetches has arrived.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Name of an entry's file, or of the directory of its package.
const CONTENT: &str = "content";

/// Fetches, and keeps what was fetched.
#[derive(Debug)]
pub(super) struct Fetcher {
    settings: FetchSettings,
    store: Store,
}

/// How much trouble a fetch is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Urgency {
    /// Somebody waits for it: tried as often as the settings say.
    Needed,
    /// It may be needed soon: tried once.
    Ahead,
}

/// A package that was fetched and unpacked.
#[derive(Debug)]
pub(super) struct Unpacked {
    /// Keeps it on disk.
    pub(super) entry: Entry,
    /// Its own directory: the archive's, or the only folder in it.
    pub(super) directory: PathBuf,
    /// What to call it.
    pub(super) name: String,
}

/// What is wanted, checked.
#[derive(Debug)]
pub(super) struct Wanted {
    address: Address,
    sha256: String,
}

impl Wanted {
    /// Its address, fit for messages.
    pub(super) fn shown(&self) -> String {
        self.address.to_string()
    }

    /// The SHA-256 of its bytes.
    pub(super) fn sha256(&self) -> &str {
        &self.sha256
    }

    fn key(&self, kind: &str) -> Digest {
        KeyBuilder::default().field("kind", kind).field("sha256", &self.sha256).finish()
    }
}

impl Fetcher {
    /// Keeps what is fetched below `cache`.
    ///
    /// # Errors
    /// When the cache or the settings cannot be used.
    pub(super) fn open(cache: &Path, settings: FetchSettings) -> Result<Self, FetchError> {
        http::roots(&settings)?;
        http::proxy(&settings)?;
        let store = Store::open(&cache.join("fetched"), settings.capacity)?;
        Ok(Self { settings, store })
    }

    /// What all that is kept may take.
    pub(super) fn capacity(&self) -> Bytes {
        self.settings.capacity
    }

    /// The most that the source files of a submission may have.
    pub(super) fn largest_source(&self) -> Bytes {
        self.settings.largest_file
    }

    /// Checks where something is and whether it may be fetched.
    ///
    /// # Errors
    /// When the address or the digest is none, or not allowed.
    pub(super) fn check(&self, remote: &Remote) -> Result<Wanted, FetchError> {
        let address: Address = remote
            .url
            .parse()
            .map_err(|source| FetchError::Address { url: shortened(&remote.url), source })?;
        let sha256 = remote.sha256.strip_prefix("sha256:").unwrap_or(&remote.sha256).to_ascii_lowercase();
        if sha256.parse::<Digest>().is_err() {
            let (url, sha256) = (address.to_string(), shortened(&remote.sha256));
            return Err(FetchError::Digest { url, sha256 });
        }
        if !http::is_allowed(&self.settings.allow, &address) {
            return Err(FetchError::NotAllowed { url: address.to_string() });
        }
        Ok(Wanted { address, sha256 })
    }

    /// A file's bytes.
    ///
    /// # Errors
    /// [`FetchError`]; nothing of it is kept then.
    pub(super) fn file(
        &self,
        wanted: &Wanted,
        urgency: Urgency,
        cancel: &CancelToken,
    ) -> Result<Vec<u8>, FetchError> {
        let entry = self.find(&wanted.key("file 1"), cancel, |draft| {
            let limit = (self.settings.largest_file, "fetch.largest_file");
            self.download(wanted, &draft.path().join(CONTENT), limit, urgency, cancel)
        })?;
        let path = entry.path().join(CONTENT);
        std::fs::read(&path).map_err(|source| FetchError::Disk { operation: "read", path, source })
    }

    /// A package's directory.
    ///
    /// # Errors
    /// [`FetchError`]; nothing of it is kept then.
    pub(super) fn package(
        &self,
        wanted: &Wanted,
        urgency: Urgency,
        cancel: &CancelToken,
    ) -> Result<Unpacked, FetchError> {
        let settings = &self.settings;
        let entry = self.find(&wanted.key("package 1"), cancel, |draft| {
            let (packed, directory) = (draft.path().join("archive"), draft.path().join(CONTENT));
            let limit = (settings.largest_archive, "fetch.largest_archive");
            self.download(wanted, &packed, limit, urgency, cancel)?;
            let disk = |operation, path: &Path| {
                let path = path.to_owned();
                move |source| FetchError::Disk { operation, path, source }
            };
            std::fs::create_dir(&directory).map_err(disk("make", &directory))?;
            let limits = archive::Limits {
                bytes: settings.largest_package.0,
                entries: settings.most_entries,
                ratio: settings.highest_ratio,
                free: RATIO_FREE.0,
            };
            archive::unpack(&packed, &wanted.shown(), &directory, limits, cancel).map_err(
                |error| match error {
                    archive::ArchiveError::Cancelled => FetchError::Cancelled,
                    error => error.into(),
                },
            )?;
            std::fs::remove_file(&packed).map_err(disk("remove", &packed))
        })?;
        let root = entry.path().join(CONTENT);
        let inner = archive::only_folder(&root).map_err(|source| FetchError::Disk {
            operation: "list",
            path: root.clone(),
            source,
        })?;
        let (directory, name) = match inner {
            Some(folder) => (root.join(&folder), folder),
            None => (root, wanted.address.stem().to_owned()),
        };
        Ok(Unpacked { entry, directory, name })
    }

    /// The entry of that key, made by `make` where it is not there and nobody else makes it.
    fn find(
        &self,
        key: &Digest,
        cancel: &CancelToken,
        make: impl FnOnce(&Draft) -> Result<(), FetchError>,
    ) -> Result<Entry, FetchError> {
        loop {
            if cancel.is_cancelled() {
                return Err(FetchError::Cancelled);
            }
            match self.store.try_get_or_lock(key)? {
                Some(Lookup::Hit(entry)) => return Ok(entry),
                Some(Lookup::Miss(draft)) => {
                    make(&draft)?;
                    return Ok(self.store.commit(draft)?);
                }
                None => {
                    // Cancelled or not is asked at the top.
                    let _ = http::wait_for(&[cancel], Some(LOOK_AGAIN));
                }
            }
        }
    }

    fn download(
        &self,
        wanted: &Wanted,
        path: &Path,
        limit: (Bytes, &'static str),
        urgency: Urgency,
        cancel: &CancelToken,
    ) -> Result<(), FetchError> {
        let signed = match wanted.address.scheme {
            Scheme::Http | Scheme::Https => None,
            Scheme::S3 => Some(self.sign(&wanted.address)?),
        };
        let download = http::Download {
            settings: &self.settings,
            address: &wanted.address,
            signed: signed.as_ref(),
            wanted: &wanted.sha256,
            limit,
            attempts: if urgency == Urgency::Needed { self.settings.attempts } else { 1 },
            cancel,
        };
        download.run(path)
    }

    #[cfg(feature = "s3")]
    fn sign(&self, address: &Address) -> Result<Address, FetchError> {
        s3::sign(address, &self.settings)
    }

    #[cfg(not(feature = "s3"))]
    #[allow(clippy::unused_self)] // The other one needs it.
    fn sign(&self, address: &Address) -> Result<Address, FetchError> {
        Err(FetchError::Settings {
            key: "fetch.s3",
            problem: format!("{address}: this gavel was built without S3; build it with '--features s3'"),
        })
    }
}
