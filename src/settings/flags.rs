//! The keys as flags of `gavel worker`, and some of them as flags of those who send it submissions.

use std::collections::BTreeMap;
use std::ffi::OsString;

use clap::builder::{NonEmptyStringValueParser, OsStringValueParser, ValueParser};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches};

use super::keys::{Fallback, KEYS, Key, Places};
use super::value::Kind;

/// What was said on the command line, not yet read: flags are read as everything else is, in one place.
#[derive(Debug, Clone, Default)]
pub struct SettingFlags {
    given: BTreeMap<&'static str, Vec<OsString>>,
}

impl SettingFlags {
    /// The values given for a key.
    pub(super) fn get(&self, key: &Key) -> Option<&[OsString]> {
        self.given.get(key.name).map(Vec::as_slice)
    }
}

/// What was said on the command line about getting into a broker, by somebody who sends submissions: the flags of the
/// keys that are about it, as [`SettingFlags`] has them.
#[derive(Debug, Clone, Default)]
pub struct AccessFlags(pub(super) SettingFlags);

impl AccessFlags {
    /// The first flag that was given.
    pub fn first(&self) -> Option<String> {
        KEYS.iter().find(|key| self.0.get(key).is_some()).and_then(Key::flag)
    }
}

fn argument(key: &'static Key, flag: String) -> Arg {
    let default = match key.default {
        Fallback::Is("false") => String::new(),
        Fallback::Is(text) => format!(" [default: {text}]"),
        Fallback::Found("none") => String::new(),
        Fallback::Found(words) => format!(" [default: {words}]"),
    };
    let value_name = match key.kind {
        Kind::Name => "NAME",
        Kind::Text | Kind::Secret => "TEXT",
        Kind::Texts => "URL",
        Kind::Globs => "PATTERN",
        Kind::Uris => "QUEUE",
        Kind::Path => "FILE",
        Kind::Paths => "DIR",
        Kind::Count(..) => "COUNT",
        Kind::Size(..) => "SIZE",
        Kind::Time(..) => "TIME",
        Kind::Switch => "SWITCH",
        Kind::Address => "ADDRESS:PORT",
        Kind::Choice(_) => "WORD",
    };
    let (table, _) = key.table_and_name();
    let heading = match table {
        "amqp" => Some("Broker options"),
        "tls" => Some("TLS options"),
        "fetch" => Some("Download options"),
        _ => None,
    };
    let words = match key.kind {
        Kind::Choice(words) => format!(" [possible values: {}]", words.join(", ")),
        _ => String::new(),
    };
    let parser: ValueParser = match key.kind {
        Kind::Path | Kind::Paths => OsStringValueParser::new().into(),
        _ => NonEmptyStringValueParser::new().into(),
    };
    let argument = Arg::new(key.name)
        .long(flag)
        .help(format!("{} [env: {}]{words}{default}", key.help, key.variable()))
        .help_heading(heading)
        .value_name(value_name)
        .value_parser(parser)
        .allow_hyphen_values(matches!(key.kind, Kind::Count(..) | Kind::Size(..) | Kind::Time(..)))
        // What an operator sets once is in the file; `--help` shows it, `-h` does not.
        .hide_short_help(table == "fetch");
    match key.kind {
        Kind::Paths | Kind::Texts | Kind::Globs | Kind::Uris => argument.action(ArgAction::Append),
        Kind::Switch => {
            argument.num_args(0..=1).require_equals(true).default_missing_value("true").action(ArgAction::Set)
        }
        _ => argument.action(ArgAction::Set),
    }
}

/// The flags of keys, but for those that all commands have.
fn arguments(keys: impl Iterator<Item = &'static Key>) -> impl Iterator<Item = Arg> {
    keys.filter_map(|key| match (key.places, key.flag()) {
        (Places::All | Places::AllWithFlag(_), Some(flag)) => Some(argument(key, flag)),
        _ => None,
    })
}

/// What was given for keys.
fn given(matches: &ArgMatches, keys: impl Iterator<Item = &'static Key>) -> SettingFlags {
    let mut given = BTreeMap::new();
    for key in keys {
        let id = match key.places {
            Places::All | Places::AllWithFlag(_) | Places::AllWithGlobalFlag => key.name,
            Places::Environment | Places::Verbosity => continue,
        };
        // A variable that clap read for a global flag is read again with all the others.
        if matches.value_source(id) != Some(ValueSource::CommandLine) {
            continue;
        }
        if let Some(values) = matches.get_raw(id) {
            given.insert(key.name, values.map(OsString::from).collect());
        }
    }
    SettingFlags { given }
}

impl Args for SettingFlags {
    fn augment_args(command: Command) -> Command {
        arguments(KEYS.iter()).fold(command, Command::arg)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SettingFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        Ok(given(matches, KEYS.iter()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for AccessFlags {
    fn augment_args(command: Command) -> Command {
        // Of a command with commands of its own, they are for all of them.
        arguments(access()).map(|argument| argument.global(true)).fold(command, Command::arg)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for AccessFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        Ok(Self(given(matches, access())))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn access() -> impl Iterator<Item = &'static Key> {
    KEYS.iter().filter(|key| key.is_about_access())
}
