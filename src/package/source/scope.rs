//! Looks keys up in nested maps: a key that is missing is searched further out (DMOJ: `ConfigNode`).

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::Path;

use super::error::{PackageError, one_line};
use super::yaml::{Node, Value, plain};

/// A map of keys and those around it, the innermost last.
#[derive(Debug, Clone)]
pub(crate) struct Scope<'a> {
    file: &'a Path,
    /// Where the innermost is: `test_cases[2]`; empty at the top.
    place: String,
    /// Each with where it is.
    maps: Vec<(String, &'a [(String, Node)])>,
}

impl<'a> Scope<'a> {
    /// The top level.
    pub(crate) fn root(file: &'a Path, map: &'a [(String, Node)]) -> Self {
        Self { file, place: String::new(), maps: vec![(String::new(), map)] }
    }

    /// A map within this one.
    pub(crate) fn inside(&self, node: &'a Node, place: &str) -> Result<Self, PackageError> {
        let place = joined(&self.place, place);
        let map = node.map(&place).map_err(|error| error.in_file(self.file))?;
        let maps = self.maps.iter().cloned().chain([(place.clone(), map)]).collect();
        let scope = Self { file: self.file, place, maps };
        scope.refuse_code()?;
        Ok(scope)
    }

    /// The same place without any keys: for maps that inherit nothing.
    pub(crate) fn bare(&self) -> Self {
        Self { file: self.file, place: self.place.clone(), maps: Vec::new() }
    }

    /// Whether a key stands in a map within the top level.
    pub(crate) fn is_below_root(&self, key: &str) -> bool {
        self.maps.iter().skip(1).any(|(_, map)| find(map, key).is_some())
    }

    /// The innermost map.
    pub(crate) fn own(&self) -> &'a [(String, Node)] {
        self.maps.last().map(|(_, map)| *map).unwrap_or_default()
    }

    /// The value of the innermost map that has the key; an empty one is none, also where one further out is not.
    pub(crate) fn get(&self, key: &str) -> Option<&'a Node> {
        let found = self.maps.iter().rev().find_map(|(_, map)| find(map, key))?;
        (!matches!(found.value, Value::Null)).then_some(found)
    }

    /// The value in the innermost map.
    pub(crate) fn own_get(&self, key: &str) -> Option<&'a Node> {
        find(self.own(), key).filter(|node| !matches!(node.value, Value::Null))
    }

    /// A text in the innermost map.
    pub(crate) fn own_text(&self, key: &str) -> Result<Option<String>, PackageError> {
        self.as_text(self.own_get(key), key)
    }

    /// A text.
    pub(crate) fn text(&self, key: &str) -> Result<Option<String>, PackageError> {
        self.as_text(self.get(key), key)
    }

    fn as_text(&self, node: Option<&Node>, key: &str) -> Result<Option<String>, PackageError> {
        let Some(node) = node else { return Ok(None) };
        node.text(&self.key(key)).map_err(|error| error.in_file(self.file))
    }

    /// One text or a list of them.
    pub(crate) fn texts(&self, node: &Node, key: &str) -> Result<Vec<String>, PackageError> {
        node.texts(&self.key(key)).map_err(|error| error.in_file(self.file))
    }

    /// A number within a range.
    pub(crate) fn number(&self, key: &str, range: RangeInclusive<f64>) -> Result<Option<f64>, PackageError> {
        let Some(node) = self.get(key) else { return Ok(None) };
        let Some(number) = node.number(&self.key(key)).map_err(|error| error.in_file(self.file))? else {
            return Ok(None);
        };
        if range.contains(&number) {
            return Ok(Some(number));
        }
        let remedy = format!("give a number from {} to {}", plain(*range.start()), plain(*range.end()));
        Err(self.wrong_at(node, key, format!("{} is out of range", plain(number)), remedy))
    }

    /// Whether something is set; Python's idea of it.
    pub(crate) fn flag(&self, key: &str) -> bool {
        self.get(key).is_some_and(|node| match &node.value {
            Value::Null => false,
            Value::Bool(flag) => *flag,
            Value::Number(number) => *number != 0.0,
            Value::Text(text) => !text.is_empty(),
            Value::List(items) => !items.is_empty(),
            Value::Map(entries) => !entries.is_empty(),
        })
    }

    /// The key with where it stands: `test_cases[2].points`.
    pub(crate) fn key(&self, key: &str) -> String {
        let found = self.maps.iter().rev().find(|(_, map)| find(map, key).is_some());
        joined(found.map_or(&self.place, |(place, _)| place), key)
    }

    /// A wrong value of a key.
    pub(crate) fn wrong(&self, key: &str, problem: impl Display, remedy: impl Into<String>) -> PackageError {
        let line = self.get(key).map_or(0, |node| node.line);
        PackageError::value(line, &self.key(key), one_line(&problem.to_string()), remedy).in_file(self.file)
    }

    /// A wrong value at a node.
    pub(crate) fn wrong_at(
        &self,
        node: &Node,
        key: &str,
        problem: impl Display,
        remedy: impl Into<String>,
    ) -> PackageError {
        PackageError::value(node.line, &self.key(key), one_line(&problem.to_string()), remedy)
            .in_file(self.file)
    }

    /// Something that is not judged.
    pub(crate) fn unsupported(
        &self,
        node: &Node,
        key: &str,
        found: impl Into<String>,
        supported: &'static str,
    ) -> PackageError {
        PackageError::unsupported(node.line, &self.key(key), found, supported).in_file(self.file)
    }

    /// Refuses `key+` and `key++`, which hold Python code.
    pub(crate) fn refuse_code(&self) -> Result<(), PackageError> {
        match self.own().iter().find(|(key, _)| key.ends_with('+')) {
            Some((key, node)) => Err(self.unsupported(
                node,
                &one_line(key),
                "a value computed by Python code",
                "write the value itself, as the code makes it",
            )),
            None => Ok(()),
        }
    }
}

fn joined(place: &str, key: &str) -> String {
    if place.is_empty() { key.to_owned() } else { format!("{place}.{key}") }
}

fn find<'a>(map: &'a [(String, Node)], key: &str) -> Option<&'a Node> {
    map.iter().find_map(|(name, node)| (name == key).then_some(node))
}
