//! The worker's settings: read from where they are, shown, and handed to what they are for.

use clap::ValueEnum;
use globset::Glob;
use tracing_subscriber::filter::LevelFilter;

use super::{CommandError, output, start};
use crate::cli::{Cgroups, ConfigFormat, Global, Worker as Arguments};
use crate::queue::{Addresses, AmqpOptions, Health};
use crate::settings::{Resolved, Settings};
use crate::workspace::{AllowedUrl, FetchSettings, S3Settings};

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
    fetch(resolved, settings)?;
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

/// What may be fetched.
///
/// # Errors
/// Usage, when an allowed URL is none.
pub(crate) fn fetch(resolved: &Resolved, settings: &Settings) -> Result<FetchSettings, CommandError> {
    let fetch = &settings.fetch;
    let allow = fetch.allow.iter().map(|text| text.parse::<AllowedUrl>());
    let allow = allow.collect::<Result<_, _>>();
    Ok(FetchSettings {
        allow: allow
            .map_err(|error| CommandError::Usage(format!("{}: {error}", resolved.place("fetch.allow"))))?,
        largest_file: fetch.largest_file,
        largest_archive: fetch.largest_archive,
        largest_package: fetch.largest_package,
        most_entries: fetch.most_entries,
        highest_ratio: fetch.highest_ratio,
        capacity: fetch.capacity,
        connect_timeout: fetch.connect_timeout,
        stall_timeout: fetch.stall_timeout,
        timeout: fetch.timeout,
        attempts: fetch.attempts,
        ca_file: fetch.ca_file.clone(),
        proxy: fetch.proxy.clone(),
        s3: S3Settings { endpoint: fetch.s3_endpoint.clone(), region: fetch.s3_region.clone() },
    })
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
    use super::*;
    use crate::settings::{Key, Kind};

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
