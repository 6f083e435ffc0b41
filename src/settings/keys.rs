//! The keys: everything a worker can be told, each once.

use std::time::Duration;

use super::value::Kind;
use crate::units::{Bytes, Time};

/// A setting.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name in the file, with the table it is in: `tls.ca_file`.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What it is when nobody says it.
    pub default: Fallback,
    /// One line of documentation, for `--help` and for whoever reads the example files.
    pub help: &'static str,
    /// A value as a file may have it.
    pub example: &'static str,
    /// Where it may be said.
    pub places: Places,
}

/// What a key is when nobody says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// This, written as in the environment.
    Is(&'static str),
    /// Found out when the worker starts: what it will be, in words.
    Found(&'static str),
}

/// Where a key may be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Places {
    /// Everywhere; the flag is made from the name.
    All,
    /// Everywhere, under a flag of another name.
    AllWithFlag(&'static str),
    /// Everywhere; the flag is one that all commands have.
    AllWithGlobalFlag,
    /// In the environment only: what must be in no file that others read and in no list of processes.
    Environment,
    /// In the environment and the file; its flags are `-v` and `-q`, of all commands.
    Verbosity,
}

impl Key {
    /// The name of its flag without the dashes.
    pub fn flag(&self) -> Option<String> {
        match self.places {
            Places::All | Places::AllWithGlobalFlag => Some(self.name.replace(['.', '_'], "-")),
            Places::AllWithFlag(flag) => Some(flag.to_owned()),
            Places::Environment | Places::Verbosity => None,
        }
    }

    /// The name of its environment variable.
    pub fn variable(&self) -> String {
        format!("GAVEL_{}", self.name.replace('.', "_").to_uppercase())
    }

    /// The table it is in and its name there; the table is empty at the top.
    pub fn table_and_name(&self) -> (&'static str, &'static str) {
        self.name.split_once('.').unwrap_or(("", self.name))
    }

    /// Whether it is about getting into a broker, and so for those who send submissions too.
    pub fn is_about_access(&self) -> bool {
        const ACCESS: [&str; 4] =
            ["amqp.user", "amqp.password", "amqp.credentials_file", "amqp.authentication"];
        self.table_and_name().0 == "tls" || ACCESS.contains(&self.name)
    }

    /// The key of that name.
    pub fn find(name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.name == name)
    }
}

const fn key(
    name: &'static str,
    kind: Kind,
    default: Fallback,
    help: &'static str,
    example: &'static str,
) -> Key {
    Key { name, kind, default, help, example, places: Places::All }
}

const fn milliseconds(count: u64) -> Time {
    Time(Duration::from_millis(count))
}

/// The longest anything may take: a day.
const DAY: Time = milliseconds(24 * 3600 * 1000);
/// More than any disk has.
const HUGE: Bytes = Bytes(1 << 50);

/// Every key, table by table, in the order `--print-config` shows them.
#[rustfmt::skip] // One key a paragraph: its name and kind, its default, its help, its example.
pub const KEYS: &[Key] = &[
    key("name", Kind::Name,
        Fallback::Found("the host's name"),
        "Name of this worker in events, reports and the broker's list of connections",
        "\"judge-1\""),
    key("queue", Kind::Uris,
        Fallback::Is("stdio"),
        "Where submissions come from: stdio, or amqp://HOST:PORT/VHOST (amqps:// for TLS) of a RabbitMQ node, \
         several of one cluster separated by commas; a password is better in a credentials file than here, \
         where 'ps' shows it",
        "[\"amqps://rabbit-1.example.org/judge\", \"amqps://rabbit-2.example.org/judge\"]"),
    Key { places: Places::AllWithFlag("package-root"), ..key("package_roots", Kind::Paths,
        Fallback::Found("none"),
        "Folder of packages that submissions name; may be repeated, the first that has a name wins",
        "[\"/srv/gavel/problems\"]") },
    Key { places: Places::AllWithGlobalFlag, ..key("slots", Kind::Count(1, 1024),
        Fallback::Found("one per available core"),
        "Programs run at once",
        "4") },
    Key { places: Places::AllWithGlobalFlag, ..key("require_cores", Kind::Switch,
        Fallback::Is("false"),
        "Do not start unless each slot gets a core of its own that no other gavel process of this host uses",
        "true") },
    Key { places: Places::AllWithGlobalFlag, ..key("core_locks", Kind::Path,
        Fallback::Found("/run/lock/gavel"),
        "Where cores are leased: one folder for all users of the host",
        "\"/run/lock/gavel\"") },
    Key { places: Places::AllWithGlobalFlag, ..key("languages", Kind::Path,
        Fallback::Found("the built-in table"),
        "Language table instead of the built-in one",
        "\"/etc/gavel/languages.toml\"") },
    Key { places: Places::AllWithGlobalFlag, ..key("cache", Kind::Path,
        Fallback::Found("$XDG_CACHE_HOME/gavel or ~/.cache/gavel"),
        "Where compiled programs are kept",
        "\"/var/cache/gavel\"") },
    key("cache_size", Kind::Size(Bytes::mib(1), HUGE),
        Fallback::Is("4GiB"),
        "What compiled programs may take on disk",
        "\"20GiB\""),
    Key { places: Places::AllWithGlobalFlag, ..key("cgroups",
        Kind::Choice(&["auto", "v2", "hybrid", "v1", "none"]),
        Fallback::Is("auto"),
        "How boxes are limited and measured; a worker that cannot do it does not start",
        "\"v2\"") },
    key("user", Kind::Text,
        Fallback::Found("of a worker that root starts, gavel, or id 65522 without such an account"),
        "User that a worker started by root becomes, a name or an id; root to stay root",
        "\"gavel\""),
    key("deadline", Kind::Time(milliseconds(1), DAY),
        Fallback::Is("60s"),
        "How long what runs may take once told to stop",
        "\"90s\""),
    key("raise_limits", Kind::Switch,
        Fallback::Is("false"),
        "Let submissions raise limits above their package's",
        "true"),
    key("feedback", Kind::Choice(&["none", "case", "full"]),
        Fallback::Found("all but what programs wrote"),
        "The most that events and reports tell of secret tests: the verdict and score of the whole, those of each test, or \
         everything, also what programs wrote to standard error; submissions and packages can ask for less",
        "\"case\""),
    key("listen", Kind::Address,
        Fallback::Found("no port"),
        "Address and port for health checks and metrics over HTTP",
        "\"127.0.0.1:9464\""),
    Key { places: Places::Verbosity, ..key("log_level",
        Kind::Choice(&["off", "error", "warn", "info", "debug", "trace"]),
        Fallback::Is("warn"),
        "Least important message written to standard error (flags: -q, -v, -vv, -vvv)",
        "\"info\"") },

    key("amqp.user", Kind::Text,
        Fallback::Found("the address's, or guest"),
        "User of the broker",
        "\"gavel-worker\""),
    Key { places: Places::Environment, ..key("amqp.password", Kind::Secret,
        Fallback::Found("the address's, or guest"),
        "Password of the broker; only as GAVEL_AMQP_PASSWORD",
        "\"***\"") },
    Key { places: Places::AllWithFlag("credentials-file"), ..key("amqp.credentials_file", Kind::Path,
        Fallback::Found("$CREDENTIALS_DIRECTORY/gavel-amqp where systemd puts it"),
        "File with the password on its only line, or the user on the first and the password on the second; read \
         again for every connection",
        "\"/etc/gavel/amqp-password\"") },
    key("amqp.authentication", Kind::Choice(&["password", "certificate"]),
        Fallback::Is("password"),
        "How to log in: by password, or by the TLS certificate (RabbitMQ's EXTERNAL)",
        "\"password\""),
    Key { places: Places::AllWithFlag("prefetch"), ..key("amqp.prefetch", Kind::Count(1, 65_535),
        Fallback::Found("slots and one"),
        "Submissions of a queue held at once, judged or waiting",
        "5") },
    Key { places: Places::AllWithFlag("reply-to"), ..key("amqp.reply_to", Kind::Globs,
        Fallback::Found("none"),
        "Pattern (glob) of queues that submissions may have copies of their verdicts sent to; may be repeated",
        "[\"backend.*\"]") },

    key("tls.ca_file", Kind::Path,
        Fallback::Found("the system's certificate authorities"),
        "Certificate authorities of the broker, PEM; instead of the system's",
        "\"/etc/gavel/tls/ca.pem\""),
    key("tls.certificate_file", Kind::Path,
        Fallback::Found("none"),
        "Certificate to show to the broker and its chain, PEM",
        "\"/etc/gavel/tls/worker.pem\""),
    key("tls.key_file", Kind::Path,
        Fallback::Found("none"),
        "The private key of that certificate, PEM",
        "\"/etc/gavel/tls/worker.key\""),

    Key { places: Places::AllWithFlag("allow-url"), ..key("fetch.allow", Kind::Texts,
        Fallback::Found("none"),
        "URL below which files and packages may be fetched; may be repeated",
        "[\"https://files.example.org/problems/\"]") },
    key("fetch.largest_file", Kind::Size(Bytes(1), HUGE),
        Fallback::Is("16MiB"),
        "Largest source file fetched",
        "\"16MiB\""),
    key("fetch.largest_archive", Kind::Size(Bytes(1), HUGE),
        Fallback::Is("1GiB"),
        "Largest package archive fetched",
        "\"1GiB\""),
    key("fetch.largest_package", Kind::Size(Bytes(1), HUGE),
        Fallback::Is("4GiB"),
        "The most an archive may hold, unpacked",
        "\"4GiB\""),
    key("fetch.most_entries", Kind::Count(1, 100_000_000),
        Fallback::Is("200000"),
        "Files and folders an archive may have",
        "200000"),
    key("fetch.highest_ratio", Kind::Count(1, 1_000_000),
        Fallback::Is("200"),
        "How many times larger than its archive a package may be",
        "200"),
    key("fetch.capacity", Kind::Size(Bytes::mib(1), HUGE),
        Fallback::Is("16GiB"),
        "What all that was fetched may take on disk",
        "\"16GiB\""),
    key("fetch.connect_timeout", Kind::Time(milliseconds(1), DAY),
        Fallback::Is("10s"),
        "How long a connection may take to open",
        "\"10s\""),
    key("fetch.stall_timeout", Kind::Time(milliseconds(1), DAY),
        Fallback::Is("30s"),
        "How long a server may be silent",
        "\"30s\""),
    key("fetch.timeout", Kind::Time(milliseconds(1), DAY),
        Fallback::Is("600s"),
        "How long one download may take, with everything that is tried again",
        "\"600s\""),
    key("fetch.attempts", Kind::Count(1, 100),
        Fallback::Is("5"),
        "How often something that fails is tried",
        "5"),
    Key { places: Places::AllWithFlag("fetch-ca"), ..key("fetch.ca_file", Kind::Path,
        Fallback::Found("Mozilla's certificate authorities"),
        "Certificate authorities of the servers, PEM, instead of Mozilla's",
        "\"/etc/gavel/tls/files-ca.pem\"") },
    key("fetch.proxy", Kind::Text,
        Fallback::Found("none"),
        "HTTP proxy; those of the environment are not used",
        "\"http://proxy.example.org:3128\""),
    Key { places: Places::AllWithFlag("s3-endpoint"), ..key("fetch.s3_endpoint", Kind::Text,
        Fallback::Found("Amazon's"),
        "URL of an S3-compatible store; its keys come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        "\"https://s3.example.org\"") },
    Key { places: Places::AllWithFlag("s3-region"), ..key("fetch.s3_region", Kind::Text,
        Fallback::Is("us-east-1"),
        "Region of that store",
        "\"us-east-1\"") },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_flags_and_variables_are_unique_and_tables_are_together() {
        let names: BTreeSet<_> = KEYS.iter().map(|key| key.name).collect();
        let flags: BTreeSet<_> = KEYS.iter().filter_map(Key::flag).collect();
        let variables: BTreeSet<_> = KEYS.iter().map(Key::variable).collect();
        assert_eq!(names.len(), KEYS.len());
        assert_eq!(variables.len(), KEYS.len());
        assert_eq!(flags.len(), KEYS.iter().filter(|key| key.flag().is_some()).count());
        let mut tables: Vec<_> = KEYS.iter().map(|key| key.table_and_name().0).collect();
        tables.dedup();
        assert_eq!(tables, ["", "amqp", "tls", "fetch"]);
    }

    #[test]
    fn every_key_has_documentation_and_an_example_and_a_default_that_it_accepts() {
        for key in KEYS {
            assert!(key.help.len() > 10 && !key.help.ends_with('.'), "{}: {}", key.name, key.help);
            let document = format!("value = {}", key.example);
            let table = toml::de::DeTable::parse(&document).unwrap();
            let example = table.get_ref().get("value").unwrap().get_ref();
            key.kind.read_toml(example, std::path::Path::new("/")).unwrap();
            if let Fallback::Is(text) = key.default {
                key.kind.read_variable(text.as_ref()).unwrap();
            }
        }
    }
}
