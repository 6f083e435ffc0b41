//! Kinds of values: how each is read from a flag, the environment and a file, and how it is written again.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use toml::de::DeValue;

use super::secret::{HIDDEN, Secret};
use super::without_passwords;
use crate::units::{Bytes, Time};

/// What a key takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// A name: printable and short.
    Name,
    /// A URL or another text on one line.
    Text,
    /// A password; from the environment only.
    Secret,
    /// A file or a folder; in a file, relative to the file's folder.
    Path,
    /// Several of them; in the environment, separated by colons.
    Paths,
    /// Several texts; in flags and the environment, separated by commas.
    Texts,
    /// The same, each a pattern like `backend.*`.
    Globs,
    /// The same, with passwords in them.
    Uris,
    /// A whole number, at least and at most.
    Count(u64, u64),
    /// A size, at least and at most.
    Size(Bytes, Bytes),
    /// A time, at least and at most.
    Time(Time, Time),
    /// Yes or no.
    Switch,
    /// An address to listen at.
    Address,
    /// One of these words.
    Choice(&'static [&'static str]),
}

/// A value of one of the kinds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // Each is the kind of its name.
pub enum Value {
    Text(String),
    Secret(Secret),
    Path(PathBuf),
    Paths(Vec<PathBuf>),
    Texts(Vec<String>),
    Uris(Vec<String>),
    Count(u64),
    Size(Bytes),
    Time(Time),
    Switch(bool),
    Address(SocketAddr),
}

impl Kind {
    /// What is accepted, for messages.
    pub fn accepted(self) -> String {
        match self {
            Self::Name => "1 to 64 letters, digits and '-', '_', '.', ':', '@'".to_owned(),
            Self::Text => "text on one line".to_owned(),
            Self::Secret => "a password".to_owned(),
            Self::Path => "a path".to_owned(),
            Self::Paths => "a path or a list of paths".to_owned(),
            Self::Texts | Self::Uris => "text or a list of texts, each on one line".to_owned(),
            Self::Globs => "a pattern like \"backend.*\" or a list of them".to_owned(),
            Self::Count(least, most) => format!("a whole number, {least} to {most}"),
            Self::Size(least, most) => format!("a size like \"256MiB\", {least} to {most}"),
            Self::Time(least, most) => format!("a time like \"30s\", {least} to {most}"),
            Self::Switch => "true or false".to_owned(),
            Self::Address => "an address and a port like \"127.0.0.1:9464\"".to_owned(),
            Self::Choice(words) => words.join(", "),
        }
    }

    /// Reads one text of a flag or a variable. Lists take several texts: [`Kind::read_texts`].
    ///
    /// # Errors
    /// What is wrong, in words; never with the text of a secret.
    fn read_text(self, text: &str) -> Result<Value, String> {
        let shown = text.escape_debug().take(60).collect::<String>();
        let refused = |problem: &str| Err(format!("{problem}; accepted: {}", self.accepted()));
        let one_line = !text.is_empty() && !text.chars().any(char::is_control);
        match self {
            Self::Name => {
                let good = |c: char| c.is_ascii_alphanumeric() || "-_.:@".contains(c);
                if text.is_empty() || text.len() > 64 || !text.chars().all(good) {
                    return refused(&format!("'{shown}' is no name"));
                }
                Ok(Value::Text(text.to_owned()))
            }
            Self::Text if one_line => Ok(Value::Text(text.to_owned())),
            Self::Texts if one_line => Ok(Value::Texts(vec![text.to_owned()])),
            Self::Uris if one_line => Ok(Value::Uris(vec![text.to_owned()])),
            Self::Globs if one_line => match globset::Glob::new(text) {
                Ok(_) => Ok(Value::Texts(vec![text.to_owned()])),
                Err(error) => refused(&format!("'{shown}' is no pattern: {}", error.kind())),
            },
            Self::Secret if one_line => Ok(Value::Secret(Secret::new(text))),
            Self::Text | Self::Texts | Self::Globs | Self::Uris | Self::Secret => {
                refused("it is empty or has control characters")
            }
            Self::Path | Self::Paths if text.is_empty() || text.contains('\0') => {
                refused("it is empty or has a NUL")
            }
            Self::Path => Ok(Value::Path(text.into())),
            Self::Paths => Ok(Value::Paths(vec![text.into()])),
            Self::Count(..) => match text.parse::<i128>() {
                Ok(number) => self.count(number),
                Err(_) => refused(&format!("'{shown}' is no whole number")),
            },
            Self::Size(least, most) => match text.parse::<Bytes>() {
                Ok(size) if (least..=most).contains(&size) => Ok(Value::Size(size)),
                Ok(_) => refused(&format!("'{shown}' is out of range")),
                Err(error) => Err(error.to_string()),
            },
            Self::Time(least, most) => match text.parse::<Time>() {
                Ok(time) if (least..=most).contains(&time) => Ok(Value::Time(time)),
                Ok(_) => refused(&format!("'{shown}' is out of range")),
                Err(error) => Err(error.to_string()),
            },
            Self::Switch => match text {
                "true" | "1" | "yes" | "on" => Ok(Value::Switch(true)),
                "false" | "0" | "no" | "off" => Ok(Value::Switch(false)),
                _ => refused(&format!("'{shown}' is neither yes nor no")),
            },
            Self::Address => match text.parse() {
                Ok(address) => Ok(Value::Address(address)),
                Err(_) => refused(&format!("'{shown}' is no address with a port")),
            },
            Self::Choice(words) if words.contains(&text) => Ok(Value::Text(text.to_owned())),
            Self::Choice(_) => refused(&format!("'{shown}' is none of them")),
        }
    }

    /// Reads the texts of a flag (one each time it is given).
    ///
    /// # Errors
    /// What is wrong, in words.
    pub(super) fn read_texts<'a>(self, texts: impl Iterator<Item = &'a OsStr>) -> Result<Value, String> {
        let mut list = Vec::new();
        for text in texts {
            if let (Self::Path | Self::Paths, None) = (self, text.to_str()) {
                list.push(Value::Path(std::ffi::OsString::from_vec(text.as_bytes().to_vec()).into()));
                continue;
            }
            let text = text.to_str().ok_or_else(|| format!("not UTF-8; accepted: {}", self.accepted()))?;
            match self {
                Self::Texts | Self::Globs | Self::Uris => {
                    for part in text.split(',') {
                        list.push(self.read_text(part.trim())?);
                    }
                }
                _ => list.push(self.read_text(text)?),
            }
        }
        self.joined(list)
    }

    /// Reads an environment variable.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub(super) fn read_variable(self, text: &OsStr) -> Result<Value, String> {
        if self == Self::Paths {
            let parts = text.as_bytes().split(|byte| *byte == b':').map(OsStr::from_bytes);
            return self.read_texts(parts);
        }
        self.read_texts(std::iter::once(text))
    }

    /// Reads a value of a TOML file; `folder` is the file's own.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub(super) fn read_toml(self, value: &DeValue<'_>, folder: &Path) -> Result<Value, String> {
        let wrong = || {
            Err(format!("{} is not accepted here; accepted: {}", article(value.type_str()), self.accepted()))
        };
        let read = match (self, value) {
            (Self::Count(..), DeValue::Integer(integer)) => {
                let digits = integer.as_str().replace('_', "");
                match i128::from_str_radix(&digits, integer.radix()) {
                    Ok(number) => self.count(number),
                    Err(_) => wrong(),
                }
            }
            (Self::Switch, DeValue::Boolean(switch)) => Ok(Value::Switch(*switch)),
            (Self::Count(..) | Self::Switch, _) => wrong(),
            (Self::Paths | Self::Texts | Self::Globs | Self::Uris, DeValue::Array(entries)) => {
                let mut list = Vec::new();
                for entry in entries {
                    match entry.get_ref() {
                        DeValue::String(text) => list.push(self.read_text(text)?),
                        other => {
                            let other = article(other.type_str());
                            return Err(format!("{other} among the texts; accepted: {}", self.accepted()));
                        }
                    }
                }
                self.joined(list)
            }
            (_, DeValue::String(text)) => self.read_text(text),
            _ => wrong(),
        };
        Ok(match read? {
            Value::Path(path) => Value::Path(folder.join(path)),
            Value::Paths(paths) => Value::Paths(paths.into_iter().map(|path| folder.join(path)).collect()),
            other => other,
        })
    }

    fn count(self, number: i128) -> Result<Value, String> {
        match (self, u64::try_from(number)) {
            (Self::Count(least, most), Ok(count)) if (least..=most).contains(&count) => {
                Ok(Value::Count(count))
            }
            _ => Err(format!("{number} is out of range; accepted: {}", self.accepted())),
        }
    }

    /// One value of all the parts: a list of them, or the last of what can be only one.
    fn joined(self, parts: Vec<Value>) -> Result<Value, String> {
        let mut joined = match self {
            Self::Paths => Some(Value::Paths(Vec::new())),
            Self::Texts | Self::Globs => Some(Value::Texts(Vec::new())),
            Self::Uris => Some(Value::Uris(Vec::new())),
            _ => None,
        };
        for part in parts {
            match (&mut joined, part) {
                (Some(Value::Paths(list)), Value::Paths(more)) => list.extend(more),
                (Some(Value::Paths(list)), Value::Path(more)) => list.push(more),
                (Some(Value::Texts(list)), Value::Texts(more))
                | (Some(Value::Uris(list)), Value::Uris(more)) => {
                    list.extend(more);
                }
                (_, part) => joined = Some(part),
            }
        }
        joined.ok_or_else(|| format!("it is empty; accepted: {}", self.accepted()))
    }
}

fn article(kind: &str) -> String {
    let article = if kind.starts_with(['a', 'i', 'o']) { "an" } else { "a" };
    format!("{article} {kind}")
}

/// A text that may be a URL with a password.
fn shown(text: &str) -> String {
    if text.contains("://") { without_passwords(text) } else { text.to_owned() }
}

impl Value {
    /// Whether showing it hides something.
    pub(super) fn has_password(&self) -> bool {
        match self {
            Self::Secret(_) => true,
            Self::Text(text) => shown(text) != *text,
            Self::Texts(texts) => texts.iter().any(|text| shown(text) != *text),
            Self::Uris(uris) => uris.iter().any(|uri| without_passwords(uri) != *uri),
            _ => false,
        }
    }

    /// As it is written in a TOML file, passwords hidden.
    pub fn to_toml(&self) -> String {
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let list = |texts: Vec<String>| format!("[{}]", texts.join(", "));
        let path = |path: &PathBuf| quoted(&path.to_string_lossy());
        match self {
            Self::Text(text) => quoted(&shown(text)),
            Self::Secret(_) => quoted(HIDDEN),
            Self::Path(one) => path(one),
            Self::Paths(paths) => list(paths.iter().map(path).collect()),
            Self::Texts(texts) => list(texts.iter().map(|text| quoted(&shown(text))).collect()),
            Self::Uris(uris) => list(uris.iter().map(|uri| quoted(&without_passwords(uri))).collect()),
            Self::Count(count) => count.to_string(),
            Self::Size(size) => quoted(&size.to_string()),
            Self::Time(time) => quoted(&time.to_string()),
            Self::Switch(switch) => switch.to_string(),
            Self::Address(address) => quoted(&address.to_string()),
        }
    }

    /// As a person reads it, passwords hidden.
    pub fn to_human(&self) -> String {
        match self {
            Self::Text(text) => shown(text),
            Self::Path(path) => path.display().to_string(),
            Self::Paths(paths) => {
                paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join("\n")
            }
            Self::Texts(texts) => texts.iter().map(|text| shown(text)).collect::<Vec<_>>().join("\n"),
            Self::Uris(uris) => uris.iter().map(|uri| without_passwords(uri)).collect::<Vec<_>>().join("\n"),
            Self::Secret(_) => HIDDEN.to_owned(),
            Self::Address(address) => address.to_string(),
            Self::Size(size) => size.to_string(),
            Self::Time(time) => time.to_string(),
            Self::Count(_) | Self::Switch(_) => self.to_toml(),
        }
    }
}
