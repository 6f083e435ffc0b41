//! The settings as the rest of the worker takes them: typed, whole, and going together.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::error::SettingsError;
use super::layers::Resolved;
use super::secret::Secret;
use super::value::Value;
use crate::submission::Feedback;
use crate::units::{Bytes, Time};
use crate::workspace::{AddressError, AllowedUrl, FetchSettings, S3Settings};

/// A worker's settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its name; the host's when `None`.
    pub name: Option<String>,
    /// `stdio`, or addresses of brokers.
    pub queue: Vec<String>,
    /// Folders of packages, the first that has a name wins.
    pub package_roots: Vec<PathBuf>,
    /// Programs run at once; one per core when `None`.
    pub slots: Option<usize>,
    /// Whether to start only with a core for each slot.
    pub require_cores: bool,
    /// Directory of core leases; the usual one when `None`.
    pub core_locks: Option<PathBuf>,
    /// The language table; the built-in one when `None`.
    pub languages: Option<PathBuf>,
    /// The cache's directory; the user's when `None`.
    pub cache: Option<PathBuf>,
    /// What the cache may hold.
    pub cache_size: Bytes,
    /// One of the accepted words of the key.
    pub cgroups: String,
    /// The user to become; found out when `None`.
    pub user: Option<String>,
    /// How long what runs may take once told to stop.
    pub deadline: Time,
    /// Whether submissions may raise limits.
    pub raise_limits: bool,
    /// The most that is told of secret tests, where it is set.
    pub feedback: Option<Feedback>,
    /// Where health and metrics are served.
    pub listen: Option<SocketAddr>,
    /// One of the accepted words of the key.
    pub log_level: String,
    /// The broker.
    pub amqp: AmqpSettings,
    /// Encryption of connections to it.
    pub tls: TlsSettings,
    /// Downloads.
    pub fetch: FetchSettings,
}

/// `[amqp]`.
#[derive(Debug, Clone)]
pub struct AmqpSettings {
    /// The user, where the credentials file names none.
    pub user: Option<String>,
    /// The password, from the environment.
    pub password: Option<Secret>,
    /// A file with the password, read again for every connection.
    pub credentials_file: Option<PathBuf>,
    /// Whether the TLS certificate says who the worker is, instead of a password.
    pub by_certificate: bool,
    /// Submissions of a queue held at once; as many as can start soon when `None`.
    pub prefetch: Option<u16>,
    /// Patterns of queues that verdicts may be copied to.
    pub reply_to: Vec<String>,
}

/// `[tls]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsSettings {
    /// Authorities instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// The worker's certificate chain; with its key or not at all.
    pub certificate_file: Option<PathBuf>,
    /// The key of it.
    pub key_file: Option<PathBuf>,
}

/// The URLs below which may be fetched.
fn allowed(resolved: &Resolved, texts: &[String]) -> Result<Vec<AllowedUrl>, SettingsError> {
    let read = |text: &String| text.parse();
    texts.iter().map(read).collect::<Result<_, _>>().map_err(|error: AddressError| {
        SettingsError::Conflict(format!("{}: {error}", resolved.place("fetch.allow")))
    })
}

impl Settings {
    /// Takes the values apart.
    ///
    /// # Errors
    /// [`SettingsError::Conflict`] when two of them do not go together.
    pub fn of(resolved: &Resolved) -> Result<Self, SettingsError> {
        let values = Values(resolved);
        let settings = Self {
            name: values.text("name"),
            queue: values.texts("queue"),
            package_roots: values.paths("package_roots"),
            slots: values.count("slots").and_then(|count| usize::try_from(count).ok()),
            require_cores: matches!(values.get("require_cores"), Some(Value::Switch(true))),
            core_locks: values.path("core_locks"),
            languages: values.path("languages"),
            cache: values.path("cache"),
            cache_size: values.size("cache_size"),
            cgroups: values.text("cgroups").unwrap_or_default(),
            user: values.text("user"),
            deadline: values.time("deadline"),
            raise_limits: matches!(values.get("raise_limits"), Some(Value::Switch(true))),
            feedback: values.text("feedback").map(|word| word.parse().unwrap_or(Feedback::None)),
            listen: match values.get("listen") {
                Some(Value::Address(address)) => Some(address),
                _ => None,
            },
            log_level: values.text("log_level").unwrap_or_default(),
            amqp: AmqpSettings {
                user: values.text("amqp.user"),
                password: match values.get("amqp.password") {
                    Some(Value::Secret(secret)) => Some(secret),
                    _ => None,
                },
                credentials_file: values.path("amqp.credentials_file"),
                by_certificate: values.text("amqp.authentication").as_deref() == Some("certificate"),
                prefetch: values.count("amqp.prefetch").and_then(|count| u16::try_from(count).ok()),
                reply_to: values.texts("amqp.reply_to"),
            },
            tls: TlsSettings {
                ca_file: values.path("tls.ca_file"),
                certificate_file: values.path("tls.certificate_file"),
                key_file: values.path("tls.key_file"),
            },
            fetch: FetchSettings {
                allow: allowed(resolved, &values.texts("fetch.allow"))?,
                largest_file: values.size("fetch.largest_file"),
                largest_archive: values.size("fetch.largest_archive"),
                largest_package: values.size("fetch.largest_package"),
                most_entries: values.count("fetch.most_entries").unwrap_or_default(),
                highest_ratio: values.count("fetch.highest_ratio").unwrap_or_default(),
                capacity: values.size("fetch.capacity"),
                connect_timeout: values.time("fetch.connect_timeout"),
                stall_timeout: values.time("fetch.stall_timeout"),
                timeout: values.time("fetch.timeout"),
                attempts: values
                    .count("fetch.attempts")
                    .and_then(|count| u32::try_from(count).ok())
                    .unwrap_or_default(),
                ca_file: values.path("fetch.ca_file"),
                proxy: values.text("fetch.proxy"),
                s3: S3Settings {
                    endpoint: values.text("fetch.s3_endpoint"),
                    region: values.text("fetch.s3_region").unwrap_or_default(),
                },
            },
        };
        settings.go_together(resolved)?;
        Ok(settings)
    }

    /// Whether submissions come over standard input.
    pub fn is_stdio(&self) -> bool {
        self.queue == ["stdio"]
    }

    fn go_together(&self, resolved: &Resolved) -> Result<(), SettingsError> {
        let conflict = |key: &str, problem: &str| {
            Err(SettingsError::Conflict(format!("{}: {problem}", resolved.place(key))))
        };
        if self.queue.len() > 1 && self.queue.iter().any(|uri| uri == "stdio") {
            return conflict(
                "queue",
                "stdio is among others; accepted: stdio alone, or addresses of brokers",
            );
        }
        match (&self.tls.certificate_file, &self.tls.key_file) {
            (Some(_), None) => {
                return conflict("tls.certificate_file", "it needs its key; give tls.key_file too");
            }
            (None, Some(_)) => {
                return conflict("tls.key_file", "it needs its certificate; give tls.certificate_file too");
            }
            _ => {}
        }
        let amqp = &self.amqp;
        if amqp.password.is_some() && amqp.credentials_file.is_some() {
            let problem = format!(
                "there is a password here, and amqp.credentials_file (from {}); give one of them",
                resolved.get("amqp.credentials_file").map_or_else(String::new, |one| one.origin.to_string())
            );
            return conflict("amqp.password", &problem);
        }
        if amqp.by_certificate {
            if self.tls.certificate_file.is_none() {
                return conflict(
                    "amqp.authentication",
                    "'certificate' needs tls.certificate_file and tls.key_file",
                );
            }
            if amqp.password.is_some() || amqp.credentials_file.is_some() || amqp.user.is_some() {
                let problem = "'certificate' takes the user from the certificate; remove amqp.user, \
                               amqp.credentials_file and GAVEL_AMQP_PASSWORD";
                return conflict("amqp.authentication", problem);
            }
        }
        Ok(())
    }
}

/// Values by name. That each has the kind asked for is kept by a test that asks for all of them.
struct Values<'a>(&'a Resolved);

impl Values<'_> {
    fn get(&self, name: &str) -> Option<Value> {
        self.0.get(name).and_then(|setting| setting.value.clone())
    }

    fn text(&self, name: &str) -> Option<String> {
        match self.get(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    fn texts(&self, name: &str) -> Vec<String> {
        match self.get(name) {
            Some(Value::Texts(texts) | Value::Uris(texts)) => texts,
            _ => Vec::new(),
        }
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        match self.get(name) {
            Some(Value::Path(path)) => Some(path),
            _ => None,
        }
    }

    fn paths(&self, name: &str) -> Vec<PathBuf> {
        match self.get(name) {
            Some(Value::Paths(paths)) => paths,
            _ => Vec::new(),
        }
    }

    fn count(&self, name: &str) -> Option<u64> {
        match self.get(name) {
            Some(Value::Count(count)) => Some(count),
            _ => None,
        }
    }

    fn size(&self, name: &str) -> Bytes {
        match self.get(name) {
            Some(Value::Size(size)) => size,
            _ => Bytes::default(),
        }
    }

    fn time(&self, name: &str) -> Time {
        match self.get(name) {
            Some(Value::Time(time)) => time,
            _ => Time(Duration::ZERO),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::super::SettingFlags;
    use super::super::keys::{Fallback, KEYS};
    use super::*;

    /// What each key's own example, and nothing else, makes of the settings.
    #[test]
    fn every_key_reaches_the_settings() {
        let directory = tempfile::tempdir().unwrap();
        let read = |text: &str, environment: &[(OsString, OsString)]| {
            let path = directory.path().join("worker.toml");
            std::fs::write(&path, text).unwrap();
            let resolved = Resolved::read(Some(&path), &SettingFlags::default(), None, environment).unwrap();
            format!("{:?}", Settings::of(&resolved))
        };
        let without = read("", &[]);
        for key in KEYS {
            let (table, name) = key.table_and_name();
            let header = if table.is_empty() { String::new() } else { format!("[{table}]\n") };
            let said = if key.name == "amqp.password" {
                read("", &[(key.variable().into(), "secret".into())])
            } else {
                read(&format!("{header}{name} = {}\n", key.example), &[])
            };
            let is_default =
                matches!(key.default, Fallback::Is(text) if key.example.trim_matches('"') == text);
            assert_eq!(said == without, is_default, "{}: {said}", key.name);
            assert!(!said.contains("secret"), "{said}");
        }
    }

    #[test]
    fn nothing_said_is_what_fetching_has_by_itself() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("worker.toml");
        std::fs::write(&path, "").unwrap();
        let resolved = Resolved::read(Some(&path), &SettingFlags::default(), None, &[]).unwrap();
        assert_eq!(Settings::of(&resolved).unwrap().fetch, FetchSettings::default());
    }
}
