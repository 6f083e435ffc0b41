//! One download over HTTP: retried, resumed, bounded, and stopped at once when nobody wants it any more.
//!
//! Servers and networks fail in passing; what fails so is tried again from where it stopped, as long as the
//! time allows. What the server says about the file itself (it is not there, it is too large, it is another)
//! is final. Redirects are followed here and not by the client, because each must be allowed.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use sha2::{Digest as _, Sha256};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, Proxy, Timeout, http};

use super::address::{Address, AllowedUrl, shortened};
use super::error::FetchError;
use super::settings::FetchSettings;
use crate::cancel::CancelToken;
use crate::sandbox;
use crate::units::Bytes;

/// Redirects followed on the way to one file.
const MAX_REDIRECTS: usize = 5;

/// The first pause before trying again; each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// One file to download.
#[derive(Debug)]
pub(super) struct Download<'a> {
    pub(super) settings: &'a FetchSettings,
    /// What is asked for and shown in messages.
    pub(super) address: &'a Address,
    /// What is really requested where it is another: a signed form of the same. It must not redirect.
    pub(super) signed: Option<&'a Address>,
    /// SHA-256 in lower case.
    pub(super) wanted: &'a str,
    /// The most it may have, and the setting that says so.
    pub(super) limit: (Bytes, &'static str),
    /// How often something that fails is tried.
    pub(super) attempts: u32,
    pub(super) cancel: &'a CancelToken,
}

/// Why an attempt failed.
enum Trouble {
    /// It will not get better.
    Final(FetchError),
    /// It may: what happened, and how long the server asks to wait.
    Passing(String, Option<Duration>),
    /// The connection may have broken without a sign: final the second time.
    Doubtful(FetchError),
}

impl From<FetchError> for Trouble {
    fn from(error: FetchError) -> Self {
        Self::Final(error)
    }
}

fn passing(cause: impl Into<String>) -> Trouble {
    Trouble::Passing(cause.into(), None)
}

/// What has arrived so far.
struct Partial<'a> {
    path: &'a Path,
    file: File,
    digest: Sha256,
    size: u64,
}

impl Partial<'_> {
    fn restart(&mut self) -> Result<(), FetchError> {
        let outcome = self.file.set_len(0).and_then(|()| self.file.seek(SeekFrom::Start(0)));
        outcome.map_err(|source| self.fail(source))?;
        self.digest = Sha256::new();
        self.size = 0;
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), FetchError> {
        self.file.write_all(bytes).map_err(|source| self.fail(source))?;
        self.digest.update(bytes);
        self.size += bytes.len() as u64;
        Ok(())
    }

    fn fail(&self, source: std::io::Error) -> FetchError {
        FetchError::Disk { operation: "write", path: self.path.to_owned(), source }
    }
}

impl Download<'_> {
    /// Writes the file to `path`, where nothing is yet. Its digest was compared when this returns.
    pub(super) fn run(&self, path: &Path) -> Result<(), FetchError> {
        let create = File::options().write(true).create_new(true).open(path);
        let file =
            create.map_err(|source| FetchError::Disk { operation: "make", path: path.to_owned(), source })?;
        let agent = self.agent()?;
        let done = CancelToken::new().map_err(|error| FetchError::Settings {
            key: "open files",
            problem: format!("{error}; raise the limit of open files"),
        })?;
        std::thread::scope(|scope| {
            let guard = CancelOnDrop(&done);
            let watched = agent.clone();
            // Reading blocks; when it must stop, the sockets are shut from here.
            let watcher = std::thread::Builder::new().name("download-watch".to_owned());
            let spawned = watcher.spawn_scoped(scope, || {
                if wait_for(&[self.cancel, &done], None) == Some(0) {
                    watched.shutdown();
                }
            });
            if let Err(source) = spawned {
                return Err(FetchError::Disk { operation: "watch over", path: path.to_owned(), source });
            }
            let outcome = self.persist(&agent, Partial { path, file, digest: Sha256::new(), size: 0 });
            drop(guard);
            if self.cancel.is_cancelled() { Err(FetchError::Cancelled) } else { outcome }
        })
    }

    /// Tries until it is there, cannot be had, or has taken too long.
    fn persist(&self, agent: &Agent, mut partial: Partial<'_>) -> Result<(), FetchError> {
        let deadline = Instant::now() + self.settings.timeout.0;
        let (mut failures, mut furthest, mut tries, mut doubts) = (0, 0, 0u32, 0);
        loop {
            tries += 1;
            let (cause, asked) = match self.attempt(agent, &mut partial, deadline) {
                Ok(()) => return Ok(()),
                Err(Trouble::Final(error)) => return Err(error),
                Err(Trouble::Passing(cause, asked)) => (cause, asked),
                Err(Trouble::Doubtful(error)) => {
                    doubts += 1;
                    if doubts > 1 || self.attempts <= 1 {
                        return Err(error);
                    }
                    partial.restart()?;
                    (error.to_string(), None)
                }
            };
            if partial.size > furthest {
                (failures, furthest) = (0, partial.size);
            }
            failures += 1;
            let pause =
                asked.unwrap_or(FIRST_PAUSE.saturating_mul(1 << (failures - 1).min(10))).min(LONGEST_PAUSE);
            if failures >= self.attempts.max(1) || Instant::now() + pause >= deadline {
                let times = if tries == 1 { "time" } else { "times" };
                let tries = format!("tried {tries} {times}");
                return Err(FetchError::Unreachable { url: self.address.to_string(), cause, tries });
            }
            tracing::debug!(url = %self.address, %cause, bytes = partial.size, "a download failed; trying again");
            if wait_for(&[self.cancel], Some(pause)).is_some() {
                return Err(FetchError::Cancelled);
            }
        }
    }

    fn attempt(&self, agent: &Agent, partial: &mut Partial<'_>, deadline: Instant) -> Result<(), Trouble> {
        let was_resumed = partial.size > 0;
        let response = self.request(agent, partial.size, deadline)?;
        match response.status().as_u16() {
            206 if was_resumed && continues_at(&response, partial.size) => {}
            200 => partial.restart()?,
            206 | 416 if was_resumed => {
                partial.restart()?;
                return Err(passing("the server cannot continue where it stopped"));
            }
            status @ (408 | 425 | 429 | 500..=599) => {
                let asked = header(&response, "retry-after").and_then(|text| text.trim().parse().ok());
                return Err(Trouble::Passing(
                    format!("the server answered {status}"),
                    asked.map(Duration::from_secs),
                ));
            }
            status => return Err(FetchError::Refused { url: self.address.to_string(), status }.into()),
        }
        let body = response.into_body();
        let length_was_told = body.content_length().is_some();
        self.receive(body, partial)?;

        let found = crate::cache::Digest::from(partial.digest.clone()).to_string();
        if found == self.wanted {
            return Ok(());
        }
        if was_resumed && partial.size > 0 {
            // Two halves of different files, perhaps: only a whole one can be blamed.
            partial.restart()?;
            return Err(passing("the file changed while it was fetched"));
        }
        let (url, wanted) = (self.address.to_string(), self.wanted.to_owned());
        let mismatch = FetchError::Mismatch { url, wanted, found };
        Err(if length_was_told { Trouble::Final(mismatch) } else { Trouble::Doubtful(mismatch) })
    }

    fn receive(&self, body: Body, partial: &mut Partial<'_>) -> Result<(), Trouble> {
        let (limit, key) = self.limit;
        let too_large = || FetchError::TooLarge { url: self.address.to_string(), limit, key };
        if body.content_length().is_some_and(|length| length.saturating_add(partial.size) > limit.0) {
            return Err(too_large().into());
        }
        let mut reader = body.into_reader();
        let mut buffer = vec![0; 1 << 16];
        loop {
            let count = reader.read(&mut buffer).map_err(|error| passing(told(&error.into())))?;
            if count == 0 {
                return Ok(());
            }
            if partial.size + count as u64 > limit.0 {
                return Err(too_large().into());
            }
            partial.append(buffer.get(..count).unwrap_or_default())?;
        }
    }

    /// The answer at the end of all redirects, from byte `from` on where that is not the first.
    fn request(&self, agent: &Agent, from: u64, deadline: Instant) -> Result<http::Response<Body>, Trouble> {
        let mut address = self.signed.unwrap_or(self.address).clone();
        for _ in 0..=MAX_REDIRECTS {
            let left = deadline.saturating_duration_since(Instant::now());
            let mut request = agent
                .get(address.uri())
                .config()
                .timeout_global(Some(left.max(Duration::from_millis(1))))
                .build();
            if from > 0 {
                request = request.header("range", format!("bytes={from}-"));
            }
            let response = request.call().map_err(|error| self.failed(error))?;
            if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok(response);
            }
            let redirect = |problem: String| FetchError::Redirect { url: self.address.to_string(), problem };
            if self.signed.is_some() {
                return Err(redirect(format!(
                    "the store answered with the redirect {}; correct fetch.s3.endpoint and fetch.s3.region",
                    response.status().as_u16()
                ))
                .into());
            }
            let location = header(&response, "location")
                .ok_or_else(|| redirect("it redirects without saying where".to_owned()))?;
            let target = address
                .join(location)
                .map_err(|error| redirect(format!("it redirects to '{}': {error}", shortened(location))))?;
            if !is_allowed(&self.settings.allow, &target) || target.scheme == super::address::Scheme::S3 {
                let (url, target) = (self.address.to_string(), target.to_string());
                return Err(FetchError::LeadsAway { url, target }.into());
            }
            address = target;
        }
        let problem = format!("it redirects more than {MAX_REDIRECTS} times");
        Err(FetchError::Redirect { url: self.address.to_string(), problem }.into())
    }

    /// What a failed request means.
    fn failed(&self, error: ureq::Error) -> Trouble {
        match &error {
            // A certificate will be the same the next time.
            ureq::Error::Rustls(_) | ureq::Error::Tls(_) => {
                let (url, cause) = (self.address.to_string(), told(&error));
                FetchError::Unreachable { url, cause, tries: "set fetch.ca_file".to_owned() }.into()
            }
            ureq::Error::Io(inner) if is_certificate(inner) => {
                let (url, cause) = (self.address.to_string(), told(&error));
                FetchError::Unreachable { url, cause, tries: "set fetch.ca_file".to_owned() }.into()
            }
            _ => passing(told(&error)),
        }
    }

    /// A client of its own for each download: shutting it down stops this one only.
    fn agent(&self) -> Result<Agent, FetchError> {
        let settings = self.settings;
        let stall = Some(settings.stall_timeout.0);
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("gavel/", env!("CARGO_PKG_VERSION")))
            .proxy(proxy(settings)?)
            .tls_config(TlsConfig::builder().root_certs(roots(settings)?).build())
            .timeout_resolve(Some(settings.connect_timeout.0))
            .timeout_connect(Some(settings.connect_timeout.0))
            .timeout_recv_response(stall)
            .timeout_per_read(stall)
            .timeout_per_write(stall)
            .build();
        Ok(Agent::new_with_config(config))
    }
}

/// Whether anything allowed lies above an address.
pub(super) fn is_allowed(allowed: &[AllowedUrl], address: &Address) -> bool {
    allowed.iter().any(|allowed| allowed.covers(address))
}

/// The certificates to trust.
///
/// # Errors
/// When the file cannot be read or holds none.
pub(super) fn roots(settings: &FetchSettings) -> Result<RootCerts, FetchError> {
    let Some(path) = &settings.ca_file else { return Ok(RootCerts::WebPki) };
    let wrong = |problem: String| FetchError::Settings {
        key: "fetch.ca_file",
        problem: format!("{}: {problem}; give a PEM file of certificates", path.display()),
    };
    let mut text = Vec::new();
    sandbox::open_file(path)
        .and_then(|mut file| file.read_to_end(&mut text))
        .map_err(|error| wrong(error.to_string()))?;
    let mut certificates = Vec::new();
    for item in parse_pem(&text) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| wrong(error.to_string()))? {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        return Err(wrong("no certificate in it".to_owned()));
    }
    Ok(RootCerts::new_with_certs(&certificates))
}

/// The proxy to go through, if any.
///
/// # Errors
/// When it is no address of one.
pub(super) fn proxy(settings: &FetchSettings) -> Result<Option<Proxy>, FetchError> {
    let Some(text) = &settings.proxy else { return Ok(None) };
    let proxy = Proxy::new(text).ok().filter(|_| text.starts_with("http://"));
    proxy.map(Some).ok_or_else(|| FetchError::Settings {
        key: "fetch.proxy",
        problem: "it is not an HTTP proxy's address; write it like http://proxy.example:3128".to_owned(),
    })
}

fn header<'a>(response: &'a http::Response<Body>, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

/// Whether a partial answer begins where we stopped.
fn continues_at(response: &http::Response<Body>, from: u64) -> bool {
    header(response, "content-range")
        .and_then(|text| text.strip_prefix("bytes "))
        .and_then(|text| text.split('-').next())
        .is_some_and(|first| first.parse() == Ok(from))
}

fn is_certificate(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::InvalidData
        && error.get_ref().is_some_and(|inner| inner.to_string().contains("certificate"))
}

/// A client's failure on one line.
fn told(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(Timeout::Connect) => "connecting took too long".to_owned(),
        ureq::Error::Timeout(Timeout::Resolve) => "looking the host up took too long".to_owned(),
        ureq::Error::Timeout(Timeout::Global) => "it took too long (fetch.timeout)".to_owned(),
        ureq::Error::Timeout(_) => "the server fell silent (fetch.stall_timeout)".to_owned(),
        ureq::Error::HostNotFound => "the host is not known".to_owned(),
        other => shortened(&other.to_string()),
    }
}

/// Cancels when dropped, whatever happened.
struct CancelOnDrop<'a>(&'a CancelToken);

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Which of the tokens was cancelled first in their order; `None` when none was for as long.
pub(super) fn wait_for(tokens: &[&CancelToken], at_most: Option<Duration>) -> Option<usize> {
    let deadline = at_most.map(|time| Instant::now() + time);
    loop {
        if let Some(place) = tokens.iter().position(|token| token.is_cancelled()) {
            return Some(place);
        }
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            return None;
        }
        // Rounded up, so that the last millisecond is not spent turning round.
        let timeout = left.map_or(PollTimeout::NONE, |left| {
            PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX)
        });
        let mut wait: Vec<_> =
            tokens.iter().map(|token| PollFd::new(token.as_fd(), PollFlags::POLLIN)).collect();
        // An interrupted wait is begun again.
        let _ = poll(&mut wait, timeout);
    }
}
