//! The TOML file: from text to values with their lines.

use std::fs::{self, File};
use std::io::Read;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::SettingsError;
use super::keys::{KEYS, Key, Places};
use super::value::Value;
use crate::nearest::nearest;

/// No configuration of people is larger; a wrong path may be.
const SIZE_LIMIT: u64 = 1 << 20;

/// What a file says.
#[derive(Debug)]
pub(super) struct FileValues {
    /// Keys in the file's order, with the line of each.
    pub(super) values: Vec<(&'static Key, Value, usize)>,
    /// Whether everybody on the host may read it.
    pub(super) is_public: bool,
}

/// Reads a file.
///
/// # Errors
/// [`SettingsError`] with the first thing that is wrong.
pub(super) fn read(path: &Path) -> Result<FileValues, SettingsError> {
    let problem = |problem: String| SettingsError::File { file: path.display().to_string(), problem };
    let refused = |error: std::io::Error| {
        problem(format!("cannot read the configuration: {error}; check the path and its permissions"))
    };
    let metadata = fs::metadata(path).map_err(refused)?;
    if !metadata.is_file() {
        return Err(problem(
            "the configuration is not a regular file; give the path of a TOML file".to_owned(),
        ));
    }
    let mut bytes = Vec::new();
    File::open(path).map_err(refused)?.take(SIZE_LIMIT + 1).read_to_end(&mut bytes).map_err(refused)?;
    if bytes.len() as u64 > SIZE_LIMIT {
        return Err(problem("the configuration is over 1 MiB; is this the right file?".to_owned()));
    }
    let Ok(text) = String::from_utf8(bytes) else {
        return Err(problem("the configuration is not UTF-8 text; is this the right file?".to_owned()));
    };
    let document = Document { path, text: &text };
    Ok(FileValues { values: document.values()?, is_public: metadata.mode() & 0o004 != 0 })
}

struct Document<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Document<'_> {
    fn values(&self) -> Result<Vec<(&'static Key, Value, usize)>, SettingsError> {
        let root = DeTable::parse(self.text).map_err(|error| {
            // The reader's own message never quotes values.
            let place = error.span().unwrap_or(0..0);
            let message = error.message().lines().collect::<Vec<_>>().join("; ").replace('`', "'");
            self.wrong(&place, format!("this is no TOML: {message}"))
        })?;
        let mut values = Vec::new();
        for (name, value) in root.get_ref() {
            match value.get_ref() {
                DeValue::Table(table) if is_table(name.get_ref()) => {
                    for (inner, value) in table {
                        let full = format!("{}.{}", name.get_ref(), inner.get_ref());
                        values.push(self.value(&full, &inner.span(), value)?);
                    }
                }
                other if is_table(name.get_ref()) => {
                    let name = name.get_ref();
                    let problem = format!("{name}: this is {}; accepted: a table [{name}]", other.type_str());
                    return Err(self.wrong(&value.span(), problem));
                }
                DeValue::Table(_) if Key::find(name.get_ref()).is_none() => {
                    return Err(self.wrong(&name.span(), unknown_table(name.get_ref())));
                }
                _ => values.push(self.value(name.get_ref(), &name.span(), value)?),
            }
        }
        values.sort_by_key(|(_, _, line)| *line);
        Ok(values)
    }

    fn value(
        &self,
        name: &str,
        place: &Range<usize>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<(&'static Key, Value, usize), SettingsError> {
        let Some(key) = Key::find(name) else {
            return Err(self.wrong(place, unknown(name)));
        };
        if key.places == Places::Environment {
            let problem = format!(
                "{name} is not accepted in a file; give {} in the environment, or a credentials_file",
                key.variable()
            );
            return Err(self.wrong(place, problem));
        }
        let folder = folder(self.path);
        match key.kind.read_toml(value.get_ref(), &folder) {
            Ok(read) => Ok((key, read, self.line(place.start))),
            Err(problem) => Err(self.wrong(&value.span(), format!("{name}: {problem}"))),
        }
    }

    fn wrong(&self, place: &Range<usize>, problem: String) -> SettingsError {
        SettingsError::Line { file: self.path.display().to_string(), line: self.line(place.start), problem }
    }

    fn line(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().get(..offset).unwrap_or(self.text.as_bytes());
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }
}

/// The file's folder, so that what it names does not depend on where the worker is started.
fn folder(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    absolute.parent().map(Path::to_owned).unwrap_or_default()
}

fn is_table(name: &str) -> bool {
    KEYS.iter().any(|key| key.table_and_name().0 == name)
}

fn unknown_table(name: &str) -> String {
    let mut tables: Vec<_> =
        KEYS.iter().map(|key| key.table_and_name().0).filter(|table| !table.is_empty()).collect();
    tables.dedup();
    let shown = name.escape_debug();
    match nearest(name, tables.iter().copied()) {
        Some(near) => format!("unknown table '{shown}'; did you mean '{near}'?"),
        None => format!("unknown table '{shown}'; accepted: {}", tables.join(", ")),
    }
}

fn unknown(name: &str) -> String {
    let shown = name.escape_debug();
    // A key in the wrong table is more often that than a misspelt one.
    let last = name.rsplit('.').next().unwrap_or(name);
    let moved = || KEYS.iter().find(|key| key.table_and_name().1 == last).map(|key| key.name);
    let known = || KEYS.iter().filter(|key| key.places != Places::Environment).map(|key| key.name);
    match nearest(name, known()).or_else(moved) {
        Some(near) => format!("unknown key '{shown}'; did you mean '{near}'?"),
        None => format!("unknown key '{shown}'; accepted: {}", known().collect::<Vec<_>>().join(", ")),
    }
}
