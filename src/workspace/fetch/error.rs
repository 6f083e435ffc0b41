//! What can go wrong on the way of a file to this host, and whose fault it is.

use std::io;
use std::path::PathBuf;

use super::address::AddressError;
use crate::archive::ArchiveError;
use crate::cache::CacheError;
use crate::units::Bytes;

/// Why something could not be fetched. Addresses are shown without their queries, which may be secrets.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// An address that cannot be used.
    #[error("url '{url}': {source}")]
    Address {
        /// As given, cut.
        url: String,
        /// What is wrong with it.
        source: AddressError,
    },
    /// An address outside of what the operator allows.
    #[error("{url}: this worker may not fetch it; its operator can allow it with fetch.allow (--allow-url)")]
    NotAllowed {
        /// The address.
        url: String,
    },
    /// A redirect outside of what the operator allows.
    #[error(
        "{url}: it leads to {target}, which this worker may not fetch; its operator can allow it with \
         fetch.allow (--allow-url)"
    )]
    LeadsAway {
        /// The address asked for.
        url: String,
        /// Where it led.
        target: String,
    },
    /// A redirect that leads nowhere.
    #[error("{url}: {problem}")]
    Redirect {
        /// The address asked for.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A digest that is none.
    #[error("{url}: sha256 '{sha256}' is not a SHA-256: give 64 hexadecimal digits")]
    Digest {
        /// The address.
        url: String,
        /// As given, cut.
        sha256: String,
    },
    /// The server has it not, or not for us.
    #[error("{url}: the server answered {status}; put the file there, or correct the url")]
    Refused {
        /// The address.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// More than may be fetched.
    #[error("{url}: it is larger than {limit}, the most this worker fetches ({key})")]
    TooLarge {
        /// The address.
        url: String,
        /// The limit.
        limit: Bytes,
        /// The setting that says so.
        key: &'static str,
    },
    /// Source files that together are more than may be fetched.
    #[error(
        "the source files to be fetched are larger than {limit} together, the most this worker fetches for one \
         submission (fetch.largest_file)"
    )]
    TooMuchSource {
        /// The limit.
        limit: Bytes,
    },
    /// Something else is there.
    #[error("{url}: its SHA-256 is {found}, and the submission asks for {wanted}; correct one of them")]
    Mismatch {
        /// The address.
        url: String,
        /// What was asked for.
        wanted: String,
        /// What was fetched.
        found: String,
    },
    /// The network or the server fails.
    #[error("{url}: {cause} ({tries}); check the server and the way there")]
    Unreachable {
        /// The address.
        url: String,
        /// The last failure.
        cause: String,
        /// How often it was tried.
        tries: String,
    },
    /// Settings that cannot be used.
    #[error("{key}: {problem}")]
    Settings {
        /// The setting.
        key: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The disk.
    #[error("cannot {operation} {}: {source}{}", path.display(), remedy(source))]
    Disk {
        /// What was attempted.
        operation: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The cache.
    #[error("what is fetched cannot be kept: {0}")]
    Cache(#[from] CacheError),
    /// An archive that cannot be unpacked.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A package that came out of an archive and does not load.
    #[error("{url}: {problem}")]
    Package {
        /// Where the archive came from.
        url: String,
        /// What is wrong, with paths below the package's own directory.
        problem: String,
        /// Whether the host is to blame.
        is_ours: bool,
    },
    /// Somebody asked to stop.
    #[error("cancelled")]
    Cancelled,
}

/// What helps against a failed file operation, with its leading punctuation.
fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; free some space there, lower fetch.capacity, or point GAVEL_CACHE at another disk"
        }
        _ => "",
    }
}

impl FetchError {
    /// Whether this host, its configuration or its network is to blame, not the submission or the package.
    pub fn is_ours(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Settings { .. } | Self::Disk { .. } | Self::Cache(_) => true,
            Self::Archive(error) => error.is_ours(),
            Self::Package { is_ours, .. } => *is_ours,
            Self::Address { .. }
            | Self::NotAllowed { .. }
            | Self::LeadsAway { .. }
            | Self::Redirect { .. }
            | Self::Digest { .. }
            | Self::Refused { .. }
            | Self::TooLarge { .. }
            | Self::TooMuchSource { .. }
            | Self::Mismatch { .. }
            | Self::Cancelled => false,
        }
    }
}
