//! Parses YAML into a small tree in which every value knows its line.
//!
//! The readers ask for keys by name and get one-line errors that name key and line. Anchors, depth and sizes
//! are bounded by the parser's budget, so a small file cannot grow into a large tree.

use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Spanned, UserMessageFormatter};

use super::error::{PackageError, one_line};
use super::tree::{Entry, read_text};

/// A value and the line it starts on, from 1; 0 where unknown.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) line: u64,
    pub(crate) value: Value,
}

/// A YAML value.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

/// A key that stands in one map more than once: its line and itself, dotted (`limits.memory`).
pub(crate) type Duplicate = (u64, String);

/// Reads a file, with a warning for each key that is there twice; `shown` is what warnings call it.
///
/// # Errors
/// When it cannot be read, or is no YAML.
pub(crate) fn load(entry: &Entry, shown: &str, warnings: &mut Vec<String>) -> Result<Node, PackageError> {
    let (root, duplicates) =
        parse_with_duplicates(&read_text(entry)?).map_err(|error| error.in_file(&entry.path))?;
    warnings.extend(duplicates.iter().map(|duplicate| there_twice(shown, duplicate)));
    Ok(root)
}

/// The warning about a key that is there twice.
pub(crate) fn there_twice(file: &str, (line, key): &Duplicate) -> String {
    format!("{file}:{line}: the key '{key}' is there twice: the last one counts, as with PyYAML")
}

/// As [`parse_with_duplicates`], without a word about them.
pub(crate) fn parse(text: &str) -> Result<Node, PackageError> {
    parse_with_duplicates(text).map(|(root, _)| root)
}

/// Reads one document; an empty one is an empty map, as in the tools. Of a key that stands in a map more than once, the
/// last value counts, at the place of the first.
pub(crate) fn parse_with_duplicates(text: &str) -> Result<(Node, Vec<Duplicate>), PackageError> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_nodes: 100_000, max_events: 400_000, max_depth: 48, max_documents: 2 },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 10_000 },
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        strict_booleans: true,
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::PassThrough,
        non_finite_float_policy: serde_saphyr::NonFiniteFloatPolicy::PassThrough,
        with_snippet: false,
    };
    match serde_saphyr::from_str_with_options::<Spanned<Value>>(text, options) {
        Ok(root) => {
            let (mut root, mut duplicates) = (Node::from(root), Vec::new());
            root.keep_last("", &mut duplicates);
            Ok((root, duplicates))
        }
        Err(error) => {
            let line = error.location().map_or(0, |location| location.line());
            Err(PackageError::value(
                line,
                "",
                format!(
                    "it is not the YAML expected: {}",
                    one_line(&error.without_snippet().render_with_formatter(&UserMessageFormatter))
                ),
                "correct it at that place",
            ))
        }
    }
}

impl Node {
    /// Keeps the last value of each key, here and below.
    fn keep_last(&mut self, place: &str, duplicates: &mut Vec<Duplicate>) {
        /// Duplicates beyond these are not counted.
        const MOST: usize = 100;
        match &mut self.value {
            Value::List(items) => items.iter_mut().for_each(|item| item.keep_last(place, duplicates)),
            Value::Map(entries) => {
                let mut kept: Vec<(String, Self)> = Vec::with_capacity(entries.len());
                let mut places = HashMap::new();
                for (key, node) in std::mem::take(entries) {
                    let known = places.get(&key).and_then(|place: &usize| kept.get_mut(*place));
                    let Some((_, value)) = known else {
                        places.insert(key.clone(), kept.len());
                        kept.push((key, node));
                        continue;
                    };
                    if duplicates.len() < MOST {
                        duplicates.push((node.line, dotted(place, &key)));
                    }
                    *value = node;
                }
                for (key, node) in &mut kept {
                    node.keep_last(&dotted(place, key), duplicates);
                }
                *entries = kept;
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => {}
        }
    }

    fn wrong(&self, key: &str, expected: &str) -> PackageError {
        PackageError::value(
            self.line,
            key,
            format!("{} where {expected} is needed", self.value.describe()),
            if expected == "a number" {
                "give it without a unit".to_owned()
            } else {
                format!("give {expected}")
            },
        )
    }

    /// The entries of a map; none for an empty value.
    pub(crate) fn map(&self, key: &str) -> Result<&[(String, Self)], PackageError> {
        match &self.value {
            Value::Map(entries) => Ok(entries),
            Value::Null => Ok(&[]),
            _ => Err(self.wrong(key, "a map of keys to values")),
        }
    }

    /// A scalar as text; `None` for an empty value.
    pub(crate) fn text(&self, key: &str) -> Result<Option<String>, PackageError> {
        match &self.value {
            Value::Text(text) => Ok(Some(text.clone())),
            Value::Number(number) => Ok(Some(plain(*number))),
            Value::Bool(flag) => Ok(Some(flag.to_string())),
            Value::Null => Ok(None),
            _ => Err(self.wrong(key, "text")),
        }
    }

    /// Text or a list of texts; none for an empty value.
    pub(crate) fn texts(&self, key: &str) -> Result<Vec<String>, PackageError> {
        match &self.value {
            Value::List(nodes) => {
                nodes.iter().filter_map(|node| node.text(key).transpose()).collect::<Result<_, _>>()
            }
            _ => Ok(self.text(key)?.into_iter().collect()),
        }
    }

    /// A number, also when written in quotes; `None` for an empty value.
    pub(crate) fn number(&self, key: &str) -> Result<Option<f64>, PackageError> {
        match &self.value {
            Value::Number(number) => Ok(Some(*number)),
            Value::Text(text) => text.trim().parse().map(Some).map_err(|_| self.wrong(key, "a number")),
            Value::Null => Ok(None),
            _ => Err(self.wrong(key, "a number")),
        }
    }
}

fn dotted(place: &str, key: &str) -> String {
    let key = one_line(key);
    if place.is_empty() { key } else { format!("{place}.{key}") }
}

impl Value {
    fn describe(&self) -> String {
        match self {
            Self::Null => "nothing".to_owned(),
            Self::Bool(flag) => flag.to_string(),
            Self::Number(number) => plain(*number),
            Self::Text(text) => format!("'{}'", one_line(&text.chars().take(40).collect::<String>())),
            Self::List(_) => "a list".to_owned(),
            Self::Map(_) => "a map".to_owned(),
        }
    }
}

/// A number as people write it: never three hundred digits.
pub(crate) fn plain(number: f64) -> String {
    if number.abs() < 1e15 { number.to_string() } else { format!("{number:e}") }
}

impl From<Spanned<Value>> for Node {
    fn from(spanned: Spanned<Value>) -> Self {
        Self { line: spanned.referenced.line(), value: spanned.value }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

/// A key: text, and an empty one is the empty text (BAPCtools: `~: generator`).
struct Key(String);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::<String>::deserialize(deserializer).map(|key| Self(key.unwrap_or_default()))
    }
}

struct ValueVisitor;

#[allow(clippy::cast_precision_loss, reason = "limits are far below 2^53; beyond it they are refused anyway")]
impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_i128<E>(self, number: i128) -> Result<Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_u128<E>(self, number: u128) -> Result<Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Number(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = sequence.next_element::<Spanned<Value>>()? {
            nodes.push(Node::from(node));
        }
        Ok(Value::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some((Key(key), node)) = map.next_entry::<Key, Spanned<Value>>()? {
            entries.push((key, Node::from(node)));
        }
        Ok(Value::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_know_their_lines_and_an_empty_document_is_an_empty_map() {
        let root = parse("a: 1\nb:\n  c: [x, 2.5, true]\n  d:\n").unwrap();
        let entries = root.map("").unwrap();
        assert_eq!(entries[0].1.number("a").unwrap(), Some(1.0));
        let inner = entries[1].1.map("b").unwrap();
        assert_eq!(inner[0].1.line, 3);
        assert_eq!(inner[0].1.texts("c").unwrap(), ["x", "2.5", "true"]);
        assert_eq!(inner[1].1.text("d").unwrap(), None);
        for empty in ["", "\n", "# nothing\n", "---\n"] {
            assert!(parse(empty).unwrap().map("").unwrap().is_empty(), "{empty:?}");
        }
    }

    #[test]
    fn of_a_key_that_is_there_twice_the_last_counts_at_the_place_of_the_first() {
        let text = "a: 1\nb: {c: 1, c: 2}\na:\n- {d: 1,\n   d: 2, d: 3}\n1: x\n1: y\n";
        let (root, duplicates) = parse_with_duplicates(text).unwrap();
        let keys: Vec<_> = root.map("").unwrap().iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["a", "b", "1"]);
        let told: Vec<_> = duplicates.iter().map(|(line, key)| (*line, key.as_str())).collect();
        assert_eq!(told, [(4, "a"), (7, "1"), (5, "a.d"), (5, "a.d"), (2, "b.c")]);
        let entries = root.map("").unwrap();
        let Value::List(items) = &entries[0].1.value else { panic!("{entries:?}") };
        assert_eq!(items[0].map("").unwrap()[0].1.number("d").unwrap(), Some(3.0));
        assert_eq!(entries[1].1.map("").unwrap()[0].1.number("c").unwrap(), Some(2.0));
        assert_eq!(entries[2].1.text("1").unwrap().as_deref(), Some("y"));
        // What is merged gives way to what is written, and is not there twice.
        let (root, duplicates) =
            parse_with_duplicates("x: &x {k: 1, l: 2}\ny: {k: 3, <<: *x}\nz: {<<: *x, k: 4}\n").unwrap();
        assert!(duplicates.is_empty(), "{duplicates:?}");
        for (place, expected) in [(1, 3.0), (2, 4.0)] {
            let map = root.map("").unwrap()[place].1.map("").unwrap();
            let found = map.iter().find(|(key, _)| key == "k").unwrap().1.number("k").unwrap();
            assert_eq!((found, map.len()), (Some(expected), 2));
        }
    }

    #[test]
    fn keys_are_text_whatever_they_look_like() {
        let root = parse("~: a\n1: b\n'2': c\ntrue: d\n").unwrap();
        let keys: Vec<_> = root.map("").unwrap().iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["", "1", "2", "true"]);
    }

    #[test]
    fn aliases_cannot_make_a_small_file_large() {
        let mut text = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for level in 1..10 {
            let previous = format!("*a{},", level - 1).repeat(10);
            text.push_str(&format!("a{level}: &a{level} [{}]\n", previous.trim_end_matches(',')));
        }
        let error = parse(&text).unwrap_err().to_string();
        assert!(!error.contains('\n'), "{error}");
    }
}
