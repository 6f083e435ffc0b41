//! Problems and source files that are fetched: what was loaded is kept for those who want it next.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::fetch::{FetchError, FetchSettings, Fetcher, Urgency, Wanted};
use crate::cache::Entry;
use crate::cancel::CancelToken;
use crate::judge::MAX_FILES;
use crate::package::{Library, Package};
use crate::submission::{Content, Remote, RemoteKind, Submission};

/// Packages kept loaded. Each keeps its files from eviction, so half of the cache is the limit, too.
const MAX_KEPT: usize = 64;

/// What submissions name by URL.
#[derive(Debug)]
pub(super) struct Remotes {
    fetcher: Fetcher,
    library: Arc<Library>,
    /// Loaded packages, the most recently used last.
    kept: Mutex<VecDeque<Arc<Fetched>>>,
}

/// A package that was fetched and loaded.
#[derive(Debug)]
pub(super) struct Fetched {
    sha256: String,
    pub(super) package: Arc<Package>,
    entry: Entry,
}

impl Remotes {
    pub(super) fn open(
        cache: &Path,
        settings: FetchSettings,
        library: Arc<Library>,
    ) -> Result<Self, FetchError> {
        Ok(Self { fetcher: Fetcher::open(cache, settings)?, library, kept: Mutex::default() })
    }

    /// The package in an archive.
    pub(super) fn package(
        &self,
        remote: &Remote,
        urgency: Urgency,
        cancel: &CancelToken,
    ) -> Result<Arc<Fetched>, FetchError> {
        let wanted = self.fetcher.check(remote)?;
        if let Some(fetched) = self.recall(wanted.sha256()) {
            return Ok(fetched);
        }
        let fetched = Arc::new(self.load(&wanted, urgency, cancel)?);
        self.keep(&fetched);
        Ok(fetched)
    }

    /// The submission with everything it names by URL in it.
    pub(super) fn with_files<'a>(
        &self,
        submission: &'a Submission,
        cancel: &CancelToken,
    ) -> Result<Cow<'a, Submission>, FetchError> {
        // Refused when it is judged; until then it costs nothing.
        if submission.files.len() > MAX_FILES {
            return Ok(Cow::Borrowed(submission));
        }
        let limit = self.fetcher.largest_source();
        let mut size = 0;
        let mut submission = Cow::Borrowed(submission);
        for place in 0..submission.files.len() {
            let Some(Content::Remote(remote)) = submission.files.get(place).map(|file| &file.content) else {
                continue;
            };
            let wanted = self.fetcher.check(remote)?;
            let bytes = self.fetcher.file(&wanted, Urgency::Needed, cancel)?;
            // One file of the cache may be named any number of times.
            size += bytes.len() as u64;
            if size > limit.0 {
                return Err(FetchError::TooMuchSource { limit });
            }
            let content = match String::from_utf8(bytes) {
                Ok(text) => Content::Text(text),
                Err(error) => Content::Base64(STANDARD.encode(error.as_bytes())),
            };
            if let Some(file) = submission.to_mut().files.get_mut(place) {
                file.content = content;
            }
        }
        Ok(submission)
    }

    /// Fetches what may be needed soon.
    pub(super) fn ahead(
        &self,
        kind: RemoteKind,
        remote: &Remote,
        cancel: &CancelToken,
    ) -> Result<(), FetchError> {
        match kind {
            RemoteKind::Package => self.package(remote, Urgency::Ahead, cancel).map(|_| ()),
            RemoteKind::File => {
                let wanted = self.fetcher.check(remote)?;
                self.fetcher.file(&wanted, Urgency::Ahead, cancel).map(|_| ())
            }
        }
    }

    fn load(&self, wanted: &Wanted, urgency: Urgency, cancel: &CancelToken) -> Result<Fetched, FetchError> {
        let unpacked = self.fetcher.package(wanted, urgency, cancel)?;
        let mut package = self.library.load(&unpacked.directory).map_err(|error| {
            // Where the cache is means nothing to the package's author.
            let place = format!("{}/", unpacked.directory.display());
            let problem = error.to_string().replace(&place, "");
            let problem = problem.replace(place.trim_end_matches('/'), &unpacked.name);
            FetchError::Package { url: wanted.shown(), problem, is_ours: error.is_ours() }
        })?;
        if package.title == package.name {
            package.title.clone_from(&unpacked.name);
        }
        package.name = unpacked.name;
        super::packages::tell_warnings(&package);
        Ok(Fetched { sha256: wanted.sha256().to_owned(), package: Arc::new(package), entry: unpacked.entry })
    }

    fn recall(&self, sha256: &str) -> Option<Arc<Fetched>> {
        let mut kept = self.lock();
        let place = kept.iter().position(|fetched| fetched.sha256 == sha256)?;
        let fetched = kept.remove(place)?;
        // Somebody may have emptied the cache.
        if !fetched.package.directory.is_dir() {
            return None;
        }
        kept.push_back(Arc::clone(&fetched));
        Some(fetched)
    }

    fn keep(&self, fetched: &Arc<Fetched>) {
        let mut kept = self.lock();
        kept.retain(|other| other.sha256 != fetched.sha256);
        kept.push_back(Arc::clone(fetched));
        let mut size: u64 = kept.iter().map(|fetched| fetched.entry.size().0).sum();
        while kept.len() > MAX_KEPT || size > self.fetcher.capacity().0 / 2 {
            let Some(oldest) = kept.pop_front() else { break };
            size = size.saturating_sub(oldest.entry.size().0);
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<Fetched>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
