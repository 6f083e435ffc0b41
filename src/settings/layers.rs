//! Flags over the environment over the file over defaults.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use super::error::SettingsError;
use super::file;
use super::flags::{AccessFlags, SettingFlags};
use super::keys::{Fallback, KEYS, Key};
use super::value::Value;
use crate::nearest::nearest;

/// The file that is read when nobody names one, if it is there.
pub const DEFAULT_FILE: &str = "/etc/gavel/worker.toml";

/// Names a file; in the environment. Empty: no file at all, not even the default one.
const FILE_VARIABLE: &str = "GAVEL_CONFIG";

/// The credential a systemd unit passes under this name is the default of `amqp.credentials_file`.
const CREDENTIAL: &str = "gavel-amqp";
/// Where systemd puts credentials; in the environment.
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

/// Where a value is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// This flag.
    Flag(String),
    /// This variable.
    Environment(String),
    /// This line of the file.
    File(PathBuf, usize),
    /// Nobody said it.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => formatter.write_str(name),
            Self::Environment(name) => formatter.write_str(name),
            Self::File(path, line) => write!(formatter, "{}:{line}", path.display()),
            Self::Default => formatter.write_str("default"),
        }
    }
}

/// A key with its value; none when it has no default and nobody said it.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The key.
    pub key: &'static Key,
    /// Its value.
    pub value: Option<Value>,
    /// Where that is from.
    pub origin: Origin,
}

/// All keys with their values, in the order of [`KEYS`].
#[derive(Debug, Clone)]
pub struct Resolved {
    pub(super) settings: Vec<Setting>,
    /// The file that was read.
    pub(super) file: Option<PathBuf>,
    /// What an operator should know, and what does not keep a worker from starting.
    pub(super) warnings: Vec<String>,
}

impl Resolved {
    /// Reads the file that is named or the default one, and lays the environment and the flags over it.
    /// `log_level` is what `-v` and `-q` say, with the flag's name.
    ///
    /// # Errors
    /// [`SettingsError`] with the first thing that is wrong, also with one that another layer replaces: who
    /// removes a flag should not be surprised by the file.
    pub fn read(
        config: Option<&Path>,
        flags: &SettingFlags,
        log_level: Option<(&str, &str)>,
        environment: &[(OsString, OsString)],
    ) -> Result<Self, SettingsError> {
        let variable = |name: &str| {
            environment.iter().find(|(key, _)| key == OsStr::new(name)).map(|(_, value)| value.as_os_str())
        };
        let file = file_to_read(config, variable(FILE_VARIABLE), Path::new(DEFAULT_FILE));
        let mut warnings = unknown_variables(environment);
        let from_file = match &file {
            None => Vec::new(),
            Some(path) => {
                let read = file::read(path)?;
                let has_password = read.values.iter().any(|(_, value, _)| value.has_password());
                if has_password && read.is_public {
                    warnings.push(format!(
                        "{}: there is a password in it, and everybody on this host may read it: chmod 640, or \
                         amqp.credentials_file",
                        path.display()
                    ));
                }
                read.values
            }
        };
        let mut settings = Vec::with_capacity(KEYS.len());
        for key in KEYS {
            let mut value = None;
            let mut origin = Origin::Default;
            if let Some((_, said, line)) = from_file.iter().find(|(other, ..)| other.name == key.name) {
                value = Some(said.clone());
                origin = Origin::File(file.clone().unwrap_or_default(), *line);
            }
            // An empty variable is one that is not set: whoever writes units and manifests cannot always unset.
            if let Some(text) = variable(&key.variable()).filter(|text| !text.is_empty()) {
                let from = Origin::Environment(key.variable());
                value = Some(read_as(key, key.kind.read_variable(text), &from)?);
                origin = from;
            }
            if let Some(texts) = flags.get(key) {
                let from = Origin::Flag(format!("--{}", key.flag().unwrap_or_default()));
                let texts = texts.iter().map(OsString::as_os_str);
                value = Some(read_as(key, key.kind.read_texts(texts), &from)?);
                origin = from;
            }
            if let Some((level, flag)) = log_level.filter(|_| key.name == "log_level") {
                value = Some(Value::Text(level.to_owned()));
                origin = Origin::Flag(flag.to_owned());
            }
            if value.is_none() {
                value = match key.default {
                    Fallback::Is(text) => {
                        Some(read_as(key, key.kind.read_variable(OsStr::new(text)), &origin)?)
                    }
                    Fallback::Found(_) if key.name == "amqp.credentials_file" => {
                        let path =
                            variable(CREDENTIALS_DIRECTORY).map(|path| Path::new(path).join(CREDENTIAL));
                        path.filter(|path| path.exists()).map(Value::Path)
                    }
                    Fallback::Found(_) => None,
                };
            }
            settings.push(Setting { key, value: value.map(absolute), origin });
        }
        Ok(Self { settings, file, warnings })
    }

    /// What somebody who sends submissions says about getting into a broker, in flags and the environment. No file
    /// is read, and no other setting: what a worker on the same host is told is not for whoever uses it.
    ///
    /// # Errors
    /// As [`Resolved::read`].
    pub fn access(flags: &AccessFlags, environment: &[(OsString, OsString)]) -> Result<Self, SettingsError> {
        let is_for_access = |name: &OsStr| {
            name == OsStr::new(CREDENTIALS_DIRECTORY)
                || KEYS.iter().any(|key| key.is_about_access() && name == OsStr::new(&key.variable()))
        };
        let mut known: Vec<_> = environment.iter().filter(|(name, _)| is_for_access(name)).cloned().collect();
        known.push((FILE_VARIABLE.into(), OsString::new()));
        Self::read(None, &flags.0, None, &known)
    }

    /// The setting of a key.
    pub(super) fn get(&self, name: &str) -> Option<&Setting> {
        self.settings.iter().find(|setting| setting.key.name == name)
    }

    /// Where a key's value is from and the key's name, for messages.
    pub fn place(&self, name: &str) -> String {
        match self.get(name).map(|setting| &setting.origin) {
            None | Some(Origin::Default) => name.to_owned(),
            Some(Origin::File(path, line)) => format!("{}:{line}: {name}", path.display()),
            Some(origin) => origin.to_string(),
        }
    }

    /// What an operator should know, one line each.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// All settings.
    pub fn settings(&self) -> &[Setting] {
        &self.settings
    }
}

/// The named file, or the default one if it is there.
fn file_to_read(named: Option<&Path>, variable: Option<&OsStr>, default: &Path) -> Option<PathBuf> {
    match (named, variable) {
        (Some(path), _) => Some(path.to_owned()),
        (None, Some(path)) if path.is_empty() => None,
        (None, Some(path)) => Some(path.into()),
        // Anything but its absence is for reading it to complain about.
        (None, None) => match std::fs::symlink_metadata(default) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            _ => Some(default.to_owned()),
        },
    }
}

fn read_as(key: &Key, read: Result<Value, String>, origin: &Origin) -> Result<Value, SettingsError> {
    read.map_err(|problem| {
        let key = match origin {
            Origin::Flag(_) | Origin::Environment(_) => String::new(),
            Origin::File(..) | Origin::Default => format!("{}: ", key.name),
        };
        SettingsError::Value { origin: origin.clone(), key, problem }
    })
}

/// Paths of flags and variables are from where the worker is started; it may go elsewhere later.
fn absolute(value: Value) -> Value {
    let whole = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
    match value {
        Value::Path(path) => Value::Path(whole(path)),
        Value::Paths(paths) => Value::Paths(paths.into_iter().map(whole).collect()),
        other => other,
    }
}

/// Variables that look like misspelt ones of ours. Others of our prefix are left alone: an orchestrator makes some
/// for every service by the name of gavel.
fn unknown_variables(environment: &[(OsString, OsString)]) -> Vec<String> {
    let known: Vec<String> =
        KEYS.iter().map(Key::variable).chain(std::iter::once(FILE_VARIABLE.to_owned())).collect();
    let names = environment.iter().filter_map(|(name, _)| name.to_str());
    let misspelt = names.filter(|name| name.starts_with("GAVEL_") && !known.iter().any(|one| one == name));
    misspelt
        .filter_map(|name| {
            // Only what comes after the prefix can be misspelt.
            let rest = name.strip_prefix("GAVEL_")?;
            let near = nearest(rest, known.iter().filter_map(|known| known.strip_prefix("GAVEL_")))?;
            Some(format!("the variable {name} is no setting and has no effect: did you mean GAVEL_{near}?"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_file_is_read_when_it_is_there_and_none_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let default = directory.path().join("worker.toml");
        let named = Path::new("named.toml");
        assert_eq!(file_to_read(None, None, &default), None);
        std::fs::write(&default, "").unwrap();
        assert_eq!(file_to_read(None, None, &default), Some(default.clone()));
        assert_eq!(file_to_read(None, Some(OsStr::new("")), &default), None);
        assert_eq!(file_to_read(None, Some(named.as_os_str()), &default), Some(named.to_owned()));
        let other = Some(OsStr::new("other"));
        assert_eq!(file_to_read(Some(named), other, &default), Some(named.to_owned()));
    }
}
