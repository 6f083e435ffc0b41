//! The worker's settings: read from where they are, shown, and handed to what they are for.

use clap::ValueEnum;
use globset::Glob;
use tracing_subscriber::filter::LevelFilter;

use super::{CommandError, output, start};
use crate::cli::{Cgroups, ConfigFormat, Global, Worker as Arguments};
use crate::queue::{Addresses, AmqpOptions, Health};
use crate::sandbox::Account;
use crate::settings::{Resolved, Settings};

/// Reads the settings from flags, environment and file.
///
/// # Errors
/// Usage, with the first thing that is wrong and where.
pub(crate) fn read(global: &Global, arguments: &Arguments) -> Result<Resolved, CommandError> {
    let log_level = match (global.quiet, global.verbose) {
        (true, _) => Some(("off", "--quiet")),
        (false, 0) => None,
        (false, 1) => Some(("info", "-v")),
        (false, 2) => Some(("debug", "-vv")),
        (false, _) => Some(("trace", "-vvv")),
    };
    let environment: Vec<_> = std::env::vars_os().collect();
    Resolved::read(arguments.config.as_deref(), &arguments.settings, log_level, &environment)
        .map_err(CommandError::usage)
}

/// The same as one value for the rest of the worker; says what an operator should know.
///
/// # Errors
/// Usage, when settings do not go together.
pub(crate) fn settle(resolved: &Resolved) -> Result<Settings, CommandError> {
    let settings = Settings::of(resolved).map_err(CommandError::usage)?;
    // A level that is no word of the key was refused above.
    output::set_level(settings.log_level.parse().unwrap_or(LevelFilter::WARN));
    for warning in resolved.warnings() {
        tracing::warn!("{warning}");
    }
    Ok(settings)
}

/// Where submissions come from; none for standard input.
///
/// # Errors
/// Usage, when an address is none, or does not go with the other settings.
pub(crate) fn addresses(resolved: &Resolved, settings: &Settings) -> Result<Option<Addresses>, CommandError> {
    if settings.is_stdio() {
        return Ok(None);
    }
    let addresses = Addresses::parse(&settings.queue.join(","));
    let addresses = addresses.and_then(|addresses| addresses.with(&settings.amqp, &settings.tls));
    addresses.map(Some).map_err(|error| CommandError::Usage(format!("{}: {error}", resolved.place("queue"))))
}

/// Looks at what the settings say and name, as a worker that starts with them would. What is not there yet is remarked
/// upon only: the file may be for another host, or for later.
///
/// # Errors
/// Usage, with the first thing that is wrong wherever the worker starts.
pub(crate) fn check(global: &Global, resolved: &Resolved, settings: &Settings) -> Result<(), CommandError> {
    amqp_options(resolved, settings, Health::default())?;
    if settings.languages.as_ref().is_none_or(|path| path.exists()) {
        start::languages(&self::global(global, settings))?;
    }
    let files = [
        ("languages", &settings.languages),
        ("amqp.credentials_file", &settings.amqp.credentials_file),
        ("tls.ca_file", &settings.tls.ca_file),
        ("tls.certificate_file", &settings.tls.certificate_file),
        ("tls.key_file", &settings.tls.key_file),
        ("fetch.ca_file", &settings.fetch.ca_file),
    ];
    let files = files.into_iter().filter_map(|(key, file)| Some((key, file.as_ref()?)));
    let roots = settings.package_roots.iter().map(|root| ("package_roots", root));
    for (key, path) in files.chain(roots) {
        if let Err(error) = std::fs::metadata(path) {
            output::remark(&format!("{}: '{}': {error}", resolved.place(key), start::shown(path)));
        }
    }
    Ok(())
}

/// The user that the worker becomes; none when it stays what it is.
///
/// # Errors
/// Usage, when there is no such user, or only root could become it.
pub(crate) fn account(resolved: &Resolved, settings: &Settings) -> Result<Option<Account>, CommandError> {
    let account = Account::choose(settings.user.as_deref())
        .map_err(|error| CommandError::Usage(format!("{}: {error}", resolved.place("user"))))?;
    if account.is_none() && nix::unistd::Uid::effective().is_root() {
        tracing::warn!(
            "this worker stays root while it speaks to the network, as its setting 'user' says; name a user of its own"
        );
    }
    Ok(account)
}

/// How the broker is used; how that goes is said to `health`.
///
/// # Errors
/// Usage, when a pattern is none.
pub(crate) fn amqp_options(
    resolved: &Resolved,
    settings: &Settings,
    health: Health,
) -> Result<AmqpOptions, CommandError> {
    let reply_to = settings.amqp.reply_to.iter().map(|text| Glob::new(text)).collect::<Result<_, _>>();
    Ok(AmqpOptions {
        prefetch: settings.amqp.prefetch,
        reply_to: reply_to
            .map_err(|error| CommandError::Usage(format!("{}: {error}", resolved.place("amqp.reply_to"))))?,
        health,
    })
}

/// The options of all commands as the settings have them.
pub(crate) fn global(global: &Global, settings: &Settings) -> Global {
    Global {
        languages: settings.languages.clone(),
        cache: settings.cache.clone(),
        slots: settings.slots,
        require_cores: settings.require_cores,
        core_locks: settings.core_locks.clone(),
        cgroups: Cgroups::from_str(&settings.cgroups, false).unwrap_or(global.cgroups),
        ..global.clone()
    }
}

/// Prints every setting with where it is from.
///
/// # Errors
/// When standard output cannot be written to.
pub(crate) fn print(resolved: &Resolved, format: ConfigFormat) -> Result<(), CommandError> {
    match format {
        ConfigFormat::Toml => output::print(&resolved.to_toml()),
        ConfigFormat::Human => {
            let mut table = output::table(&["setting", "value", "from"]);
            for row in resolved.rows() {
                table.add_row(
                    row.map(|cell| cell.lines().map(output::one_line).collect::<Vec<_>>().join("\n")),
                );
            }
            output::print(&format!("{table}\n"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::time::Duration;

    use clap::Parser;

    use super::super::start;
    use super::*;
    use crate::cli::{Cli, Color};
    use crate::judge::Readers;
    use crate::settings::{KEYS, Key, Kind, Places, SettingFlags};
    use crate::submission::Feedback;
    use crate::units::{Bytes, Time};
    use crate::workspace::{FetchSettings, S3Settings};

    /// Every key that a file may have, with no value that is a default.
    const FILE: &str = r#"
        name = "wired"
        queue = "amqps://broker.example/judge"
        package_roots = ["/one", "/two"]
        slots = 3
        require_cores = true
        core_locks = "/locks"
        languages = "/languages.toml"
        cache = "/cache"
        cache_size = "5MiB"
        cgroups = "v1"
        user = "daemon"
        deadline = "7s"
        raise_limits = true
        feedback = "case"
        listen = "127.0.0.1:1234"
        log_level = "error"
        [amqp]
        user = "user"
        credentials_file = "/credentials"
        authentication = "password"
        prefetch = 8
        reply_to = ["backend.*", "other"]
        [tls]
        ca_file = "/ca.pem"
        certificate_file = "/own.pem"
        key_file = "/own.key"
        [fetch]
        allow = ["https://files.example/problems/"]
        largest_file = "11MiB"
        largest_archive = "12MiB"
        largest_package = "13MiB"
        most_entries = 14
        highest_ratio = 15
        capacity = "16MiB"
        connect_timeout = "17s"
        stall_timeout = "18s"
        timeout = "19s"
        attempts = 20
        ca_file = "/files.pem"
        proxy = "http://proxy.example:21"
        s3_endpoint = "https://s3.example"
        s3_region = "here"
    "#;

    fn resolved() -> Resolved {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), FILE).unwrap();
        let document: toml::Table = FILE.parse().unwrap();
        for key in KEYS.iter().filter(|key| key.places != Places::Environment) {
            let (table, name) = key.table_and_name();
            let table = if table.is_empty() { Some(&document) } else { document[table].as_table() };
            assert!(table.unwrap().contains_key(name), "{} is not in the file of this test", key.name);
        }
        Resolved::read(Some(file.path()), &SettingFlags::default(), None, &[]).unwrap()
    }

    #[test]
    fn every_key_of_fetch_reaches_fetching() {
        let resolved = resolved();
        let expected = FetchSettings {
            allow: vec!["https://files.example/problems/".parse().unwrap()],
            largest_file: Bytes::mib(11),
            largest_archive: Bytes::mib(12),
            largest_package: Bytes::mib(13),
            most_entries: 14,
            highest_ratio: 15,
            capacity: Bytes::mib(16),
            connect_timeout: Time(Duration::from_secs(17)),
            stall_timeout: Time(Duration::from_secs(18)),
            timeout: Time(Duration::from_secs(19)),
            attempts: 20,
            ca_file: Some("/files.pem".into()),
            proxy: Some("http://proxy.example:21".to_owned()),
            s3: S3Settings { endpoint: Some("https://s3.example".to_owned()), region: "here".to_owned() },
        };
        assert_eq!(Settings::of(&resolved).unwrap().fetch, expected);
    }

    #[test]
    fn every_key_of_the_broker_reaches_its_client() {
        let resolved = resolved();
        let settings = Settings::of(&resolved).unwrap();
        let options = amqp_options(&resolved, &settings, Health::default()).unwrap();
        let patterns: Vec<_> = options.reply_to.iter().map(Glob::glob).collect();
        assert_eq!((options.prefetch, patterns), (Some(8), vec!["backend.*", "other"]));
        let addresses = addresses(&resolved, &settings).unwrap().unwrap();
        assert_eq!(addresses.shown(), "broker.example:5671/judge");
        // Who logs in and with which certificates is seen by a broker only: tests/broker_access.
        let path = |path: &str| Some(PathBuf::from(path));
        assert_eq!(settings.amqp.user.as_deref(), Some("user"));
        assert_eq!(settings.amqp.credentials_file, path("/credentials"));
        let tls = (settings.tls.ca_file, settings.tls.certificate_file, settings.tls.key_file);
        assert_eq!(tls, (path("/ca.pem"), path("/own.pem"), path("/own.key")));
    }

    #[test]
    fn every_other_key_reaches_the_judge_and_the_worker() {
        let settings = Settings::of(&resolved()).unwrap();
        let said = Cli::try_parse_from(["gavel", "worker", "--color", "never"]).unwrap().global;
        let global = global(&said, &settings);
        assert_eq!((global.slots, global.cgroups, global.color), (Some(3), Cgroups::V1, Color::Never));
        assert_eq!(global.languages.as_deref(), Some(Path::new("/languages.toml")));
        assert_eq!(global.cache.as_deref(), Some(Path::new("/cache")));
        assert_eq!(settings.package_roots, [PathBuf::from("/one"), PathBuf::from("/two")]);
        assert_eq!(
            (settings.listen, settings.deadline.0),
            ("127.0.0.1:1234".parse().ok(), Duration::from_secs(7))
        );
        assert_eq!((settings.log_level.as_str(), settings.user.as_deref()), ("error", Some("daemon")));
        let built_in = Global { languages: None, ..global };
        let judge = start::settings_of_worker(&built_in, &settings, None).unwrap();
        assert_eq!((judge.worker.as_str(), judge.slots), ("wired", Some(3)));
        assert_eq!((judge.require_cores, judge.core_locks.as_deref()), (true, Some(Path::new("/locks"))));
        assert_eq!((judge.cache_capacity, judge.may_raise_limits), (Bytes::mib(5), true));
        assert_eq!(judge.readers, Readers::Backend(Some(Feedback::Case)));
        assert_eq!(judge.cache, Path::new("/cache"));
    }

    #[test]
    fn the_words_of_the_file_are_those_of_the_command_line() {
        let Some(Kind::Choice(words)) = Key::find("cgroups").map(|key| key.kind) else {
            panic!("cgroups is no choice");
        };
        let values: Vec<_> = Cgroups::value_variants()
            .iter()
            .map(|mode| mode.to_possible_value().unwrap().get_name().to_owned())
            .collect();
        assert_eq!(words, values);
        let Some(Kind::Choice(levels)) = Key::find("log_level").map(|key| key.kind) else {
            panic!("log_level is no choice");
        };
        for level in levels {
            assert_eq!(level.parse::<LevelFilter>().unwrap().to_string(), *level);
        }
    }
}
