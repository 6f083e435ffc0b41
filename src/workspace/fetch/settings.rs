//! What may be fetched from where, and how much: every number of fetching and unpacking in one place.

use std::path::PathBuf;
use std::time::Duration;

use super::address::AllowedUrl;
use crate::units::{Bytes, Time};

/// Settings of fetching, named as in the `[fetch]` table of a worker's configuration.
///
/// By default nothing is fetched: whoever may enqueue submissions could otherwise make a worker ask any host
/// it can reach, such as a cloud's metadata service.
#[derive(Debug, Clone, PartialEq)]
pub struct FetchSettings {
    /// What may be fetched: URLs below any of these, redirects included. `https://files.example/`,
    /// `s3://bucket/problems/`.
    pub allow: Vec<AllowedUrl>,
    /// The largest source file, and the most that the fetched files of one submission may have together.
    pub largest_file: Bytes,
    /// The largest archive, as it is sent.
    pub largest_archive: Bytes,
    /// The most an archive may hold, unpacked.
    pub largest_package: Bytes,
    /// Files and folders in an archive.
    pub most_entries: u64,
    /// How many times larger than its archive a package may be, beyond [`RATIO_FREE`].
    pub highest_ratio: u64,
    /// What all that was fetched may take on disk; the least recently used goes first, none in use.
    pub capacity: Bytes,
    /// How long a connection may take to open, its TLS handshake not counted.
    pub connect_timeout: Time,
    /// How long a server may be silent.
    pub stall_timeout: Time,
    /// How long one download may take, with everything that had to be tried again.
    pub timeout: Time,
    /// How often something that fails is tried before it is given up; a try that got further does not count.
    pub attempts: u32,
    /// Certificates (PEM) of the authorities to trust, instead of Mozilla's. Read for every download.
    pub ca_file: Option<PathBuf>,
    /// An HTTP proxy, `http://host:port`. Proxies of the environment are not used.
    pub proxy: Option<String>,
    /// Where `s3:` URLs lead.
    pub s3: S3Settings,
}

/// Bytes a package may unpack to whatever its archive's size: small tests compress to nearly nothing.
pub const RATIO_FREE: Bytes = Bytes::mib(64);

/// An S3-compatible store. Keys come from the environment only: `AWS_ACCESS_KEY_ID`,
/// `AWS_SECRET_ACCESS_KEY` and, where there is one, `AWS_SESSION_TOKEN`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Settings {
    /// The store's address, `https://minio.example:9000`; without it, Amazon's of the region.
    pub endpoint: Option<String>,
    /// Its region.
    pub region: String,
}

impl Default for S3Settings {
    fn default() -> Self {
        Self { endpoint: None, region: "us-east-1".to_owned() }
    }
}

impl Default for FetchSettings {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            largest_file: Bytes::mib(16),
            largest_archive: Bytes::gib(1),
            largest_package: Bytes::gib(4),
            most_entries: 200_000,
            highest_ratio: 200,
            capacity: Bytes::gib(16),
            connect_timeout: Time(Duration::from_secs(10)),
            stall_timeout: Time(Duration::from_secs(30)),
            timeout: Time(Duration::from_secs(600)),
            attempts: 5,
            ca_file: None,
            proxy: None,
            s3: S3Settings::default(),
        }
    }
}
